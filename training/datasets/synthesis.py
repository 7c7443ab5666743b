"""Good pictures in, spoilt pictures with exact masks out."""

from dataclasses import dataclass

import cv2
import numpy as np

from engine.types import Image, Mask
from training.datasets import shapes
from training.datasets.anomalies import AT_FEATURES, KINDS, Picture

VISIBLE_LEVELS = 8.0  # below this change of grey level a person sees nothing: no defect
SMALLEST_SHARE = 16 / 256**2  # of the picture: smaller masks teach noise
TRIES = 12


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A spoilt picture, its mask (where it visibly changed) and the kind of anomaly."""

    image: Image
    mask: Mask
    kind: str


def spoil(image: Image, donor: Image, rng: np.random.Generator) -> Synthetic:
    """Put one anomaly, now and then two or three, on a good picture.

    ``donor`` is another picture of the same size, best of another product. Draws until the
    change is visible; returns the picture unspoilt, with an empty mask, if ``TRIES`` draws
    were not (a picture that is all black, say).
    """
    for _ in range(TRIES):
        kind = str(rng.choice(list(KINDS)))
        spoilt = image.astype(np.float32)
        for _ in range(1 + int(rng.random() < 0.25) + int(rng.random() < 0.1)):
            spoilt = _once(kind, spoilt, donor.astype(np.float32), rng)
        result = np.clip(np.round(_as_seen_by(image, spoilt)), 0, 255).astype(np.uint8)
        mask = np.maximum.reduce(cv2.split(cv2.absdiff(result, image))) > VISIBLE_LEVELS
        if mask.mean() >= SMALLEST_SHARE:
            return Synthetic(result, mask, kind)
    return Synthetic(image, np.zeros(image.shape[:2], bool), "none")


def vary(image: Image, rng: np.random.Generator) -> Image:
    """The same good part under slightly other light: gain, offset, gamma. Never geometry."""
    gain, offset, gamma = rng.uniform(0.92, 1.08), rng.uniform(-6, 6), rng.uniform(0.93, 1.07)
    level = np.clip((np.arange(256) / 255.0) ** gamma * 255.0 * gain + offset, 0, 255)
    return np.round(level).astype(np.uint8)[image]


def _as_seen_by(image: Image, spoilt: Picture) -> Picture:
    """A grey camera sees no colour: keep a grey picture grey."""
    is_grey = bool(
        (image[..., 0] == image[..., 1]).all() and (image[..., 1] == image[..., 2]).all()
    )
    return np.repeat(shapes.grey(spoilt)[..., None], 3, 2) if is_grey else spoilt


def _once(kind: str, picture: Picture, donor: Picture, rng: np.random.Generator) -> Picture:
    draw, its_shapes = KINDS[kind]
    shape = its_shapes[int(rng.integers(len(its_shapes)))](picture.shape[0], rng)
    if rng.random() < AT_FEATURES.get(kind, 0.0):
        shape = shapes.moved(shape, shapes.feature(shapes.grey(picture), rng))
    return draw(picture, shape, donor, rng)
