"""What can be wrong with a frame before the model sees it. Pure: numbers in, a reason out.

A model answers any array, and often calls a black picture good: it is asked about pictures only.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.types import Image
from inspector.camera.base import Frame, FrameFault
from inspector.pipeline.inspection import Reason


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """Where a frame stops being a picture of a part.

    ``grab_deadline_ms``: a grab that took longer is late (None: never). A picture is black when
    all but ``outlier_share`` of its values are at ``black_level`` or below: sensor noise and a
    few hot pixels are no picture. It is saturated when ``saturated_share`` of its values are at
    ``white_level`` or above: less is a bright background, which many stations want.
    """

    grab_deadline_ms: float | None = None
    black_level: int = 12
    outlier_share: float = 0.001
    white_level: int = 250
    saturated_share: float = 0.95


def check_frame(frame: Frame, limits: FrameLimits, *, frozen: bool) -> Reason | None:
    """Why this frame cannot be judged, or None if it can.

    ``frozen``: the picture equals the one before it, byte for byte. The camera's own word comes
    first, then what the pixels say, then the clock.
    """
    if frame.fault is not None and frame.fault is not FrameFault.NO_CODE:
        return Reason(frame.fault.value)
    if frame.image is None:
        return Reason.NOT_A_PICTURE
    if not is_picture(frame.image):
        return Reason.WRONG_FORMAT
    light = _check_light(frame.image, limits)  # in the dark no code is read: that is not the cause
    return light or _check_code(frame) or _check_time(frame, limits, frozen)


def is_picture(image: NDArray[np.generic]) -> bool:
    """Whether an array is ``(H, W, 3)`` uint8 with at least one pixel."""
    return image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size > 0


def _check_light(image: Image, limits: FrameLimits) -> Reason | None:
    histogram = cv2.calcHist([image.reshape(-1)], [0], None, [256], [0, 256]).reshape(-1)
    if histogram[limits.black_level + 1 :].sum() <= limits.outlier_share * image.size:
        return Reason.BLACK_FRAME
    if histogram[limits.white_level :].sum() >= limits.saturated_share * image.size:
        return Reason.SATURATED_FRAME
    return None


def _check_code(frame: Frame) -> Reason | None:
    return Reason.NO_CODE if frame.fault is FrameFault.NO_CODE else None


def _check_time(frame: Frame, limits: FrameLimits, frozen: bool) -> Reason | None:
    if frozen:
        return Reason.FROZEN_FRAME
    if limits.grab_deadline_ms is not None and frame.grab_ms > limits.grab_deadline_ms:
        return Reason.LATE_FRAME
    return None
