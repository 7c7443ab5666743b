"""Whoever writes a station's database takes turns, the station and people's changes alike.

SQLite's own lock ends with the commit. The checkpoint that may follow it can then meet a writer
that begins the log anew, which before SQLite 3.51.3 can lose pages (https://www.sqlite.org/wal.html,
the WAL-reset bug of 3.7.0 to 3.51.2). A turn lasts over both; whoever is killed lets go of it.
"""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
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
        real = path.resolve()  # whoever knows it by another name takes turns with us
        self._file = real.with_name(real.name + BESIDE_IT)
        self._lock = FileLock(self._file)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold one; :class:`engine.types.DatabaseError` where another lasts too long."""
        try:
            self._make_file()
            self._lock.acquire(timeout=self._busy_ms / 1000, poll_interval=POLL_S)
        except Timeout:
            said = SENTENCES[sqlite3.SQLITE_BUSY]
            raise DatabaseError(f"The database {self._path} {said}.") from None
        except PermissionError as error:
            raise DatabaseError(
                f"{self._file} may not be written: allow it to whoever may write the database."
            ) from error
        except OSError as error:
            raise DatabaseError(str(unwritable(self._file, error))) from error
        try:
            yield
        finally:
            self._lock.release()

    def _make_file(self) -> None:
        """With the rights of the database and, made by root, its owner, as SQLite makes the files
        beside it: whoever may write the one takes turns by the other. Windows has its folder's."""
        if os.name == "nt" or self._file.exists() or not self._path.exists():
            return
        like = self._path.stat()
        with NamedTemporaryFile(dir=self._file.parent) as made:
            os.fchmod(made.fileno(), stat.S_IMODE(like.st_mode))
            if os.geteuid() == 0:
                os.fchown(made.fileno(), like.st_uid, like.st_gid)
            with suppress(OSError):  # somebody was quicker, or the disk has no links
                os.link(made.name, self._file)
