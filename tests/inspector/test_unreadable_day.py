"""A day's folder that cannot be read is said, and keeps no other day's pictures from going."""

import errno
import os
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from engine.types import InputError
from inspector import pictures as command
from inspector.pipeline.events import EventCode, StationEvent
from inspector.pipeline.retention import aged
from tests.inspector.test_pipeline_housekeeper import housekeeper
from tests.inspector.test_pipeline_retention import KEEP, NOW, keep


@pytest.fixture
def unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of 41 days ago, which nobody may read: not even root, whom no mode keeps out."""
    for days_ago in (0, 1, 2):
        keep(tmp_path, days_ago, ok=True)
    folder = keep(tmp_path, 41, ok=True).parent
    scan = os.scandir

    def scandir(path: str | Path) -> object:
        if Path(path) == folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    return folder


def test_the_others_go_and_it_is_said_once(tmp_path: Path, unreadable: Path) -> None:
    said: list[StationEvent] = []
    before, after = keep(tmp_path, 42, ok=True), keep(tmp_path, 40, ok=True)
    keeper = housekeeper(tmp_path, 0, said)
    keeper.tidy()
    keeper.tidy()

    assert (before.exists(), after.exists()) == (False, False)
    assert [event.code for event in said] == [EventCode.ERROR_RAISED, EventCode.PICTURES_RETIRED]
    assert str(unreadable) in said[0].text


@pytest.mark.usefixtures("unreadable")
def test_room_is_made_by_the_days_after_it(tmp_path: Path) -> None:
    said: list[StationEvent] = []
    recent = keep(tmp_path, 3, ok=True)
    housekeeper(tmp_path, 770, said).tidy()

    assert not recent.exists()
    assert EventCode.DISK_LOW not in {event.code for event in said}


def test_it_goes_once_it_can_be_read(
    tmp_path: Path, unreadable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[StationEvent] = []
    keeper = housekeeper(tmp_path, 0, said)
    keeper.tidy()
    monkeypatch.undo()
    keeper.tidy()

    assert not unreadable.exists()
    assert [event.code for event in said] == [EventCode.ERROR_RAISED, EventCode.PICTURES_RETIRED]


def test_whoever_wants_all_of_it_is_told(tmp_path: Path, unreadable: Path) -> None:
    with pytest.raises(InputError, match=unreadable.name):
        list(aged(tmp_path, KEEP, NOW))


def test_the_command_says_it_and_shows_the_others(
    tmp_path: Path, unreadable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "utc_now", lambda: NOW)
    keep(tmp_path, 42, ok=True)
    app = typer.Typer()
    app.command()(command.pictures)
    told = CliRunner().invoke(app, [str(tmp_path)])

    assert told.exit_code == 1
    assert "1 files" in told.stdout
    assert told.stderr.count(f"{unreadable} cannot be read") == 1
