"""Between a picture's size and the model's: the only resizing there is, in training and on a line.

Normalisation is not here: it is inside the graph.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.types import Image, InputError, ScoreMap


def check_picture(image: NDArray[np.generic]) -> None:
    """:class:`InputError` unless ``image`` is ``(H, W, 3)`` uint8 and not empty."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise InputError(
            f"A picture must be (H, W, 3) uint8 RGB, this one is {image.shape} {image.dtype}: "
            "set the camera's pixel format, or convert the file."
        )


def resize(image: Image, height: int, width: int) -> Image:
    """The picture at ``(height, width, 3)``: area average to fewer pixels, bilinear to more."""
    check_picture(image)
    if image.shape[:2] == (height, width):
        return image
    shrinks = image.shape[0] * image.shape[1] >= height * width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)


def resize_map(score_map: ScoreMap, height: int, width: int) -> ScoreMap:
    """The map ``(h, w)`` at the picture's own size ``(height, width)``, bilinear."""
    resized = cv2.resize(score_map, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.float32)
