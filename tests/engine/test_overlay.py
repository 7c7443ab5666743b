"""Heat lies where the map is high, and leaves alone what is normal."""

import numpy as np
import pytest

from engine.overlay import heat_table, levels, overlay
from tests.engine.tiny import grey_picture

PICTURE = grey_picture(20, 30)


def test_the_table_has_256_colours_from_dark_to_bright() -> None:
    table = heat_table()
    assert table.shape == (256, 3)
    assert table[0].sum() < 20 < 400 < table[255].sum()
    with pytest.raises(ValueError, match="read-only"):
        table[0] = 1


def test_levels_are_clipped_at_both_ends() -> None:
    row = np.array([[-9, 1, 2, 3, 99]], np.float32)
    np.testing.assert_array_equal(levels(row, 1, 3), [[0, 0, 127, 255, 255]])


def test_what_is_at_the_low_end_stays_as_it_is() -> None:
    drawn = overlay(PICTURE, np.zeros((20, 30), np.float32), low=0, high=1)
    np.testing.assert_array_equal(drawn, PICTURE)


@pytest.mark.parametrize("opacity", [0.0, 0.5, 1.0])
def test_the_high_end_is_covered_by_opacity(opacity: float) -> None:
    score_map = np.zeros((20, 30), np.float32)
    score_map[5:8, 10:15] = 1
    drawn = overlay(PICTURE, score_map, low=0, high=1, opacity=opacity).astype(float)
    expected = (1 - opacity) * PICTURE[5:8, 10:15] + opacity * heat_table()[255]
    np.testing.assert_allclose(drawn[5:8, 10:15], expected, atol=2)
    np.testing.assert_array_equal(drawn[12:], PICTURE[12:])


def test_the_picture_itself_is_not_drawn_upon() -> None:
    before = PICTURE.copy()
    overlay(PICTURE, np.ones((20, 30), np.float32), low=0, high=1)
    np.testing.assert_array_equal(PICTURE, before)


def test_a_map_of_another_size_or_an_empty_scale_is_our_fault() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        overlay(PICTURE, np.ones((20, 31), np.float32), low=0, high=1)
    with pytest.raises(ValueError, match="not below its high end"):
        overlay(PICTURE, np.ones((20, 30), np.float32), low=1, high=1)
