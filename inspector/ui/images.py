"""Pictures from numpy to Qt, outside the GUI thread: scaled, coloured, owning their bytes."""

from functools import cache
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from engine.overlay import heat_table, levels
from engine.types import Image, ScoreMap

Pixels = TypeVar("Pixels", np.uint8, np.float32)


def fit(picture: NDArray[Pixels], long_edge_px: int) -> NDArray[Pixels]:
    """A picture or a map, shrunk to at most ``long_edge_px`` on its longer side; never enlarged."""
    height, width = picture.shape[:2]
    share = long_edge_px / max(height, width)
    if share >= 1:
        return picture
    size = (max(1, round(width * share)), max(1, round(height * share)))
    shrunk = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, picture.dtype)


def picture_image(picture: Image) -> QImage:
    """``(H, W, 3)`` RGB as an opaque image in the format Qt paints fastest."""
    height, width = picture.shape[:2]
    rgb = np.ascontiguousarray(picture)
    borrowed = QImage(rgb.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return borrowed.convertToFormat(QImage.Format.Format_RGB32)  # a copy, so it owns its bytes


def heat_image(rgba: NDArray[np.uint8]) -> QImage:
    """``(H, W, 4)`` RGBA, straight alpha, as an image to lay over a picture."""
    height, width = rgba.shape[:2]
    straight = np.ascontiguousarray(rgba)
    borrowed = QImage(straight.data, width, height, 4 * width, QImage.Format.Format_RGBA8888)
    return borrowed.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)


@cache
def _clear_to_bright() -> NDArray[np.uint8]:
    """The engine's 256 colours with their cover: ``(1, 256, 4)`` RGBA, clear at 0."""
    return np.column_stack([heat_table(), np.arange(256, dtype=np.uint8)])[None]


def heat_rgba(scores: ScoreMap, limit: float) -> NDArray[np.uint8]:
    """A raw map in colour, ``(H, W, 4)`` RGBA: clear up to ``limit``, opaque at its peak.

    The scale is that of the overlay which is saved beside the record.
    """
    high = max(float(scores.max()), limit + 1e-6)
    index = cv2.merge([levels(scores, limit, high)] * 4)
    return np.asarray(cv2.LUT(index, _clear_to_bright()), np.uint8)
