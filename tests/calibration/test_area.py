"""Where a part is looked at: what is nonsense, what is left, and what a mask does to a score."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from calibration.area import Area, score_inside
from engine.types import Prediction

SQUARE = ((2, 1), (5, 1), (5, 4), (2, 4))


def _area(**said: Any) -> Area:
    return Area(width=8, height=6, **said)


def _prediction(score: float, scores: Any) -> Prediction:
    return Prediction(score, np.asarray(scores, np.float32), "disc", {})


def test_without_polygons_the_whole_picture_counts() -> None:
    assert _area().inside().all()
    assert _area().inside().shape == (6, 8)
    assert not _area().has_mask


def test_the_outline_belongs_to_a_polygon() -> None:
    expected = np.zeros((6, 8), np.bool_)
    expected[1:5, 2:6] = True

    assert np.array_equal(_area(roi=[SQUARE]).inside(), expected)
    assert np.array_equal(_area(ignore=[SQUARE]).inside(), ~expected)


def test_what_is_ignored_goes_before_what_is_looked_at() -> None:
    inside = _area(roi=[SQUARE], ignore=[((0, 0), (3, 0), (3, 5), (0, 5))]).inside()

    assert inside.sum() == 8
    assert inside[1:5, 4:6].all()


def test_polygons_that_overlap_add_up() -> None:
    other = ((2, 1), (7, 1), (7, 5), (2, 5))

    assert _area(roi=[SQUARE, other]).inside().sum() == 30
    assert _area(ignore=[SQUARE, other]).inside().sum() == 48 - 30


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"roi": [SQUARE[:2]]}, "at least 3"),
        ({"ignore": [SQUARE[:2]]}, "at least 3"),
        ({"roi": [((0, 0), (8, 0), (8, 5))]}, "leaves the picture of 8 × 6"),
        ({"ignore": [((0, 0), (7, 0), (7, 6))]}, "leaves the picture of 8 × 6"),
        ({"roi": [((-1, 0), (7, 0), (7, 5))]}, "greater than or equal to 0"),
        ({"roi": [((0, 0), (3, 3), (5, 5))]}, "encloses nothing"),
        ({"ignore": [((0, 0), (7, 0), (7, 5), (0, 5))]}, "leave nothing"),
        ({"roi": [SQUARE], "ignore": [SQUARE]}, "leave nothing"),
        ({"min_area_mm2": 1.0}, "needs mm_per_px"),
        ({"mm_per_px": 0}, "greater than 0"),
        ({"mm_per_px": float("inf")}, "finite"),
        ({"min_area_mm2": -1, "mm_per_px": 1}, "greater than 0"),
        ({"small_regions": "perhaps"}, "'count' or 'ignore'"),
        ({"surprise": 1}, "Extra inputs"),
        ({"width": 0}, "greater than or equal to 1"),
    ],
)
def test_nonsense_is_refused_at_birth(said: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Area(**({"width": 8, "height": 6} | said))


@pytest.mark.parametrize(
    ("mm_per_px", "min_area_mm2", "pixels"),
    [(None, None, 0), (0.5, None, 0), (0.5, 1.0, 4), (0.5, 1.01, 5), (0.3, 0.27, 3), (2.0, 0.1, 1)],
)
def test_a_smallest_area_in_mm2_is_so_many_pixels(
    mm_per_px: float | None, min_area_mm2: float | None, pixels: int
) -> None:
    area = _area(mm_per_px=mm_per_px, min_area_mm2=min_area_mm2)

    assert area.min_area_px == pixels
    assert area.mm2(3) == (None if mm_per_px is None else pytest.approx(3 * mm_per_px**2))


def test_a_picture_of_another_size_does_not_fit() -> None:
    assert _area().fits(_prediction(0, np.zeros((6, 8))))
    assert not _area().fits(_prediction(0, np.zeros((8, 6))))


def test_without_a_mask_the_score_is_the_graphs_own() -> None:
    assert score_inside(_prediction(9.0, np.zeros((6, 8))), None) == 9.0


def test_a_defect_inside_keeps_its_score_and_one_outside_has_none() -> None:
    scores = np.zeros((6, 8), np.float32)
    scores[2, 3] = 5.0
    strange = _prediction(4.0, scores)

    assert score_inside(strange, _area(roi=[SQUARE]).inside()) == 4.0
    assert score_inside(strange, _area(ignore=[SQUARE]).inside()) == 0.0


values = st.floats(-50, 50, width=32)
maps = st.lists(values, min_size=12, max_size=12).map(lambda v: np.reshape(v, (3, 4)))
masks = st.lists(st.booleans(), min_size=12, max_size=12).map(lambda v: np.reshape(v, (3, 4)))


@given(maps, maps, masks, masks, values, st.floats(0, 10))
def test_less_map_less_picture_or_less_score_is_never_more(
    one: np.ndarray, other: np.ndarray, mask: np.ndarray, hole: np.ndarray, s: float, more: float
) -> None:
    low, high = np.minimum(one, other), np.maximum(one, other)
    mask[0, 0], hole[0, 0] = True, False  # an area leaves something of the picture

    assert score_inside(_prediction(s, low), mask) <= score_inside(_prediction(s, high), mask)
    assert score_inside(_prediction(s, one), mask & ~hole) <= score_inside(
        _prediction(s, one), mask
    )
    assert score_inside(_prediction(s, one), mask) <= score_inside(_prediction(s + more, one), mask)
    assert score_inside(_prediction(s, one), mask) <= s
