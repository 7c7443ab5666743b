"""What lies beside a copy from before, and what comes of a restore that the disk stops half-way."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.types import DatabaseError, InputError
from inspector.db.backup import restore, save
from inspector.db.check import check
from inspector.db.log import InspectionLog
from tests.inspector.db_parts import count, inspection, run_info
from tests.inspector.pipeline_parts import NOON


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three parts."""
    path = tmp_path / "line" / "station.sqlite"
    with InspectionLog(path, run_info()) as log:
        for n in range(3):
            log.write(inspection(n))
    return path


@pytest.fixture
def backup(path: Path, tmp_path: Path) -> Path:
    """A copy of three parts; the database has gone on to four."""
    target = tmp_path / "copy.sqlite"
    save(path, target)
    with InspectionLog(path, run_info("run-2")) as log:
        log.write(inspection(7))
    return target


def files(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def killed_at(path: Path) -> None:
    """What a kill leaves there: a database of many parts, most of them in its log alone."""
    other = path.parent.parent / "other.sqlite"
    with InspectionLog(other, run_info("run-9")) as log:
        for n in range(100, 140):
            log.write(inspection(n))
        for end in ("", "-wal"):
            shutil.copy(f"{other}{end}", f"{path}{end}")


def test_what_a_killed_restore_has_left_is_not_read_into_the_next(path: Path, backup: Path) -> None:
    killed_at(path.with_name("station.sqlite.restored"))
    restore(backup, path, NOON)

    assert count(path) == 3
    assert not check(path)
    assert not [name for name in files(path.parent) if "restored" in name]


def test_what_a_lost_database_has_left_is_not_read_into_the_restored_one(
    path: Path, backup: Path
) -> None:
    killed_at(path)
    path.unlink()

    assert restore(backup, path, NOON) is None
    assert count(path) == 3
    assert not check(path)
    assert [n for n in files(path.parent) if "replaced" in n and n.endswith("-wal")]


def test_what_lies_beside_a_backup_is_not_read_into_the_one_in_its_place(
    path: Path, backup: Path, tmp_path: Path
) -> None:
    (tmp_path / "kept").mkdir()
    target = tmp_path / "kept" / "copy.sqlite"
    killed_at(target)
    save(path, target, overwrite=True)

    assert list(files(target.parent)) == [target.name]
    assert count(target) == 4
    assert not check(target)


def held(name: str, method: Callable[..., Path]) -> Callable[..., Path]:
    """As Windows answers while another program looks at that file."""

    def move(self: Path, target: Path) -> Path:
        if self.name == name:
            raise PermissionError(13, "Permission denied")
        return method(self, target)

    return move


REFUSED = r"cannot be replaced \(Permission denied\)"


def test_where_the_copy_cannot_take_its_place_the_database_stays(
    path: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", held("station.sqlite.restored", Path.replace))
        with pytest.raises(InputError, match=REFUSED):
            restore(backup, path, NOON)

    turn = set() if os.name == "nt" else {f"{path.name}-turn"}  # Windows deletes it by itself
    assert set(files(path.parent)) == {path.name, *turn}
    assert count(path) == 4
    assert restore(backup, path, NOON) == path.with_name("station.sqlite.replaced-20261121T120000Z")
    assert count(path) == 3


def test_where_something_cannot_be_moved_aside_all_stays(
    path: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a database that was lost, the log stands first in line."""
    path.unlink()
    for end in ("-wal", "-journal"):
        path.with_name(f"{path.name}{end}").write_text(end)
    before = files(path.parent)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", held("station.sqlite-journal", Path.rename))
        with pytest.raises(InputError, match=REFUSED):
            restore(backup, path, NOON)

    assert files(path.parent) == before
    assert restore(backup, path, NOON) is None
    assert count(path) == 3


def test_a_full_disk_is_that_of_the_copy(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own answer, by a bound on the file's pages in the place of a disk's."""
    connect = sqlite3.connect

    def on_a_full_disk(file: Path | str, *more: object, **options: object) -> sqlite3.Connection:
        connection = connect(file, *more, **options)  # type: ignore[call-overload]
        if str(file).endswith(".part"):
            connection.execute("PRAGMA max_page_count = 4")
        return connection

    target = tmp_path / "copies" / "copy.sqlite"
    target.parent.mkdir()
    monkeypatch.setattr(sqlite3, "connect", on_a_full_disk)
    with pytest.raises(DatabaseError, match="cannot grow, its disk is full") as refused:
        save(path, target)

    assert str(target) in str(refused.value)
    assert str(path) not in str(refused.value)
    assert files(target.parent) == {}
