"""A folder of pictures as a camera: one file, one trigger, one frame.

In an MVTec-AD layout (PRODUCT/test/DEFECT/…) the folders' names say what each part is.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import count, repeat
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self

from engine.pictures import list_pictures, read_picture
from engine.types import Image, InputError
from inspector.camera.base import Camera, Frame, FrameFault, GroundTruth
from inspector.clock import utc_now


class FolderCamera(Camera):
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
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.name = f"folder:{folder.name}"
        self._folder = folder
        self._product = product
        self._loop = loop
        self.live = False  # a file waits, however often it is played
        self._clock = clock
        self._files: tuple[Path, ...] = ()

    def __enter__(self) -> Self:
        self._files = _parts(self._folder)
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


def _parts(folder: Path) -> tuple[Path, ...]:
    """Every part's picture below; an MVTec-AD dataset's masks are pictures of no part."""
    pictures = list_pictures(folder)
    parts = [one for one in pictures if "ground_truth" not in one.relative_to(folder).parts]
    if not parts:
        raise InputError(f"The folder {folder} holds masks only: name the folder of the parts.")
    return tuple(sorted(parts, key=_natural))


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
    try:
        return read_picture(file)
    except InputError:  # the frame says so: one file is one part, and one record
        return None
