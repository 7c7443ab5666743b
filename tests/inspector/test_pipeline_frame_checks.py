from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from inspector.camera.base import FrameFault
from inspector.pipeline.frame_checks import FrameLimits, check_frame
from inspector.pipeline.inspection import Reason
from tests.inspector.pipeline_parts import frame, picture

LIMITS = FrameLimits(grab_deadline_ms=50)


def flat(level: int) -> np.ndarray[Any, Any]:
    return np.full((40, 60, 3), level, np.uint8)


@pytest.mark.parametrize("fault", list(FrameFault))
def test_the_cameras_own_word_is_believed(fault: FrameFault) -> None:
    spoilt = replace(frame(0), fault=fault)

    assert check_frame(spoilt, LIMITS, frozen=True) == Reason(fault.value)


def test_no_image_is_no_picture() -> None:
    assert check_frame(replace(frame(0), image=None), LIMITS, frozen=False) is Reason.NOT_A_PICTURE


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((0, 60, 3), np.uint8),
        np.zeros((40, 60), np.uint8),
        np.zeros((40, 60, 4), np.uint8),
        np.zeros((40, 60, 3), np.uint16),
        np.zeros((40, 60, 3), np.float32),
    ],
)
def test_other_shapes_and_types_are_the_wrong_format(image: Any) -> None:
    assert check_frame(frame(0, image), LIMITS, frozen=False) is Reason.WRONG_FORMAT


def test_black_with_noise_and_hot_pixels_is_black() -> None:
    dark = np.random.default_rng(1).integers(0, 13, (40, 60, 3), dtype=np.uint8)
    dark[3, 3] = 255

    assert check_frame(frame(0, dark), LIMITS, frozen=False) is Reason.BLACK_FRAME


def test_a_dark_picture_with_a_small_bright_part_is_a_picture() -> None:
    dark = flat(2)
    dark[10:14, 10:14] = 90

    assert check_frame(frame(0, dark), LIMITS, frozen=False) is None


def test_all_white_is_saturated_but_a_bright_background_is_not() -> None:
    backlit = flat(255)
    backlit[10:30, 20:40] = 60

    assert check_frame(frame(0, flat(255)), LIMITS, frozen=False) is Reason.SATURATED_FRAME
    assert check_frame(frame(0, backlit), LIMITS, frozen=False) is None


def test_frozen() -> None:
    assert check_frame(frame(0), LIMITS, frozen=True) is Reason.FROZEN_FRAME


@pytest.mark.parametrize(("grab_ms", "reason"), [(50.0, None), (50.1, Reason.LATE_FRAME)])
def test_late(grab_ms: float, reason: Reason | None) -> None:
    assert check_frame(frame(0, grab_ms=grab_ms), LIMITS, frozen=False) is reason


def test_no_deadline_no_late_frame() -> None:
    assert check_frame(frame(0, grab_ms=1e6), FrameLimits(), frozen=False) is None


def test_a_picture_that_is_a_view_is_checked_like_any_other() -> None:
    view = picture(1)[:, ::2]

    assert check_frame(frame(0, view), LIMITS, frozen=False) is None
