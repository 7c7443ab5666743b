"""What an area does to a verdict: it takes away, never adds, and weakens nothing inside."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibration.area import Area
from calibration.recipe import Threshold
from engine.types import Prediction
from inspector.pipeline.inspection import Reason, Verdict
from inspector.pipeline.verdict import judge
from tests.inspector.pipeline_parts import LIMIT, prediction

LEFT = ((0, 0), (29, 0), (29, 39), (0, 39))
"""The left half of a picture of 60 × 40 pixels."""


def _limit(smallest_px: int = 4, **said: Any) -> Threshold:
    area = Area(**({"width": 60, "height": 40} | said))
    return Threshold(**(LIMIT.model_dump() | {"min_area_px": smallest_px, "area": area}))


def test_what_lies_outside_is_neither_a_defect_nor_a_region() -> None:
    inside, outside = (5, 5), (40, 20)

    for limit in (_limit(roi=[LEFT]), _limit(ignore=[((30, 0), (59, 0), (59, 39), (30, 39))])):
        assert judge(prediction(0.9, [outside]), limit).verdict is Verdict.OK
        judgement = judge(prediction(0.85, [inside, outside]), limit)
        assert judgement.verdict is Verdict.NG
        assert [region.x for region in judgement.regions] == [5]
        assert judgement.score == 0.85


def test_a_region_ends_where_the_area_ends() -> None:
    (region,) = judge(prediction(0.9, [(28, 10)]), _limit(roi=[LEFT])).regions

    assert (region.x, region.width, region.area_px) == (28, 2, 8)


def test_the_score_that_met_the_threshold_is_told() -> None:
    assert judge(prediction(0.7), LIMIT).score == 0.7
    assert judge(prediction(0.7, [(40, 20)]), _limit(roi=[LEFT])).score == 0.0
    assert judge(prediction(np.nan), LIMIT).score is None


@pytest.mark.parametrize(("width", "height"), [(40, 60), (61, 40), (60, 41), (30, 20)])
def test_a_picture_of_another_size_than_the_area_is_a_fault(width: int, height: int) -> None:
    """Whatever the area says: its scale is of that size, too."""
    for score in (0.1, 0.9):
        judgement = judge(prediction(score), _limit(width=width, height=height))
        assert (judgement.verdict, judgement.reason) == (Verdict.FAULT, Reason.WRONG_FORMAT)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_value_outside_is_a_fault_all_the_same(bad: float) -> None:
    spoilt = prediction(0.1)
    spoilt.map[3, 50] = bad

    assert judge(spoilt, _limit(roi=[LEFT])).reason is Reason.INVALID_SCORE


def test_regions_say_their_product_and_with_a_scale_their_area_in_mm2() -> None:
    (plain,) = judge(prediction(0.9, [(5, 5)]), LIMIT).regions
    (scaled,) = judge(prediction(0.9, [(5, 5)]), _limit(mm_per_px=0.5)).regions

    assert (plain.product, plain.area_mm2) == ("disc", None)
    assert (scaled.product, scaled.area_mm2) == ("disc", pytest.approx(4.0))


def test_a_smallest_area_in_mm2_leaves_small_regions_out() -> None:
    small = prediction(0.9, [(5, 5)])  # 16 px: 4 mm² at half a millimetre a pixel

    assert len(judge(small, _limit(mm_per_px=0.5, min_area_mm2=4.0)).regions) == 1
    assert judge(small, _limit(mm_per_px=0.5, min_area_mm2=4.1)).regions == ()


def test_small_regions_count_unless_the_recipe_says_that_they_do_not() -> None:
    small = prediction(0.9, [(5, 5)])

    assert judge(small, _limit(17)).verdict is Verdict.NG
    assert judge(small, _limit(17, small_regions="ignore")).verdict is Verdict.OK
    assert judge(small, _limit(16, small_regions="ignore")).verdict is Verdict.NG


@pytest.mark.parametrize("spots", [[], [(40, 20)]])
def test_where_small_regions_are_ignored_something_has_to_stand_over_the_map(
    spots: list[tuple[int, int]],
) -> None:
    """A score without any place of its own is no small region: nobody knows where it comes from."""
    dull = prediction(0.9, spots)  # outside the area, where there is a spot
    dull.map[5:9, 5:9] = 0.5  # up to the limit, not over it
    limit = _limit(17, roi=[LEFT], small_regions="ignore")

    assert judge(dull, limit).verdict is Verdict.OK  # the peak inside is no higher than the score's
    higher = limit.model_copy(update={"score": 0.4})
    assert judge(dull, higher).verdict is Verdict.NG
    dull.map[5, 5] = 0.6
    assert judge(dull, higher).verdict is Verdict.OK


maps = st.lists(st.sampled_from([0.0, 0.5, 0.6, 0.9]), min_size=48, max_size=48).map(
    lambda values: np.reshape(np.array(values, np.float32), (6, 8))
)
limits = st.sampled_from([0.2, 0.5, 0.55, 0.7])
kinds = st.sampled_from(["count", "ignore"])
corners = st.tuples(st.integers(0, 7), st.integers(0, 5))


@st.composite
def areas(draw: st.DrawFn) -> dict[str, Any]:
    """A rectangle to look at, or the whole of a picture of 8 × 6 pixels."""
    (x0, y0), (x1, y1) = draw(corners), draw(corners)
    said: dict[str, Any] = {"width": 8, "height": 6, "small_regions": draw(kinds)}
    if x0 != x1 and y0 != y1:
        said["roi"] = [((x0, y0), (x1, y0), (x1, y1), (x0, y1))]
    return said


def _judged(score: float, scores: NDArray[np.float32], limit: float, said: dict[str, Any]) -> bool:
    """Whether it is NG."""
    threshold = Threshold(
        **(LIMIT.model_dump() | {"score": limit, "map": limit, "min_area_px": 2, "area": said})
    )
    score = min(score, float(scores.max()))  # a mean of the map's strongest places
    told = Prediction(score, scores, "disc", {})
    before = scores.copy()
    judgement = judge(told, threshold)
    assert judgement == judge(told, threshold)
    assert np.array_equal(scores, before)
    assert (judgement.reason is None) is (judgement.verdict is Verdict.OK)
    return judgement.verdict is Verdict.NG


@given(maps, maps, limits, limits, st.floats(0, 1), st.floats(0, 1), areas())
def test_judge_is_pure_and_monotone(
    one: NDArray[np.float32],
    other: NDArray[np.float32],
    limit: float,
    limit2: float,
    score: float,
    more: float,
    said: dict[str, Any],
) -> None:
    """More score, more map, or a lower threshold: never from NG to OK."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    strict, loose = sorted((limit, limit2))

    assert _judged(score, low, limit, said) <= _judged(score, high, limit, said)
    assert _judged(score, one, limit, said) <= _judged(score + more, one, limit, said)
    assert _judged(score, one, loose, said) <= _judged(score, one, strict, said)


@given(maps, limits, st.floats(0, 1), areas(), areas())
def test_a_mask_only_takes_away(
    scores: NDArray[np.float32], limit: float, score: float, said: dict[str, Any], hole: Any
) -> None:
    without = {key: value for key, value in said.items() if key != "roi"}
    masked = _judged(score, scores, limit, said)

    assert masked <= _judged(score, scores, limit, without)
    assert masked <= _judged(score, scores, limit, {**without, "small_regions": "count"})
    try:
        smaller = _judged(score, scores, limit, {**said, "ignore": hole.get("roi", [])})
    except ValueError:
        return  # nothing was left of the picture
    assert smaller <= masked


@given(maps, limits, st.floats(0, 1), areas())
def test_a_defect_inside_is_not_weakened_by_the_mask(
    scores: NDArray[np.float32], limit: float, score: float, said: dict[str, Any]
) -> None:
    """Where the strongest place lies inside, the score is what it was without a mask."""
    area = Area(**said)
    if scores.max(where=area.inside(), initial=-1) < scores.max():
        return
    said = {**said, "small_regions": "count"}
    whole = {key: value for key, value in said.items() if key != "roi"}

    assert _judged(score, scores, limit, said) == _judged(score, scores, limit, whole)


def test_the_map_is_judged_in_the_pictures_own_directions() -> None:
    """x to the right, y down: an area drawn on one side never holds on the other."""
    corner = ((0, 0), (19, 0), (19, 9), (0, 9))
    for spot, verdict in (((5, 3), Verdict.NG), ((50, 3), Verdict.OK), ((5, 30), Verdict.OK)):
        spotted = prediction(0.9, [spot])
        assert judge(spotted, _limit(roi=[corner])).verdict is verdict
