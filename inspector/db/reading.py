"""A database of this program's schema, opened for reading beside the station that may write it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from engine.types import DatabaseError
from inspector.db.connect import BUSY_MS, reading_engine
from inspector.db.errors import explained
from inspector.db.files import is_there
from inspector.db.migrate import check_revision


@contextmanager
def reading(path: Path, busy_ms: int = BUSY_MS) -> Iterator[Engine]:
    """An engine that can only read; :class:`DatabaseError` where there is nothing of ours."""
    if not is_there(path):
        raise DatabaseError(f"There is no database at {path}: run the station first.")
    with explained(path):
        engine = reading_engine(path, busy_ms=busy_ms)
    try:
        with explained(path), engine.begin() as connection:
            check_revision(connection, path)
        yield engine
    finally:
        engine.dispose()
