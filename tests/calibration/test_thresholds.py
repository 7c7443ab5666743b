"""The threshold keeps its promise on parts it has not seen; few goods are not overclaimed."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibration.area import Area, score_inside
from calibration.thresholds import (
    LEAST_GOODS,
    calibrate_folder,
    from_goods,
    interval_ranks,
    quantile,
    tail_quantile,
)
from engine.detector import Detector
from engine.files import sha256_of
from engine.runtimes.fake import FakeRuntime, fake_plan
from engine.types import InputError, UnknownProductError
from tests.engine.test_pictures import save
from tests.engine.tiny import grey_picture

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]
LAWS: dict[str, tuple[Draw, Callable[[float], float]]] = {
    "exponential": (lambda rng, n: rng.exponential(size=n), lambda q: math.exp(-max(q, 0))),
    "uniform": (lambda rng, n: rng.uniform(size=n), lambda q: 1 - min(max(q, 0), 1)),
    "normal": (lambda rng, n: rng.normal(size=n), lambda q: math.erfc(q / math.sqrt(2)) / 2),
}
"""How scores are drawn, and the share of all parts above a value."""


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("goods", "rate"), [(59, 0.05), (199, 0.01), (400, 0.02)])
def test_new_goods_are_rejected_at_the_wanted_rate(law: str, goods: int, rate: float) -> None:
    draw, share_above = LAWS[law]
    rng = np.random.default_rng(0)
    shares = [share_above(quantile(np.sort(draw(rng, goods)), rate).value) for _ in range(600)]
    assert np.mean(shares) == pytest.approx(rate, rel=0.15)


@pytest.mark.parametrize("law", LAWS)
def test_the_interval_holds_the_true_quantile(law: str) -> None:
    draw, share_above = LAWS[law]
    rng = np.random.default_rng(0)
    found = [quantile(np.sort(draw(rng, 500)), 0.05) for _ in range(400)]
    held = [share_above(q.high) <= 0.05 <= share_above(q.low) for q in found]
    assert 0.93 <= np.mean(held) <= 0.99


@pytest.mark.parametrize("goods", [10, 20, 50])
def test_few_goods_are_not_taken_for_many(goods: int) -> None:
    """With the maximum for a threshold, 1/(n + 1) of good parts would be rejected, not 1 %."""
    draw, share_above = LAWS["normal"]
    rng = np.random.default_rng(0)
    samples = [np.sort(draw(rng, goods)) for _ in range(600)]
    fitted = np.mean([share_above(quantile(s, 0.01).value) for s in samples])
    largest = np.mean([share_above(s[-1]) for s in samples])
    assert largest == pytest.approx(1 / (goods + 1), rel=0.2)
    assert 0.005 < fitted < 0.02 < largest + 0.002


def test_an_exponential_tail_is_met_exactly() -> None:
    goods = np.zeros(50)
    goods[-5:] = 3.0  # five peaks, mean excess 3 above the level 0
    assert tail_quantile(goods, 0.001).value == pytest.approx(3 * math.log(0.1 / 0.001))


def test_the_order_statistic_is_the_conformal_one() -> None:
    goods = np.arange(1.0, 100.0)  # 99 goods: the smallest number for 1 %
    assert quantile(goods, 0.01).value == 99
    assert quantile(goods, 0.05).value == 95
    assert quantile(goods[:98], 0.01).value > 98


def test_ranks_are_those_of_the_binomial() -> None:
    """Against the sums written out: P(l <= B < u) for B of (100, 0.9)."""
    lower, upper = interval_ranks(100, 0.9)
    pmf = [math.comb(100, b) * 0.9**b * 0.1 ** (100 - b) for b in range(101)]
    assert sum(pmf[:lower]) <= 0.025 < sum(pmf[: lower + 1])
    assert sum(pmf[upper:]) <= 0.025 < sum(pmf[upper - 1 :])


def test_ranks_of_many_goods_stay_finite() -> None:
    lower, upper = interval_ranks(100_000, 0.99)
    assert 98_900 < lower < 99_000 < upper < 99_100


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=LEAST_GOODS, max_size=300),
    st.floats(0.001, 0.5),
)
def test_every_sample_gives_an_ordered_finite_threshold(goods: list[float], rate: float) -> None:
    limit = from_goods(goods, rate)
    assert limit.interval[0] <= limit.score <= limit.interval[1]
    assert limit.goods == len(goods)
    assert sum(score > limit.score for score in goods) <= rate * len(goods)


@given(st.lists(st.floats(0, 100), min_size=20, max_size=60), st.floats(0.1, 10))
def test_the_threshold_moves_with_the_unit(goods: list[float], factor: float) -> None:
    one, other = from_goods(goods, 0.02), from_goods(np.multiply(goods, factor), 0.02)
    assert other.score == pytest.approx(one.score * factor, rel=1e-6, abs=1e-6)


def test_one_limit_serves_score_and_map() -> None:
    """A score over it is a mean of places of which one is over it: no NG without a region."""
    limit = from_goods(np.linspace(0, 1, 200), 0.05)
    assert limit.map == limit.score


@pytest.mark.parametrize("rate", [0, 1, -0.1, 2, math.nan])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match="choose one between 0 and 1"):
        from_goods(np.arange(50), rate)


def test_too_few_goods_are_refused() -> None:
    with pytest.raises(InputError, match="9 good parts say too little"):
        from_goods(np.arange(9), 0.01)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_score_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="no number"):
        from_goods([*range(20), value], 0.01)


def test_a_folder_of_goods_gives_a_threshold(tmp_path: Path) -> None:
    for seed in range(12):
        save(tmp_path / f"{seed:03}.png", grey_picture(seed=seed))
    plan = fake_plan(("disc",))
    with Detector(FakeRuntime(plan.map), plan) as detector:
        limit = calibrate_folder(detector, tmp_path, "disc", 0.1)
        scores = [detector.detect(grey_picture(seed=s), "disc").score for s in range(12)]
        with pytest.raises(UnknownProductError):
            calibrate_folder(detector, tmp_path, "cup", 0.1)
    assert limit.goods == 12
    assert limit.score == pytest.approx(max(scores))


def test_parts_that_taught_the_model_count_as_strangers_or_not_at_all(tmp_path: Path) -> None:
    for seed in range(14):
        save(tmp_path / f"{seed:03}.png", grey_picture(seed=seed))
    first, *others = (sha256_of(path) for path in sorted(tmp_path.glob("*.png")))
    plan = fake_plan(("disc",))
    with Detector(FakeRuntime(plan.map), plan) as detector:
        limit = calibrate_folder(detector, tmp_path, "disc", 0.1, known={first: 9.0})
        assert (limit.score, limit.goods, limit.taught) == (9.0, 14, 1)
        limit = calibrate_folder(detector, tmp_path, "disc", 0.1, known={first: None})
        assert (limit.goods, limit.taught, limit.left_out) == (13, 0, 1)
        with pytest.raises(InputError, match=r"1 good parts say too little.* 13 more taught"):
            calibrate_folder(detector, tmp_path, "disc", 0.1, known=dict.fromkeys(others))


def test_a_folder_with_a_broken_picture_or_too_few_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.png", grey_picture())
    plan = fake_plan(("disc",))
    with Detector(FakeRuntime(plan.map), plan) as detector:
        with pytest.raises(InputError, match="1 good parts say too little"):
            calibrate_folder(detector, tmp_path, "disc", 0.1)
        (tmp_path / "b.png").write_bytes(b"no picture")
        with pytest.raises(InputError, match=r"b\.png is no picture"):
            calibrate_folder(detector, tmp_path, "disc", 0.1)


CORNER = Area(width=64, height=64, ignore=(((0, 0), (15, 0), (15, 15), (0, 15)),), mm_per_px=0.1)


def _spotted(seed: int) -> NDArray[np.uint8]:
    """A good part beside a bright lamp in the corner."""
    image = grey_picture(seed=seed).copy()
    image[:8, :8] = 255
    return image


def test_a_threshold_is_measured_under_the_mask_that_it_will_stand_for(tmp_path: Path) -> None:
    for seed in range(12):
        save(tmp_path / f"{seed:03}.png", _spotted(seed))
    drawn = from_goods(np.arange(20.0), 0.1).model_copy(update={"area": CORNER, "min_area_px": 7})
    plan = fake_plan(("disc",))
    with Detector(FakeRuntime(plan.map), plan) as detector:
        whole = calibrate_folder(detector, tmp_path, "disc", 0.1)
        limit = calibrate_folder(detector, tmp_path, "disc", 0.1, drawn=drawn)
        told = detector.detect(_spotted(0), "disc")
    assert limit.score < 0.5 * whole.score
    assert score_inside(told, CORNER.inside()) <= limit.score < told.score
    assert (limit.area, limit.min_area_px, limit.goods) == (CORNER, 7, 12)


def test_under_a_mask_a_part_that_taught_the_model_does_not_count(tmp_path: Path) -> None:
    """What it scores as a stranger is known of the whole picture only."""
    for seed in range(14):
        save(tmp_path / f"{seed:03}.png", grey_picture(seed=seed))
    first, *others = (sha256_of(path) for path in sorted(tmp_path.glob("*.png")))
    drawn = from_goods(np.arange(20.0), 0.1).model_copy(update={"area": CORNER})
    scale = CORNER.model_copy(update={"ignore": ()})
    plan = fake_plan(("disc",))
    with Detector(FakeRuntime(plan.map), plan) as detector:
        limit = calibrate_folder(detector, tmp_path, "disc", 0.1, known={first: 9.0}, drawn=drawn)
        assert (limit.goods, limit.taught, limit.left_out) == (13, 0, 1)
        known = dict.fromkeys(others, 9.0)
        with pytest.raises(InputError, match=r"13 more .* inside the area is not known: give"):
            calibrate_folder(detector, tmp_path, "disc", 0.1, known=known, drawn=drawn)
        no_mask = drawn.model_copy(update={"area": scale})
        limit = calibrate_folder(detector, tmp_path, "disc", 0.1, known={first: 9.0}, drawn=no_mask)
        assert (limit.taught, limit.area) == (1, scale)


def test_pictures_of_another_size_than_the_area_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.png", grey_picture(seed=0))
    area = Area(width=128, height=64)
    drawn = from_goods(np.arange(20.0), 0.1).model_copy(update={"area": area})
    plan = fake_plan(("disc",))
    with (
        Detector(FakeRuntime(plan.map), plan) as detector,
        pytest.raises(InputError, match=r"a\.png has 64 × 64 pixels, the area of disc is for 128"),
    ):
        calibrate_folder(detector, tmp_path, "disc", 0.1, drawn=drawn)
