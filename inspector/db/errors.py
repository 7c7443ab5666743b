"""SQLite's complaints in one sentence a person can act on. What is our own fault stays as it is."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import exc

from engine.types import DatabaseError

SENTENCES: Final = {
    sqlite3.SQLITE_BUSY: "is locked by another program: close it, then try again",
    sqlite3.SQLITE_LOCKED: "is locked by another program: close it, then try again",
    sqlite3.SQLITE_NOTADB: "is not a database: name another file, or move this one away",
    sqlite3.SQLITE_CORRUPT: "is damaged: restore a backup, or move it away to begin a new one",
    sqlite3.SQLITE_FULL: "cannot grow, its disk is full: free some space",
    sqlite3.SQLITE_READONLY: "is read-only: allow writing to the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: check that the file and its folder can be written",
    sqlite3.SQLITE_PERM: "may not be opened: allow reading and writing it",
    sqlite3.SQLITE_IOERR: "cannot be read or written, its disk fails: check disk and cable",
}
"""By SQLite's primary result code (https://www.sqlite.org/rescode.html)."""
NO_TEXT: Final = "Could not decode to UTF-8"


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says about this database into :class:`DatabaseError`."""
    try:
        yield
    except exc.DatabaseError as error:
        if (sentence := _sentence(error.orig)) is None:
            raise
        raise DatabaseError(f"The database {path} {sentence}.") from error
    except sqlite3.DatabaseError as error:
        if (sentence := _sentence(error)) is None:
            raise
        raise DatabaseError(f"The database {path} {sentence}.") from error


def of_the_world(error: Exception) -> bool:
    """Whether SQLite says that of the database as such, and not of what was to be written."""
    return _sentence(getattr(error, "orig", None)) is not None


def _sentence(error: BaseException | None) -> str | None:
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest is the extended code
    if isinstance(error, sqlite3.OperationalError) and NO_TEXT in str(error):
        primary = sqlite3.SQLITE_CORRUPT  # said by Python's module, which gives it no code
    return SENTENCES.get(primary)


def one_line(answer: str) -> str:
    """What an integrity check finds, without its heading and line breaks."""
    return " ".join(answer.removeprefix("*** in database main ***").split())
