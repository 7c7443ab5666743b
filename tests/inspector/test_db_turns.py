"""Whoever writes a database takes turns: nobody overlaps, nobody who died holds the others up."""

import subprocess
import sys
import threading
import time
from contextlib import closing
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


def test_a_station_and_a_person_never_write_at_once(path: Path) -> None:
    alone, overlaps = threading.Lock(), []

    def work(connection: object) -> None:
        overlaps.append(not alone.acquire(blocking=False))
        time.sleep(0.001)
        alone.release()

    def change() -> None:
        with Changes(path) as changes:
            for _ in range(100):
                with changes.transaction() as connection:
                    work(connection)

    with Writer(path) as writer:
        person = threading.Thread(target=change)
        person.start()
        for _ in range(100):
            writer.transact(work)
        person.join(60)
    assert overlaps == [False] * 200
    with closing(reading_engine(path).raw_connection()) as raw:
        assert raw.cursor().execute("PRAGMA integrity_check").fetchone() == ("ok",)


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
