"""Damage that people mark whole: large, faint or long, whatever its single pixels show.

Each draws on a good picture and returns it with the mask of the whole shape, an empty one where a
person would see nothing. ``part`` is where the part lies, if it lies on a plain background.
"""

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np

from engine.types import Image, Mask
from training.datasets import ribbons, shapes
from training.datasets.anomalies import KINDS, Picture, relief
from training.datasets.seen import as_seen_by, changed, grain, two_levels
from training.datasets.shapes import Shape

Rng: TypeAlias = np.random.Generator
Whole: TypeAlias = Callable[[Image, Picture, Mask | None, Rng], tuple[Image, Mask]]
Draw: TypeAlias = Callable[[int, Rng], Shape]

MARKED = 0.4  # of a soft shape: from there on people count it in
SEEN_SHARE = 0.4  # of a worn place must have changed visibly
FAINT = (1.0, 8.0)  # times the picture's grain
FAINTEST_LEVELS, FAINT_MOST_LEVELS = 3.0, 60.0
SEEN_GRAINS, SEEN_LEVELS = 0.6, 2.0  # mean change over the shape from which it is seen

WORN_KINDS = ("paste", "texture", "tint", "shade", "bump", "erase", "shift")
WORN_SHAPES: tuple[Draw, ...] = (shapes.area, ribbons.beyond, ribbons.band)
FAINT_SHAPES: tuple[Draw, ...] = (
    ribbons.band,
    ribbons.band,
    ribbons.crack,
    ribbons.beyond,
    shapes.blob,
    shapes.area,
)


def worn(image: Image, donor: Picture, part: Mask | None, rng: Rng) -> tuple[Image, Mask]:
    """A large place, or all beyond an edge, of another look."""
    kind = KINDS[str(rng.choice(WORN_KINDS))][0]
    shape = _on(_drawn(WORN_SHAPES, image, rng), part)
    result = as_seen_by(image, kind(image.astype(np.float32), shape, donor, rng))
    mask = shape > MARKED
    seen = mask.any() and changed(result, image)[mask].mean() > SEEN_SHARE
    return result, mask & seen


def faint(image: Image, donor: Picture, part: Mask | None, rng: Rng) -> tuple[Image, Mask]:
    """A little brighter or, more often, darker than it should be, by so many times its grain."""
    shape = _on(_drawn(FAINT_SHAPES, image, rng), part)
    mask = shape > MARKED
    levels = np.clip(grain(image) * np.exp(rng.uniform(*np.log(FAINT))), FAINTEST_LEVELS, None)
    step = min(levels, FAINT_MOST_LEVELS) * rng.choice([-1, -1, 1])
    if rng.random() < 0.3:  # cloudy
        cloud = shapes.noise(image.shape[0], int(rng.integers(4, 24)), rng)
        shape = shape * (1 + 0.5 * np.clip(cloud, -1.5, 1.5))
    result = as_seen_by(image, image.astype(np.float32) + np.float32(step) * shape[..., None])
    return result, _if_seen(mask, result, image)


def cracked(image: Image, donor: Picture, part: Mask | None, rng: Rng) -> tuple[Image, Mask]:
    """A crack, dark or in relief; on a binarised picture no wider than a line that it may part."""
    widest = ribbons.FINE if two_levels(np.ascontiguousarray(image[..., 0])) else ribbons.GAP
    shape, picture = ribbons.crack(image.shape[0], rng, widest), image.astype(np.float32)
    if part is not None:
        shape = shapes.moved(shape, shapes.inside(part, rng))
    if rng.random() < 0.3:
        spoilt = relief(picture, shape, donor, rng)
    else:
        bright = rng.random() < 0.2
        tone = picture * rng.uniform(1.2, 1.8) if bright else _dark(picture, rng)
        weight = np.float32(rng.uniform(0.3, 1.0)) * shape[..., None]
        spoilt = picture * (1 - weight) + tone * weight
    result = as_seen_by(image, np.asarray(spoilt, np.float32))
    return result, _if_seen(shape > MARKED, result, image)


def _dark(picture: Picture, rng: Rng) -> Picture:
    return np.asarray(picture.mean((0, 1)) * rng.uniform(0.1, 0.7), np.float32)


def _drawn(draws: tuple[Draw, ...], image: Image, rng: Rng) -> Shape:
    return draws[int(rng.integers(len(draws)))](image.shape[0], rng)


def _on(shape: Shape, part: Mask | None) -> Shape:
    return shape if part is None else np.asarray(shape * part, np.float32)


def _if_seen(mask: Mask, result: Image, image: Image) -> Mask:
    """The mask, or none of it; on a binarised picture as much of it as was turned over."""
    if two_levels(np.ascontiguousarray(image[..., 0])):
        return mask & changed(result, image)
    change = np.maximum.reduce(cv2.split(cv2.absdiff(result, image)))
    seen = mask.any() and change[mask].mean() > max(SEEN_LEVELS, SEEN_GRAINS * grain(image))
    return mask & seen


WHOLE: dict[str, Whole] = {"worn": worn, "faint": faint, "crack": cracked}
"""By the names their shares have in a configuration."""

SHADES = ("worn", "faint")
"""Those that are a matter of grey levels."""
