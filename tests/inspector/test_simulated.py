"""The simulated camera: a line that can be repeated, and faults by the dial."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import Any

import numpy as np
import pytest

from engine.types import InputError
from inspector.camera.base import Frame, FrameFault
from inspector.camera.parts.render import FAMILIES
from inspector.camera.simulated import LATE_MS, FaultRates, SimulatedCamera, simulated_camera

START = datetime(2025, 1, 1, tzinfo=UTC)


def frames(parts: int, **options: Any) -> list[Frame]:
    """All frames of a small line whose clock ticks once a frame and whose grabs take no time."""
    ticks = count()
    options = {"products": ("disc", "label"), "size": 64, "seed": 5} | options
    with SimulatedCamera(
        **options,
        parts=parts,
        clock=lambda: START + timedelta(seconds=next(ticks)),
        timer=lambda: 0.0,
    ) as camera:
        return list(camera.frames())


def same(one: Frame, other: Frame) -> bool:
    return (
        np.array_equal(np.asarray(one.image), np.asarray(other.image))
        and (one.frame_id, one.product, one.fault, one.grab_ms, one.grabbed_at)
        == (other.frame_id, other.product, other.fault, other.grab_ms, other.grabbed_at)
        and (one.truth is None) == (other.truth is None)
    )


def test_a_line_can_be_repeated_and_another_seed_is_another_line() -> None:
    faults = FaultRates(lost=0.1, late=0.1, incomplete=0.1, black=0.1, frozen=0.1)
    first, again, other = (
        frames(30, faults=faults, defect_rate=0.3, seed=seed) for seed in (5, 5, 6)
    )
    assert len(first) == len(again)
    assert all(same(one, two) for one, two in zip(first, again, strict=True))
    assert not any(
        np.array_equal(one.image, two.image)
        for one, two in zip(first, other, strict=False)
        if one.truth and two.truth
    )


def test_products_come_in_turn_or_shuffled() -> None:
    in_turn = [frame.product for frame in frames(6)]
    assert in_turn == ["disc", "label"] * 3
    shuffled = Counter(frame.product for frame in frames(60, shuffled=True))
    assert set(shuffled) == {"disc", "label"}
    assert min(shuffled.values()) > 15


def test_truth_goes_with_every_part_as_often_defective_as_set() -> None:
    seen = frames(80, defect_rate=0.5)
    truths = [frame.truth for frame in seen if frame.truth is not None]
    assert len(truths) == 80
    assert 25 < sum(truth.is_defective for truth in truths) < 55
    for frame, truth in zip(seen, truths, strict=True):
        assert frame.product is not None
        assert truth.mask is not None
        assert truth.mask.any() == truth.is_defective
        assert truth.defect in {"good", *FAMILIES[frame.product].defects}
    assert not any(f.truth.is_defective for f in frames(10, defect_rate=0) if f.truth)
    assert all(f.truth.is_defective for f in frames(10, defect_rate=1) if f.truth)


def test_a_lost_frame_is_a_gap_in_the_ids() -> None:
    ids = [frame.frame_id for frame in frames(60, faults=FaultRates(lost=0.3))]
    assert 25 < len(ids) < 55
    assert ids == sorted(set(ids))
    assert set(ids) < set(range(60))


def test_a_late_frame_took_long_and_is_a_picture() -> None:
    for frame in frames(3, faults=FaultRates(late=1)):
        assert frame.grab_ms >= LATE_MS
        assert frame.image is not None
        assert frame.truth is None
    assert all(frame.grab_ms < LATE_MS for frame in frames(3))


def test_an_incomplete_frame_says_so_and_has_no_picture() -> None:
    for frame in frames(3, faults=FaultRates(incomplete=1)):
        assert frame.fault is FrameFault.INCOMPLETE
        assert frame.image is None
        assert frame.truth is None


def test_a_black_frame_is_noise_about_zero() -> None:
    dark = frames(3, faults=FaultRates(black=1))
    for frame in dark:
        assert frame.image is not None
        assert frame.image.shape == (64, 64, 3)
        assert 0 < frame.image.max() <= 12
        assert frame.truth is None
    assert not np.array_equal(dark[0].image, dark[1].image)


def test_a_frozen_frame_is_the_picture_before_it_byte_for_byte() -> None:
    seen = frames(40, faults=FaultRates(frozen=0.3))
    frozen = [i for i, frame in enumerate(seen) if frame.truth is None]
    assert 4 < len(frozen) < 25
    for i in frozen:
        before, now = seen[i - 1].image, seen[i].image
        assert before is not None
        assert now is not None
        assert before.tobytes() == now.tobytes()
        assert not np.shares_memory(before, now)


def test_the_first_frame_has_nothing_to_freeze() -> None:
    first = frames(1, faults=FaultRates(frozen=1))[0]
    assert first.image is not None
    assert first.truth is not None


def test_without_an_end_the_line_runs_on() -> None:
    with SimulatedCamera(("fabric",), size=64) as camera:
        assert len(list(islice(camera.frames(), 25))) == 25


def test_a_pace_is_kept_by_sleeping_until_the_next_part_is_due() -> None:
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    line: Iterator[Frame]
    with SimulatedCamera(
        ("label",), size=64, parts=4, fps=4, timer=lambda: now[0], sleep=sleep
    ) as camera:
        line = camera.frames()
        next(line)
        now[0] += 0.1  # the station works
        next(line)
        now[0] += 0.5  # the station is too slow: nothing to wait for
        next(line)
        next(line)
    assert slept == pytest.approx([0.15])


def test_frames_need_an_open_camera() -> None:
    with pytest.raises(RuntimeError, match="context manager"):
        SimulatedCamera(("disc",)).frames()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"products": ("gear",)}, "no product 'gear' to simulate: take disc"),
        ({"products": ()}, "no line without products"),
        ({"size": 63}, "64 to 2048 px wide, not 63"),
        ({"seed": -1}, "a seed from 0"),
        ({"defect_rate": 1.1}, "a defect rate from 0 to 1"),
        ({"defect_rate": float("nan")}, "a defect rate from 0 to 1"),
        ({"parts": 0}, "parts and fps above 0, not 0"),
        ({"fps": 0.0}, "parts and fps above 0"),
    ],
)
def test_a_line_that_cannot_be_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        SimulatedCamera(**options)


@pytest.mark.parametrize("rates", [{"lost": -0.1}, {"lost": 0.6, "late": 0.6}, {"black": np.nan}])
def test_fault_rates_are_shares(rates: dict[str, float]) -> None:
    with pytest.raises(InputError, match="together at most 1"):
        FaultRates(**rates)


def test_a_camera_from_words() -> None:
    options = {"seed": "2", "size": "64", "parts": "2", "defect_rate": "1", "late": "1"}
    with simulated_camera("fabric,board", options) as camera:
        seen = list(camera.frames())
    assert camera.name == "sim:fabric,board"
    assert [frame.product for frame in seen] == ["fabric", "board"]
    assert all(frame.grab_ms >= LATE_MS for frame in seen)
    assert simulated_camera("all", {}).name == f"sim:{','.join(FAMILIES)}"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"speed": "2"}, "no option speed: it has black, defect_rate, .*size"),
        ({"size": "big"}, "option size is a number, not 'big'"),
        ({"lost": "2"}, "together at most 1"),
    ],
)
def test_wrong_words_are_told(options: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        simulated_camera("disc", options)
