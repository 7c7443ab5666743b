"""What a camera makes of a spoilt picture, and what of it can be seen."""

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.types import Image, Mask
from training.datasets import shapes
from training.datasets.anomalies import Picture
from training.datasets.shapes import Shape

VISIBLE_LEVELS = 8.0  # below this change of grey level a person sees nothing: no defect
NEAR = 16  # grey levels that count as the same, where a picture has but two
STEEP = 12.0
GAP = 0.013  # of a side
CRUMB = 0.4  # of a gap squared


def as_seen_by(image: Image, spoilt: Picture) -> Image:
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


def changed(result: Image, image: Image) -> Mask:
    """Where a person would see that a picture is not the same."""
    levels = np.maximum.reduce(cv2.split(cv2.absdiff(result, image)))
    return np.asarray(levels > VISIBLE_LEVELS)


def solid(mask: Mask) -> Mask:
    """As a person marks it: gaps and pinholes that are narrow beside the picture belong to it, and
    crumbs smaller than those do not. What changed visibly, pixel by pixel, is full of both where a
    part has a grain."""
    gap_px = max(3, round(GAP * mask.shape[0]) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (gap_px, gap_px))
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    _, labels, found, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    large = found[:, cv2.CC_STAT_AREA] >= CRUMB * gap_px**2
    large[0] = False  # what lies around
    return np.asarray(large[labels])


def grain(image: Image) -> float:
    """How rough a picture is, in grey levels: the usual step from its smoothed self (MAD)."""
    fine = shapes.grey(image.astype(np.float32))
    rough = np.abs(fine - cv2.GaussianBlur(fine, (0, 0), 2))
    return float(1.48 * np.median(rough)) + 0.5
