"""The states of a station, in the words of OPC UA for Machine Vision (OPC 40100-1).

States are those of sections 8.2.6 (table 82) and 8.3.5 (table 97). An event is what sections 8.2.7
(table 84) and 8.3.6 (table 99) name as the cause of a transition: a method, or, where there is
none, what its "Auto" transitions are called. The table is pure data and has no memory; what a
station was asked for, and what keeps it from it, stands in
:mod:`inspector.pipeline.station_state`.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from engine.types import KnownError


class State(StrEnum):
    """Where a station is. The last four are the inner states of Operational, automatic mode."""

    PREOPERATIONAL = "Preoperational"
    HALTED = "Halted"
    ERROR = "Error"
    INITIALIZED = "Initialized"
    READY = "Ready"
    SINGLE_EXECUTION = "SingleExecution"
    CONTINUOUS_EXECUTION = "ContinuousExecution"

    @property
    def is_executing(self) -> bool:
        """Whether parts are judged."""
        return self in (State.SINGLE_EXECUTION, State.CONTINUOUS_EXECUTION)


class Event(StrEnum):
    """What may move a station: ten methods, then what happens by itself."""

    RESET = "Reset"
    HALT = "Halt"
    SELECT_MODE_AUTOMATIC = "SelectModeAutomatic"
    CONFIRM_ALL = "ConfirmAll"
    PREPARE_RECIPE = "PrepareRecipe"
    UNPREPARE_RECIPE = "UnprepareRecipe"
    START_SINGLE_JOB = "StartSingleJob"
    START_CONTINUOUS = "StartContinuous"
    STOP = "Stop"
    ABORT = "Abort"
    ERROR_RAISED = "ToErrorAuto"
    RESOLVED = "ErrorToOperationalAuto"
    RESOLVED_EARLY = "ErrorToPreoperationalAuto"
    READY_ENTRY = "InitializedToReadyAuto"
    READY_LOST = "ReadyToInitializedAuto"
    GO_ON = "ReadyToContinuousExecutionAuto"
    JOB_DONE = "ExecutionToReadyAuto"


class RefusedError(KnownError):
    """A command came in a state, or from a side, that it is not for."""


_FROM: Final[Mapping[State, Mapping[Event, State]]] = {
    State.PREOPERATIONAL: {
        Event.HALT: State.HALTED,
        Event.SELECT_MODE_AUTOMATIC: State.INITIALIZED,
        Event.ERROR_RAISED: State.ERROR,
    },
    State.HALTED: {
        Event.RESET: State.PREOPERATIONAL,
        Event.ERROR_RAISED: State.HALTED,  # latched, and found again after the reset
    },
    State.ERROR: {
        Event.RESET: State.PREOPERATIONAL,
        Event.HALT: State.HALTED,
        Event.STOP: State.ERROR,  # ours: what an error suspended can be called off
        Event.ABORT: State.ERROR,
        Event.ERROR_RAISED: State.ERROR,
        Event.RESOLVED: State.INITIALIZED,
        Event.RESOLVED_EARLY: State.PREOPERATIONAL,
    },
    State.INITIALIZED: {
        Event.RESET: State.PREOPERATIONAL,
        Event.HALT: State.HALTED,
        Event.PREPARE_RECIPE: State.READY,
        Event.STOP: State.INITIALIZED,  # ours, as in Error
        Event.ABORT: State.INITIALIZED,
        Event.ERROR_RAISED: State.ERROR,
        Event.READY_ENTRY: State.READY,
    },
    State.READY: {
        Event.RESET: State.PREOPERATIONAL,
        Event.HALT: State.HALTED,
        Event.UNPREPARE_RECIPE: State.INITIALIZED,
        Event.START_SINGLE_JOB: State.SINGLE_EXECUTION,
        Event.START_CONTINUOUS: State.CONTINUOUS_EXECUTION,
        Event.ERROR_RAISED: State.ERROR,
        Event.READY_LOST: State.INITIALIZED,
        Event.GO_ON: State.CONTINUOUS_EXECUTION,
    },
    State.SINGLE_EXECUTION: {
        Event.RESET: State.PREOPERATIONAL,
        Event.HALT: State.HALTED,
        Event.STOP: State.READY,
        Event.ABORT: State.READY,
        Event.ERROR_RAISED: State.ERROR,
        Event.JOB_DONE: State.READY,
    },
    State.CONTINUOUS_EXECUTION: {
        Event.RESET: State.PREOPERATIONAL,
        Event.HALT: State.HALTED,
        Event.STOP: State.READY,
        Event.ABORT: State.READY,
        Event.ERROR_RAISED: State.ERROR,
        Event.JOB_DONE: State.READY,
    },
}
"""Confirming moves nothing: it stands in the table for every state."""

TABLE: Final[Mapping[tuple[State, Event], State]] = MappingProxyType(
    {(state, event): after for state, row in _FROM.items() for event, after in row.items()}
    | {(state, Event.CONFIRM_ALL): state for state in State}
)
"""Where each event leads. A pair that is not in it is refused."""


def after(state: State, event: Event) -> State:
    """The next state; :class:`RefusedError` says what would be allowed instead."""
    try:
        return TABLE[state, event]
    except KeyError:
        others = ", ".join(allowed(state))
        raise RefusedError(
            f"{event} is refused in the state {state}: allowed here are {others}."
        ) from None


def allowed(state: State) -> tuple[Event, ...]:
    """The methods that a side may call in ``state``, in the order of :class:`Event`."""
    return tuple(event for event in METHODS if (state, event) in TABLE)


METHODS: Final = (
    Event.RESET,
    Event.HALT,
    Event.SELECT_MODE_AUTOMATIC,
    Event.CONFIRM_ALL,
    Event.PREPARE_RECIPE,
    Event.UNPREPARE_RECIPE,
    Event.START_SINGLE_JOB,
    Event.START_CONTINUOUS,
    Event.STOP,
    Event.ABORT,
)
