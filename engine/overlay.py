"""A map laid over its picture as heat: what people look at, on screen and on paper."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.types import Image, ScoreMap


@cache
def heat_table() -> NDArray[np.uint8]:
    """256 colours ``(256, 3)`` uint8 RGB, from dark violet to bright yellow (inferno)."""
    ramp = np.arange(256, dtype=np.uint8)[None]
    colours = cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[0, :, ::-1].copy()
    colours.flags.writeable = False
    return np.asarray(colours, np.uint8)


def levels(score_map: ScoreMap, low: float, high: float) -> NDArray[np.uint8]:
    """The map as table indices ``(H, W)`` uint8: 0 at ``low`` and below, 255 from ``high`` on."""
    if not low < high:
        raise ValueError(f"the scale's low end {low} is not below its high end {high}")
    share = (score_map - np.float32(low)) * np.float32(255 / (high - low))
    return np.asarray(np.clip(share, 0, 255), np.uint8)


def overlay(
    image: Image, score_map: ScoreMap, *, low: float, high: float, opacity: float = 0.7
) -> Image:
    """Picture ``(H, W, 3)`` under the heat of its map ``(H, W)``; raw map values ``low < high``.

    The heat is clear at ``low`` and covers with ``opacity`` (0 to 1) at ``high``, so that what is
    normal stays visible. Table look-ups only: fit for a live picture.
    """
    if image.shape[:2] != score_map.shape:
        raise ValueError(f"a map of {score_map.shape} does not fit a picture of {image.shape}")
    cover = opacity * np.arange(256, dtype=np.float32)[:, None] / 255
    heat = (heat_table() * cover).astype(np.uint8)[None]
    keep = np.repeat((255 * (1 - cover)).astype(np.uint8), 3, axis=1)[None]
    index = cv2.merge([levels(score_map, low, high)] * 3)
    rest = cv2.multiply(image, cv2.LUT(index, keep), scale=1 / 255)
    return np.asarray(cv2.add(rest, cv2.LUT(index, heat)), np.uint8)
