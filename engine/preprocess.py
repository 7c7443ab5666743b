"""Between a picture's size and the model's: the only resizing there is, in training and on a line.

Normalisation is not here: it is inside the graph.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.manifest import Size
from engine.types import Image, InputError, ScoreMap


def check_picture(image: NDArray[np.generic]) -> None:
    """:class:`InputError` unless ``image`` is ``(H, W, 3)`` uint8 and not empty."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise InputError(
            f"A picture must be (H, W, 3) uint8 RGB, this one is {image.shape} {image.dtype}: "
            "set the camera's pixel format, or convert the file."
        )


def to_model(image: Image, size: Size) -> Image:
    """The picture at the model's size ``(H, W, 3)``: area average down, bilinear up."""
    check_picture(image)
    height, width = image.shape[:2]
    if (height, width) == (size.height, size.width):
        return image
    shrinks = height * width >= size.height * size.width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size.width, size.height), interpolation=how), np.uint8)


def to_picture(score_map: ScoreMap, height: int, width: int) -> ScoreMap:
    """The map ``(h, w)`` at the picture's own size ``(height, width)``, bilinear."""
    resized = cv2.resize(score_map, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.float32)
