"""One run's way through the station's states: Preoperational → Ready → execution, and back.

What opens and closes says nothing here; what the line may believe of it does.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Final

from inspector.camera.keeper import Link, LinkChange
from inspector.failure import error_code, sentence_of
from inspector.pipeline.control import Control, RunState
from inspector.pipeline.events import EventCode
from inspector.pipeline.inspection import HUNG_AFTER_S, Inspection
from inspector.pipeline.latched import ErrorCode
from inspector.pipeline.readiness import Check, Precondition
from inspector.pipeline.state import Event, State
from inspector.pipeline.station_state import Owner, Standing, StationState
from inspector.surroundings import Surroundings
from inspector.watch import TURN_S

LEAST_FREE_BYTES: Final = 16 * 2**20  # below, a row may not fit any more

PERSON: Final = "The person at the station"

OPENED: Final = (
    Precondition.CAMERA,
    Precondition.PLAN,
    Precondition.RECIPE,
    Precondition.CALIBRATION,
    Precondition.DATABASE,
)
"""What is well by being open: each is checked as it is opened, and raises where it is not."""


def nothing() -> None:
    """While one waits."""


class Execution:
    """Commands ``state`` for one run, as ``control`` says, and shows the line what it is at once.

    ``out`` is the folder whose disk has to have room. With ``plc_triggers`` the PLC owns the line
    but while a person has paused it. Errors of the run are latched; RefusedError is raised where
    the station may not start. Once it has been held, by :meth:`hold`, it never executes again:
    what goes on is another run's.

    The thread that inspects, the watch and the camera's come here: what is read of the state and
    commanded or shown for it, is so under one lock.
    """

    def __init__(
        self,
        state: StationState,
        control: Control,
        surroundings: Surroundings,
        out: Path,
        *,
        plc_triggers: bool,
    ) -> None:
        self._state, self._control, self._round = state, control, surroundings
        self._out, self._plc_triggers = out, plc_triggers
        self._lock = RLock()
        self.is_open = False  # the run has its row, and all that it needs
        self._begun = self._held = self._hung = False
        self._latched: BaseException | None = None

    @contextmanager
    def ended_in_a_state(self) -> Iterator[None]:
        """From Preoperational and back to it; in Error where the run does not simply end."""
        self._reset()
        if self._plc_triggers:  # whom a person's pause, ended by Stop, took it from
            self._state.take_control(Owner.PLC, PERSON)
        self._state.command(Event.SELECT_MODE_AUTOMATIC, self._state.standing.owner)
        try:
            with self.latched():
                yield
        finally:
            self._close()

    @contextmanager
    def latched(self) -> Iterator[None]:
        """What ends the run by coming through here is an error of the station, told once: while
        there is still somebody who keeps it, wherever it came from."""
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if error is not self._latched:
                self._latched = error
                self._state.raise_error(error_code(error), sentence_of(error))
                self.show()
            raise

    def executed(self, inspections: Iterable[Inspection]) -> Iterator[Inspection]:
        """The same inspections, from Ready on: whoever asks for the first has opened the rest."""
        self.is_open = True
        self._state.note(Check(name, True, f"The {name} is well.") for name in OPENED)
        self._state.note([disk_check(self._out)])
        while not self._started():
            if self._held or not self.links_are_back():
                return
        self._begun = True
        yield from inspections

    @contextmanager
    def held_at_its_end(self) -> Iterator[None]:
        """Round :meth:`executed`, and left before anything closes: a sink that fails ends the run,
        too, and leaves the inspections where they are."""
        try:
            with self.latched():
                yield
        finally:
            self.hold()

    def hold(self) -> None:
        """No part may come any more, from now on: whoever closes may take its time."""
        with self._lock:
            self._held = True
            self._state.call_off(Event.STOP, "the run ends")
            self.show()

    def show(self) -> None:
        """Tell line and monitor how the station stands now."""
        with self._lock:
            self._round.show(self._state.standing)

    def links_are_back(self, meanwhile: Callable[[], None] = nothing) -> bool:
        """What heals by itself is waited for: it is no end of a run. False where it was stopped."""
        while self._state.standing.heals:
            if self._control.state is RunState.STOPPED:
                return False
            self.show()
            meanwhile()
            time.sleep(TURN_S)
        return True

    def note_what_changes(self) -> None:
        """What a station looks at by itself, whatever the line does."""
        self._state.note([disk_check(self._out)])
        self._note_whether_it_hangs()
        with self._lock:
            control = self._control.state
            if self._begun and not self._held and control is not RunState.STOPPED:
                self._follow(paused=control is RunState.PAUSED)

    def camera_changed(self, change: LinkChange) -> None:
        if change.link is Link.LOST:
            self._state.raise_error(ErrorCode.CAMERA_LOST, change.sentence)
        else:
            text = f"The camera {change.camera} is back. {change.sentence}".rstrip()
            self._state.resolve(ErrorCode.CAMERA_LOST, text)
        self.show()  # at once: no trigger may come meanwhile

    def _note_whether_it_hangs(self) -> None:
        """The watch's own: told once a part that does not get through, and once it is."""
        busy_s = self._round.pulse.busy_s()
        hung = self._begun and not self._held and busy_s > HUNG_AFTER_S
        if hung and not self._hung:
            text = f"One part has been inspected for {busy_s:.0f} s and is not through yet."
            self._state.raise_error(ErrorCode.HUNG, text)
        elif self._hung and not hung:
            self._state.resolve(ErrorCode.HUNG, "The part that took so long is through.")
        self._hung = hung

    def _follow(self, *, paused: bool) -> None:
        """Do in the station's state what a person did at the window."""
        standing = self._state.standing
        if self._plc_triggers:
            self._hand_over(standing, Owner.PERSON if paused else Owner.PLC)
        elif standing.state is State.CONTINUOUS_EXECUTION and paused is not standing.paused:
            (self._state.pause if paused else self._state.go_on)(standing.owner)

    def _hand_over(self, standing: Standing, owner: Owner) -> None:
        """A person who pauses takes the line from the PLC, and gives it back by going on."""
        held = standing.missing or any(error.blocks for error in standing.errors)
        if owner is Owner.PLC and held:
            return
        self._state.take_control(owner, PERSON)
        if owner is Owner.PLC and self._state.standing.state is State.INITIALIZED:
            self._started()  # if not, the next look tries again

    def _started(self) -> bool:
        """Into execution; False where a link that comes back by itself was lost just now."""
        with self._lock:
            return not self._held and self._state.start(self._state.standing.owner)

    def _reset(self) -> None:
        standing = self._state.standing
        if standing.state is not State.PREOPERATIONAL:
            self._state.command(Event.RESET, standing.owner)

    def _close(self) -> None:
        self._state.note(Check(name, False, f"The {name} is closed.") for name in OPENED)
        closed = "The camera that was lost is closed."
        self._state.resolve(ErrorCode.CAMERA_LOST, closed, EventCode.ERROR_RESOLVED)
        self._state.resolve(ErrorCode.HUNG, "The part that took so long is given up.")
        self.is_open, self._latched = False, None
        self._state.call_off(Event.RESET, "the run is over")
        self.show()
        self._round.pass_on()


def disk_check(folder: Path) -> Check:
    """Rows need room; without any, a verdict could not be recorded."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        reason = error.strerror or "not reachable"
        return Check(Precondition.DISK, False, f"The disk of {folder}: {reason}.")
    if free < LEAST_FREE_BYTES:
        sentence = f"The disk of {folder} is full: free some space."
        return Check(Precondition.DISK, False, sentence)
    return Check(Precondition.DISK, True, "The disk has room.")
