"""Pictures on disk: found below a folder, and read as the one type there is, uint8 RGB."""

from pathlib import Path

import cv2
import numpy as np

from engine.types import Image, InputError

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

# what is wrong with a file is said by us, once
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def list_pictures(folder: Path) -> list[Path]:
    """Every picture below ``folder``, sorted; :class:`InputError` if there is none."""
    try:
        there = folder.is_dir()
    except OSError as error:  # a name that no folder can have
        raise InputError(f"{folder} cannot be read: {error.strerror}; name a folder.") from error
    if not there:
        raise InputError(f"There is no folder {folder}: name one that holds pictures.")
    found = pictures_below(folder)
    if not found:
        kinds = ", ".join(sorted(SUFFIXES))
        raise InputError(f"The folder {folder} holds no picture: put some there ({kinds}).")
    return found


def pictures_below(folder: Path) -> list[Path]:
    """Every picture below ``folder``, sorted; none where there is no such folder."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def read_picture(path: Path) -> Image:
    """One picture as ``(H, W, 3)`` uint8 RGB, turned as its EXIF says.

    Grey is repeated, transparency dropped, and 16 bits are taken as full range (65535 is white):
    a 12-bit picture in the low bits comes out dark. :class:`InputError` names a file that cannot
    be read.
    """
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)  # cv2.imread opens ASCII paths only
        picture = cv2.imdecode(content, cv2.IMREAD_COLOR_RGB)
    except OSError as error:
        raise InputError(f"The picture {path} cannot be read: {error.strerror}.") from error
    except cv2.error as error:  # an empty file, or larger than OpenCV takes
        raise InputError(f"The picture {path} cannot be read: {error.err}.") from error
    if picture is None:
        raise InputError(
            f"{path} is no picture, or a truncated one: replace it or take it out of the folder."
        )
    return np.asarray(picture, np.uint8)
