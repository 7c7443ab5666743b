"""Bring a database to this program's schema, or refuse it: damaged, another's, or newer.

Before an existing database is changed, a verified copy of it is laid beside it.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from engine.types import DatabaseError

SHIPPED: Final = str(Path(__file__).with_name("migrations"))


def check_integrity(connection: Connection, path: Path) -> None:
    """SQLite's quick_check: page structure and CHECK constraints, in time linear in the file."""
    answer = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if answer != "ok":
        raise DatabaseError(
            f"The database {path} is damaged ({answer}): "
            "restore a backup, or move it away to begin a new one."
        )


def migrate(connection: Connection, path: Path, scripts: str = SHIPPED) -> None:
    """Bring the schema to the newest revision, all or nothing, on a connection in a transaction.

    :class:`DatabaseError` if the file belongs to another program or to a newer one of ours.
    """
    config = _config(connection, scripts)
    found, newest = revision(connection, path, config), _newest(config)
    if found == newest:
        return
    if found is not None:
        back_up(path, path.with_name(f"{path.stem}.before-{newest}{path.suffix}"))
    command.upgrade(config, "head")


def check_revision(connection: Connection, path: Path, scripts: str = SHIPPED) -> None:
    """For a reader, who may not migrate: :class:`DatabaseError` unless the schema is ours."""
    config = _config(connection, scripts)
    found = revision(connection, path, config)
    if found != _newest(config):
        raise DatabaseError(
            f"The database {path} is of an older version of this program: "
            "run the station on it once to bring it up to date."
        )


def revision(connection: Connection, path: Path, config: Config) -> str | None:
    """The schema's revision, None for an empty file; refuses what is not ours or too new."""
    found = MigrationContext.configure(connection).get_current_revision()
    if found is None and inspect(connection).get_table_names():
        raise DatabaseError(
            f"The database {path} belongs to another program: name another file for the station."
        )
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise DatabaseError(
            f"The database {path} was written by a newer version of this program "
            f"(schema {found}): update the program, or name another file."
        )
    return found


def back_up(path: Path, target: Path) -> None:
    """Copy a database that may be in use, verified, whole or not at all."""
    part = target.with_suffix(target.suffix + ".part")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as copy:
        source.backup(copy)
        (answer,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        part.unlink()
        raise DatabaseError(f"The backup of {path} is damaged ({answer}): check the disk.")
    part.replace(target)


def _config(connection: Connection, scripts: str) -> Config:
    config = Config()
    config.set_main_option("script_location", scripts.replace("%", "%%"))  # configparser's escape
    config.attributes["connection"] = connection
    return config


def _newest(config: Config) -> str:
    newest = ScriptDirectory.from_config(config).get_current_head()
    assert newest is not None  # the first table is a migration
    return newest
