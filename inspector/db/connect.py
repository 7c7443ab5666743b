"""Engines for the one writer and for readers, with SQLite's settings made and read back.

WAL with ``synchronous=FULL``: a committed row survives power loss. Each writing transaction
begins IMMEDIATE, since one that reads first and writes later fails at once when another wrote
meanwhile, whatever the busy timeout. No memory map: an I/O error must be an error, no signal.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from engine.types import DatabaseError

BUSY_MS: Final = 5000
"""How long a statement waits for another's lock before the database counts as locked."""

COMMON: Final = {"foreign_keys": 1, "mmap_size": 0}
WRITER: Final = {"journal_mode": "wal", "synchronous": 2, **COMMON}


def writing_engine(path: Path, *, busy_ms: int = BUSY_MS) -> Engine:
    """The writer's engine: one connection, no more. Creates the file where there is none."""
    engine = _engine(path, "rwc", "BEGIN IMMEDIATE")
    _set_on_connect(engine, path, {"busy_timeout": busy_ms, **WRITER})
    return engine


def reading_engine(path: Path, *, busy_ms: int = BUSY_MS) -> Engine:
    """An engine that can only read. It takes no part in checkpoints, which are the writer's:
    two at once meet the WAL-reset bug of SQLite 3.7.0 to 3.51.2."""
    engine = _engine(path, "ro", "BEGIN")
    _set_on_connect(engine, path, {"busy_timeout": busy_ms, "query_only": 1, **COMMON})
    return engine


@contextmanager
def foreign_keys_off(connection: Connection, path: Path) -> Iterator[None]:
    """For a migration, which may copy a table and drop the first; SQLite takes this outside of a
    transaction alone. The migration looks itself that no key was broken."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    set_and_read_back(driver, path, "foreign_keys", 0)
    try:
        yield
    finally:
        set_and_read_back(driver, path, "foreign_keys", 1)


def _engine(path: Path, mode: str, begin: str) -> Engine:
    uri = f"{path.resolve().as_uri()}?mode={mode}"

    def connect() -> sqlite3.Connection:
        # isolation_level None: sqlite3 begins nothing by itself, the event below does.
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)

    engine = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, pool_size=1, max_overflow=0
    )

    @event.listens_for(engine, "begin")
    def do_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _set_on_connect(engine: Engine, path: Path, wanted: dict[str, Any]) -> None:
    @event.listens_for(engine, "connect")
    def set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
        for name, value in wanted.items():
            set_and_read_back(connection, path, name, value)


def set_and_read_back(
    connection: sqlite3.Connection, path: Path, name: str, value: int | str
) -> None:
    """Set a pragma and see that it holds; :class:`DatabaseError` where SQLite did not take it."""
    connection.execute(f"PRAGMA {name} = {value}")
    row = connection.execute(f"PRAGMA {name}").fetchone()
    if row is None and name == "mmap_size":
        return  # built without memory maps at all
    if row is None or row[0] != value:
        raise DatabaseError(
            f"The database {path} cannot be run with {name}={value} (SQLite answers {row}): "
            "keep it on a local disk, not on a network share."
        )
