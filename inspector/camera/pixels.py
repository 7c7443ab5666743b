"""From a camera's bytes to a picture: the pixel formats this program reads, and no others.

A format that is not on the list is refused by name. Guessing shows colours that look right and
are wrong (harvesters #146, #222). Names are those of the PFNC, the GenICam Pixel Format Naming
Convention, and the older ones of GigE Vision that cameras still send. Of ten, twelve and sixteen
bits the upper eight are kept, which is what the same camera sends as eight.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.types import Image, InputError
from inspector.camera.unpack import PLAIN, Packing, packing_named


@dataclass(frozen=True, slots=True)
class _Layout:
    """``channels`` numbers a pixel, each packed as ``packing`` says. ``to_rgb`` is OpenCV's
    conversion of eight-bit pixels, None where they are RGB already; ``chroma`` are the places of
    Y, Cr and Cb among four bytes of two pixels, where colour is shared."""

    channels: int
    to_rgb: int | None = None
    packing: Packing = PLAIN
    chroma: tuple[slice, int, int] | None = None


# PFNC names a mosaic by its first two pixels; so do OpenCV's four-letter constants. The two-letter
# ones (COLOR_BayerBG2RGB) name other pixels, and swap red for blue.
_ONE_CHANNEL = {
    "Mono": cv2.COLOR_GRAY2RGB,
    "BayerRG": cv2.COLOR_BayerRGGB2RGB,
    "BayerGR": cv2.COLOR_BayerGRBG2RGB,
    "BayerGB": cv2.COLOR_BayerGBRG2RGB,
    "BayerBG": cv2.COLOR_BayerBGGR2RGB,
}
_DEPTHS = ("8", "10", "12", "16", "10p", "12p", "10Packed", "12Packed")
# Cameras give the whole range of eight bits to Y and to both colours, as JPEG does; OpenCV's own
# conversions of YUV 4:2:2 take 16 to 235 for it, as television does.
_YUYV = _Layout(2, cv2.COLOR_YCrCb2RGB, chroma=(np.s_[0::2], 3, 1))
_UYVY = _Layout(2, cv2.COLOR_YCrCb2RGB, chroma=(np.s_[1::2], 2, 0))

LAYOUTS = MappingProxyType(
    {
        f"{kind}{depth}": _Layout(1, to_rgb, packing_named(depth))
        for (kind, to_rgb), depth in product(_ONE_CHANNEL.items(), _DEPTHS)
    }
    | {
        "RGB8": _Layout(3),
        "BGR8": _Layout(3, cv2.COLOR_BGR2RGB),
        "RGBa8": _Layout(4, cv2.COLOR_RGBA2RGB),
        "BGRa8": _Layout(4, cv2.COLOR_BGRA2RGB),
        "YUV422_8": _YUYV,
        "YCbCr422_8": _YUYV,
        "YUV422_8_UYVY": _UYVY,
        "YCbCr422_8_CbYCrY": _UYVY,
        "YUV422Packed": _UYVY,
        "YUV422_YUYV_Packed": _YUYV,
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
    """How many bytes a whole picture has; `padding` is in bytes, at the end of each line.

    Without any, packed pixels run on from line to line.
    """
    layout = LAYOUTS[name]
    lines, numbers = (height, width) if padding else (1, width * height)
    return lines * (layout.packing.bytes_of(numbers * layout.channels) + padding)


def to_rgb(data: NDArray[np.uint8], name: str, width: int, height: int, padding: int = 0) -> Image:
    """A picture that owns its pixels, ``(height, width, 3)``, from a buffer's flat bytes.

    `data` holds at least :func:`bytes_needed`; what a producer sends beyond is left.
    :class:`InputError` for pixels that share colour and stand alone at the end of a line.
    """
    layout = LAYOUTS[name]
    whole = data[: bytes_needed(name, width, height, padding)]
    lines, numbers = (height, width) if padding else (1, width * height)
    stream = whole.reshape(lines, -1)
    numbers *= layout.channels
    eight = layout.packing.upper_eight(stream[:, : stream.shape[1] - padding], numbers)
    pixels = eight.reshape(height, width, layout.channels)
    if layout.chroma is not None:
        pixels = _with_colour(pixels, layout.chroma)
    if layout.to_rgb is None:
        return pixels.copy()
    return np.asarray(cv2.cvtColor(pixels, layout.to_rgb), dtype=np.uint8)


def _with_colour(pixels: NDArray[np.uint8], chroma: tuple[slice, int, int]) -> NDArray[np.uint8]:
    """Y, Cr and Cb of every pixel, where two beside each other share their colour."""
    height, width, _ = pixels.shape
    if width % 2:
        raise InputError(f"A picture of 4:2:2 pixels has an even width, not {width}: set it.")
    luma, red, blue = chroma
    pairs = pixels.reshape(height, width // 2, 4)
    whole = np.empty((height, width, 3), np.uint8)
    whole[..., 0] = pairs[..., luma].reshape(height, width)
    for one in (0, 1):
        whole[:, one::2, 1] = pairs[..., red]
        whole[:, one::2, 2] = pairs[..., blue]
    return whole
