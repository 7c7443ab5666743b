import os
import shutil
import sqlite3
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, inspect

from engine.types import DatabaseError
from inspector.db.connect import foreign_keys_off, writing_engine
from inspector.db.errors import explained
from inspector.db.history import History
from inspector.db.log import InspectionLog, writing
from inspector.db.migrate import SHIPPED, check_integrity, check_revision, migrate, newest_revision
from inspector.db.tables import Base
from inspector.db.upgrade import upgrade_file
from tests.inspector.db_parts import inspection, run_info

NOW = newest_revision()
NEXT = f"{int(NOW) + 1:04d}"
ONE_MORE = f"""
from alembic import op
import sqlalchemy as sa
revision, down_revision = "{NEXT}", "{NOW}"

def upgrade():
    op.add_column("run", sa.Column("weather", sa.String()))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with one run of three rows, closed."""
    path = tmp_path / "station.sqlite"
    with InspectionLog(path, run_info()) as log:
        for number in range(3):
            log.write(inspection(number))
    return path


def newer_scripts(folder: Path, text: str) -> str:
    """The shipped migrations and one more."""
    scripts = folder / "mig%rations"  # a percent sign is special to Alembic's configuration
    shutil.copytree(SHIPPED, scripts)
    (scripts / "versions" / "next.py").write_text(text, encoding="utf-8")
    return str(scripts)


def migrate_to(path: Path, scripts: str) -> None:
    engine = writing_engine(path)
    try:
        with (
            engine.connect() as connection,
            foreign_keys_off(connection, path),
            connection.begin(),
        ):
            migrate(connection, path, scripts)
    finally:
        engine.dispose()


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_the_migrations_make_the_tables_that_the_code_declares(tmp_path: Path) -> None:
    with writing(tmp_path / "new.sqlite") as connection:
        options = {"compare_type": True}
        context = MigrationContext.configure(connection, opts=options)

        assert compare_metadata(context, Base.metadata) == []


def test_the_migrations_make_the_checks_that_the_code_declares(tmp_path: Path) -> None:
    """Alembic's comparison leaves CHECKs out."""
    with writing(tmp_path / "new.sqlite") as connection:
        for table in Base.metadata.sorted_tables:
            declared = {
                (check.name, str(check.sqltext))
                for check in table.constraints
                if isinstance(check, CheckConstraint)
            }
            made = inspect(connection).get_check_constraints(table.name)

            assert {(check["name"], check["sqltext"]) for check in made} == declared


def test_opening_again_changes_nothing_and_backs_nothing_up(path: Path) -> None:
    with writing(path):
        pass

    turn = set() if os.name == "nt" else {"station.sqlite-turn"}  # Windows deletes it by itself
    assert {each.name for each in path.parent.iterdir()} == {"station.sqlite", *turn}


def test_a_migration_leaves_a_verified_copy_of_what_was(path: Path, tmp_path: Path) -> None:
    migrate_to(path, newer_scripts(tmp_path, ONE_MORE))

    assert rows(path, "SELECT weather, count(*) FROM run") == [(None, 1)]
    backup = path.with_name(f"station.before-{NEXT}.sqlite")
    assert rows(backup, "SELECT version_num FROM alembic_version") == [(NOW,)]
    assert rows(backup, "SELECT count(*) FROM inspection") == [(3,)]


def test_a_migration_that_fails_leaves_the_database_as_it_was(path: Path, tmp_path: Path) -> None:
    failing = ONE_MORE + "    raise ZeroDivisionError\n"

    with pytest.raises(ZeroDivisionError):
        migrate_to(path, newer_scripts(tmp_path, failing))

    assert rows(path, "SELECT version_num FROM alembic_version") == [(NOW,)]
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        rows(path, "SELECT weather FROM run")


def test_a_newer_database_is_refused_by_writer_and_reader(path: Path, tmp_path: Path) -> None:
    migrate_to(path, newer_scripts(tmp_path, ONE_MORE))
    before = path.read_bytes()

    with pytest.raises(DatabaseError, match=rf"newer version .*schema {NEXT}.*: update"):
        InspectionLog(path, run_info("run-2")).__enter__()
    with pytest.raises(DatabaseError, match="newer version"):
        History(path).__enter__()
    assert path.read_bytes() == before


def test_a_reader_refuses_an_older_database(path: Path, tmp_path: Path) -> None:
    scripts = newer_scripts(tmp_path, ONE_MORE)
    with writing(path) as connection, pytest.raises(DatabaseError, match="older version"):
        check_revision(connection, path, scripts)


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "contacts.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE contacts (name TEXT)")

    with pytest.raises(DatabaseError, match="belongs to another program"), writing(path):
        pass
    assert rows(path, "SELECT name FROM sqlite_master") == [("contacts",)]


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\r\n" + bytes(range(256)) * 20)
    before = path.read_bytes()

    with pytest.raises(DatabaseError, match="is not a database"):
        InspectionLog(path, run_info()).__enter__()
    assert path.read_bytes() == before


def test_a_damaged_database_is_refused(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\x5a" * 8192
    path.write_bytes(content)

    with pytest.raises(DatabaseError, match="is damaged"):
        InspectionLog(path, run_info("run-2")).__enter__()


def test_opening_a_database_takes_no_lock_from_the_station_that_writes_it(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with writing(path, busy_ms=20):
            other.execute("UPDATE run SET lot = 'L7'")
        upgrade_file(path)
        other.execute("COMMIT")

    assert rows(path, "SELECT lot FROM run") == [("L7",)]


def test_a_station_writes_while_another_program_looks_whether_its_file_is_sound(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look takes as long as the file is large."""

    def slow_look(connection: Connection, path: Path) -> None:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as station:
            check_integrity(connection, path)
            station.execute("UPDATE run SET steps = steps + 1")

    monkeypatch.setattr("inspector.db.migrate.check_integrity", slow_look)
    (before,) = rows(path, "SELECT steps FROM run")[0]
    with writing(path):
        pass
    upgrade_file(path)

    assert rows(path, "SELECT steps FROM run") == [(int(str(before)) + 2,)]


def test_a_database_that_is_to_be_made_and_is_locked_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = wal")
        other.execute("BEGIN EXCLUSIVE")
        with (
            pytest.raises(DatabaseError, match="is locked by another program"),
            explained(path),
            writing(path, busy_ms=20),
        ):
            pass


@pytest.mark.parametrize(
    ("table", "whole_bytes", "found"),
    [("run", 2**30, True), ("run", 0, True), ("inspection", 2**30, True), ("inspection", 0, False)],
)
def test_of_a_large_database_all_but_the_long_tables_is_checked_at_the_start(
    path: Path, table: str, whole_bytes: int, found: bool
) -> None:
    broken = {
        "run": "UPDATE run SET steps = NULL",
        "inspection": "UPDATE inspection SET source = NULL",
    }
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        column = {"run": "steps INTEGER", "inspection": "source VARCHAR"}[table]
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = ?",
            (f"{column} NOT NULL", column, table),
        )
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(broken[table])
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = ?",
            (column, f"{column} NOT NULL", table),
        )
    engine = writing_engine(path)
    expected = pytest.raises(DatabaseError, match="is damaged") if found else nullcontext()
    with engine.begin() as connection, expected:
        check_integrity(connection, path, whole_bytes)
    engine.dispose()
