"""Good pictures in, spoilt pictures with exact masks out."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.types import Image, Mask
from training.config import DamageConfig
from training.datasets import shapes
from training.datasets.anomalies import AT_FEATURES, KINDS, LARGE, Picture
from training.datasets.foreground import foreground
from training.datasets.shapes import Shape

VISIBLE_LEVELS = 8.0  # below this change of grey level a person sees nothing: no defect
SMALLEST_SHARE = 16 / 256**2  # of the picture: smaller masks teach noise
SEEN_SHARE = 0.4  # of a large anomaly must have changed visibly
TRIES = 12
NEAR = 16  # grey levels that count as the same, where a picture has but two
STEEP = 12.0
ANYWHERE = DamageConfig()


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A spoilt picture, its mask (where it visibly changed) and the kind of anomaly."""

    image: Image
    mask: Mask
    kind: str


def spoil(
    image: Image, donor: Image, rng: np.random.Generator, wanted: DamageConfig = ANYWHERE
) -> Synthetic:
    """Put one anomaly, now and then two or three, on a good picture.

    ``donor`` is another picture of the same size, best of another product. Draws until the
    change is visible; returns the picture unspoilt, with an empty mask, if ``TRIES`` draws
    were not (a picture that is all black, say).
    """
    large = wanted.large > 0 and rng.random() < wanted.large
    part = foreground(image) if wanted.on_part and rng.random() < wanted.on_part else None
    for _ in range(TRIES):
        found = (_large if large else _usual)(image, donor.astype(np.float32), part, rng)
        if found.mask.mean() >= SMALLEST_SHARE:
            return found
    return Synthetic(image, np.zeros(image.shape[:2], bool), "none")


def _usual(image: Image, donor: Picture, part: Mask | None, rng: np.random.Generator) -> Synthetic:
    """Damage of any kind, marked where it shows."""
    kind = str(rng.choice(list(KINDS)))
    spoilt = image.astype(np.float32)
    for _ in range(1 + int(rng.random() < 0.25) + int(rng.random() < 0.1)):
        spoilt = _once(kind, spoilt, donor, part, rng)
    result = _as_seen_by(image, spoilt)
    return Synthetic(result, _changed(result, image), kind)


def _large(image: Image, donor: Picture, part: Mask | None, rng: np.random.Generator) -> Synthetic:
    """A place of another look, a tenth of the picture and more, marked whole.

    People mark worn, stained or uneven places as areas, not by the pixels that differ; an empty
    mask where too few do.
    """
    kind = str(rng.choice(LARGE))
    shape = shapes.area(image.shape[0], rng)
    if part is not None:
        shape = shape * part
    result = _as_seen_by(image, KINDS[kind][0](image.astype(np.float32), shape, donor, rng))
    mask = shape > 0.5
    seen = mask.any() and _changed(result, image)[mask].mean() > SEEN_SHARE
    return Synthetic(result, mask & seen, kind)


def _changed(result: Image, image: Image) -> Mask:
    levels = np.maximum.reduce(cv2.split(cv2.absdiff(result, image)))
    return np.asarray(levels > VISIBLE_LEVELS)


def vary(image: Image, rng: np.random.Generator) -> Image:
    """The same good part under slightly other light: gain, offset, gamma. Never geometry."""
    gain, offset, gamma = rng.uniform(0.92, 1.08), rng.uniform(-6, 6), rng.uniform(0.93, 1.07)
    level = np.clip((np.arange(256) / 255.0) ** gamma * 255.0 * gain + offset, 0, 255)
    return np.round(level).astype(np.uint8)[image]


def _as_seen_by(image: Image, spoilt: Picture) -> Image:
    """A grey camera sees no colour, and where a picture was binarised a defect was, too."""
    return np.clip(np.round(_through(image, spoilt)), 0, 255).astype(np.uint8)


def _through(image: Image, spoilt: Picture) -> Picture:
    is_grey = bool(
        (image[..., 0] == image[..., 1]).all() and (image[..., 1] == image[..., 2]).all()
    )
    if not is_grey:
        return spoilt
    seen, levels = shapes.grey(spoilt), two_levels(image[..., 0])
    if levels:
        seen = _binarised(seen, image[..., 0], *levels)
    return np.repeat(seen[..., None], 3, 2)


def two_levels(grey: NDArray[np.uint8]) -> tuple[int, int] | None:
    """The two grey levels of a picture that hardly has others, or None: ``(h, w)``.

    What lies between them comes from resizing, on the edges.
    """
    share = np.bincount(grey.ravel(), minlength=256) / grey.size
    low, high = (int(level) for level in np.flatnonzero(share)[[0, -1]])
    dark, bright = share[low : low + NEAR + 1].sum(), share[high - NEAR :].sum()
    two = high - low > 128 and min(dark, bright) > 0.02 and dark + bright > 0.8
    return (low, high) if two else None


def _binarised(seen: Shape, grey: NDArray[np.uint8], low: int, high: int) -> Shape:
    """Where it was changed, to either level, but for a narrow edge between them."""
    middle = (low + high) / 2
    steep = np.clip(middle + STEEP * (seen - middle), low, high)
    return np.where(np.abs(seen - grey) > 1, steep, seen).astype(np.float32)


def _once(
    kind: str, picture: Picture, donor: Picture, part: Mask | None, rng: np.random.Generator
) -> Picture:
    draw, its_shapes = KINDS[kind]
    shape = its_shapes[int(rng.integers(len(its_shapes)))](picture.shape[0], rng)
    if rng.random() < AT_FEATURES.get(kind, 0.0):
        shape = shapes.moved(shape, shapes.feature(shapes.grey(picture), rng))
    elif part is not None:
        shape = shapes.moved(shape, shapes.inside(part, rng))
    return draw(picture, shape, donor, rng)
