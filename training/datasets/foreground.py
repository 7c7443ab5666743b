"""Where the part lies in a picture that shows one on a plain background.

A texture fills its picture and has no foreground: None then, and wherever that is not sure.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.types import Image, Mask

RING = 0.03  # of the side: the border, which is taken for background
PLAIN = 0.85  # of the border at least is alike, or the background is not plain
ALIKE_LEVELS = 24  # that a plain background may differ by
SHARE = (0.02, 0.75)  # of the picture that a part takes
BETWEEN = 0.75  # of the part's pixels at most lie near the threshold: shading has no border


def foreground(image: Image) -> Mask | None:
    """The part in ``(h, w, 3)``, small specks and holes left out, or None.

    It is what differs from the middle colour of the border by more than that border does, and by
    more than Otsu's threshold (IEEE Trans. SMC 1979) on the difference.
    """
    ring = _ring(image)
    away = np.abs(image.astype(np.int16) - np.median(image[ring], axis=0)).max(2).astype(np.uint8)
    if (away[ring] <= ALIKE_LEVELS).mean() < PLAIN:
        return None
    threshold = max(cv2.threshold(away, 0, 255, cv2.THRESH_OTSU)[0], ALIKE_LEVELS)
    mask = (away > threshold).astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    for cleaning in (cv2.MORPH_OPEN, cv2.MORPH_CLOSE):
        mask = cv2.morphologyEx(mask, cleaning, disc).astype(np.uint8)
    near = (away > 0.7 * threshold) & (away < 1.3 * threshold)
    sure = SHARE[0] <= mask.mean() <= SHARE[1] and near.sum() < BETWEEN * mask.sum()
    return mask.astype(bool) if sure else None


def _ring(image: Image) -> NDArray[np.bool_]:
    width = max(1, round(RING * min(image.shape[:2])))
    ring = np.ones(image.shape[:2], bool)
    ring[width:-width, width:-width] = False
    return ring
