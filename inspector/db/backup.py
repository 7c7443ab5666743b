"""Copies of a database: made while it is in use, verified, and put back in its place."""

import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path

from sqlalchemy import create_engine

from engine.types import DatabaseError, InputError
from inspector.db.errors import explained, one_line
from inspector.db.files import back_up, files_of, is_there, looked_for, remove
from inspector.db.migrate import before_migration, find_revision, newest_revision
from inspector.db.upgrade import upgrade_file


def save(path: Path, target: Path, *, overwrite: bool = False) -> None:
    """Copy a database that may be in use to ``target``, whole and verified or not at all.

    :class:`InputError` where there is nothing to copy or no place to copy to,
    :class:`DatabaseError` where source, copy or disk is unsound.
    """
    _require_database(path)
    with looked_for(target):
        if target.is_dir():
            raise InputError(f"{target} is a folder: name a file in it.")
        if target.exists() and (target.samefile(path) or not overwrite):
            raise InputError(
                f"There is a file at {target} already: name another, or use --overwrite."
            )
        _require_folder(target)
    with explained(path):
        back_up(path, target)


def restore(
    backup: Path, path: Path, now: datetime, admit: Callable[[Path], object] = lambda part: None
) -> Path | None:
    """Put a copy in the place of a database; returns where the replaced one lies, if there was one.

    The copy is verified first: sound, and of this program's schema or an older one, to which it is
    brought. Then ``admit`` is called with it, and stops all by raising. A database that a station
    or a window has open is not replaced. Between that look and the replacing somebody could still
    open it; that gap is milliseconds and nothing portable closes it.
    """
    _require_database(backup)
    with looked_for(path):
        if path.exists() and path.samefile(backup):
            raise InputError(f"{backup} is the database itself: name its backup.")
        _require_folder(path)
    part = path.with_name(f"{path.name}.restored")
    with explained(backup):
        back_up(backup, part)  # our own copy: nobody changes it between the look and the use
    try:
        _require_ours(part, backup)
        _bring_up_to_date(part)
        admit(part)
        _require_alone(part)  # what was written into it is in the file itself
        return _put(part, path, now)
    except BaseException:
        remove(part)
        raise


def _require_database(path: Path) -> None:
    if not is_there(path):
        raise InputError(f"There is no database at {path}: name the file.")


def _require_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent}: make it first.")


def _require_ours(part: Path, backup: Path) -> None:
    with explained(backup), closing(sqlite3.connect(part)) as connection:
        (said,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if said != "ok":
        raise DatabaseError(f"The backup {backup} is damaged ({one_line(said)}): use another.")
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(part))
    try:
        with explained(backup), engine.begin() as opened:
            if find_revision(opened, str(backup)) is None:
                raise DatabaseError(f"The backup {backup} is empty: use another.")
    finally:
        engine.dispose()


def _bring_up_to_date(part: Path) -> None:
    """Whatever stands in an older schema: the backup itself is the copy from before."""
    try:
        upgrade_file(part)
    finally:
        before_migration(part, newest_revision()).unlink(missing_ok=True)


def _put(part: Path, path: Path, now: datetime) -> Path | None:
    """The copy in the place of a database, which is moved aside; where one of both cannot be done,
    all is as it was."""
    aside = path.with_name(f"{path.name}.replaced-{now:%Y%m%dT%H%M%SZ}")
    try:
        if any(each.exists() for each in files_of(aside)):
            raise InputError(f"There is a file at {aside} already: try again in a second.")
        is_replaced = path.exists()
        if is_replaced:
            _require_alone(path)
        with ExitStack() as undone:
            for old, new in zip(files_of(path), files_of(aside), strict=True):
                if old.exists():
                    old.rename(new)
                    undone.callback(new.rename, old)
            part.replace(path)
            undone.pop_all()
            remove(part)  # what lay beside it
    except OSError as error:
        raise InputError(
            f"The database {path} cannot be replaced ({error.strerror}): close what holds it open."
        ) from error
    return aside if is_replaced else None


def _require_alone(path: Path) -> None:
    """:class:`DatabaseError` while anybody has the database open.

    Every connection in WAL mode holds a shared lock on the file for as long as it is open, and
    SQLite gives up the mode only to one that is alone; this also folds the log into the file. One
    that is too damaged to be asked has nobody working on it, and is what a restore is for.
    """
    try:
        with closing(sqlite3.connect(path, timeout=0)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise DatabaseError(
                f"The database {path} is open in another program: "
                "end the station and its window, then try again."
            ) from error
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            with explained(path):
                raise
