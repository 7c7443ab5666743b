"""From a camera's bytes to a picture: the pixel formats this program reads, and no others.

A format that is not on the list is refused by name. Guessing shows colours that look right and
are wrong (harvesters #146, #222). Names are those of the PFNC, the GenICam Pixel Format Naming
Convention.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.types import Image, InputError


@dataclass(frozen=True, slots=True)
class _Layout:
    channels: int
    to_rgb: int | None = None  # OpenCV's conversion; None where the bytes are RGB already


LAYOUTS = MappingProxyType(
    {
        "Mono8": _Layout(1, cv2.COLOR_GRAY2RGB),
        "RGB8": _Layout(3),
        "BGR8": _Layout(3, cv2.COLOR_BGR2RGB),
        "RGBa8": _Layout(4, cv2.COLOR_RGBA2RGB),
        # PFNC names a mosaic by its first two pixels; so do OpenCV's four-letter constants. The
        # two-letter ones (COLOR_BayerBG2RGB) name other pixels, and swap red for blue.
        "BayerRG8": _Layout(1, cv2.COLOR_BayerRGGB2RGB),
        "BayerGR8": _Layout(1, cv2.COLOR_BayerGRBG2RGB),
        "BayerGB8": _Layout(1, cv2.COLOR_BayerGBRG2RGB),
        "BayerBG8": _Layout(1, cv2.COLOR_BayerBGGR2RGB),
    }
)


def check_format(name: str, camera: str, offered: Iterable[str] = ()) -> None:
    """:class:`InputError` unless `name` can be read; it names what this camera could send."""
    if name in LAYOUTS:
        return
    usable = ", ".join(one for one in offered if one in LAYOUTS)
    raise InputError(
        f"The camera {camera} sends {name}, which this program does not read: set its PixelFormat "
        + (f"to {usable}." if usable else f"to one of {', '.join(LAYOUTS)}.")
    )


def bytes_needed(name: str, width: int, height: int, padding: int = 0) -> int:
    """How many bytes a whole picture has; `padding` is in bytes, at the end of each line."""
    return height * (width * LAYOUTS[name].channels + padding)


def to_rgb(data: NDArray[np.uint8], name: str, width: int, height: int, padding: int = 0) -> Image:
    """A picture that owns its pixels, ``(height, width, 3)``, from a buffer's flat bytes.

    `data` holds at least :func:`bytes_needed`; what a producer sends beyond is left.
    """
    layout = LAYOUTS[name]
    lines = data[: bytes_needed(name, width, height, padding)].reshape(height, -1)
    pixels = lines[:, : width * layout.channels].reshape(height, width, layout.channels)
    if layout.to_rgb is None:
        return pixels.copy()
    return np.asarray(cv2.cvtColor(pixels, layout.to_rgb), dtype=np.uint8)
