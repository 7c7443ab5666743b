"""Outlines in widths, as points ``(N, 2)``, and how much of each pixel they cover."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.camera.parts.layers import f32
from inspector.camera.parts.surface import Grid, Layer, Points

SUBPIXEL_BITS = 4


def rounded(x: float, y: float, w: float, h: float, r: float = 0) -> Points:
    """A rectangle around (x, y), its corners rounded by ``r``."""
    turns = np.linspace(0, np.pi / 2, 9 if r else 1)
    corners = []
    for quarter, (sx, sy) in enumerate([(1, 1), (-1, 1), (-1, -1), (1, -1)]):
        middle = (x + sx * (w / 2 - r), y + sy * (h / 2 - r))
        corners.append(polar(turns + quarter * np.pi / 2, r, middle))
    return np.concatenate(corners)


def polar(angles: Points, radii: Points | float, middle: Sequence[float]) -> Points:
    """Points at ``angles`` (N,) and ``radii`` around ``middle``."""
    points: Points = np.stack([np.cos(angles), np.sin(angles)], 1) * np.reshape(radii, (-1, 1))
    return points + np.asarray(middle, np.float64)


def closed(outline: Points) -> Points:
    """The outline with its first point repeated at the end."""
    return np.concatenate([outline, outline[:1]])


def ribbon(path: Points, widths: Points) -> Points:
    """The outline of a stroke along ``path`` (N, 2) whose width changes: ``widths`` (N,)."""
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    side = np.stack([-along[:, 1], along[:, 0]], 1) * (widths[:, None] / 2)
    return np.concatenate([path + side, (path - side)[::-1]])


def coverage(grid: Grid, outlines: Sequence[Points]) -> Layer:
    """How much of each canvas pixel the outlines cover, ``(S, S)`` 0–1."""
    layer = np.zeros((grid.side, grid.side), np.uint8)
    for outline in outlines:
        cv2.fillPoly(layer, [fixed(grid.to_px(outline))], (255,), cv2.LINE_AA, SUBPIXEL_BITS)
    return f32(layer) / np.float32(255)


def fixed(px: Points) -> NDArray[np.int32]:
    """Pixel positions in OpenCV's fixed-point notation."""
    return np.round(px * (1 << SUBPIXEL_BITS)).astype(np.int32)
