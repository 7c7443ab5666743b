"""A folder of pictures as a camera: one file, one trigger, one frame.

In an MVTec-AD layout (PRODUCT/test/DEFECT/…) the folders' names say what each part is.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import count, repeat
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from engine.types import Image, InputError
from inspector.camera.base import Frame, FrameFault, GroundTruth

PICTURE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
UTC_NOW = partial(datetime.now, UTC)


class FolderCamera:
    """Plays the pictures below `folder` in natural order (2.png before 10.png), once or for ever.

    `product` names the parts; without it the product's folder does in an MVTec-AD layout. A file
    that is no picture is a frame with a fault, since the part behind it exists. Truth carries the
    defect's name and no mask. ``source`` is the file, relative to `folder`.
    """

    triggered = True

    def __init__(
        self,
        folder: Path,
        product: str | None = None,
        *,
        loop: bool = False,
        clock: Callable[[], datetime] = UTC_NOW,
    ) -> None:
        self.name = f"folder:{folder.name}"
        self._folder = folder
        self._product = product
        self._loop = loop
        self._clock = clock
        self._files: tuple[Path, ...] = ()

    def __enter__(self) -> Self:
        if not self._folder.is_dir():
            raise InputError(f"There is no folder {self._folder}: name one that holds pictures.")
        self._files = _pictures(self._folder)
        if not self._files:
            kinds = ", ".join(sorted(PICTURE_SUFFIXES))
            raise InputError(f"The folder {self._folder} holds no picture ({kinds}).")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files = ()

    def frames(self) -> Iterator[Frame]:
        """One frame a file, from the first file on; ``grab_ms`` is reading and decoding."""
        if not self._files:
            raise RuntimeError("frames() needs an open camera: use it as a context manager")
        ids = count()
        for files in repeat(self._files) if self._loop else (self._files,):
            for file in files:
                yield self._frame(next(ids), file)

    def _frame(self, frame_id: int, file: Path) -> Frame:
        product, truth = _label(file)
        started = perf_counter()
        image = _read(file)
        return Frame(
            frame_id=frame_id,
            image=image,
            grabbed_at=self._clock(),
            grab_ms=(perf_counter() - started) * 1e3,
            camera=self.name,
            source=file.relative_to(self._folder).as_posix(),
            product=self._product or product,
            fault=FrameFault.NOT_A_PICTURE if image is None else None,
            truth=truth,
        )


def _pictures(folder: Path) -> tuple[Path, ...]:
    """Every picture below; an MVTec-AD dataset's masks are pictures of no part."""
    found = (
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in PICTURE_SUFFIXES
        and file.is_file()
        and "ground_truth" not in file.relative_to(folder).parts
    )
    return tuple(sorted(found, key=_natural))


def _natural(file: Path) -> list[tuple[int, str]]:
    """Sorts numbers in names by their value: 2.png before 10.png."""
    pieces = re.split(r"(\d+)", file.as_posix())
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in pieces]


def _label(file: Path) -> tuple[str | None, GroundTruth | None]:
    """Product and truth, where the folders above the file are those of an MVTec-AD dataset."""
    above = file.absolute().parents
    if len(above) < 3:
        return None, None
    defect, split, product = above[:3]
    is_dataset = any((product / part).is_dir() for part in ("train/good", "ground_truth"))
    if split.name not in {"train", "test"} or not is_dataset:
        return None, None
    caption = "a good part" if defect.name == "good" else defect.name.replace("_", " ")
    return product.name, GroundTruth(defect.name, caption)


def _read(file: Path) -> Image | None:
    """The picture, or None. By way of bytes: on Windows cv2.imread knows ASCII paths only."""
    try:
        data = np.fromfile(file, np.uint8)
    except OSError:  # not ours to read, or gone since the folder was listed
        return None
    image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if data.size else None
    return None if image is None else np.asarray(image, np.uint8)
