"""Pictures on a disk of their own, mounted in their place: a real one, beside the records'."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from inspector.pipeline.events import EventCode, StationEvent
from inspector.pipeline.housekeeper import LOW_FOR_RECORDS_BYTES, DiskSpace, Retention
from inspector.pipeline.inspection import Alarm, Verdict
from inspector.pipeline.kept import PICTURES
from inspector.pipeline.pictures import PictureSink
from inspector.settings import PictureSettings
from inspector.status import disk_item
from inspector.ui.session import Health
from tests.inspector.disk_parts import small_disk
from tests.inspector.test_pipeline_pictures import inspection
from tests.inspector.test_pipeline_retention import NOW, keep

KB = 1024


@dataclass
class Space:
    """A disk, as :func:`shutil.disk_usage` gives it, in bytes."""

    total: int
    free: int


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """1 MB, mounted where the pictures of ``tmp_path`` go."""
    with small_disk(tmp_path / PICTURES, "size=1m") as disk:
        yield disk


@pytest.mark.usefixtures("disk")
def test_room_is_made_there_and_no_more_than_needed(tmp_path: Path) -> None:
    said: list[StationEvent] = []
    pictures = [keep(tmp_path, days, ok=True, size=96 * KB) for days in range(9, -1, -1)]
    keeper = Retention(
        tmp_path, PictureSettings(most_used=0.8), said.append, clock=lambda: NOW, least_bytes=0
    )
    keeper.tidy()

    assert [path.exists() for path in pictures] == [False] * 2 + [True] * 8
    assert [event.code for event in said] == [EventCode.PICTURES_RETIRED]


def test_saving_stops_when_it_is_nearly_full(tmp_path: Path, disk: Path) -> None:
    with PictureSink(tmp_path, every_ok=1, least_free=64 * KB) as sink:
        first = sink.write(inspection(Verdict.OK, 1))
        (disk / "others").write_bytes(b"o" * (1024 - 40) * KB)
        second = sink.write(inspection(Verdict.OK, 2))

    assert (len(first.pictures), first.alarm) == (1, None)
    assert (len(second.pictures), second.alarm) == (0, Alarm.PICTURE_NOT_SAVED)


@pytest.mark.usefixtures("disk")
def test_the_records_own_disk_is_told_of_once_each_time_it_runs_low(tmp_path: Path) -> None:
    said: list[StationEvent] = []
    records = Space(2**40, 2**39)

    def usage(asked: Path) -> DiskSpace:
        return records if asked == tmp_path else shutil.disk_usage(asked)

    keeper = Retention(
        tmp_path, PictureSettings(), said.append, clock=lambda: NOW, usage=usage, least_bytes=0
    )
    for records.free in (LOW_FOR_RECORDS_BYTES, 2**30, 2**29, LOW_FOR_RECORDS_BYTES, 2**30):
        keeper.tidy()

    assert [event.code for event in said] == [EventCode.DISK_LOW] * 2
    assert f"{tmp_path} has 1.0 GB left for records" in said[0].text


def test_the_strip_names_it(tmp_path: Path, disk: Path) -> None:
    item = disk_item(tmp_path, 0.05)

    assert item.health is Health.WARNING
    assert item.text.endswith("no pictures")
    assert f"the disk of {disk} is nearly full" in item.detail
