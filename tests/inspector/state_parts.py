"""Stations in each of their states, with all that they need or without."""

from inspector.pipeline.event_queue import EventQueue
from inspector.pipeline.latched import ErrorCode
from inspector.pipeline.readiness import REQUIRED, Check, Precondition
from inspector.pipeline.state import Event, State
from inspector.pipeline.station_state import Owner, StationState
from tests.inspector.pipeline_parts import NOON

ALL = tuple(Check(name, True, f"{name} is well.") for name in REQUIRED)
FULL = Check(Precondition.DISK, False, "The disk is full.")
CAMERA, DATABASE, INTERNAL = ErrorCode.CAMERA_LOST, ErrorCode.DATABASE_REFUSED, ErrorCode.INTERNAL
PLC, PERSON = Owner.PLC, Owner.PERSON


def new_station(owner: Owner = PERSON) -> tuple[StationState, EventQueue]:
    events = EventQueue()
    return StationState(events, owner, clock=lambda: NOON), events


def station_at(state: State) -> StationState:
    """A person's station in ``state``."""
    station, _ = new_station()
    station.note(ALL)
    for event in WAY[state]:
        station.command(event, PERSON)
    if state is State.ERROR:
        station.raise_error(DATABASE, "Refused.")
    assert station.standing.state is state
    return station


READY = (Event.SELECT_MODE_AUTOMATIC, Event.PREPARE_RECIPE)
WAY = {
    State.PREOPERATIONAL: (),
    State.HALTED: (Event.HALT,),
    State.ERROR: (),
    State.INITIALIZED: READY[:1],
    State.READY: READY,
    State.SINGLE_EXECUTION: (*READY, Event.START_SINGLE_JOB),
    State.CONTINUOUS_EXECUTION: (*READY, Event.START_CONTINUOUS),
}
