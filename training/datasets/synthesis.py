"""Good pictures in, spoilt pictures with exact masks out."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from engine.types import Image, Mask
from training.config import DamageConfig
from training.datasets import shapes
from training.datasets.anomalies import AT_FEATURES, KINDS, Picture
from training.datasets.foreground import foreground
from training.datasets.seen import as_seen_by, changed
from training.datasets.whole import WHOLE

SMALLEST_SHARE = 16 / 256**2  # of the picture: smaller masks teach noise
TRIES = 12
ANYWHERE = DamageConfig()


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A spoilt picture, its mask and the kind of anomaly."""

    image: Image
    mask: Mask
    kind: str


def spoil(
    image: Image, donor: Image, rng: np.random.Generator, wanted: DamageConfig = ANYWHERE
) -> Synthetic:
    """Put one anomaly, now and then two or three, on a good picture.

    ``donor`` is another picture of the same size, best of another product. Draws until the
    change is visible; where damage that is marked whole does not show in half of the ``TRIES``,
    as a faint one on a binarised picture, the other half is usual damage. Returns the picture
    unspoilt, with an empty mask, if none showed (a picture that is all black, say).
    """
    whole = _whole_kind(wanted, rng)
    part = foreground(image) if wanted.on_part and rng.random() < wanted.on_part else None
    draws = [_usual if whole is None else partial(_marked_whole, whole), _usual]
    for attempt in range(TRIES):
        draw = draws[2 * attempt // TRIES]
        found = draw(image, donor.astype(np.float32), part, rng)
        if found.mask.mean() >= SMALLEST_SHARE:
            return found
    return Synthetic(image, np.zeros(image.shape[:2], bool), "none")


def _whole_kind(wanted: DamageConfig, rng: np.random.Generator) -> str | None:
    """One of those that are marked whole, as often as its share says, or None."""
    shares = [getattr(wanted, kind) for kind in WHOLE]
    if not any(shares):
        return None
    drawn = int(np.searchsorted(np.cumsum(shares), rng.random(), side="right"))
    return [*WHOLE, None][drawn]


def _marked_whole(
    kind: str, image: Image, donor: Picture, part: Mask | None, rng: np.random.Generator
) -> Synthetic:
    return Synthetic(*WHOLE[kind](image, donor, part, rng), kind)


def _usual(image: Image, donor: Picture, part: Mask | None, rng: np.random.Generator) -> Synthetic:
    """Damage of any kind, marked where it shows."""
    kind = str(rng.choice(list(KINDS)))
    spoilt = image.astype(np.float32)
    for _ in range(1 + int(rng.random() < 0.25) + int(rng.random() < 0.1)):
        spoilt = _once(kind, spoilt, donor, part, rng)
    result = as_seen_by(image, spoilt)
    return Synthetic(result, changed(result, image), kind)


def vary(image: Image, rng: np.random.Generator) -> Image:
    """The same good part under slightly other light: gain, offset, gamma. Never geometry."""
    gain, offset, gamma = rng.uniform(0.92, 1.08), rng.uniform(-6, 6), rng.uniform(0.93, 1.07)
    level = np.clip((np.arange(256) / 255.0) ** gamma * 255.0 * gain + offset, 0, 255)
    return np.round(level).astype(np.uint8)[image]


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
