"""What a part is before any camera looks: albedo, height and gloss on a canvas, in linear light.

Lengths are in *widths*: 1.0 is the width of the picture, the origin its middle, y points down.
The canvas reaches MARGIN beyond the picture on every side, so that a shifted or turned part has
something to show there. Height is in widths too, which makes slopes, and thus shading, the same
at every size.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Layer: TypeAlias = NDArray[np.float32]
"""One float32 value, ``(S, S)``, or colour, ``(S, S, 3)``, per pixel of the canvas."""

Points: TypeAlias = NDArray[np.float64]
"""Points ``(N, 2)`` or numbers ``(N,)``, in widths unless said otherwise."""

MARGIN = 0.10

LIGHT = (0.62, 0.78)  # the lamp stands beyond the upper left corner: slopes facing it are bright
HIGHLIGHT_SLOPE = (0.28, 0.34)  # the slope that mirrors the lamp into the lens
HIGHLIGHT_SHARPNESS = 7.0
STEEPEST = 1.6  # an edge of a part is a step: limit its slope, or one pixel would outshine all


@dataclass(frozen=True, slots=True)
class Grid:
    """The canvas of a picture of ``size`` px: its ``side`` in px, and where each pixel lies."""

    size: int
    side: int
    x: Layer
    y: Layer

    def to_px(self, points: Points) -> Points:
        """Points ``(N, 2)`` in widths → canvas pixels."""
        return points * self.size + (self.side - 1) / 2


@lru_cache(maxsize=4)
def grid(size: int) -> Grid:
    """The canvas grid for pictures of ``size`` px."""
    side = size + 2 * round(MARGIN * size)
    line = ((np.arange(side) - (side - 1) / 2) / size).astype(np.float32)
    x, y = np.meshgrid(line, line)
    return Grid(size, side, x, y)


@dataclass(frozen=True, slots=True)
class Surface:
    """``albedo`` (S, S, 3) linear 0–1, ``height`` (S, S) in widths, ``gloss`` (S, S) 0–1."""

    albedo: Layer
    height: Layer
    gloss: Layer


@dataclass(frozen=True, slots=True)
class Feature:
    """Something a part must have: its words, its middle and its extent, in widths."""

    words: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its surface, the same surface without its features, and where damage may lie.

    ``region`` (S, S) bool holds the middles of damage, ``solid`` (S, S) is the coverage of the
    material that can be damaged at all; ``flow`` is how far, in widths, cloth is
    pulled out of shape.
    """

    grid: Grid
    surface: Surface
    bare: Callable[[], Surface]
    features: tuple[Feature, ...]
    region: NDArray[np.bool_]
    solid: Layer
    flow: float = 0.0


@dataclass(frozen=True, slots=True)
class Damage:
    """A spoilt surface, and what happened to it in words, without place and size."""

    surface: Surface
    words: str


DamageMaker: TypeAlias = Callable[[Part, np.random.Generator, float], Damage]
"""Spoils a part; the last argument is the severity, 1.0 and up."""


@dataclass(frozen=True, slots=True)
class Family:
    """A product: how one part of it is made, and what can go wrong with it."""

    make: Callable[[int, np.random.Generator], Part]
    defects: Mapping[str, DamageMaker]


def shade(surface: Surface, size: int) -> Layer:
    """Radiance ``(S, S, 3)`` under the lamp: Lambert linear in the slope, plus one highlight."""
    slope_x = _slope(surface.height, size, 1, 0)
    slope_y = _slope(surface.height, size, 0, 1)
    facing = np.clip(1 + LIGHT[0] * slope_x + LIGHT[1] * slope_y, 0.12, 2.4)
    off_x, off_y = slope_x - HIGHLIGHT_SLOPE[0], slope_y - HIGHLIGHT_SLOPE[1]
    mirror = surface.gloss * np.exp(-HIGHLIGHT_SHARPNESS * (off_x * off_x + off_y * off_y))
    radiance: Layer = surface.albedo * facing[..., None]
    radiance += mirror[..., None]
    return radiance


def _slope(height: Layer, size: int, dx: int, dy: int) -> Layer:
    slope = cv2.Sobel(height, cv2.CV_32F, dx, dy, ksize=3, scale=size / 8)
    clipped: Layer = np.clip(slope, -STEEPEST, STEEPEST)
    return clipped
