"""The pictures worth looking at: what was overlooked, what was rejected in vain, and what the model
is surest of, parts that are good and defects that are plain.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from engine.detector import Detector
from engine.overlay import overlay
from engine.pictures import read_picture
from engine.types import Image
from training.datasets.sample import load_mask
from training.evaluate import Judged

WORST, BEST = 4, 3  # pictures a group: of the best a few will do
SIDE = 220  # of a picture on the page
QUALITY = 88  # of its JPEG
OUTLINE = (0, 255, 255)  # RGB: nothing in the heat's colours


class Shown(NamedTuple):
    """One picture of the page: JPEG bytes of picture and overlay side by side."""

    jpeg: bytes
    label: str
    name: str
    score: float


def groups(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    """The worst first, then the best."""
    by_score = sorted(judged, key=lambda j: j.score)
    good = [j for j in by_score if not j.sample.is_defective]
    bad = [j for j in by_score if j.sample.is_defective]
    found = {
        "Defective, lowest scores": bad[:WORST],
        "Good, highest scores": good[::-1][:WORST],
        "Defective, highest scores": bad[::-1][:BEST],
        "Good, lowest scores": good[:BEST],
    }
    return {title: some for title, some in found.items() if some}


def shown(detector: Detector, judged: Sequence[Judged], limit: float) -> Iterator[Shown]:
    """Each picture beside its heat, which begins at half the limit; true outlines in cyan."""
    for each in judged:
        sample = each.sample
        image = read_picture(sample.path)
        said = detector.detect(image, sample.product)
        heat = overlay(image, said.map, low=limit / 2, high=2 * limit)
        truth = load_mask(sample, SIDE)
        left, right = (_outlined(_small(p), truth) for p in (image, heat))
        pair = np.hstack([left, np.full((SIDE, 4, 3), 255, np.uint8), right])
        yield Shown(_jpeg(pair), sample.label, sample.path.name, each.score)


def _small(image: Image) -> Image:
    return np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _outlined(image: Image, mask: np.ndarray | None) -> Image:
    if mask is None:
        return image
    edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(image.copy(), edges, -1, OUTLINE, 1), np.uint8)


def _jpeg(image: Image) -> bytes:
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return data.tobytes()
