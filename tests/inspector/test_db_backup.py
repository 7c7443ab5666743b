"""What lies beside a copy from before, and what comes of a restore that the disk stops half-way."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.types import InputError
from inspector.db.backup import restore, save
from inspector.db.check import check
from inspector.db.history import History
from inspector.db.log import InspectionLog
from tests.inspector.db_parts import inspection, run_info
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


def count(path: Path) -> int:
    with History(path) as history:
        return len(history.page())


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


@pytest.mark.parametrize(
    ("name", "method"),
    [("station.sqlite.restored", "replace"), ("station.sqlite-wal", "rename")],
)
def test_where_the_copy_cannot_take_its_place_all_stays(
    path: Path, backup: Path, monkeypatch: pytest.MonkeyPatch, name: str, method: str
) -> None:
    """A damaged database, so that its log is moved with it."""
    path.write_bytes(b"\x5a" * 8192)
    path.with_name("station.sqlite-wal").write_bytes(b"log")
    before = files(path.parent)
    with monkeypatch.context() as patch:
        patch.setattr(Path, method, held(name, getattr(Path, method)))
        with pytest.raises(InputError, match=r"cannot be replaced \(Permission denied\)"):
            restore(backup, path, NOON)

    assert files(path.parent) == before
    assert restore(backup, path, NOON) == path.with_name("station.sqlite.replaced-20261121T120000Z")
    assert count(path) == 3
