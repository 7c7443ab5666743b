"""What is drawn on a picture for people: where the defect is, and a close look at it."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from engine.types import Image, ScoreMap
from inspector.pipeline.inspection import Region

OUTLINE: Final = (0, 255, 255)
"""Cyan: no product or colour map we draw on has it."""


def outline(image: Image, regions: Sequence[Region]) -> Image:
    """A copy of the picture with each region's contour on it, thicker on larger pictures."""
    drawn = np.ascontiguousarray(image).copy()
    contours = [np.array(region.contour, np.int32) for region in regions]
    cv2.polylines(drawn, contours, True, OUTLINE, max(1, min(image.shape[:2]) // 400))
    return drawn


def crop(image: Image, scores: ScoreMap, regions: Sequence[Region]) -> Image:
    """The strongest region with its surroundings; without a region, round the map's peak.

    As large as the region and half of it again on each side, at least 64 pixels a side where the
    picture has them.
    """
    x, y, width, height = _strongest_box(scores, regions)
    left, right = _widen(x, width, image.shape[1])
    top, bottom = _widen(y, height, image.shape[0])
    return image[top:bottom, left:right]


def _strongest_box(scores: ScoreMap, regions: Sequence[Region]) -> tuple[int, int, int, int]:
    if regions:
        return regions[0].x, regions[0].y, regions[0].width, regions[0].height
    y, x = np.unravel_index(int(np.argmax(scores)), scores.shape)
    return int(x), int(y), 1, 1


def _widen(start: int, length: int, limit: int) -> tuple[int, int]:
    """An interval of twice the length (at least 64) about the same centre, kept inside 0..limit."""
    wanted = min(max(2 * length, 64), limit)
    low = min(max(start + length // 2 - wanted // 2, 0), limit - wanted)
    return low, low + wanted
