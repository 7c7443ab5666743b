"""Drawing helpers: a sheet to paint on, ribbons and blobs as coverage, and smooth noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from inspector.camera.parts.lettering import strokes
from inspector.camera.parts.surface import Grid, Layer, Surface

SUBPIXEL_BITS = 4
TALLEST = 0.064  # the height, in widths, that a sheet's 255 stands for
Colour = tuple[int, int, int]
"""sRGB-like 8-bit colour as a person would name it; a sheet turns it into linear light."""


@dataclass(frozen=True, slots=True)
class Ink:
    """What a brush leaves: colour, and, where not None, height (widths) and gloss (0–1)."""

    colour: Colour
    height: float | None = None
    gloss: float | None = None


class Sheet:
    """Paints flat shapes in widths, finer than the canvas, and becomes a surface."""

    def __init__(self, grid: Grid, ground: Ink) -> None:
        self._grid = grid
        self._fine = 3 if grid.size <= 512 else 2 if grid.size <= 1024 else 1
        side = grid.side * self._fine
        self._colour = np.full((side, side, 3), ground.colour, np.uint8)
        self._height = np.full((side, side), _level(ground.height or 0, TALLEST), np.uint8)
        self._gloss = np.full((side, side), _level(ground.gloss or 0, 1), np.uint8)

    def polygon(self, points: ArrayLike, ink: Ink) -> None:
        corners = self._fixed(points)
        for layer, value in self._targets(ink):
            cv2.fillPoly(layer, [corners], value, cv2.LINE_AA, SUBPIXEL_BITS)

    def rectangle(self, x: float, y: float, w: float, h: float, ink: Ink, r: float = 0) -> None:
        """A filled rectangle around (x, y), its corners rounded by ``r``."""
        self.polygon(rounded(x, y, w, h, r), ink)

    def circle(self, x: float, y: float, radius: float, ink: Ink) -> None:
        self.polygon(rounded(x, y, 2 * radius, 2 * radius, radius), ink)

    def line(self, points: ArrayLike, width: float, ink: Ink) -> None:
        path = np.asarray(points, np.float64)
        for a, b in zip(path[:-1], path[1:], strict=True):
            self.polygon(ribbon(np.stack([a, b]), np.full(2, width)), ink)
        for x, y in path:  # round joints and ends
            self.circle(x, y, width / 2, ink)

    def text(self, words: str, x: float, y: float, tall: float, ink: Ink, bold: float = 1) -> None:
        """Words around (x, y), capitals ``tall`` widths high."""
        for stroke in strokes(words):
            self.line(stroke * tall + (x, y), 0.13 * bold * tall, ink)

    def surface(self) -> Surface:
        """What was painted, in linear light at canvas resolution."""
        size = self._grid.size
        colour = self._lowered(self._colour).astype(np.float32) / 255
        height = self._lowered(self._height).astype(np.float32) * (TALLEST / 255)
        height = cv2.GaussianBlur(height, (0, 0), 0.0022 * size)  # no edge of a part is sharp
        gloss = self._lowered(self._gloss).astype(np.float32) / 255
        return Surface(colour * colour, height, gloss)

    def _lowered(self, layer: NDArray[np.uint8]) -> NDArray[np.uint8]:
        side = self._grid.side
        small = cv2.resize(layer, (side, side), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)

    def _fixed(self, points: ArrayLike) -> NDArray[np.int32]:
        px = self._grid.to_px(np.asarray(points, np.float64))
        return _fixed((px + 0.5) * self._fine - 0.5)

    def _targets(self, ink: Ink) -> list[tuple[NDArray[np.uint8], Colour | int]]:
        targets: list[tuple[NDArray[np.uint8], Colour | int]] = [(self._colour, ink.colour)]
        if ink.height is not None:
            targets.append((self._height, _level(ink.height, TALLEST)))
        if ink.gloss is not None:
            targets.append((self._gloss, _level(ink.gloss, 1)))
        return targets


def _level(value: float, full: float) -> int:
    return round(255 * value / full)


def _fixed(px: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.round(px * (1 << SUBPIXEL_BITS)).astype(np.int32)


def rounded(x: float, y: float, w: float, h: float, r: float) -> NDArray[np.float64]:
    """The outline of a rectangle with round corners, as points ``(N, 2)``."""
    turns = np.linspace(0, np.pi / 2, 9 if r else 1)
    corners = []
    for quarter, (sx, sy) in enumerate([(1, 1), (-1, 1), (-1, -1), (1, -1)]):
        angle = turns + quarter * np.pi / 2
        middle = np.array([x + sx * (w / 2 - r), y + sy * (h / 2 - r)])
        corners.append(middle + r * np.stack([np.cos(angle), np.sin(angle)], 1))
    return np.concatenate(corners)


def ribbon(path: NDArray[np.float64], widths: NDArray[np.float64]) -> NDArray[np.float64]:
    """The outline of a stroke along ``path`` (N, 2) whose width changes: ``widths`` (N,)."""
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    side = np.stack([-along[:, 1], along[:, 0]], 1) * (widths[:, None] / 2)
    return np.concatenate([path + side, (path - side)[::-1]])


def coverage(grid: Grid, outlines: Sequence[NDArray[np.float64]]) -> Layer:
    """How much of each canvas pixel the outlines (widths) cover, ``(S, S)`` 0–1."""
    layer = np.zeros((grid.side, grid.side), np.uint8)
    for outline in outlines:
        cv2.fillPoly(layer, [_fixed(grid.to_px(outline))], 255, cv2.LINE_AA, SUBPIXEL_BITS)
    return layer.astype(np.float32) / 255


def smooth_noise(rng: np.random.Generator, grid: Grid, cells: int) -> Layer:
    """Noise around 0 with unit variance at its nodes and ``cells`` nodes across, ``(S, S)``."""
    nodes = rng.standard_normal((cells, cells), np.float32)
    layer = cv2.resize(nodes, (grid.side, grid.side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(layer, np.float32)


def blend(under: Layer, over: ArrayLike, alpha: Layer) -> Layer:
    """``under`` with ``over`` on it as far as ``alpha`` (S, S) says."""
    weight = alpha[..., None] if under.ndim == 3 else alpha
    mixed: Layer = under + weight * (np.asarray(over, np.float32) - under)
    return mixed
