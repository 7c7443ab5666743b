"""The files of a database: which they are, and a copy of them made while it is in use.

What a program that was killed has left beside its database belongs to that file alone: SQLite reads
a log of that name into whatever file it finds there next. So no file is put in the place of another
while something lies beside it.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from engine.types import DatabaseError
from inspector.db.errors import one_line

BESIDE: Final = ("", "-wal", "-shm", "-journal")
"""What belongs to a database that was not closed in peace."""


def files_of(path: Path) -> tuple[Path, ...]:
    """The database itself, and what may lie beside it."""
    return tuple(path.with_name(path.name + end) for end in BESIDE)


def remove(path: Path) -> None:
    """A database with all that lies beside it, as far as it is there."""
    for each in files_of(path):
        each.unlink(missing_ok=True)


def back_up(path: Path, target: Path) -> None:
    """Copy a database that may be in use, verified, whole or not at all."""
    part = target.with_suffix(target.suffix + ".part")
    remove(part)
    try:
        _copy(path, part)
        for left in files_of(target)[1:]:
            left.unlink(missing_ok=True)
        part.replace(target)
    except BaseException:
        remove(part)
        raise


def _copy(path: Path, part: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as copy:
        source.backup(copy)
        (answer,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise DatabaseError(
            f"A copy of the database {path} is damaged ({one_line(answer)}), "
            "as its source or the disk may be: run 'inspector db check' on it."
        )
