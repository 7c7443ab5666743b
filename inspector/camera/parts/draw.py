"""A sheet to paint flat things on, finer than the canvas: colour, height and gloss at once."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from inspector.camera.parts.layers import blurred, f32
from inspector.camera.parts.lettering import strokes
from inspector.camera.parts.shapes import SUBPIXEL_BITS, fixed, ribbon, rounded
from inspector.camera.parts.surface import Grid, Layer, Points, Surface

TALLEST = 0.064  # the height, in widths, that a sheet's 255 stands for
EDGE = 0.0022  # no edge of a part is sharper, in widths
Colour: TypeAlias = tuple[int, int, int]
"""8-bit RGB as a person would name it; a sheet turns it into linear light."""


@dataclass(frozen=True, slots=True)
class Ink:
    """What a brush leaves: colour, and, where not None, height (widths) and gloss (0–1)."""

    colour: Colour
    height: float | None = None
    gloss: float | None = None


class Sheet:
    """Paints shapes given in widths, then becomes a surface."""

    def __init__(self, grid: Grid, ground: Ink) -> None:
        self._grid = grid
        self._fine = 3 if grid.size <= 512 else 2 if grid.size <= 1024 else 1
        side = grid.side * self._fine
        self._colour = np.full((side, side, 3), ground.colour, np.uint8)
        self._height = np.full((side, side), _level(ground.height or 0, TALLEST), np.uint8)
        self._gloss = np.full((side, side), _level(ground.gloss or 0, 1), np.uint8)

    def polygon(self, points: ArrayLike, ink: Ink) -> None:
        corners = self._fixed(np.asarray(points, np.float64))
        for layer, value in self._targets(ink):
            cv2.fillPoly(layer, [corners], value, cv2.LINE_AA, SUBPIXEL_BITS)

    def rectangle(self, x: float, y: float, w: float, h: float, ink: Ink, r: float = 0) -> None:
        """A filled rectangle around (x, y), its corners rounded by ``r``."""
        self.polygon(rounded(x, y, w, h, r), ink)

    def circle(self, x: float, y: float, radius: float, ink: Ink) -> None:
        self.polygon(rounded(x, y, 2 * radius, 2 * radius, radius), ink)

    def line(self, points: ArrayLike, width: float, ink: Ink) -> None:
        """A line with round joints and ends."""
        path = np.asarray(points, np.float64)
        for a, b in pairwise(path):
            self.polygon(ribbon(np.stack([a, b]), np.full(2, width)), ink)
        for x, y in path:
            self.circle(x, y, width / 2, ink)

    def text(self, words: str, x: float, y: float, tall: float, ink: Ink, bold: float = 1) -> None:
        """Words around (x, y), capitals ``tall`` widths high."""
        for stroke in strokes(words):
            self.line(stroke * tall + np.array([x, y]), 0.13 * bold * tall, ink)

    def surface(self) -> Surface:
        """What was painted, in linear light at canvas resolution."""
        colour = self._lowered(self._colour) / np.float32(255)
        height = self._lowered(self._height) * np.float32(TALLEST / 255)
        gloss = self._lowered(self._gloss) / np.float32(255)
        return Surface(colour * colour, blurred(height, self._grid, EDGE), gloss)

    def _lowered(self, layer: NDArray[np.uint8]) -> Layer:
        side = self._grid.side
        return f32(cv2.resize(layer, (side, side), interpolation=cv2.INTER_AREA))

    def _fixed(self, points: Points) -> NDArray[np.int32]:
        return fixed((self._grid.to_px(points) + 0.5) * self._fine - 0.5)

    def _targets(self, ink: Ink) -> list[tuple[NDArray[np.uint8], tuple[int, ...]]]:
        targets: list[tuple[NDArray[np.uint8], tuple[int, ...]]] = [(self._colour, ink.colour)]
        if ink.height is not None:
            targets.append((self._height, (_level(ink.height, TALLEST),)))
        if ink.gloss is not None:
            targets.append((self._gloss, (_level(ink.gloss, 1),)))
        return targets


def _level(value: float, full: float) -> int:
    return round(255 * value / full)
