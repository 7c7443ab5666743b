"""Kinds of synthetic anomaly, each drawn on a good picture from an explicit generator.

A kind maps (picture, shape, donor, generator) to a spoilt picture. They are generic: photometric
or geometric damage inside a random shape, knowing nothing of a product or of its real defects.
CutPaste: Li et al., CVPR 2021. Texture blending: DRAEM, Zavrtanik et al., ICCV 2021.
Arrays are ``(side, side, 3)`` float32 in grey levels 0–255.
"""

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.datasets import shapes
from training.datasets.shapes import Shape

Picture: TypeAlias = NDArray[np.float32]
Rng: TypeAlias = np.random.Generator
Kind: TypeAlias = Callable[[Picture, Shape, Picture, Rng], Picture]


def paste(picture: Picture, shape: Shape, donor: Picture, rng: Rng) -> Picture:
    """Another place of the same picture, jittered in colour."""
    moved = np.roll(picture, tuple(rng.integers(8, picture.shape[0] - 8, 2)), (0, 1))
    if rng.random() < 0.5:
        moved = np.ascontiguousarray(np.rot90(moved, int(rng.integers(1, 4))))
    return _mix(picture, _jitter(moved, rng), shape, rng.uniform(0.6, 1.0))


def texture(picture: Picture, shape: Shape, donor: Picture, rng: Rng) -> Picture:
    """Foreign texture: the donor, or rendered noise, blended in."""
    foreign = donor if rng.random() < 0.6 else _rendered_texture(picture.shape[0], rng)
    return _mix(picture, _jitter(foreign, rng), shape, rng.uniform(0.3, 1.0))


def tint(picture: Picture, shape: Shape, donor: Picture, rng: Rng) -> Picture:
    """A flat colour or a change of grey: ink, dirt, bright metal, a dark gap."""
    if rng.random() < 0.5:
        colour = picture.mean((0, 1)) + _step(rng, 40, 140)
    else:
        colour = rng.uniform(0, 255, 3)
    return _mix(picture, _f32(np.broadcast_to(colour, picture.shape)), shape, _alpha(rng))


def shade(picture: Picture, shape: Shape, donor: Picture, rng: Rng) -> Picture:
    """Gain without loss of texture: stains, wear, wetness."""
    gain = 1 + _step(rng, 0.2, 0.6) + rng.normal(0, 0.05, 3)
    return _mix(picture, _f32(picture * gain), shape, 1.0)


def bump(picture: Picture, shape: Shape, donor: Picture, rng: Rng) -> Picture:
    """Relief under slanting light: one flank brighter, the other darker, as a dent shows."""
    height = cv2.GaussianBlur(shape, (0, 0), rng.uniform(1.0, 4.0))
    slope_y, slope_x = np.gradient(height)
    light = rng.uniform(0, 2 * np.pi)
    relief = slope_x * np.cos(light) + slope_y * np.sin(light)
    relief /= np.abs(relief).max() + 1e-6
    return _f32(picture + rng.uniform(30, 110) * relief[..., None])


def relief(picture: Picture, shape: Shape, donor: Picture, rng: Rng) -> Picture:
    """A tone and a height of its own, one flank in the light: a groove, a drop on the part."""
    return bump(tint(picture, shape, donor, rng), shape, donor, rng)


def erase(picture: Picture, shape: Shape, donor: Picture, rng: Rng) -> Picture:
    """What stood there is gone: the surroundings grow over it (Telea 2004)."""
    hole = (cv2.dilate(shape, np.ones((3, 3))) > 0.3).astype(np.uint8)
    grown = cv2.inpaint(np.clip(picture, 0, 255).astype(np.uint8), hole, 3, cv2.INPAINT_TELEA)
    grain = rng.normal(0, rng.uniform(0, 4), picture.shape)
    return _mix(picture, _f32(grown + grain), shape, 1.0)


def cover(picture: Picture, shape: Shape, donor: Picture, rng: Rng) -> Picture:
    """What stood there is gone: the material beside it stands there, too."""
    angle, away = rng.uniform(0, 2 * np.pi), 1.15 * shapes.reach(shape)
    offset = (int(away * np.sin(angle)), int(away * np.cos(angle)))
    return _mix(picture, np.roll(picture, offset, (0, 1)), shape, 1.0)


def smear(picture: Picture, shape: Shape, donor: Picture, rng: Rng) -> Picture:
    """Blurred along a direction: smudged print, a pulled thread."""
    length = int(rng.integers(5, 17)) * picture.shape[0] // 256 | 1
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
    middle = np.full(2, length // 2)
    ends = [tuple(int(v) for v in np.round(middle + sign * reach)) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return _mix(picture, _f32(cv2.filter2D(picture, -1, kernel / kernel.sum())), shape, 1.0)


def shift(picture: Picture, shape: Shape, donor: Picture, rng: Rng) -> Picture:
    """Moved a little inside the shape: misprint, a component askew, a broken weave."""
    offset = rng.integers(2, 9, 2) * rng.choice([-1, 1], 2) * max(1, picture.shape[0] // 256)
    return _mix(picture, np.roll(picture, tuple(offset), (0, 1)), shape, 1.0)


def _piece(side: int, rng: Rng) -> Shape:
    """A spot of the size of things that go missing, or that drop on a part."""
    return shapes.blob(side, rng, radius=(0.02, 0.09))


def _speck(side: int, rng: Rng) -> Shape:
    """A spot of the size of dust, of pinholes and flecks."""
    return shapes.blob(side, rng, radius=(0.005, 0.016))


Drawn: TypeAlias = tuple[Kind, tuple[Callable[[int, Rng], Shape], ...]]
"""A kind with the shapes it takes."""

KINDS: dict[str, Drawn] = {
    "paste": (paste, (shapes.patch, shapes.blob)),
    "texture": (texture, (shapes.islands, shapes.blob)),
    "tint": (tint, (shapes.stroke, shapes.stroke, shapes.blob)),
    "shade": (shade, (shapes.blob, shapes.islands, shapes.stroke)),
    "bump": (bump, (shapes.blob, shapes.stroke)),
    "scratch": (relief, (shapes.stroke,)),
    "lump": (relief, (_piece,)),
    "erase": (erase, (_piece, shapes.patch)),
    "cover": (cover, (_piece, _piece, shapes.patch)),
    "smear": (smear, (shapes.blob, shapes.patch)),
    "shift": (shift, (shapes.patch, shapes.blob)),
}
"""What usual damage is drawn from."""

SPECKS: dict[str, Drawn] = {
    "dust": (tint, (_speck,)),
    "pinhole": (relief, (_speck,)),
    "fleck": (paste, (_speck,)),
    "nick": (cover, (_speck,)),
}
"""What is drawn as small as dust."""

EVERY = KINDS | SPECKS

AT_FEATURES = {
    "erase": 0.8,
    "cover": 0.8,
    "nick": 0.8,
    "shift": 0.6,
    "smear": 0.5,
    "paste": 0.3,
}
"""How often a kind is put where there is something to see, instead of anywhere."""


def _f32(values: ArrayLike) -> Picture:
    return np.asarray(values, np.float32)


def _mix(picture: Picture, other: Picture, shape: Shape, alpha: float) -> Picture:
    weight = np.float32(alpha) * shape[..., None]
    return picture * (1 - weight) + other * weight


def _jitter(picture: Picture, rng: Rng) -> Picture:
    return _f32(picture * rng.uniform(0.7, 1.3) + rng.normal(0, 12, 3))


def _step(rng: Rng, low: float, high: float) -> float:
    return float(rng.uniform(low, high) * rng.choice([-1, 1]))


def _alpha(rng: Rng) -> float:
    return float(rng.uniform(0.35, 1.0))


def _rendered_texture(side: int, rng: Rng) -> Picture:
    base = rng.uniform(30, 220, 3)
    layers = [shapes.noise(side, cells, rng) * rng.uniform(0, 30) for cells in (4, 16, 64)]
    relief = np.sum(layers, axis=0)
    return _f32(base + relief[..., None] * rng.uniform(0.6, 1.0, 3))
