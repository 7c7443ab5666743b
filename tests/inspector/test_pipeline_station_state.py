from functools import partial
from threading import Thread

import pytest

from inspector.pipeline.event_queue import EventQueue
from inspector.pipeline.events import EventCode
from inspector.pipeline.latched import ErrorCode
from inspector.pipeline.readiness import REQUIRED, Check, Precondition
from inspector.pipeline.state import Event, RefusedError, State
from inspector.pipeline.station_state import Owner, StationState
from tests.inspector.pipeline_parts import NOON
from tests.inspector.state_parts import (
    ALL,
    CAMERA,
    DATABASE,
    FULL,
    INTERNAL,
    PERSON,
    PLC,
    WAY,
    new_station,
    station_at,
)


def _states_said(events: EventQueue) -> list[object]:
    said = events.drain().events
    return [event.details["state"] for event in said if event.code is EventCode.STATE_CHANGED]


def test_a_station_starts_preoperational_and_lacks_everything() -> None:
    standing = new_station()[0].standing

    assert (standing.state, standing.paused, standing.errors) == (State.PREOPERATIONAL, False, ())
    assert [check.name for check in standing.missing] == list(REQUIRED)


def test_the_way_into_execution_is_told_step_by_step() -> None:
    station, events = new_station()
    station.note(ALL)
    for event in WAY[State.CONTINUOUS_EXECUTION]:
        station.command(event, PERSON)
    station.command(Event.STOP, PERSON)

    assert _states_said(events) == ["Initialized", "Ready", "ContinuousExecution", "Ready"]


def test_not_ready_is_said_item_by_item_and_changes_nothing() -> None:
    station = station_at(State.INITIALIZED)
    station.note([FULL, Check(Precondition.PLAN, False, "No plan at P.")])

    with pytest.raises(RefusedError, match=r"is not ready: No plan at P\. The disk is full\."):
        station.command(Event.PREPARE_RECIPE, PERSON)
    station.note(ALL)
    assert station.standing.state is State.INITIALIZED


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("state", [State.READY, State.SINGLE_EXECUTION, State.CONTINUOUS_EXECUTION])
def test_a_lost_precondition_drops_ready_and_execution(name: Precondition, state: State) -> None:
    station = station_at(state)
    station.note([Check(name, False, "Lost.")])

    assert station.standing.state is State.INITIALIZED


@pytest.mark.parametrize(
    ("state", "back"),
    [
        (State.READY, State.READY),
        (State.SINGLE_EXECUTION, State.READY),
        (State.CONTINUOUS_EXECUTION, State.CONTINUOUS_EXECUTION),
        (State.INITIALIZED, State.INITIALIZED),
    ],
)
def test_what_was_missing_comes_back_and_with_it_what_the_owner_asked_for(
    state: State, back: State
) -> None:
    station = station_at(state)
    station.note([FULL])
    station.note(ALL)

    assert station.standing.state is back


@pytest.mark.parametrize(
    ("state", "back"),
    [
        (State.PREOPERATIONAL, State.PREOPERATIONAL),
        (State.INITIALIZED, State.INITIALIZED),
        (State.READY, State.READY),
        (State.SINGLE_EXECUTION, State.READY),  # its part has gone
        (State.CONTINUOUS_EXECUTION, State.CONTINUOUS_EXECUTION),
    ],
)
def test_a_lost_camera_heals_without_hands_and_stays_on_record(state: State, back: State) -> None:
    station = station_at(state)
    station.raise_error(CAMERA, "No camera.")
    lost = station.standing
    station.resolve(CAMERA, "It is back.")
    healed = station.standing

    assert (lost.state, lost.accepts_triggers) == (State.ERROR, False)
    assert healed.state is back
    (error,) = healed.errors
    assert (error.is_resolved, error.acknowledged_by) == (True, None)
    station.acknowledge(CAMERA, "Kim")
    assert station.standing.errors == ()
    assert station.standing.state is back


def test_a_camera_heals_whether_its_check_or_its_error_is_told_first() -> None:
    gone, back = (Check(Precondition.CAMERA, ok, "Camera.") for ok in (False, True))
    for first_check in (True, False):
        station = station_at(State.CONTINUOUS_EXECUTION)
        steps = (
            partial(station.note, [gone]),
            partial(station.raise_error, CAMERA, "No camera."),
        )
        for step in steps if first_check else reversed(steps):
            step()
        station.resolve(CAMERA, "It is back.")
        assert station.standing.state is State.INITIALIZED
        station.note([back])
        assert station.standing.state is State.CONTINUOUS_EXECUTION


def test_an_acknowledged_camera_is_still_lost() -> None:
    station = station_at(State.CONTINUOUS_EXECUTION)
    station.raise_error(CAMERA, "No camera.")
    station.acknowledge(CAMERA, "Kim")

    assert station.standing.state is State.ERROR
    assert station.standing.errors[0].acknowledged_by == "Kim"
    station.resolve(CAMERA, "It is back.")
    assert (station.standing.state, station.standing.errors) == (State.CONTINUOUS_EXECUTION, ())


def test_a_refusing_database_needs_cause_gone_and_a_person() -> None:
    for steps in (("resolve", "acknowledge"), ("acknowledge", "resolve")):
        station = station_at(State.CONTINUOUS_EXECUTION)
        station.raise_error(DATABASE, "Disk full.")
        for step in steps:
            assert station.standing.state is State.ERROR
            getattr(station, step)(DATABASE, "Kim")
        assert station.standing.state is State.READY  # to acknowledge is not to start


def test_our_own_fault_waits_for_a_person_alone() -> None:
    station = station_at(State.CONTINUOUS_EXECUTION)
    station.raise_error(INTERNAL, "Internal error: KeyError.")
    station.resolve(INTERNAL, "Nobody can know that.")
    assert station.standing.state is State.ERROR
    station.confirm_all("Kim")
    assert (station.standing.state, station.standing.errors) == (State.READY, ())


def test_the_last_of_several_errors_lets_go() -> None:
    station = station_at(State.CONTINUOUS_EXECUTION)
    station.raise_error(CAMERA, "No camera.")
    station.raise_error(ErrorCode.LINE_LOST, "No PLC.")
    station.resolve(CAMERA, "Back.")
    assert station.standing.state is State.ERROR
    station.resolve(ErrorCode.LINE_LOST, "Back.")
    assert station.standing.state is State.CONTINUOUS_EXECUTION


def test_an_error_raised_again_counts_up_and_is_told_once() -> None:
    station, events = new_station()
    for _ in range(3):
        station.raise_error(CAMERA, "No camera.")

    assert station.standing.errors[0].count == 3
    codes = [event.code for event in events.drain().events]
    assert codes == [EventCode.CAMERA_LOST, EventCode.STATE_CHANGED]


def test_every_step_of_an_error_is_told() -> None:
    station, events = new_station()
    station.raise_error(DATABASE, "Locked.")
    station.resolve(DATABASE, "Unlocked.")
    station.acknowledge(DATABASE, "Kim")

    said = [(event.code, event.text) for event in events.drain().events]
    assert said == [
        (EventCode.DATABASE_REFUSED, "Locked."),
        (EventCode.STATE_CHANGED, "Preoperational → Error: Locked."),
        (EventCode.ERROR_RESOLVED, "Unlocked."),
        (EventCode.ERROR_ACKNOWLEDGED, "Kim acknowledged: Locked."),
        (EventCode.STATE_CHANGED, "Error → Preoperational: Kim acknowledged."),
    ]


@pytest.mark.parametrize("event", [Event.STOP, Event.ABORT])
def test_what_an_error_suspended_can_be_called_off(event: Event) -> None:
    station = station_at(State.CONTINUOUS_EXECUTION)
    station.raise_error(CAMERA, "No camera.")
    station.command(event, PERSON)
    station.resolve(CAMERA, "Back.")

    assert station.standing.state is State.READY


@pytest.mark.parametrize("owner", [PERSON, PLC])
@pytest.mark.parametrize(
    ("event", "back"), [(Event.STOP, State.READY), (Event.RESET, State.PREOPERATIONAL)]
)
def test_the_end_of_a_run_calls_off_what_an_error_or_a_full_disk_suspended(
    event: Event, back: State, owner: Owner
) -> None:
    for error, checks in ((CAMERA, ALL), (None, (FULL,)), (CAMERA, (FULL,))):
        station = station_at(State.CONTINUOUS_EXECUTION)
        if owner is PLC:
            station.take_control(PLC, "Kim")
            assert station.start(PLC)
        station.note(checks)
        if error is not None:
            station.raise_error(error, "No camera.")
        station.call_off(event, "the run ends")
        station.resolve(CAMERA, "Back.")
        station.note(ALL)

        assert station.standing.state is back


@pytest.mark.parametrize("event", [Event.STOP, Event.RESET])
@pytest.mark.parametrize("state", State)
def test_the_end_of_a_run_is_refused_nowhere(state: State, event: Event) -> None:
    station = station_at(state)
    station.call_off(event, "the run ends")

    assert not station.standing.state.is_executing


def test_a_start_waits_for_what_heals_and_is_refused_where_something_else_is_missing() -> None:
    station = station_at(State.INITIALIZED)
    station.raise_error(CAMERA, "No camera.")
    assert not station.start(PERSON)
    station.resolve(CAMERA, "Back.")
    assert station.standing.state is State.INITIALIZED  # nothing of the start was left behind
    station.note([FULL])
    with pytest.raises(RefusedError, match=r"not ready: The disk is full\."):
        station.start(PERSON)
    station.note(ALL)
    assert station.standing.state is State.INITIALIZED
    assert station.start(PERSON)
    assert station.standing.state is State.CONTINUOUS_EXECUTION


def test_stop_never_asks_for_more_than_was_asked_for() -> None:
    station = station_at(State.INITIALIZED)
    station.command(Event.STOP, PERSON)

    assert station.standing.state is State.INITIALIZED


def test_halted_with_an_error_goes_to_error_by_way_of_the_reset() -> None:
    station = station_at(State.READY)
    station.raise_error(CAMERA, "No camera.")
    with pytest.raises(RefusedError, match=r"an error holds the station: No camera\."):
        station.command(Event.RESET, PERSON)
    station.command(Event.HALT, PERSON)
    station.raise_error(DATABASE, "Refused.")
    assert station.standing.state is State.HALTED
    station.command(Event.RESET, PERSON)
    assert station.standing.state is State.ERROR
    station.resolve(CAMERA, "Back.")
    station.resolve(DATABASE, "Back.")
    station.confirm_all("Kim")
    assert station.standing.state is State.PREOPERATIONAL


def test_pause_is_not_stop() -> None:
    station = station_at(State.CONTINUOUS_EXECUTION)
    assert station.standing.accepts_triggers
    station.pause(PERSON)
    paused = station.standing
    station.go_on(PERSON)

    assert (paused.state, paused.paused) == (State.CONTINUOUS_EXECUTION, True)
    assert not paused.accepts_triggers
    assert station.standing.accepts_triggers


def test_a_paused_station_is_paused_again_after_the_camera_came_back() -> None:
    station = station_at(State.CONTINUOUS_EXECUTION)
    station.pause(PERSON)
    station.raise_error(CAMERA, "No camera.")
    assert not station.standing.paused
    station.resolve(CAMERA, "Back.")

    assert station.standing.paused
    station.command(Event.STOP, PERSON)
    station.command(Event.START_CONTINUOUS, PERSON)
    assert not station.standing.paused


@pytest.mark.parametrize("state", [s for s in State if s is not State.CONTINUOUS_EXECUTION])
def test_only_continuous_execution_is_paused(state: State) -> None:
    station = station_at(state)
    for call in (station.pause, station.go_on):
        with pytest.raises(RefusedError, match=f"refused in the state {state}"):
            call(PERSON)


def test_a_single_job_ends_ready() -> None:
    station = station_at(State.SINGLE_EXECUTION)
    station.job_done()

    assert station.standing.state is State.READY


def test_a_camera_that_ends_ends_the_execution_for_good() -> None:
    station = station_at(State.CONTINUOUS_EXECUTION)
    station.job_done()
    station.note(ALL)

    assert station.standing.state is State.READY


@pytest.mark.parametrize("event", [Event.CONFIRM_ALL, Event.READY_ENTRY, Event.RESOLVED])
def test_what_is_no_command_is_our_own_fault(event: Event) -> None:
    with pytest.raises(ValueError, match="is no command"):
        station_at(State.READY).command(event, PERSON)


def test_threads_lose_no_error_and_no_event() -> None:
    events = EventQueue(most=100_000)
    station = StationState(events, clock=lambda: NOON)

    def flap() -> None:
        for _ in range(200):
            station.raise_error(CAMERA, "No camera.")
            station.resolve(CAMERA, "Back.")

    threads = [Thread(target=flap) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    (error,) = station.standing.errors
    assert (error.count, error.is_resolved) == (800, True)
    codes = [event.code for event in events.drain().events]
    assert codes.count(EventCode.CAMERA_LOST) == codes.count(EventCode.CAMERA_BACK)
