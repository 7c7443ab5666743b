"""Every pair of state and event, against a grid written by hand."""

from collections.abc import Iterator

import pytest

from inspector.pipeline.state import METHODS, TABLE, Event, RefusedError, State, after, allowed

P, H, E, I, R, S, C = State  # noqa: E741  the grid's own letters
LETTER = {"P": P, "H": H, "E": E, "I": I, "R": R, "S": S, "C": C}

GRID = """
                                P  H  E  I  R  S  C
Reset                           .  P  P  P  P  P  P
Halt                            H  .  H  H  H  H  H
SelectModeAutomatic             I  .  .  .  .  .  .
ConfirmAll                      P  H  E  I  R  S  C
PrepareRecipe                   .  .  .  R  .  .  .
UnprepareRecipe                 .  .  .  .  I  .  .
StartSingleJob                  .  .  .  .  S  .  .
StartContinuous                 .  .  .  .  C  .  .
Stop                            .  .  E  I  .  R  R
Abort                           .  .  E  I  .  R  R
ToErrorAuto                     E  H  E  E  E  E  E
ErrorToOperationalAuto          .  .  I  .  .  .  .
ErrorToPreoperationalAuto       .  .  P  .  .  .  .
InitializedToReadyAuto          .  .  .  R  .  .  .
ReadyToInitializedAuto          .  .  .  .  I  .  .
ReadyToContinuousExecutionAuto  .  .  .  .  C  .  .
ExecutionToReadyAuto            .  .  .  .  .  R  R
"""
"""A column a state, a row an event; a dot is a refusal."""


def _pairs() -> Iterator[tuple[State, Event, State | None]]:
    head, *rows = GRID.split("\n")[1:-1]
    for row in rows:
        event, *cells = row.split()
        for state, cell in zip(head.split(), cells, strict=True):
            yield LETTER[state], Event(event), LETTER.get(cell)


PAIRS = tuple(_pairs())


def test_the_grid_leaves_out_no_pair() -> None:
    assert {(state, event) for state, event, _ in PAIRS} == {(s, e) for s in State for e in Event}
    assert len(PAIRS) == len(State) * len(Event) == 7 * 17


@pytest.mark.parametrize(("state", "event", "expected"), PAIRS)
def test_every_pair_of_state_and_event(state: State, event: Event, expected: State | None) -> None:
    if expected is None:
        with pytest.raises(RefusedError, match=rf"^{event} is refused in the state {state}: "):
            after(state, event)
    else:
        assert after(state, event) is expected


def test_a_refusal_names_what_would_be_allowed() -> None:
    with pytest.raises(RefusedError) as refusal:
        after(State.HALTED, Event.START_CONTINUOUS)

    assert str(refusal.value) == (
        "StartContinuous is refused in the state Halted: allowed here are Reset, ConfirmAll."
    )


def _reached(state: State) -> set[State]:
    reached, new = {state}, [state]
    while new:
        at = new.pop()
        found = {to for (origin, _), to in TABLE.items() if origin is at} - reached
        reached |= found
        new.extend(found)
    return reached


@pytest.mark.parametrize("state", State)
def test_every_state_is_reached_from_the_first_and_none_is_a_dead_end(state: State) -> None:
    assert state in _reached(State.PREOPERATIONAL)
    assert {State.READY, State.CONTINUOUS_EXECUTION, State.HALTED} <= _reached(state)


@pytest.mark.parametrize("state", State)
def test_people_can_leave_every_state(state: State) -> None:
    """By a method: no state waits for something that may never happen."""
    assert {TABLE[state, event] for event in allowed(state)} - {state}


def test_execution_is_entered_through_ready_alone() -> None:
    entered = {
        origin
        for (origin, _), to in TABLE.items()
        if to.is_executing and origin is not to  # to confirm is to stay
    }
    assert entered == {State.READY}


def test_ready_is_entered_from_initialized_and_execution_alone() -> None:
    entered = {origin for (origin, _), to in TABLE.items() if to is State.READY}
    assert entered == {State.INITIALIZED, State.READY, *(s for s in State if s.is_executing)}


def test_an_error_is_never_refused() -> None:
    for state in State:
        assert after(state, Event.ERROR_RAISED) in (State.ERROR, State.HALTED)


def test_confirming_moves_nothing() -> None:
    assert all(after(state, Event.CONFIRM_ALL) is state for state in State)


def test_methods_are_those_of_the_specification() -> None:
    assert not [event for event in METHODS if event.endswith("Auto")]
    assert all(event.endswith("Auto") for event in Event if event not in METHODS)
