"""What crosses between the thread that inspects and the line's own: frozen values, both ways."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Final

from inspector.line.signals import Result, StationSigns, Trigger, result_of
from inspector.pipeline.control import Control, RunState
from inspector.pipeline.inspection import Inspection, Reason, Verdict

LOOK_S: Final = 0.1
"""How often who waits for a trigger looks up: for the run's end, and to give a sign of life."""
TURN_S: Final = 0.005
MOST_TURNS: Final = 40


class Desk:
    """The line's thread takes results and puts triggers; the inspecting thread the other way.

    Between :meth:`begin` and :meth:`give_up` a run is on, and each trigger waits for it. One that
    comes while none is on is turned away, whatever the PLC was told: its part has gone by before
    any run could see it.

    ``timer`` gives seconds that never go back; ``wake`` is called where the line has something
    new to say; ``answer_s`` is how long a trigger is worth a picture.
    """

    def __init__(
        self, timer: Callable[[], float], wake: Callable[[], None], answer_s: float, life_s: float
    ) -> None:
        self._timer, self._wake = timer, wake
        self._answer_s, self._life_s = answer_s, life_s
        self._triggers: SimpleQueue[Trigger] = SimpleQueue()
        self._results: deque[Result] = deque()
        self._door = Lock()  # over the two that follow: no trigger slips in behind a run's end
        self._is_open = False
        self._turned_away = 0
        self._handed: dict[int, int] = {}  # frame id → trigger number; the inspecting thread's own
        self._signs = StationSigns()
        self._life = float("-inf")
        self._frame_id = self._looks = 0
        self._taken: dict[int, float] = {}  # frame id → when; the inspecting thread's own
        self._newest_taken = self._last_answered = float("-inf")

    # The thread that inspects, and whoever knows the station's state.

    def show(self, signs: StationSigns) -> None:
        """From a start or a pause on, the inspecting thread has its whole time for a first sign."""
        if signs.inspecting and not self._signs.inspecting:
            self.alive()
        ended = self._signs.inspecting and not signs.inspecting
        self._signs = replace(signs, ends=self._signs.ends + ended)
        self._wake()

    def alive(self) -> None:
        """A sign of life of the thread that inspects."""
        self._life = self._timer()

    def begin(self) -> int:
        """A run is on, and frame ids begin anew; how many triggers were turned away until now."""
        self._handed.clear()
        self._taken.clear()
        self._frame_id = 0
        with self._door:
            self._is_open = True
        return self.turned_away()

    def turned_away(self) -> int:
        """How many triggers were turned away since this was asked last."""
        with self._door:
            count, self._turned_away = self._turned_away, 0
        return count

    def triggers(self, control: Control, check: Callable[[], None]) -> Iterator[Trigger]:
        """Each edge of Trigger in order, until the run is stopped; ``check`` may raise."""
        while control.state is not RunState.STOPPED:
            check()
            self.alive()
            try:
                trigger = self._triggers.get(timeout=LOOK_S)
            except Empty:
                continue
            yield self._hand(self._fresh(trigger))

    def rest(self) -> Iterator[Trigger]:
        """What came before the line was told that no more may: refused, each with its record."""
        with suppress(Empty):
            while True:
                trigger = self._triggers.get_nowait()
                yield self._hand(replace(trigger, refused=Reason.NOT_READY))

    def _hand(self, trigger: Trigger) -> Trigger:
        frame_id, self._frame_id = self._frame_id, self._frame_id + 1
        self._handed[frame_id] = trigger.number
        return replace(trigger, frame_id=frame_id)

    def answer(self, inspection: Inspection, *, triggered: bool) -> None:
        """Tell the verdict of a committed inspection to whoever asked for it, if anybody did.

        Where hardware triggers, nobody did: when its part was taken says whether it is told.
        """
        self.alive()
        frame_id = inspection.frame.frame_id
        if triggered:
            number = self._handed.pop(frame_id, 0)  # 0: no trigger's
            self._put(result_of(number, inspection))
        else:
            start, end = self._when(frame_id)
            self._put(replace(result_of(0, inspection), taken_from=start, taken_until=end))

    def took(self, frame_id: int, at: float) -> None:
        """A camera that hardware triggers took this picture then, in seconds of ``timer``."""
        self._taken[frame_id] = self._newest_taken = at

    def _when(self, frame_id: int) -> tuple[float, float]:
        """When its part was taken; of one that nobody saw, between which two pictures."""
        at = self._taken.get(frame_id)
        self._taken = {other: when for other, when in self._taken.items() if other > frame_id}
        if at is None:
            return self._last_answered, self._newest_taken
        self._last_answered = at
        return at, at

    def await_look(self) -> None:
        """Until the line has looked at what was shown last, or gives no sign of doing so: what it
        had taken before is put by then."""
        wanted = self._looks + 2  # the one that is under way may have looked before
        for _ in range(MOST_TURNS):
            if self._looks >= wanted:
                return
            time.sleep(TURN_S)

    def give_up(self) -> None:
        """The run is over: what it was asked and did not answer is an error."""
        with self._door:
            self._is_open = False
        for _ in self.rest():
            pass  # handed to nobody: answered with the others
        for number in self._handed.values():
            failed = Result(number, Verdict.FAULT, Reason.INTERNAL_ERROR, recorded=False)
            self._put(failed)
        self._handed.clear()

    def _fresh(self, trigger: Trigger) -> Trigger:
        """A trigger that lay too long has been answered by an error, and its part is gone."""
        late = self._timer() - trigger.at_monotonic > self._answer_s
        return replace(trigger, refused=Reason.NOT_READY) if late else trigger

    def _put(self, result: Result) -> None:
        self._results.append(result)
        self._wake()

    # The line's thread.

    @property
    def signs(self) -> StationSigns:
        return self._signs

    def is_alive(self) -> bool:
        return self._timer() - self._life <= self._life_s

    def looked(self) -> None:
        self._looks += 1

    def put_trigger(self, trigger: Trigger) -> None:
        with self._door:
            if self._is_open:
                self._triggers.put(trigger)
                return
            self._turned_away += 1
        # One that was refused has its answer; a run that broke off may have left Ready behind.
        if trigger.refused is None:
            self._put(Result(trigger.number, Verdict.FAULT, Reason.NOT_READY, recorded=False))

    def take_results(self) -> list[Result]:
        taken = []
        while self._results:
            taken.append(self._results.popleft())
        return taken
