"""One run's way through the station's states: Preoperational → Ready → execution, and back.

What opens and closes says nothing here; what the line may believe of it does.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from inspector.camera.keeper import Link, LinkChange
from inspector.failure import error_code, sentence_of
from inspector.pipeline.control import Control, RunState
from inspector.pipeline.events import EventCode
from inspector.pipeline.inspection import Inspection
from inspector.pipeline.latched import ErrorCode
from inspector.pipeline.readiness import Check, Precondition
from inspector.pipeline.state import Event, RefusedError, State
from inspector.pipeline.station_state import Owner, Standing, StationState
from inspector.surroundings import Surroundings
from inspector.watch import TURN_S

LEAST_FREE_BYTES: Final = 16 * 2**20  # below, a row may not fit any more

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
    the station may not start.
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
        self.is_open = False  # the run has its row, and all that it needs
        self._begun = False

    @contextmanager
    def ended_in_a_state(self) -> Iterator[None]:
        """From Preoperational and back to it; in Error where the run does not simply end."""
        self._reset()
        self._state.command(Event.SELECT_MODE_AUTOMATIC, self._state.standing.owner)
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._state.raise_error(error_code(error), sentence_of(error))
            raise
        finally:
            self._close()

    def executed(self, inspections: Iterable[Inspection]) -> Iterator[Inspection]:
        """The same inspections, from Ready on: whoever asks for the first has opened the rest."""
        self.is_open = True
        self._state.note(Check(name, True, f"The {name} is well.") for name in OPENED)
        self._state.note([disk_check(self._out)])
        while not self._started():
            if not self.links_are_back():
                return
        self._begun = True
        try:
            yield from inspections
        finally:
            self.hold()

    def hold(self) -> None:
        """No part may come any more, from now on: whoever closes may take its time."""
        standing = self._state.standing
        if standing.state.is_executing:
            self._state.command(Event.STOP, standing.owner)
        self._round.show(self._state.standing)

    def links_are_back(self, meanwhile: Callable[[], None] = nothing) -> bool:
        """What heals by itself is waited for: it is no end of a run. False where it was stopped."""
        while self._state.standing.heals:
            if self._control.state is RunState.STOPPED:
                return False
            meanwhile()
            time.sleep(TURN_S)
        return True

    def note_what_changes(self) -> None:
        """What a station looks at by itself, whatever the line does."""
        self._state.note([disk_check(self._out)])
        standing, paused = self._state.standing, self._control.state is RunState.PAUSED
        if self._plc_triggers:
            self._hand_over(standing, Owner.PERSON if paused else Owner.PLC)
        elif standing.state is State.CONTINUOUS_EXECUTION and paused is not standing.paused:
            (self._state.pause if paused else self._state.go_on)(standing.owner)

    def camera_changed(self, change: LinkChange) -> None:
        if change.link is Link.LOST:
            self._state.raise_error(ErrorCode.CAMERA_LOST, change.sentence)
        else:
            text = f"The camera {change.camera} is back. {change.sentence}".rstrip()
            self._state.resolve(ErrorCode.CAMERA_LOST, text)
        self._round.show(self._state.standing)  # at once: no trigger may come meanwhile

    def _hand_over(self, standing: Standing, owner: Owner) -> None:
        """A person who pauses takes the line from the PLC, and gives it back by going on."""
        held = standing.missing or any(error.blocks for error in standing.errors)
        if not self._begun or (owner is Owner.PLC and held):
            return
        self._state.take_control(owner, "The person at the station")
        if owner is Owner.PLC and self._state.standing.state is State.INITIALIZED:
            self._started()  # if not, the next look tries again

    def _started(self) -> bool:
        """Into execution; False where a link that comes back by itself was lost just now."""
        try:
            for event in (Event.PREPARE_RECIPE, Event.START_CONTINUOUS):
                self._state.command(event, self._state.standing.owner)
        except RefusedError:
            if not self._state.standing.heals:
                raise
            return False
        return True

    def _reset(self) -> None:
        standing = self._state.standing
        if standing.state is not State.PREOPERATIONAL:
            self._state.command(Event.RESET, standing.owner)

    def _close(self) -> None:
        self._state.note(Check(name, False, f"The {name} is closed.") for name in OPENED)
        closed = "The camera that was lost is closed."
        self._state.resolve(ErrorCode.CAMERA_LOST, closed, EventCode.ERROR_RESOLVED)
        self.is_open = self._begun = False
        if self._state.standing.state is not State.ERROR:
            self._reset()
        self._round.show(self._state.standing)
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
