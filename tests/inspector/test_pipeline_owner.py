"""One side owns the line, PLC or person: the other is refused until it takes it."""

import pytest

from inspector.pipeline.events import EventCode
from inspector.pipeline.state import Event, RefusedError, State
from inspector.pipeline.station_state import COMMANDS
from tests.inspector.state_parts import (
    ALL,
    CAMERA,
    PERSON,
    PLC,
    new_station,
    station_at,
)


@pytest.mark.parametrize("event", sorted(COMMANDS))
def test_the_other_side_is_refused_whatever_it_says(event: Event) -> None:
    station, _ = new_station(PLC)
    with pytest.raises(RefusedError) as refusal:
        station.command(event, PERSON)

    assert str(refusal.value) == (
        f"{event} by the person is refused: the PLC owns the line, take control first."
    )


def test_the_other_side_cannot_pause() -> None:
    with pytest.raises(RefusedError, match="Pause by the PLC is refused: the person owns"):
        station_at(State.CONTINUOUS_EXECUTION).pause(PLC)


@pytest.mark.parametrize(
    ("state", "left"),
    [
        (State.PREOPERATIONAL, State.PREOPERATIONAL),
        (State.HALTED, State.HALTED),
        (State.INITIALIZED, State.INITIALIZED),
        (State.READY, State.INITIALIZED),
        (State.SINGLE_EXECUTION, State.INITIALIZED),
        (State.CONTINUOUS_EXECUTION, State.INITIALIZED),
        (State.ERROR, State.ERROR),
    ],
)
def test_taking_control_drops_ready(state: State, left: State) -> None:
    station = station_at(state)
    station.take_control(PLC, "Kim")
    station.note(ALL)

    assert (station.standing.state, station.standing.owner) == (left, PLC)
    with pytest.raises(RefusedError, match="the PLC owns the line"):
        station.command(Event.HALT, PERSON)


def test_taking_control_is_told_and_taking_what_one_has_is_nothing() -> None:
    station, events = new_station(PLC)
    station.take_control(PLC, "the PLC")
    assert events.drain().events == ()
    station.take_control(PERSON, "Kim")

    (event,) = events.drain().events
    assert (event.code, event.text) == (
        EventCode.CONTROL_TAKEN,
        "Kim took the line from the PLC for the person.",
    )


def test_control_taken_while_the_camera_was_lost_leaves_nothing_to_resume() -> None:
    station = station_at(State.CONTINUOUS_EXECUTION)
    station.raise_error(CAMERA, "No camera.")
    station.take_control(PLC, "Kim")
    station.resolve(CAMERA, "Back.")

    assert station.standing.state is State.INITIALIZED
