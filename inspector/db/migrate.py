"""Bring a database to this program's schema, or refuse it: damaged, another's, or newer.

Before an existing database is changed, a verified copy of it is laid beside it.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from engine.types import DatabaseError
from inspector.db.connect import BUSY_MS, reading_engine
from inspector.db.errors import one_line
from inspector.db.files import back_up

SHIPPED: Final = str(Path(__file__).with_name("migrations"))


WHOLE_CHECK_BYTES: Final = 2**30
"""A larger file is not read whole before a station starts: ten million parts, 8 GB, took 165 s."""

LONG_TABLES: Final = ("inspection", "defect")
SIZE: Final = ("count", "size")


def look(path: Path, busy_ms: int = BUSY_MS) -> str | None:
    """See that a file is sound, in a transaction that only reads: it takes long, and a station may
    be writing its rows meanwhile. Returns the schema's revision, None for an empty file.

    :class:`DatabaseError` where it is damaged, another program's or a newer one's of ours.
    """
    engine = reading_engine(path, busy_ms=busy_ms)
    try:
        with engine.begin() as connection:
            check_integrity(connection, path)
            return find_revision(connection, str(path))
    finally:
        engine.dispose()


def check_integrity(
    connection: Connection, path: Path, whole_bytes: int = WHOLE_CHECK_BYTES
) -> None:
    """SQLite's quick_check: page structure and CHECK constraints, in time linear in the file.

    Of a file larger than ``whole_bytes`` the long tables are left out; `inspector db check` reads
    them, and damage there that a station comes upon ends its run as ever.
    """
    for table in _tables_to_check(connection, whole_bytes):
        answer = connection.exec_driver_sql(f"PRAGMA quick_check({table})").scalars().first()
        if answer not in ("ok", None):
            raise DatabaseError(
                f"The database {path} is damaged ({one_line(answer)}): "
                "restore a backup, or move it away to begin a new one."
            )


def _tables_to_check(connection: Connection, whole_bytes: int) -> Sequence[str]:
    """Names for quick_check's bracket; 1, the most answers wanted, stands for the whole file."""
    sizes = [connection.exec_driver_sql(f"PRAGMA page_{word}").scalar_one() for word in SIZE]
    if sizes[0] * sizes[1] <= whole_bytes:
        return ("1",)
    return [name for name in inspect(connection).get_table_names() if name not in LONG_TABLES]


def migrate(connection: Connection, path: Path, scripts: str = SHIPPED) -> str | None:
    """Bring the schema to the newest revision, all or nothing, on a connection in a transaction
    that was begun with ``foreign_keys_off``. Returns the revision found, None for an empty file.

    :class:`DatabaseError` if the file belongs to another program or to a newer one of ours.
    """
    found, newest = find_revision(connection, str(path), scripts), newest_revision(scripts)
    if found == newest:
        return found
    if found is not None:
        back_up(path, before_migration(path, newest))
    upgrade(connection, scripts)
    check_foreign_keys(connection, path)
    return found


def before_migration(path: Path, revision: str) -> Path:
    """Where the copy lies that is made before a database is brought to ``revision``."""
    return path.with_name(f"{path.stem}.before-{revision}{path.suffix}")


def upgrade(connection: Connection, scripts: str = SHIPPED) -> None:
    """Run the migrations that are missing, on SQLite or PostgreSQL."""
    command.upgrade(_config(connection, scripts), "head")


def check_foreign_keys(connection: Connection, path: Path) -> None:
    """:class:`DatabaseError` where a row names another that is not there."""
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise DatabaseError(
            f"The database {path} is damaged (a row of {broken[0]} names a row of {broken[2]} that "
            "is not there): restore a backup, or move it away to begin a new one."
        )


def check_revision(connection: Connection, path: Path, scripts: str = SHIPPED) -> None:
    """For a reader, who may not migrate: :class:`DatabaseError` unless the schema is ours."""
    if find_revision(connection, str(path), scripts) != newest_revision(scripts):
        raise DatabaseError(
            f"The database {path} is of an older version of this program: "
            "run the station on it once to bring it up to date."
        )


def find_revision(connection: Connection, name: str, scripts: str = SHIPPED) -> str | None:
    """The schema's revision, None for an empty database; refuses what is not ours or too new."""
    found = MigrationContext.configure(connection).get_current_revision()
    if found is None and inspect(connection).get_table_names():
        raise DatabaseError(
            f"The database {name} belongs to another program: name another one for the station."
        )
    if found is not None and found not in _revisions(scripts):
        raise DatabaseError(
            f"The database {name} was written by a newer version of this program "
            f"(schema {found}): update the program, or name another one."
        )
    return found


def newest_revision(scripts: str = SHIPPED) -> str:
    """The schema of this program."""
    return _revisions(scripts)[0]


@cache
def _revisions(scripts: str) -> Sequence[str]:
    """Newest first. Read once: each script is a module that Alembic loads anew, twenty for every
    database that is opened."""
    return [script.revision for script in ScriptDirectory(scripts).walk_revisions()]


def _config(connection: Connection, scripts: str) -> Config:
    config = Config()
    config.set_main_option("script_location", scripts.replace("%", "%%"))  # configparser's escape
    config.attributes["connection"] = connection
    return config
