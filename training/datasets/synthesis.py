"""Good pictures in, spoilt pictures with exact masks out."""

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from engine.preprocess import resize
from engine.types import Image, Mask
from training.config import DamageConfig
from training.datasets import shapes
from training.datasets.anomalies import AT_FEATURES, EVERY, KINDS, SPECKS, Picture
from training.datasets.foreground import foreground
from training.datasets.seen import as_seen_by, changed, solid, two_levels
from training.datasets.whole import SHADES, WHOLE

SMALLEST_SHARE = 16 / 256**2  # of the picture: smaller masks teach noise
SMALLEST_SPECK = 6 / 256**2
TRIES = 12
LEAST_PX = 64  # side on which shapes can still be drawn
ANYWHERE = DamageConfig()


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A spoilt picture, its mask and the kind of anomaly."""

    image: Image
    mask: Mask
    kind: str


def spoil(
    image: Image,
    donor: Image,
    rng: np.random.Generator,
    wanted: DamageConfig = ANYWHERE,
    taken_px: int | None = None,
) -> Synthetic:
    """Put one anomaly, now and then two or three, on a good picture.

    ``donor`` is another picture of the same size, best of another product. Draws until the
    change is visible; where damage that is marked whole does not show in half of the ``TRIES``,
    the other half is usual damage. Returns the picture unspoilt, with an empty mask, if none
    showed (a picture that is all black, say).

    ``taken_px`` is the side that the picture had before it was enlarged, if it was. Damage
    ``as_taken`` is drawn at that size and enlarged, too: sharper than the part it would be known
    by its sharpness, and what is soft on a real part would not be known at all.
    """
    side = image.shape[0]
    own = side if taken_px is None or not wanted.as_taken else max(taken_px, LEAST_PX)
    if own >= side:
        return _spoilt(image, donor, rng, wanted)
    small = resize(image, own, own)
    return _enlarged(_spoilt(small, resize(donor, own, own), rng, wanted), small, image)


def _enlarged(spoilt: Synthetic, small: Image, image: Image) -> Synthetic:
    """What was done to the small picture, done to the large one."""
    size = image.shape[1], image.shape[0]
    change = cv2.resize(spoilt.image.astype(np.float32) - small, size)
    mask = cv2.resize(spoilt.mask.astype(np.float32), size) > 0.5
    result = np.clip(np.round(image + change), 0, 255).astype(np.uint8)
    return Synthetic(result, np.asarray(mask), spoilt.kind)


def _spoilt(
    image: Image, donor: Image, rng: np.random.Generator, wanted: DamageConfig
) -> Synthetic:
    whole = _whole_kind(image, wanted, rng)
    part = foreground(image) if wanted.on_part and rng.random() < wanted.on_part else None
    usual = partial(_usual, wanted)
    draws = [usual if whole is None else partial(_marked_whole, whole), usual]
    smallest = SMALLEST_SPECK if wanted.specks else SMALLEST_SHARE
    for attempt in range(TRIES):
        draw = draws[2 * attempt // TRIES]
        found = draw(image, donor.astype(np.float32), part, rng)
        if found.mask.mean() >= smallest:
            return found
    return Synthetic(image, np.zeros(image.shape[:2], bool), "none")


def _whole_kind(image: Image, wanted: DamageConfig, rng: np.random.Generator) -> str | None:
    """One of those that are marked whole, as often as its share says, or None. A binarised picture
    has no grey levels to be worn or faint in."""
    shares = [getattr(wanted, kind) for kind in WHOLE]
    if not any(shares):
        return None
    drawn = int(np.searchsorted(np.cumsum(shares), rng.random(), side="right"))
    kind = [*WHOLE, None][drawn]
    binarised = kind in SHADES and two_levels(np.ascontiguousarray(image[..., 0]))
    return None if binarised else kind


def _marked_whole(
    kind: str, image: Image, donor: Picture, part: Mask | None, rng: np.random.Generator
) -> Synthetic:
    return Synthetic(*WHOLE[kind](image, donor, part, rng), kind)


def _usual(
    wanted: DamageConfig, image: Image, donor: Picture, part: Mask | None, rng: np.random.Generator
) -> Synthetic:
    """Damage of any kind, marked where it shows."""
    small = bool(wanted.specks) and rng.random() < wanted.specks
    kind = str(rng.choice(list(SPECKS if small else KINDS)))
    spoilt = image.astype(np.float32)
    for _ in range(1 + int(rng.random() < 0.25) + int(rng.random() < 0.1)):
        spoilt = _once(kind, spoilt, donor, part, rng)
    result = as_seen_by(image, spoilt)
    mask = changed(result, image)
    return Synthetic(result, solid(mask) if wanted.solid else mask, kind)


def vary(image: Image, rng: np.random.Generator) -> Image:
    """The same good part under slightly other light: gain, offset, gamma. Never geometry."""
    gain, offset, gamma = rng.uniform(0.92, 1.08), rng.uniform(-6, 6), rng.uniform(0.93, 1.07)
    level = np.clip((np.arange(256) / 255.0) ** gamma * 255.0 * gain + offset, 0, 255)
    return np.round(level).astype(np.uint8)[image]


def _once(
    kind: str, picture: Picture, donor: Picture, part: Mask | None, rng: np.random.Generator
) -> Picture:
    draw, its_shapes = EVERY[kind]
    shape = its_shapes[int(rng.integers(len(its_shapes)))](picture.shape[0], rng)
    if rng.random() < AT_FEATURES.get(kind, 0.0):
        shape = shapes.moved(shape, shapes.feature(shapes.grey(picture), rng))
    elif part is not None:
        shape = shapes.moved(shape, shapes.inside(part, rng))
    return draw(picture, shape, donor, rng)
