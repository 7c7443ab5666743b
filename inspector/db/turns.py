"""Whoever writes a station's database takes turns, the station and people's changes alike.

SQLite's own lock ends with the commit. The checkpoint that may follow it can then meet a writer
that begins the log anew, which before SQLite 3.51.3 can lose pages (https://www.sqlite.org/wal.html,
the WAL-reset bug of 3.7.0 to 3.51.2). A turn lasts over both; whoever is killed lets go of it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from engine.files import unwritable
from engine.types import DatabaseError
from inspector.db.errors import SENTENCES

BESIDE_IT: Final = "-turn"
POLL_S: Final = 0.002
"""A turn lasts some milliseconds: a part must not wait for the next tick of a slow clock."""


class Turns:
    """Of the database at ``path``; ``busy_ms`` is how long one waits for another's end."""

    def __init__(self, path: Path, busy_ms: int) -> None:
        self._path, self._busy_ms = path, busy_ms
        self._file = path.with_name(path.name + BESIDE_IT)
        self._lock = FileLock(self._file)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold one; :class:`engine.types.DatabaseError` where another lasts too long."""
        try:
            self._lock.acquire(timeout=self._busy_ms / 1000, poll_interval=POLL_S)
        except Timeout:
            said = SENTENCES[sqlite3.SQLITE_BUSY]
            raise DatabaseError(f"The database {self._path} {said}.") from None
        except OSError as error:
            raise DatabaseError(str(unwritable(self._file, error))) from error
        try:
            yield
        finally:
            self._lock.release()
