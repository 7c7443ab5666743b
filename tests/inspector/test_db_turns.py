"""Whoever writes a database takes turns: nobody overlaps, nobody who died holds the others up."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from engine.types import DatabaseError
from inspector.db.changes import Changes
from inspector.db.connect import reading_engine
from inspector.db.turns import Turns
from inspector.db.writer import Writer

HOLD = """
import sys, time
from pathlib import Path
from inspector.db.turns import Turns
with Turns(Path(sys.argv[1]), 1000).taken():
    print("mine", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "station.sqlite"


def test_a_station_and_a_person_never_write_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, overlaps, taken = threading.Lock(), [], Turns.taken

    @contextmanager
    def noted(turns: Turns) -> Iterator[None]:
        with taken(turns):
            overlaps.append(not alone.acquire(blocking=False))
            yield
            time.sleep(0.001)
            alone.release()

    def change() -> None:
        with Changes(path) as changes:
            for _ in range(100):
                with changes.transaction():
                    pass

    with Writer(path) as writer:
        monkeypatch.setattr(Turns, "taken", noted)
        person = threading.Thread(target=change)
        person.start()
        for _ in range(100):
            writer.transact(lambda connection: None)
        person.join(60)
    assert overlaps == [False] * 200
    with closing(reading_engine(path).raw_connection()) as raw:
        assert raw.cursor().execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_two_names_of_a_database_are_one_turn(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "inspections.sqlite"
    other.parent.mkdir()
    with Writer(path):
        pass
    try:
        other.symlink_to(path)
    except OSError:
        pytest.skip("Nobody may make a link here.")
    with (
        Turns(path, 0).taken(),
        pytest.raises(DatabaseError, match="is locked"),
        Turns(other, 50).taken(),
    ):
        pass


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows gives a file its folder's rights")
def test_whoever_may_write_the_database_may_take_turns(path: Path) -> None:
    path.touch()
    path.chmod(0o664)
    if os.geteuid() == 0:
        os.chown(path, 1234, 1235)
    with Turns(path, 0).taken():
        made, like = path.with_name(f"{path.name}-turn").stat(), path.stat()
    assert (made.st_mode, made.st_uid, made.st_gid) == (like.st_mode, like.st_uid, like.st_gid)


def test_a_migration_takes_a_turn(path: Path) -> None:
    with (
        Turns(path, 0).taken(),
        pytest.raises(DatabaseError, match="is locked"),
        Writer(path, busy_ms=50),
    ):
        pass


def test_a_turn_that_does_not_end_is_a_locked_database(path: Path) -> None:
    said = r"station\.sqlite is locked by another program"
    with Writer(path, busy_ms=50) as writer, Changes(path, busy_ms=50) as changes:
        with Turns(path, 50).taken():
            with pytest.raises(DatabaseError, match=said):
                writer.transact(lambda connection: None)
            with pytest.raises(DatabaseError, match=said):
                changes.transaction().__enter__()
        writer.transact(lambda connection: None)


def test_whoever_is_killed_gives_his_turn_away(path: Path) -> None:
    call = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "mine\n"
        holder.kill()
        holder.wait()
        with Turns(path, 5000).taken():
            pass
