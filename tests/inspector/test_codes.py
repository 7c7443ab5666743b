"""Codes drawn here are read back: turned, noisy, small; and nothing makes the reader fall over."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import cv2
import numpy as np
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from engine.types import Image
from inspector.camera.base import NOT_SAID, FrameFault, PartIdentity
from inspector.camera.codes import agreed, identified, identify
from inspector.camera.gs1 import gs1_fields
from inspector.camera.parts.ean13 import modules
from inspector.pipeline.frame_checks import FrameLimits, check_frame
from inspector.pipeline.inspection import Reason
from inspector.settings import CodeFormat, PartSettings
from tests.inspector.pipeline_parts import frame, picture

FORMATS = zxingcpp.BarcodeFormat
MATRIX = PartSettings(formats=("DataMatrix", "QRCode"))


def drawn(text: str, kind: Any = FORMATS.DataMatrix, module_px: int = 4, **how: Any) -> Image:
    """A code on white, a module so many pixels wide, with its quiet zone."""
    code = np.array(zxingcpp.create_barcode(text, kind, **how).to_image(scale=module_px))
    return np.dstack([cv2.copyMakeBorder(code, 8, 8, 8, 8, cv2.BORDER_CONSTANT, value=[255])] * 3)


def scene(*codes: Image, degrees: float = 0.0, noise: float = 0.0, size: int = 400) -> Image:
    """Codes in a row on a grey part, which is then turned and made noisy."""
    canvas: NDArray[np.uint8] = np.full((size, size, 3), 170, np.uint8)
    x = (size - sum(code.shape[1] for code in codes)) // 2
    for code in codes:
        y = (size - code.shape[0]) // 2
        canvas[y : y + code.shape[0], x : x + code.shape[1]] = code
        x += code.shape[1]
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), degrees, 1.0)
    turned = cv2.warpAffine(canvas, turn, (size, size), borderValue=(170, 170, 170))
    grain = np.random.default_rng(3).normal(0, noise, turned.shape)
    return np.clip(turned + grain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", [FORMATS.DataMatrix, FORMATS.QRCode])
@pytest.mark.parametrize("degrees", [0, 20, 90, 133])
@pytest.mark.parametrize("noise", [0, 20])
def test_a_matrix_code_is_read_at_any_angle(kind: Any, degrees: float, noise: float) -> None:
    image = scene(drawn("S-000123", kind), degrees=degrees, noise=noise)

    assert identify(image, MATRIX) == PartIdentity(serial="S-000123")


@pytest.mark.parametrize("degrees", [0, 8, 90, 180])
def test_a_bar_code_of_our_own_drawing_is_read(degrees: float) -> None:
    bars = np.repeat(np.where(modules("4006381333931"), 0, 255), 3).astype(np.uint8)
    code = np.dstack([np.pad(np.tile(bars, (60, 1)), 36, constant_values=255)] * 3)
    settings = PartSettings(code="part", formats=("EAN13",))

    said = identify(scene(code, degrees=degrees, noise=5), settings)
    assert said == PartIdentity(part="4006381333931")


def test_every_format_of_the_settings_is_one_of_the_reader() -> None:
    for name in get_args(CodeFormat):
        assert len(zxingcpp.barcode_formats_from_str(name)) == 1


def test_without_a_code_nothing_is_said() -> None:
    assert identify(picture(1), PartSettings()) == NOT_SAID


def test_two_codes_that_disagree_are_as_good_as_none_and_twins_are_one() -> None:
    first, second = drawn("S-1"), drawn("S-2")

    assert identify(scene(first, second), MATRIX) == NOT_SAID
    assert identify(scene(first, first), MATRIX) == PartIdentity(serial="S-1")


def test_region_and_format_leave_out_other_codes() -> None:
    image = scene(drawn("S-1"), drawn("S-2", FORMATS.QRCode))
    left = PartSettings(region=(0, 0, 200, 400))

    assert identify(image, left) == PartIdentity(serial="S-1")
    assert identify(image, PartSettings(formats=("QRCode",))) == PartIdentity(serial="S-2")
    assert identify(image, PartSettings(region=(900, 900, 10, 10))) == NOT_SAID


def test_a_pattern_takes_apart_and_leaves_out_what_does_not_fit() -> None:
    rule = PartSettings(pattern=r"(?P<part>[A-Z]{2}\d+)/(?P<serial>\d+)")
    image = scene(drawn("AB12/77"), drawn("https://AB13/78", FORMATS.QRCode))

    assert identify(image, rule) == PartIdentity(part="AB12", serial="77")


def test_codes_that_say_different_things_say_them_together() -> None:
    rule = PartSettings(pattern=r"L(?P<lot>\d+)|S(?P<serial>\d+)")

    said = identify(scene(drawn("L5"), drawn("S9", FORMATS.QRCode)), rule)
    assert said == PartIdentity(lot="5", serial="9")


@pytest.mark.parametrize("kind", [FORMATS.DataMatrix, FORMATS.QRCode])
def test_gs1_is_read_by_its_identifiers(kind: Any) -> None:
    rule = PartSettings(pattern="gs1")
    code = drawn("(01)04006381333931(17)270101(10)LOT42(21)S123", kind, gs1=True)

    assert identify(scene(code), rule) == PartIdentity("04006381333931", "LOT42", "S123")
    assert identify(scene(drawn("010400638133393121S1")), rule) == NOT_SAID


def test_gs1_elements() -> None:
    assert gs1_fields("10A(21)B\x1d21X") == {"lot": "A(21)B", "serial": "X"}
    assert gs1_fields("3103001234\x1d21X") == {"serial": "X"}
    assert gs1_fields("21X\x1d21Y") == {}
    assert gs1_fields("99anything") == {}
    assert gs1_fields("") == {}


def test_what_cannot_be_printed_is_no_identity() -> None:
    assert identify(scene(drawn("S\x071")), MATRIX) == NOT_SAID
    assert identify(scene(drawn("7" * 129), size=600), MATRIX) == NOT_SAID


def test_identities_agree_or_they_do_not() -> None:
    a, b = PartIdentity(part="1"), PartIdentity(lot="2")

    assert agreed(a, b) == PartIdentity("1", "2")
    assert agreed(a, PartIdentity(part="2")) is None
    assert agreed(NOT_SAID, NOT_SAID) == NOT_SAID


def ticks(step_s: float) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += step_s


def test_frames_get_their_part_and_the_time_it_took() -> None:
    clock = ticks(0.004)
    shown = frame(1, scene(drawn("S-1")))
    (seen,) = identified([shown], MATRIX, lambda: next(clock))

    assert seen.part == PartIdentity(serial="S-1")
    assert seen.queue_ms == pytest.approx(4.0)
    assert seen.fault is None


@pytest.mark.parametrize("required", [False, True])
def test_a_required_code_that_is_not_there_is_a_fault(required: bool) -> None:
    rule = PartSettings(required=required)
    (seen,) = identified([frame(1)], rule)

    assert seen.part == NOT_SAID
    assert check_frame(seen, FrameLimits(), frozen=False) is (Reason.NO_CODE if required else None)


def test_in_the_dark_the_reason_is_the_dark() -> None:
    (seen,) = identified([frame(1, np.zeros((40, 60, 3), np.uint8))], PartSettings(required=True))

    assert check_frame(seen, FrameLimits(), frozen=False) is Reason.BLACK_FRAME


def test_what_the_line_said_stands_and_a_contradiction_is_unreadable() -> None:
    rule = PartSettings(required=True)
    shown = frame(1, scene(drawn("S-1")))
    added = replace(shown, part=PartIdentity(lot="L"))
    against = replace(shown, part=PartIdentity(serial="S-2"))
    first, second = identified([added, against], rule)

    assert (first.part, first.fault) == (PartIdentity(lot="L", serial="S-1"), None)
    assert (second.part, second.fault) == (PartIdentity(serial="S-2"), FrameFault.NO_CODE)


def test_a_spoilt_frame_is_passed_on_as_it_is() -> None:
    spoilt = frame(1, fault=FrameFault.INCOMPLETE)

    assert list(identified([spoilt], PartSettings(required=True))) == [spoilt]


@settings(max_examples=150, deadline=None)
@given(
    image=arrays(np.uint8, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=40)),
    region=st.none() | st.tuples(*[st.integers(0, 50)] * 2, *[st.integers(1, 50)] * 2),
)
def test_no_array_of_bytes_makes_it_fall_over(
    image: Image, region: tuple[int, int, int, int] | None
) -> None:
    assert isinstance(identify(image, PartSettings(region=region)), PartIdentity)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 60), width=st.integers(1, 60), seed=st.integers(0, 999))
def test_no_noise_or_stripes_make_it_fall_over(height: int, width: int, seed: int) -> None:
    stripes = np.random.default_rng(seed).integers(0, 2, (1, width, 1), np.uint8) * 255
    image = np.broadcast_to(stripes, (height, width, 3))

    assert isinstance(identify(image, PartSettings()), PartIdentity)
