"""The handshake with a PLC: pure, one step at a time, and every doubt ends in Error with NG.

Four phases, each left by one side: idle → (Trigger) busy → (the record is committed) result →
(ResultAck) release → (both signals low again) idle. A trigger outside idle is refused: it spoils
the answer that is open, since nobody could say which part an OK would be for.

Where hardware triggers the camera there is no busy: results wait for their turn, and are withdrawn
where their :class:`period <inspector.line.period.Period>` ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from inspector.line.period import Period
from inspector.line.signals import (
    NO_RESULT,
    SAFE,
    UNKNOWN_RECIPE,
    LineCounts,
    Outputs,
    PlcSignals,
    Result,
    StationSigns,
    Trigger,
)
from inspector.pipeline.inspection import Reason, Verdict

MOST_WAITING: Final = 64
"""Results that wait for the PLC where the camera triggers itself; more is a PLC that sleeps."""
ERROR_STATE: Final = "Error"


class Phase(Enum):
    IDLE = "idle"
    BUSY = "busy"
    RESULT = "result"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Rules:
    """``recipes`` is the highest recipe index known; ``answer_s`` the longest wait for a record
    before the line answers Error; ``beat_s`` how often the heartbeat changes; ``triggers`` is
    false where the camera is triggered by hardware and only results go out, and INSPECTING then
    stays low for ``rest_s`` at least."""

    recipes: int = 0
    answer_s: float = 5.0
    beat_s: float = 0.5
    triggers: bool = True
    rest_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one step: the outputs from now on, and the trigger to act on, if any."""

    outputs: Outputs
    trigger: Trigger | None = None


class Handshake:
    """Use it on one thread. It knows no clock: ``now`` is given, in seconds that never go back."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._phase = Phase.IDLE
        self._plc = PlcSignals(trigger=True, ack=True)  # an edge needs a low level seen before
        self._shown = NO_RESULT
        self._waiting: list[Result] = []
        self._period, self._ends = Period(rules.rest_s), 0
        self._number, self._taken = 0, PlcSignals()  # of the newest edge
        self._since, self._beaten = 0.0, float("-inf")
        self._counts = LineCounts()
        self.outputs = SAFE

    def step(
        self,
        plc: PlcSignals,
        signs: StationSigns,
        results: Sequence[Result],
        now: float,
        *,
        link: bool = True,
        alive: bool = True,
    ) -> Step:
        """Take what was said since the last step; give what to say from now on.

        ``link``: the PLC was heard of lately; ``alive``: the thread that inspects gave a sign of
        life lately.
        """
        before, self._plc = self._plc, plc
        hung = signs.inspecting and not alive
        in_doubt = hung or not link or signs.state == ERROR_STATE
        inspecting = signs.inspecting and not hung
        if not self._rules.triggers:
            inspecting = self._goes_on(signs, now, well=inspecting and not in_doubt)
        self._take(results)
        self._time_out(now)
        if in_doubt:
            self._spoil()
        if self._phase is Phase.RESULT and plc.ack and not before.ack:
            self._phase = Phase.RELEASE
        ready = link and signs.ready and inspecting and self._knows(plc)
        trigger = None
        if self._rules.triggers and plc.trigger and not before.trigger:
            trigger = self._edge(plc, ready, now)
        self._go_idle(plc)
        self.outputs = self._say(
            signs.state, now, link=link, ready=ready, inspecting=inspecting, error=in_doubt
        )
        return Step(self.outputs, trigger)

    def _goes_on(self, signs: StationSigns, now: float, *, well: bool) -> bool:
        """Whether the PLC may know that the station inspects."""
        before, self._ends = self._ends, signs.ends
        goes_on = self._knows(self._plc) and signs.ends == before
        inspecting = self._period.look(now, well=well and goes_on)
        if not inspecting:
            self._withdraw()
        return inspecting

    def _take(self, results: Sequence[Result]) -> None:
        for result in results:
            self._count(result)
            if not self._rules.triggers:
                self._queue(result)
            elif self._phase is Phase.BUSY and result.number == self._number:
                self._present(result)  # any other comes too late: its part is rejected already

    def _queue(self, result: Result) -> None:
        number = self._period.number(result)
        if number is not None:
            self._waiting.append(replace(result, number=number))
        if len(self._waiting) > MOST_WAITING:
            self._period.end()

    def _withdraw(self) -> None:
        """The PLC has rejected all that it fired: what is told of it now, it would take for the
        result of the part that it fires next."""
        self._waiting = []
        if self._phase is Phase.RESULT:
            self._phase = Phase.RELEASE

    def _time_out(self, now: float) -> None:
        if self._phase is Phase.BUSY and now - self._since > self._rules.answer_s:
            self._present(_unanswered(self._number))

    def _spoil(self) -> None:
        """Whatever answer is open becomes Error, and stays so: the PLC may have acted without."""
        if self._phase is Phase.BUSY:
            self._present(_unanswered(self._number))
        elif self._phase is Phase.RESULT and self._shown.verdict is not Verdict.FAULT:
            self._present(_unanswered(self._shown.number))

    def _edge(self, plc: PlcSignals, ready: bool, now: float) -> Trigger:
        """Taken only where TriggerReady was said before and holds still."""
        self._number, self._taken = self._number + 1, plc
        taken = ready and self.outputs.trigger_ready and self._phase is Phase.IDLE
        counts = replace(self._counts, triggers=self._counts.triggers + 1)
        self._counts = counts if taken else replace(counts, refused=counts.refused + 1)
        if taken:
            self._phase, self._since = Phase.BUSY, now
        else:
            self._present(Result(self._number, Verdict.FAULT, Reason.NOT_READY, recorded=False))
        refused = None if taken else Reason.NOT_READY
        return Trigger(self._number, plc.part, plc.recipe_index, now, refused)

    def _go_idle(self, plc: PlcSignals) -> None:
        trigger_low = not plc.trigger or not self._rules.triggers
        if self._phase is Phase.RELEASE and not plc.ack and trigger_low:
            self._phase = Phase.IDLE
        if self._phase is Phase.IDLE and self._waiting and not plc.ack:
            self._present(self._waiting.pop(0))

    def _present(self, result: Result) -> None:
        self._phase, self._shown = Phase.RESULT, result

    def _say(
        self, state: str, now: float, *, link: bool, ready: bool, inspecting: bool, error: bool
    ) -> Outputs:
        result_ready = link and self._phase is Phase.RESULT
        verdict = self._shown.verdict if result_ready else None
        error |= verdict is Verdict.FAULT
        low = not self._plc.trigger and not self._plc.ack
        may_trigger = self._phase is Phase.IDLE and low if self._rules.triggers else True
        return Outputs(
            trigger_ready=ready and may_trigger,
            result_ready=result_ready,
            ok=verdict is Verdict.OK and not error,
            ng=error or verdict not in (None, Verdict.OK),
            error=error,
            heartbeat=self._beat(now, beating=inspecting),
            inspecting=inspecting,
            recipe_echo=self._echo(),
            part_echo=self._taken.counter,
            state=state,
            result=self._shown,
            counts=self._counts,
        )

    def _beat(self, now: float, *, beating: bool) -> bool:
        if not beating or now - self._beaten < self._rules.beat_s:
            return self.outputs.heartbeat
        self._beaten = now
        return not self.outputs.heartbeat

    def _echo(self) -> int:
        """Of the part in hand the index that was taken with it; between two, the one asked for."""
        between = self._phase is Phase.IDLE or not self._rules.triggers
        plc = self._plc if between else self._taken
        return plc.recipe_index if self._knows(plc) else UNKNOWN_RECIPE

    def _knows(self, plc: PlcSignals) -> bool:
        """Where hardware triggers, no index can be said to be meant for any part."""
        return plc.recipe_index <= (self._rules.recipes if self._rules.triggers else 0)

    def _count(self, result: Result) -> None:
        if result.recorded:
            self._counts = self._counts.with_record(result.verdict)


def _unanswered(number: int) -> Result:
    return Result(number, Verdict.FAULT, Reason.LATE_RESULT, recorded=False)
