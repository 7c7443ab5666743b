"""Retention beside a running station: when it acts, what it says, and that it can be stopped."""

import time
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import pytest

from inspector.pipeline.events import EventCode, StationEvent
from inspector.pipeline.housekeeper import Retention
from inspector.pipeline.kept import LEAST_FREE_BYTES, PICTURES
from inspector.settings import PictureSettings
from tests.inspector.test_pipeline_retention import NOW, keep

RULES = PictureSettings(most_used=0.8, least_free=0.05)


@dataclass
class Disk:
    """A disk of 1000 bytes, of which ``other`` are taken by others and 10 by each picture."""

    folder: Path
    other: int
    total: int = 1000

    @property
    def free(self) -> int:
        return self.total - self.other - 10 * len(list(self.folder.rglob("*.png")))


def housekeeper(folder: Path, other: int, said: list[StationEvent]) -> Retention:
    disk = Disk(folder, other)
    return Retention(
        folder, RULES, said.append, clock=lambda: NOW, usage=lambda _: disk, least_bytes=0
    )


def test_at_four_fifths_the_oldest_ok_go_until_there_is_room(tmp_path: Path) -> None:
    said: list[StationEvent] = []
    ng = keep(tmp_path, 9)
    oks = [keep(tmp_path, days_ago, ok=True) for days_ago in (4, 3, 2, 1, 0)]
    gone = housekeeper(tmp_path, 760, said).tidy()

    assert gone.files == 2
    assert [path.exists() for path in oks] == [False, False, True, True, True]
    assert ng.exists()
    assert [event.code for event in said] == [EventCode.PICTURES_RETIRED]
    assert said[0].details["files"] == 2


def test_with_four_fifths_or_less_used_nothing_goes(tmp_path: Path) -> None:
    said: list[StationEvent] = []
    keep(tmp_path, 4, ok=True)

    assert housekeeper(tmp_path, 790, said).tidy().files == 0
    assert said == []


def test_what_is_left_is_todays_and_low_room_is_said_once(tmp_path: Path) -> None:
    said: list[StationEvent] = []
    old, today = keep(tmp_path, 1), keep(tmp_path, 0, ok=True)
    keeper = housekeeper(tmp_path, 900, said)
    keeper.tidy()
    keeper.tidy()

    assert (old.exists(), today.exists()) == (False, True)
    assert [event.code for event in said] == [EventCode.DISK_LOW, EventCode.PICTURES_RETIRED]
    assert "no older pictures" in said[0].text


def test_below_the_least_it_says_that_saving_stopped(tmp_path: Path) -> None:
    said: list[StationEvent] = []
    disk = Disk(tmp_path, 900)
    keeper = Retention(
        tmp_path, RULES, said.append, clock=lambda: NOW, usage=lambda _: disk, least_bytes=0
    )
    keeper.tidy()
    disk.other = 951
    keeper.tidy()
    disk.other = 100
    keeper.tidy()
    disk.other = 951
    keeper.tidy()

    assert [event.code for event in said] == [EventCode.DISK_LOW] * 3
    assert ["no longer saved" in event.text for event in said] == [False, True, True]


@pytest.mark.parametrize(("records", "pictures", "gone"), [(990, 0, 0), (0, 780, 3)])
def test_the_disk_that_counts_is_the_pictures(
    tmp_path: Path, records: int, pictures: int, gone: int
) -> None:
    """They may have one of their own: what others fill is no reason, and what they fill is."""
    said: list[StationEvent] = []
    for days_ago in (4, 3, 2, 1, 0):
        keep(tmp_path, days_ago, ok=True)
    own, other = Disk(tmp_path / PICTURES, pictures), Disk(tmp_path / "none", records)
    keeper = Retention(
        tmp_path,
        RULES,
        said.append,
        clock=lambda: NOW,
        usage=lambda asked: own if asked == tmp_path / PICTURES else other,
        least_bytes=0,
    )

    assert keeper.tidy().files == gone
    assert EventCode.DISK_LOW not in {event.code for event in said}


def test_a_folder_that_cannot_be_used_is_said_once(tmp_path: Path) -> None:
    said: list[StationEvent] = []
    (tmp_path / PICTURES).write_text("a file in the folder's place")
    keeper = housekeeper(tmp_path, 0, said)
    keeper.tidy()
    keeper.tidy()

    assert [event.code for event in said] == [EventCode.ERROR_RAISED]
    assert str(tmp_path / PICTURES) in said[0].text


def test_a_small_disk_is_low_at_the_bytes_at_which_saving_stops(tmp_path: Path) -> None:
    said: list[StationEvent] = []
    disk = Disk(tmp_path, other=100, total=LEAST_FREE_BYTES)
    Retention(tmp_path, RULES, said.append, clock=lambda: NOW, usage=lambda _: disk).tidy()

    assert ["no longer saved" in event.text for event in said] == [True]


def test_the_thread_works_by_itself_and_stops_in_the_middle(tmp_path: Path) -> None:
    said: list[StationEvent] = []
    old = [keep(tmp_path, 1, ok=True) for _ in range(60)]
    disk = Disk(tmp_path, 990)
    keeper = Retention(
        tmp_path,
        RULES,
        said.append,
        clock=lambda: NOW,
        usage=lambda _: disk,
        least_bytes=0,
        rest_s=0.2,
    )
    with keeper:
        deadline = time.monotonic() + 20
        while all(path.exists() for path in old):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        started = time.monotonic()

    assert time.monotonic() - started < 5
    assert 0 < sum(path.exists() for path in old) < 60
    codes = {event.code for event in said}
    assert EventCode.PICTURES_RETIRED in codes
    assert EventCode.DISK_LOW not in codes  # it was stopped before it knew


def test_a_thread_that_fails_says_that_nothing_is_deleted_any_more(tmp_path: Path) -> None:
    said: SimpleQueue[StationEvent] = SimpleQueue()

    def usage(_: Path) -> Disk:
        raise ZeroDivisionError("a slip of ours")

    keeper = Retention(tmp_path, RULES, said.put, clock=lambda: NOW, usage=usage)
    with pytest.raises(ZeroDivisionError), keeper:
        text = said.get(timeout=5).text
    assert text == "Old pictures are deleted no more: ZeroDivisionError: a slip of ours"
