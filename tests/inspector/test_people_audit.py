"""The trail in a real database: triggers, edited bytes of the file, and the command that looks."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from engine.types import DatabaseError, InputError
from inspector.cli import app
from inspector.db.audit import (
    LONGEST,
    Action,
    AuditLog,
    Change,
    read_trail,
    verify_trail,
)
from inspector.db.chain import GENESIS
from inspector.db.connect import writing_engine
from inspector.db.log import writing
from inspector.db.verify_cli import trail
from inspector.people.roles import Person, Role
from tests.inspector.pipeline_parts import NOON

ANNA = Person("anna", Role.ENGINEER)
PAGE = 4096


def change(number: int) -> Change:
    return Change(
        Action.THRESHOLD_CHANGED, "threshold disc", f"0.{number}", f"0.{number + 1}", "zażółć"
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five entries; closed, so that all of them lie in the one file."""
    path = tmp_path_factory.mktemp("audit") / "station.sqlite"
    with writing(path) as connection:
        for number in range(5):
            with connection.begin():
                AuditLog(connection, lambda: NOON).append(ANNA, change(number))
    return path


@pytest.fixture
def path(written: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "station.sqlite"
    copy.write_bytes(written.read_bytes())
    return copy


def verify(path: Path, *more: str) -> Result:
    return CliRunner().invoke(trail, ["verify", str(path), *more])


def sql(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_whole_trail_says_its_head_and_passes_with_any_head_it_had(path: Path) -> None:
    entries = read_trail(path)
    said = verify(path)
    assert said.exit_code == 0
    assert said.stdout.strip().endswith(f"is whole: 5 entries, head {entries[0].hash}")
    for entry in entries:
        assert verify(path, "--head", entry.hash.upper()).exit_code == 0
    assert verify(path, "--head", "f" * 64).exit_code == 1
    assert isinstance(verify(path, "--head", "f" * 63).exception, InputError)


def test_entries_say_who_what_when_and_why(path: Path) -> None:
    newest = read_trail(path)[0]
    assert (newest.number, newest.at, newest.who, newest.role) == (
        *(5, "2026-11-21T12:00:00.000000Z"),
        *("anna", "engineer"),
    )
    assert (newest.old, newest.new, newest.reason) == ("0.4", "0.5", "zażółć")
    assert len(read_trail(path, about="disc", who="anna", limit=3)) == 3
    assert read_trail(path, about="d%c") == read_trail(path, who="bert") == ()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET who = 'bert' WHERE number = 2",
        "DELETE FROM audit WHERE number = 5",
        "DELETE FROM audit",
        "REPLACE INTO audit SELECT number, at, 'bert', role, action, object, old, new, reason,"
        " previous_hash, hash FROM audit WHERE number = 5",
        "INSERT INTO audit SELECT number + 2, at, who, role, action, object, old, new, reason,"
        " hash, hash FROM audit WHERE number = 5",
        "INSERT INTO audit SELECT number + 1, at, who, role, action, object, old, new, reason,"
        " previous_hash, hash FROM audit WHERE number = 5",
        "INSERT INTO audit (at, who, role, action, object, previous_hash, hash)"
        " SELECT at, who, role, action, object, hash, hash FROM audit WHERE number = 5",
        "DELETE FROM user_account",
        "REPLACE INTO user_account VALUES ('eve', 'administrator', 'x', 0, NULL, 0)",
    ],
)
def test_the_database_refuses_to_rewrite_the_past(path: Path, statement: str) -> None:
    sql(path, "INSERT INTO user_account VALUES ('eve', 'operator', 'x', 0, NULL, 0)")
    with pytest.raises(sqlite3.IntegrityError, match=r"append-only|at its end only|never removed"):
        sql(path, statement)
    assert verify_trail(path).walk.head == read_trail(path)[0].hash


def test_one_edited_byte_in_the_file_is_found_and_the_row_named(path: Path) -> None:
    content = path.read_bytes()
    assert content.count("threshold disc0.20.3zażółć".encode()) == 1
    path.write_bytes(content.replace(b"threshold disc0.20.3", b"threshold disc0.20.9"))
    said = verify(path)
    assert said.exit_code == 1
    assert "entry 3 is broken: its content is not what its hash was made of" in said.stdout


def _leaf(path: Path) -> tuple[int, int]:
    """Where the trail's rows lie in the file: its one page's cells, from their start to the end."""
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'audit'"
        ).fetchone()
    page = path.read_bytes()[(root - 1) * PAGE : root * PAGE]
    assert page[0] == 0x0D, "a leaf: all rows on one page (https://www.sqlite.org/fileformat.html)"
    return (root - 1) * PAGE + int.from_bytes(page[5:7], "big"), root * PAGE


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_edited_byte_of_the_rows_is_found(
    written: Path, path: Path, data: st.DataObject
) -> None:
    """Not of the text alone: of lengths, types and numbers, too; and where it is no UTF-8."""
    first, end = _leaf(written)
    content = bytearray(written.read_bytes())
    content[data.draw(st.integers(first, end - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        found = verify_trail(path).walk.broken
    except DatabaseError:
        return
    assert found is not None


def _cut(path: Path) -> None:
    sql(path, "DROP TRIGGER audit_is_never_removed", "DELETE FROM audit WHERE number = 5")


def _thin(path: Path) -> None:
    sql(path, "DROP TRIGGER audit_is_never_removed", "DELETE FROM audit WHERE number = 3")


@pytest.mark.parametrize(
    ("tamper", "told"), [(_cut, "triggers that guard it are gone"), (_thin, "entry 4 is broken")]
)
def test_whoever_takes_the_triggers_away_is_found(
    path: Path, tamper: Callable[[Path], None], told: str
) -> None:
    tamper(path)
    said = verify(path)
    assert said.exit_code == 1
    assert told in said.stdout


def test_a_cut_end_with_the_triggers_put_back_is_found_by_the_head_alone(path: Path) -> None:
    head = read_trail(path)[0].hash
    with closing(sqlite3.connect(path)) as connection:
        (trigger,) = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'audit_is_never_removed'"
        ).fetchone()
    _cut(path)
    sql(path, trigger)
    assert verify(path).exit_code == 0
    said = verify(path, "--head", head)
    assert said.exit_code == 1
    assert "its 4 entries are whole, but the head" in said.stdout


def test_an_entry_is_there_with_its_transaction_or_not_at_all(path: Path) -> None:
    engine = writing_engine(path)
    with engine.connect() as connection:
        with connection.begin() as transaction:
            AuditLog(connection).append(ANNA, change(8))
            transaction.rollback()
        with connection.begin():
            assert AuditLog(connection).append(ANNA, change(9)).number == 6
    engine.dispose()
    assert verify_trail(path).walk.count == 6


@pytest.mark.parametrize(
    "values",
    [
        {"reason": None},
        {"reason": "  "},
        {"reason": "x" * (LONGEST + 1)},
        {"reason": "two\nlines"},
        {"new": "\x1b[2J"},
    ],
)
def test_what_is_no_entry_is_refused(values: dict[str, str | None]) -> None:
    with pytest.raises(InputError, match=r"without a reason|cannot be written"):
        Change(**{"action": Action.THRESHOLD_CHANGED, "object": "x", "reason": "y"} | values)


def test_the_trail_is_printed_newest_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    said = CliRunner().invoke(app, ["audit", str(path), "--object", "disc", "--limit", "2"])
    assert said.exit_code == 0
    assert said.stdout.index(" 0.4 ") < said.stdout.index(" 0.3 ")
    assert " 0.2 " not in said.stdout
    assert "zażółć" in said.stdout


def test_no_database_is_one_sentence(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["audit", str(tmp_path / "no.sqlite")])
    assert said.exit_code == 2
    assert "There is no database at" in said.stderr


def test_the_genesis_is_the_head_of_an_empty_trail(tmp_path: Path) -> None:
    with writing(tmp_path / "new.sqlite"):
        pass
    assert verify_trail(tmp_path / "new.sqlite").walk.head == GENESIS
