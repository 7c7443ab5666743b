"""Where the station is, who owns the line, what went wrong, and what is missing for Ready.

The owner asks for a state; errors and missing preconditions only suspend it. Once they are gone
the station goes back there by itself, one transition of the table after the other, so that the way
into execution always leads through Ready. Two things are never resumed by themselves: a single
job, whose part has gone, and execution after an error that waits for a person: to acknowledge is
not to start (IEC 60204-1: a reset shall not initiate a restart).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from threading import Lock
from types import MappingProxyType
from typing import Final

from inspector.clock import utc_now
from inspector.pipeline.event_queue import EventQueue
from inspector.pipeline.events import Details, EventCode, StationEvent
from inspector.pipeline.latched import (
    KINDS,
    ErrorCode,
    Latched,
    LatchedError,
    acknowledge,
    latch,
    resolve,
)
from inspector.pipeline.readiness import REQUIRED, Check, Precondition, missing
from inspector.pipeline.state import METHODS, TABLE, Event, RefusedError, State, after


class Owner(StrEnum):
    """The one side whose commands count."""

    PLC = "PLC"
    PERSON = "person"


WANTED: Final[Mapping[Event, State]] = MappingProxyType(
    {
        Event.RESET: State.PREOPERATIONAL,
        Event.HALT: State.PREOPERATIONAL,
        Event.SELECT_MODE_AUTOMATIC: State.INITIALIZED,
        Event.PREPARE_RECIPE: State.READY,
        Event.UNPREPARE_RECIPE: State.INITIALIZED,
        Event.START_SINGLE_JOB: State.READY,
        Event.START_CONTINUOUS: State.CONTINUOUS_EXECUTION,
        Event.STOP: State.READY,
        Event.ABORT: State.READY,
    }
)
"""Where a command asks the station to be, as far as nothing keeps it from it."""

COMMANDS: Final = frozenset(METHODS) - {Event.CONFIRM_ALL}  # to confirm is a person's, see below


@dataclass(frozen=True, slots=True)
class Standing:
    """How the station stands at one moment, for the screen and the line."""

    state: State
    paused: bool
    owner: Owner
    errors: tuple[LatchedError, ...]
    missing: tuple[Check, ...]

    @property
    def heals(self) -> bool:
        """Whether all that keeps the station in Error goes by itself: somebody watches it."""
        holding = [error for error in self.errors if error.blocks]
        return bool(holding) and all(KINDS[error.code].heals for error in holding)

    @property
    def accepts_triggers(self) -> bool:
        return self.state.is_executing and not self.paused


class StationState:
    """Safe to use from any thread. What happens is put into ``events``, under the lock, in order.

    A command from the side that does not own the line, or that its state is not for, is a
    :class:`RefusedError` and changes nothing.
    """

    def __init__(
        self,
        events: EventQueue,
        owner: Owner = Owner.PERSON,
        required: Iterable[Precondition] = REQUIRED,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._events = events
        self._clock = clock
        self._required = tuple(required)
        self._lock = Lock()
        self._state = State.PREOPERATIONAL
        self._wanted = State.PREOPERATIONAL
        self._paused = False
        self._owner = owner
        self._errors: Latched = {}
        self._checks: dict[Precondition, Check] = {}

    @property
    def standing(self) -> Standing:
        with self._lock:
            return self._standing()

    def command(self, event: Event, by: Owner) -> None:
        """One of :data:`COMMANDS`, from one side; see :func:`inspector.pipeline.state.after`."""
        if event not in COMMANDS:
            raise ValueError(f"{event} is no command")
        with self._lock:
            self._command(event, by)

    def start(self, by: Owner) -> bool:
        """PrepareRecipe and StartContinuous, with nothing between them: both, or neither.

        False where what holds the station in Error goes by itself: ask again once it has.
        """
        with self._lock:
            if self._standing().heals:
                return False
            self._command(Event.PREPARE_RECIPE, by)
            self._command(Event.START_CONTINUOUS, by)
            return True

    def call_off(self, event: Event, why: str) -> None:
        """Stop or Reset because the run is over: in any state, whoever owns the line.

        Where an error or a missing precondition has suspended what goes beyond, it is not resumed.
        """
        with self._lock:
            self._want_less(WANTED[event])
            self._settle(self._state, TABLE.get((self._state, event), self._state), why)

    def pause(self, by: Owner) -> None:
        """Accept no trigger until :meth:`go_on`: ContinuousExecution goes on, with all it holds."""
        self._set_paused(True, by)

    def go_on(self, by: Owner) -> None:
        self._set_paused(False, by)

    def job_done(self) -> None:
        """The single job has its record, or the camera of a continuous one came to its end."""
        with self._lock:
            reached = after(self._state, Event.JOB_DONE)
            self._want(State.READY)
            self._settle(self._state, reached, "the job is done")

    def take_control(self, by: Owner, who: str) -> None:
        """From now on ``by`` owns the line, and starts from Initialized. ``who`` is for the log."""
        with self._lock:
            if by is self._owner:
                return
            before, self._owner = self._owner, by
            self._want_less(State.INITIALIZED)
            text = f"{who} took the line from the {before} for the {by}."
            self._say(EventCode.CONTROL_TAKEN, text, {"owner": by, "who": who})
            self._settle(self._state, self._state, "control was taken")

    def note(self, checks: Iterable[Check]) -> None:
        """Preconditions as they are now; those not among ``checks`` stay as they were."""
        with self._lock:
            self._checks.update({check.name: check for check in checks})
            self._settle(self._state, self._state, "what is ready has changed")

    def raise_error(self, code: ErrorCode, sentence: str) -> None:
        """Latch an error; one whose cause is known to last counts up and is no new event."""
        with self._lock:
            known = self._errors.get(code)
            self._errors = latch(self._errors, code, sentence, self._clock())
            if known is None or (KINDS[code].lasting and known.is_resolved):
                self._say(KINDS[code].raised, sentence, {"error": code})
            if not KINDS[code].heals:
                self._want_less(State.READY)
            self._settle(self._state, self._state, sentence)

    def resolve(self, code: ErrorCode, sentence: str, said: EventCode | None = None) -> None:
        """The cause has gone. The record of it stays until a person acknowledges it.

        ``said`` is the event's code, where it is not the kind's own.
        """
        with self._lock:
            before = self._errors
            self._errors = resolve(before, code, self._clock())
            if self._errors is not before:
                self._say(said or KINDS[code].resolved, sentence, {"error": code})
            self._settle(self._state, self._state, sentence)

    def acknowledge(self, code: ErrorCode, person: str) -> None:
        """``person``, by name, has seen the error: a matter of people, whoever owns the line."""
        with self._lock:
            self._acknowledge(code, person)

    def confirm_all(self, person: str) -> None:
        """ConfirmAll: ``person`` has seen every error there is."""
        with self._lock:
            for code in self._errors:
                self._acknowledge(code, person)

    def _standing(self) -> Standing:
        paused = self._paused and self._state is State.CONTINUOUS_EXECUTION
        errors = tuple(self._errors.values())
        return Standing(self._state, paused, self._owner, errors, self._missing())

    def _command(self, event: Event, by: Owner) -> None:
        self._require_owner(event, by)
        reached = after(self._state, event)
        self._require_possible(event)
        if event in (Event.STOP, Event.ABORT):
            self._want_less(State.READY)
        else:
            self._want(WANTED[event])
        self._settle(self._state, reached, f"{event} by the {by}")

    def _acknowledge(self, code: ErrorCode, person: str) -> None:
        before = self._errors
        self._errors = acknowledge(before, code, person)
        if self._errors is not before:
            text = f"{person} acknowledged: {before[code].sentence}"
            self._say(EventCode.ERROR_ACKNOWLEDGED, text, {"error": code, "who": person})
        self._settle(self._state, self._state, f"{person} acknowledged")

    def _set_paused(self, paused: bool, by: Owner) -> None:
        with self._lock:
            word = "Pause" if paused else "Going on"
            self._require_owner(word, by)
            if self._state is not State.CONTINUOUS_EXECUTION:
                raise RefusedError(
                    f"{word} is refused in the state {self._state}: it is for "
                    f"{State.CONTINUOUS_EXECUTION}."
                )
            if paused is not self._paused:
                self._paused = paused
                text = "Paused: no trigger is accepted." if paused else "Triggers are accepted."
                self._say(EventCode.STATE_CHANGED, text, {"state": self._state, "paused": paused})

    def _require_owner(self, what: str, by: Owner) -> None:
        if by is not self._owner:
            raise RefusedError(
                f"{what} by the {by} is refused: the {self._owner} owns the line, take control "
                "first."
            )

    def _require_possible(self, event: Event) -> None:
        """What the table allows and the moment does not."""
        if event is Event.RESET and self._state is State.ERROR and (holding := self._holding()):
            raise RefusedError(f"{event} is refused, an error holds the station: {holding}")
        if event is Event.PREPARE_RECIPE and (lacking := self._missing()):
            said = " ".join(check.sentence for check in lacking)
            raise RefusedError(f"{event} is refused, the station is not ready: {said}")

    def _holding(self) -> str:
        return " ".join(error.sentence for error in self._errors.values() if error.blocks)

    def _missing(self) -> tuple[Check, ...]:
        return missing(self._checks.values(), self._required)

    def _want(self, state: State) -> None:
        self._wanted = state
        self._paused = False

    def _want_less(self, most: State) -> None:
        """Call off what was asked for beyond ``most``."""
        if _HEIGHT[self._wanted] > _HEIGHT[most]:
            self._want(most)

    def _settle(self, before: State, state: State, why: str) -> None:
        """From ``state``, go where errors and preconditions demand and the owner wants it."""
        while (event := self._next(state)) is not None:
            state = after(state, event)
        self._state = state
        if state is not before:
            text = f"{before} → {state}: {why.rstrip('.')}."
            self._say(EventCode.STATE_CHANGED, text, {"from": before, "state": state})

    def _next(self, state: State) -> Event | None:
        """The transition due by itself in ``state``; None where it may stay."""
        if any(error.blocks for error in self._errors.values()):
            return None if state in (State.ERROR, State.HALTED) else Event.ERROR_RAISED
        if state is State.ERROR:
            early = self._wanted is State.PREOPERATIONAL
            return Event.RESOLVED_EARLY if early else Event.RESOLVED
        if state is State.INITIALIZED:
            wants = _HEIGHT[self._wanted] >= _HEIGHT[State.READY]
            return Event.READY_ENTRY if wants and not self._missing() else None
        return self._next_beyond_initialized(state)

    def _next_beyond_initialized(self, state: State) -> Event | None:
        held = self._wanted is State.INITIALIZED or bool(self._missing())
        if state.is_executing:
            return Event.JOB_DONE if held else None
        if state is State.READY:
            if held:
                return Event.READY_LOST
            return Event.GO_ON if self._wanted is State.CONTINUOUS_EXECUTION else None
        return None

    def _say(self, code: EventCode, text: str, details: Details) -> None:
        self._events.put(StationEvent(code, self._clock(), text, MappingProxyType(dict(details))))


_HEIGHT: Final = MappingProxyType(
    {
        State.PREOPERATIONAL: 0,
        State.INITIALIZED: 1,
        State.READY: 2,
        State.CONTINUOUS_EXECUTION: 3,
    }
)
"""What can be wanted, from less to more."""
