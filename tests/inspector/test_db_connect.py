import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, exc

from engine.types import DatabaseError
from inspector.db.connect import reading_engine, set_and_read_back, writing_engine
from inspector.db.errors import explained
from inspector.db.log import writing


def pragma(engine: Engine, name: str) -> object:
    with engine.connect() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_the_writer_survives_power_loss_and_keeps_foreign_keys(tmp_path: Path) -> None:
    engine = writing_engine(tmp_path / "a.sqlite", busy_ms=123)
    held = {
        name: pragma(engine, name)
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "mmap_size")
    }
    engine.dispose()

    assert held.pop("mmap_size") in (0, None)
    assert held == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 123,
    }


def test_a_setting_sqlite_does_not_take_is_refused() -> None:
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(DatabaseError, match=r"journal_mode=wal .*'memory'.*network share"),
    ):
        set_and_read_back(connection, Path("a.sqlite"), "journal_mode", "wal")


def test_a_transaction_that_reads_first_may_still_write(tmp_path: Path) -> None:
    """BEGIN alone fails here at once with SQLITE_BUSY_SNAPSHOT: the other wrote meanwhile."""
    path = tmp_path / "a.sqlite"
    one, other = writing_engine(path), writing_engine(path, busy_ms=20)
    with one.begin() as setup:
        setup.exec_driver_sql("CREATE TABLE t (n INTEGER)")

    with one.begin() as first:
        assert first.exec_driver_sql("SELECT count(*) FROM t").scalar() == 0
        with pytest.raises(DatabaseError, match="locked"), explained(path), other.begin():
            pass
        first.exec_driver_sql("INSERT INTO t VALUES (1)")
    with other.begin() as second:
        assert second.exec_driver_sql("SELECT n FROM t").scalar() == 1
    one.dispose()
    other.dispose()


def test_a_reader_reads_beside_the_writer_and_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with writing(path) as writer:
        reader = reading_engine(path)
        with writer.begin(), reader.begin() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM run").scalar() == 0
        with (
            pytest.raises(DatabaseError, match="read-only"),
            explained(path),
            reader.begin() as connection,
        ):
            connection.exec_driver_sql("DELETE FROM run")
        reader.dispose()


def test_a_folder_in_the_files_place_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(DatabaseError, match="cannot be opened"),
        explained(tmp_path),
        writing(tmp_path),
    ):
        pass


def test_our_own_mistakes_are_not_explained_away(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with (
        writing(path) as connection,
        pytest.raises(exc.OperationalError, match="no such table"),
        explained(path),
        connection.begin(),
    ):
        connection.exec_driver_sql("SELECT * FROM nowhere")
