from datetime import timedelta

import pytest

from inspector.pipeline.latched import (
    KINDS,
    ErrorCode,
    Latched,
    LatchedError,
    acknowledge,
    latch,
    resolve,
)
from tests.inspector.pipeline_parts import NOON

LATER = NOON + timedelta(seconds=5)
CAMERA, DATABASE, INTERNAL = ErrorCode.CAMERA_LOST, ErrorCode.DATABASE_REFUSED, ErrorCode.INTERNAL


def _raised(code: ErrorCode) -> Latched:
    return latch({}, code, "It is gone.", NOON)


def test_every_code_has_its_kind() -> None:
    assert set(KINDS) == set(ErrorCode)


def test_the_same_error_counts_up_with_its_newest_sentence() -> None:
    (error,) = latch(_raised(CAMERA), CAMERA, "Still gone.", LATER).values()

    assert error == LatchedError(CAMERA, "Still gone.", NOON, LATER, count=2)


def test_a_cause_that_came_back_is_unresolved_again() -> None:
    errors = latch(resolve(_raised(CAMERA), CAMERA, NOON), CAMERA, "Gone.", LATER)

    assert not errors[CAMERA].is_resolved
    assert errors[CAMERA].count == 2


@pytest.mark.parametrize("code", ErrorCode)
def test_it_is_over_when_resolved_and_acknowledged_in_either_order(code: ErrorCode) -> None:
    errors = _raised(code)

    assert acknowledge(resolve(errors, code, LATER), code, "Kim") == {}
    assert resolve(acknowledge(errors, code, "Kim"), code, LATER) == {}


@pytest.mark.parametrize(
    ("code", "at_once", "resolved", "acknowledged"),
    [
        (CAMERA, True, False, True),
        (ErrorCode.LINE_LOST, True, False, True),
        (DATABASE, True, True, True),
    ],
)
def test_what_lasts_blocks_until_its_kind_lets_go(
    code: ErrorCode, at_once: bool, resolved: bool, acknowledged: bool
) -> None:
    errors = _raised(code)

    assert errors[code].blocks is at_once
    assert resolve(errors, code, LATER)[code].blocks is resolved
    assert acknowledge(errors, code, "Kim")[code].blocks is acknowledged


@pytest.mark.parametrize("code", [INTERNAL, ErrorCode.INFERENCE_FAILED])
def test_what_is_over_when_told_waits_for_a_person_alone(code: ErrorCode) -> None:
    errors = _raised(code)

    assert errors[code].is_resolved
    assert errors[code].blocks
    assert acknowledge(errors, code, "Kim") == {}


def test_a_healed_error_stays_until_a_person_has_seen_it() -> None:
    healed = resolve(_raised(CAMERA), CAMERA, LATER)

    assert healed[CAMERA].resolved_at == LATER
    assert resolve(healed, CAMERA, LATER + timedelta(1)) is healed


def test_the_first_to_acknowledge_is_the_one_named() -> None:
    seen = acknowledge(_raised(CAMERA), CAMERA, "Kim")

    assert acknowledge(seen, CAMERA, "Lee") is seen
    assert seen[CAMERA].acknowledged_by == "Kim"


def test_what_is_not_there_is_neither_resolved_nor_acknowledged() -> None:
    errors = _raised(CAMERA)

    assert resolve(errors, DATABASE, LATER) is errors
    assert acknowledge(errors, DATABASE, "Kim") is errors
