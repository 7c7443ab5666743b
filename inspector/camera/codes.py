"""Which part this is, as a bar code or a matrix code in its own picture says.

Read by zxing-cpp, in grey. It was compared with OpenCV's readers on drawn codes, turned and noisy:
docs/decisions/0023-a-reader-for-codes.md has the figures and what follows from them for a line.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from typing import Final

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray

from engine.types import Image
from inspector.camera.base import NOT_SAID, Frame, FrameFault, PartIdentity
from inspector.camera.gs1 import gs1_fields
from inspector.settings import GS1, PartSettings

LONGEST: Final = 128
"""Characters of an identity. More is a message, and no part's number."""


def identify(image: Image, settings: PartSettings) -> PartIdentity:
    """What the codes in a picture say; :data:`NOT_SAID` where none can be read.

    Codes of other formats, outside the region, or that do not fit the pattern are not ours. Where
    two of ours disagree nobody knows which belongs to this part: nothing was said.
    """
    said = [one for code in _codes(image, settings) if (one := _said_by(code, settings))]
    together = said[0] if said else NOT_SAID
    for other in said[1:]:
        merged = agreed(together, other)
        if merged is None:
            return NOT_SAID
        together = merged
    return together


def agreed(one: PartIdentity, other: PartIdentity) -> PartIdentity | None:
    """What both say together; None where they contradict each other."""
    told: dict[str, str] = {}
    for identity in (one, other):
        for field in fields(identity):
            value = getattr(identity, field.name)
            if value is not None and told.setdefault(field.name, value) != value:
                return None
    return PartIdentity(**told)


def identified(
    frames: Iterable[Frame],
    settings: PartSettings,
    timer: Callable[[], float] = time.perf_counter,
) -> Iterator[Frame]:
    """The same frames with ``part`` read from their pictures.

    What the line said about a part stands: a code adds to it, and one that contradicts it counts
    as unreadable. Where a code is ``required``, an unreadable one is a fault of the frame. The
    time it takes is added to ``queue_ms``, so that the deadline knows of it.
    """
    for frame in frames:
        if frame.image is None or frame.fault is not None:
            yield frame
            continue
        start = timer()
        found = identify(frame.image, settings)
        part = agreed(frame.part, found)
        unread = found == NOT_SAID or part is None
        yield replace(
            frame,
            part=part or frame.part,
            fault=FrameFault.NO_CODE if unread and settings.required else None,
            queue_ms=frame.queue_ms + (timer() - start) * 1000,
        )


def _codes(image: Image, settings: PartSettings) -> list[zxingcpp.Barcode]:
    grey = _grey(image, settings.region)
    if grey is None:
        return []
    formats = "|".join(settings.formats) or "AllReadable"
    return zxingcpp.read_barcodes(
        grey,
        formats=zxingcpp.barcode_formats_from_str(formats),
        text_mode=zxingcpp.TextMode.Plain,
    )


def _grey(image: Image, region: tuple[int, int, int, int] | None) -> NDArray[np.uint8] | None:
    """The part of the picture to look at; None where there is nothing to see."""
    if image.ndim != 3 or image.shape[2] != 3:
        return None
    if region is not None:
        x, y, width, height = region
        image = image[y : y + height, x : x + width]
    if image.size == 0:
        return None
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY), np.uint8)


def _said_by(code: zxingcpp.Barcode, settings: PartSettings) -> PartIdentity | None:
    """None for a code that is not ours, or that says what nobody could type or print."""
    told = {name: value for name, value in _fields(code, settings).items() if value}
    if not told or not all(v.isprintable() and len(v) <= LONGEST for v in told.values()):
        return None
    return PartIdentity(**told)


def _fields(code: zxingcpp.Barcode, settings: PartSettings) -> dict[str, str]:
    if settings.pattern is None:
        return {settings.code: code.text}
    if settings.pattern == GS1:
        is_gs1 = code.content_type is zxingcpp.ContentType.GS1
        return gs1_fields(code.text) if is_gs1 else {}
    found = re.fullmatch(settings.pattern, code.text)
    return {} if found is None else found.groupdict(default="")
