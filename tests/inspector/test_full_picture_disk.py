"""A disk that is full to the last byte takes no note, and without a note nothing may be deleted."""

import errno
import os
from pathlib import Path

import pytest

from engine.types import InputError
from inspector.pipeline.events import EventCode, StationEvent
from inspector.pipeline.housekeeper import Retention
from inspector.pipeline.kept import PICTURES, Tier
from inspector.pipeline.retention import aged, retire
from inspector.pipeline.retired import NOTE, RESERVE, keep_reserve, read_retired
from inspector.settings import PictureSettings
from tests.inspector.disk_parts import fill, small_disk
from tests.inspector.test_pipeline_retention import KEEP, NOW, keep


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A picture that has aged, three later days, and room put by."""
    for days_ago in (0, 1, 2):
        keep(tmp_path, days_ago, ok=True)
    keep_reserve(tmp_path)
    return keep(tmp_path, 31, ok=True)


def no_room_beside(reserve: Path, patch: pytest.MonkeyPatch, number: int) -> None:
    def fsync(descriptor: int) -> None:
        if reserve.exists():
            raise OSError(number, os.strerror(number))

    patch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("number", [errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)])
def test_the_note_gets_the_room_that_was_put_by(
    tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    reserve = tmp_path / PICTURES / RESERVE
    no_room_beside(reserve, monkeypatch, number)
    (batch,) = aged(tmp_path, KEEP, NOW)
    retire(tmp_path, batch, "age", NOW)

    assert (old.exists(), reserve.exists()) == (False, False)
    assert read_retired(tmp_path) == {(batch.day, Tier.OK)}


def test_what_more_room_does_not_mend_leaves_it(
    tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = tmp_path / PICTURES / RESERVE
    no_room_beside(reserve, monkeypatch, errno.EIO)
    (batch,) = aged(tmp_path, KEEP, NOW)
    with pytest.raises(InputError, match=NOTE):
        retire(tmp_path, batch, "age", NOW)

    assert (old.exists(), reserve.exists()) == (True, True)


def test_a_real_disk_filled_by_others_gives_its_old_pictures(tmp_path: Path) -> None:
    said: list[StationEvent] = []
    with small_disk(tmp_path / PICTURES, "size=1m") as disk:
        old = [keep(tmp_path, days_ago, ok=True) for days_ago in (3, 2, 1)]
        today = keep(tmp_path, 0, ok=True)
        keeper = Retention(
            tmp_path, PictureSettings(most_used=0.8), said.append, clock=lambda: NOW, least_bytes=0
        )
        keeper.tidy()
        fill(disk)
        keeper.tidy()

        assert [path.exists() for path in (*old, today)] == [False, False, False, True]
        assert len(read_retired(tmp_path)) == 3
        assert EventCode.ERROR_RAISED not in {event.code for event in said}
        (disk / "filled").unlink()
        keeper.tidy()
        assert (disk / RESERVE).exists()  # for the next time


def test_no_room_is_put_by_where_no_pictures_are(tmp_path: Path) -> None:
    keep_reserve(tmp_path)

    assert list(tmp_path.iterdir()) == []
