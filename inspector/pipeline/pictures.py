"""The sink that keeps pictures beside the database, before the row that names them is written.

A picture that cannot be saved (disk full, folder read-only) never costs a record: the verdict
stands, an NG stays NG and an OK stays OK, and the row says ``alarm = picture_not_saved`` and
names only the files that are there.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import cv2

from engine.files import sync_names, unwritable, whole_file
from engine.overlay import overlay
from engine.types import Image, InputError, Prediction
from inspector.pipeline.draw import crop, outline
from inspector.pipeline.events import EventCode, StationEvent
from inspector.pipeline.frame_checks import is_picture
from inspector.pipeline.inspection import Alarm, Inspection, Verdict
from inspector.pipeline.kept import (
    LEAST_FREE_BYTES,
    PICTURES,
    picture_disk,
    picture_path,
    room_needed,
)
from inspector.settings import Keep, PictureFormat, PictureSettings

VIEW_QUALITY: Final = 95
"""For what is looked at and could be drawn again: a tenth of PNG's time, colours at full size."""


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def total_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).total


@dataclass
class PictureSink:
    """Saves below ``folder``, which is the database's: ``pictures/2026-11-21/<id>-overlay.jpg``.

    NG: overlay and crop as JPEG, and the picture, as PNG unless ``format`` says otherwise, so
    that it can be judged again. FAULT: the picture, if the frame has one. OK: the picture of
    every ``every_ok``-th one (1: all, 0: none). With less free on their disk than ``least_free``
    bytes, or than ``least_share`` of it, nothing is saved: what is left belongs to the records.
    ``free`` and ``total`` are asked with a folder on that disk. ``opacity`` is the overlay's, 0 to
    1. ``tell`` hears PICTURE_NOT_SAVED with the reason, once until pictures are saved again: that a
    part has lost its own stands in its row.
    """

    folder: Path
    every_ok: int = 0
    opacity: float = 0.5
    least_free: int = LEAST_FREE_BYTES
    ng: Keep = "all"
    fault: Keep = "all"
    format: PictureFormat = "png"
    jpeg_quality: int = VIEW_QUALITY
    least_share: float = 0.05
    free: Callable[[Path], int] = free_bytes
    total: Callable[[Path], int] = total_bytes
    tell: Callable[[StationEvent], object] = lambda event: None
    timer: Callable[[], float] = time.perf_counter
    _oks: int = field(default=0, init=False)
    _synced: Path | None = field(default=None, init=False)
    _is_told: bool = field(default=False, init=False)

    @classmethod
    def of(
        cls, folder: Path, kept: PictureSettings, tell: Callable[[StationEvent], object]
    ) -> Self:
        """As a station's settings say."""
        return cls(
            folder,
            every_ok=kept.every_ok,
            opacity=kept.opacity,
            ng=kept.ng,
            fault=kept.fault,
            format=kept.format,
            jpeg_quality=kept.jpeg_quality,
            least_share=kept.least_free,
            tell=tell,
        )

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to let go of: each file is closed as it is written."""

    def write(self, inspection: Inspection) -> Inspection:
        """Save what the policy asks for; adds ``pictures``, ``alarm`` and the stages "draw" and
        "save"."""
        start = self.timer()
        wanted = dict(self._wanted(inspection))
        drawn = self.timer()
        saved, why = self._saved(inspection, wanted)
        if len(saved) < len(wanted):
            inspection = replace(inspection, alarm=Alarm.PICTURE_NOT_SAVED)
            self._tell_once(inspection, why)
        elif wanted:
            self._is_told = False
        took = {"draw": (drawn - start) * 1e3, "save": (self.timer() - drawn) * 1e3}
        return replace(inspection, pictures=saved, stages_ms={**inspection.stages_ms, **took})

    def _saved(
        self, inspection: Inspection, wanted: Mapping[str, Image]
    ) -> tuple[dict[str, Path], str]:
        """Those that lie on the disk, contents and names; and why the others do not."""
        saved: dict[str, Path] = {}
        why = ""
        try:
            for name, image in wanted.items():
                path = self._save(inspection, name, image)
                if path is None:
                    why = _too_large(image)
                else:
                    saved[name] = path
        except InputError as error:
            why = str(error)
        except OSError as error:  # the folder is gone altogether
            why = str(unwritable(self.folder, error))
        try:
            self._sync(saved.values())
        except InputError as error:  # nobody knows which of the names will be there
            return {}, str(error)
        return saved, why

    def _tell_once(self, inspection: Inspection, why: str) -> None:
        if not self._is_told:
            code, at = EventCode.PICTURE_NOT_SAVED, inspection.inspected_at
            self.tell(StationEvent(code, at, why, {"inspection": inspection.id}))
        self._is_told = True

    def _sync(self, saved: Iterable[Path]) -> None:
        """Have their names on the disk itself: one folder a part, and once a day those above it,
        which may be new."""
        for day in {path.parent for path in saved}:
            sync_names(self.folder / day)
            if day != self._synced:
                sync_names(self.folder / PICTURES)
                sync_names(self.folder)
                self._synced = day

    def _wanted(self, inspection: Inspection) -> Iterator[tuple[str, Image]]:
        image, prediction = inspection.frame.image, inspection.prediction
        if image is None or not is_picture(image):
            return
        if not self._is_kept(inspection.verdict):
            return
        if inspection.verdict is Verdict.NG:
            assert prediction is not None  # no NG without the model
            yield "overlay", self._overlay(image, prediction, inspection)
            yield "crop", crop(image, prediction.map, inspection.regions)
        yield "picture", image

    def _is_kept(self, verdict: Verdict) -> bool:
        if verdict is Verdict.OK:
            return self._is_nth_ok()
        return (self.fault if verdict is Verdict.FAULT else self.ng) == "all"

    def _overlay(self, image: Image, prediction: Prediction, inspection: Inspection) -> Image:
        assert inspection.map_threshold is not None
        low, peak = inspection.map_threshold, float(prediction.map.max())
        coloured = overlay(
            image, prediction.map, low=low, high=max(peak, low + 1e-6), opacity=self.opacity
        )
        return outline(coloured, inspection.regions)

    def _is_nth_ok(self) -> bool:
        self._oks += 1
        return self.every_ok > 0 and self._oks % self.every_ok == 0

    def _save(self, inspection: Inspection, name: str, image: Image) -> Path | None:
        """None for a view that does not fit into its format: what it was drawn from may."""
        ok = inspection.verdict is Verdict.OK
        lossless = name == "picture" and self.format == "png"
        suffix = ".png" if lossless else ".jpg"
        path = picture_path(inspection.id, inspection.inspected_at, name, ok=ok, suffix=suffix)
        self._require_room()
        quality = self.jpeg_quality if name == "picture" else VIEW_QUALITY
        data = encoded(suffix, image, quality)
        if data is None:
            return None
        with whole_file(self.folder / path) as part, part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # on the disk itself: a row is about to name it
        return path

    def _require_room(self) -> None:
        disk = picture_disk(self.folder)
        if self.free(disk) < room_needed(self.total(disk), self.least_share, self.least_free):
            raise InputError(f"The disk of {disk} is nearly full: free some space.")


def encoded(suffix: str, image: Image, quality: int = VIEW_QUALITY) -> bytes | None:
    """An RGB picture as a file with this suffix has it: .png to the last bit, .jpg for the eye.

    OpenCV's own settings for PNG are its fastest; naming a level, even the first, makes it try
    every filter on every row, which takes twice as long. None for a picture that the format cannot
    hold: a JPEG has sides of at most 65,500 pixels.
    """
    settings = _jpeg(quality) if suffix == ".jpg" else []
    fits, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), settings)
    return data.tobytes() if fits else None


def _too_large(image: Image) -> str:
    height, width = image.shape[:2]
    return (
        f"No JPEG holds {width} × {height} pixels, 65,500 a side is the most: "
        "such a picture is kept as PNG alone."
    )


def _jpeg(quality: int) -> list[int]:
    full = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    return [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, full]
