"""The files of a database: whether there is one, what lies beside it, and a copy made in use.

What a program that was killed has left beside its database belongs to that file alone: SQLite reads
a log of that name into whatever file it finds there next. So no file is put in the place of another
while something lies beside it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from engine.files import unwritable
from engine.types import DatabaseError
from inspector.db.errors import explained, one_line
from inspector.db.turns import BESIDE_IT

BESIDE: Final = ("", "-wal", "-shm", "-journal")
"""What belongs to a database that was not closed in peace."""

OF_THE_COPY: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
)
"""Said while a copy is made: the source is open by then, and needs no room."""


def files_of(path: Path) -> tuple[Path, ...]:
    """The database itself, and what may lie beside it."""
    return tuple(path.with_name(path.name + end) for end in BESIDE)


def remove(path: Path) -> None:
    """A database with all that lies beside it, as far as it is there."""
    for each in (*files_of(path), path.with_name(path.name + BESIDE_IT)):
        each.unlink(missing_ok=True)


@contextmanager
def looked_for(path: Path) -> Iterator[None]:
    """:class:`DatabaseError` where nobody can tell what is there: a folder that may not be entered,
    a name that no disk takes."""
    try:
        yield
    except OSError as error:
        raise DatabaseError(
            f"Nothing can be looked for at {path} ({error.strerror}): name another file, or allow "
            "reading its folder."
        ) from error


def is_there(path: Path) -> bool:
    """Whether there is such a file, which may be a database."""
    with looked_for(path):
        return path.is_file()


def back_up(path: Path, target: Path) -> None:
    """Copy a database that may be in use, verified, whole or not at all.

    :class:`engine.types.InputError` where the copy cannot be put there, :class:`DatabaseError`
    where it has no room or is damaged. What SQLite says of the source is left to the caller.
    """
    part = target.with_suffix(target.suffix + ".part")
    try:
        remove(part)
        _copy(path, part, target)
        for left in files_of(target)[1:]:
            left.unlink(missing_ok=True)
        part.replace(target)
    except OSError as error:
        raise unwritable(target, error) from error
    finally:
        with suppress(OSError):  # none there, or stuck on the disk that the first error tells of
            remove(part)


def _copy(path: Path, part: Path, target: Path) -> None:
    with closing(sqlite3.connect(path)) as source:
        source.execute("PRAGMA schema_version").fetchone()  # what is wrong with it is said here
        try:
            with closing(sqlite3.connect(part)) as copy:
                source.backup(copy)
                (answer,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in OF_THE_COPY:
                with explained(target):
                    raise
            raise
    if answer != "ok":
        raise DatabaseError(
            f"A copy of the database {path} is damaged ({one_line(answer)}), "
            "as its source or the disk may be: run 'inspector db check' on it."
        )
