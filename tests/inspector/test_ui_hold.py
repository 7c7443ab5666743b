"""What holds a line, in words: every error, what is missing, and nothing twice."""

from datetime import UTC, datetime

import pytest

from inspector.pipeline.latched import ErrorCode, LatchedError
from inspector.pipeline.readiness import Check, Precondition
from inspector.pipeline.state import State
from inspector.ui.hold import Hold, entries, hold_in_words, hold_of
from inspector.ui.words import error_in_words, part_of_error
from tests.inspector.ui_parts import WELL, standing

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
LATER = datetime(2026, 3, 1, 12, 0, 9, tzinfo=UTC)
NO_ROOM = Check(Precondition.DISK, False, "The disk is full: free some space.")
CLOSED = Check(Precondition.PLAN, False, "The plan is closed.")


def camera_lost(**more: object) -> LatchedError:
    error = {"code": ErrorCode.CAMERA_LOST, "sentence": "No camera.", "since": NOON}
    return LatchedError(**error | {"last_at": NOON} | more)  # type: ignore[arg-type]


def test_a_line_that_inspects_is_held_by_nothing_and_shows_nothing() -> None:
    assert hold_of(WELL) is None
    assert entries(WELL, None, running=True) == ()


def test_a_lost_camera_holds_the_line_until_it_is_back_and_stays_to_be_seen() -> None:
    lost = standing(State.ERROR, camera_lost())
    assert hold_of(lost) is Hold.ERROR
    assert hold_in_words(lost) == "The camera is lost"
    (entry,) = entries(lost, None, running=True)
    assert (entry.what, entry.sentence) == ("Camera", "No camera.")
    assert entry.holds
    assert not entry.seen
    assert "cause remains" in entry.facts
    back = standing(State.CONTINUOUS_EXECUTION, camera_lost(resolved_at=LATER))
    assert hold_of(back) is None
    (entry,) = entries(back, None, running=True)
    assert not entry.holds
    assert not entry.seen
    assert "cause has gone" in entry.facts


def test_an_error_that_came_again_is_counted() -> None:
    again = standing(State.ERROR, camera_lost(count=3, last_at=LATER))
    (entry,) = entries(again, None, running=True)
    assert "3 times, last " in entry.facts
    assert LATER.astimezone().strftime("%H:%M:%S") in entry.facts


def test_who_acknowledged_what_still_lasts_is_said() -> None:
    seen = standing(State.ERROR, camera_lost(acknowledged_by="operator"))
    (entry,) = entries(seen, None, running=True)
    assert entry.seen
    assert entry.holds
    assert "acknowledged by operator" in entry.facts


def test_an_error_that_waits_for_a_person_holds_although_its_cause_has_gone() -> None:
    failed = LatchedError(ErrorCode.INTERNAL, "KeyError: 1", NOON, NOON, resolved_at=NOON)
    (entry,) = entries(standing(State.ERROR, failed), "Internal error: KeyError: 1", running=False)
    assert entry.holds  # and the run's own failure, the same, is not said once more
    assert "cause" not in entry.facts


def test_a_failure_that_nobody_latched_is_said_too() -> None:
    lost = standing(State.ERROR, camera_lost())
    assert [entry.what for entry in entries(lost, "Something else.", running=False)] == [
        "Camera",
        "Run",
    ]


def test_what_is_missing_is_listed_item_by_item_while_the_line_runs() -> None:
    golden = Check(Precondition.GOLDEN_CHECK, False, "The golden check is due.")
    held = standing(State.INITIALIZED, missing=[NO_ROOM, golden])
    assert hold_of(held) is Hold.NOT_READY
    assert hold_in_words(held) == "Missing: disk, golden check"
    listed = entries(held, None, running=True)
    assert [entry.what for entry in listed] == ["Disk", "Golden check"]
    assert all(entry.holds and entry.seen for entry in listed)
    assert entries(held, None, running=False) == ()


def test_a_run_that_is_opening_is_not_called_incomplete() -> None:
    opening = standing(State.INITIALIZED, missing=[CLOSED, NO_ROOM])
    assert hold_of(opening) is Hold.STARTING
    assert entries(opening, None, running=True) == ()


def test_what_holds_the_line_comes_first() -> None:
    both = standing(State.INITIALIZED, camera_lost(resolved_at=LATER), missing=[NO_ROOM])
    assert [entry.what for entry in entries(both, None, running=True)] == ["Disk", "Camera"]


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_error_is_said_in_words(code: ErrorCode) -> None:
    assert " " in error_in_words(code)
    assert part_of_error(code)
