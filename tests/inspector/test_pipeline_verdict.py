from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.pipeline.inspection import Reason, Verdict
from inspector.pipeline.verdict import MAX_REGIONS, find_regions, judge
from tests.inspector.pipeline_parts import LIMIT, prediction, score_map

scores = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("score", "verdict", "reason"),
    [
        (-3.0, Verdict.OK, None),
        (0.5, Verdict.OK, None),
        (np.nextafter(0.5, 1), Verdict.NG, Reason.DEFECT),
        (1e30, Verdict.NG, Reason.DEFECT),
        (float("nan"), Verdict.FAULT, Reason.INVALID_SCORE),
        (float("inf"), Verdict.FAULT, Reason.INVALID_SCORE),
        (float("-inf"), Verdict.FAULT, Reason.INVALID_SCORE),
    ],
)
def test_the_score_decides(score: float, verdict: Verdict, reason: Reason | None) -> None:
    judgement = judge(prediction(score), LIMIT)

    assert (judgement.verdict, judgement.reason) == (verdict, reason)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_bad_value_in_the_map_is_a_fault(bad: float) -> None:
    spoilt = prediction(0.1)
    spoilt.map[3, 3] = bad

    assert judge(spoilt, LIMIT).reason is Reason.INVALID_SCORE


@given(scores, scores)
def test_a_higher_score_is_never_better(one: float, other: float) -> None:
    low, high = sorted((one, other))
    verdicts = [judge(prediction(score), LIMIT).verdict for score in (low, high)]

    assert verdicts != [Verdict.NG, Verdict.OK]


def test_ng_without_a_region_is_still_ng() -> None:
    judgement = judge(prediction(0.9), LIMIT)

    assert judgement.verdict is Verdict.NG
    assert judgement.regions == ()


def test_ok_carries_no_region_whatever_the_map_shows() -> None:
    assert judge(prediction(0.1, spots=[(5, 5)]), LIMIT).regions == ()


def test_regions_come_with_box_area_peak_and_contour_strongest_first() -> None:
    scores = score_map([(5, 6), (30, 20)])
    scores[21, 31] = 2.0

    strong, weak = find_regions(scores, LIMIT)

    assert (strong.x, strong.y, strong.width, strong.height) == (30, 20, 4, 4)
    assert (strong.area_px, strong.peak) == (16, 2.0)
    assert set(strong.contour) == {(30, 20), (33, 20), (33, 23), (30, 23)}
    assert weak.peak == pytest.approx(0.9)


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    scores = score_map([(5, 5), (9, 9)])

    (region,) = find_regions(scores, LIMIT)

    assert region.area_px == 32


def test_a_region_inside_another_ones_box_keeps_its_own_outline() -> None:
    scores = np.zeros((30, 30), np.float32)
    scores[0:20, 0:20] = 0.8
    scores[2:18, 2:18] = 0.0
    scores[8:12, 8:12] = 0.9

    inner, ring = find_regions(scores, LIMIT)

    assert (inner.x, inner.area_px) == (8, 16)
    assert (ring.x, ring.area_px) == (0, 400 - 256)


@pytest.mark.parametrize(("min_area_px", "found"), [(0, 2), (1, 2), (2, 1), (16, 1), (17, 0)])
def test_small_regions_are_left_out(min_area_px: int, found: int) -> None:
    scores = score_map([(5, 5)])
    scores[30, 30] = 5.0
    threshold = LIMIT.model_copy(update={"min_area_px": min_area_px})

    assert len(find_regions(scores, threshold)) == found


def test_a_map_full_of_specks_gives_the_strongest_only() -> None:
    scores = np.zeros((60, 60), np.float32)
    scores[::2, ::2] = np.arange(1, 901, dtype=np.float32).reshape(30, 30)
    threshold = LIMIT.model_copy(update={"min_area_px": 1})

    regions = find_regions(scores, threshold)

    assert [region.peak for region in regions] == [900.0 - n for n in range(MAX_REGIONS)]


def test_a_value_at_the_map_threshold_is_not_above_it() -> None:
    at_limit = replace(prediction(0.9), map=np.full((8, 8), 0.5, np.float32))

    assert judge(at_limit, LIMIT).regions == ()
