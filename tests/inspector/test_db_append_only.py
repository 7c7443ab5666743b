"""The database itself refuses to rewrite the past, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, exc, text

from inspector.db.audit import Action, AuditLog, Change
from inspector.db.central import engine_of, parse_url, upgrade_url
from inspector.db.writer import Writer
from inspector.people.roles import Person, Role
from tests.inspector.pipeline_parts import NOON
from tests.inspector.postgres import postgres_server

ANNA = Person("anna", Role.ENGINEER)
FIELDS = "at, who, role, action, object, old, new, reason"
REFUSED = r"append-only|at its end only|never removed|never changed or removed"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_server() as url:
        upgrade_url(url)
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database of each kind. PostgreSQL's is shared: nothing is committed to it."""
    if request.param == "sqlite":
        with Writer(path := tmp_path / "site.sqlite"):
            pass
        engine = engine_of(parse_url(f"sqlite:///{path.as_posix()}"))
    else:
        engine = create_engine(parse_url(str(request.getfixturevalue("server"))))
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """In a transaction that is rolled back: an account, and three entries of the trail."""
    with engine.connect() as connection, connection.begin() as transaction:
        row = "('eve', 'operator', 'x', 0, NULL, FALSE)"
        connection.execute(text(f"INSERT INTO user_account VALUES {row}"))
        for number in range(3):
            change = Change(Action.THRESHOLD_CHANGED, "disc", f"0.{number}", "1", "zażółć")
            AuditLog(connection, lambda: NOON).append(ANNA, change)
        yield connection
        transaction.rollback()


def trail(connection: Connection) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.execute(text("SELECT * FROM audit ORDER BY number"))]


def refused(connection: Connection, statement: str) -> None:
    """The database says no, and why; the rest of the transaction stands."""
    with pytest.raises(exc.DBAPIError, match=REFUSED), connection.begin_nested():
        connection.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET new = '0.9' WHERE number = 2",
        "UPDATE audit SET reason = reason",
        "UPDATE audit SET number = 9 WHERE number = 3",
        "DELETE FROM audit WHERE number = 3",
        "DELETE FROM audit",
        f"INSERT INTO audit SELECT number + 2, {FIELDS}, hash, 'x' || substr(hash, 2)"
        " FROM audit WHERE number = 3",
        f"INSERT INTO audit SELECT number + 1, {FIELDS}, previous_hash, 'x' || substr(hash, 2)"
        " FROM audit WHERE number = 3",
        f"INSERT INTO audit SELECT number, {FIELDS}, previous_hash, hash FROM audit"
        " WHERE number = 2 ON CONFLICT (number) DO UPDATE SET new = '0.9'",
        "DELETE FROM user_account WHERE name = 'eve'",
        "DELETE FROM user_account",
    ],
)
def test_what_was_written_stays(connection: Connection, statement: str) -> None:
    before = trail(connection)
    assert len(before) == 3
    refused(connection, statement)

    assert trail(connection) == before
    assert connection.scalar(text("SELECT count(*) FROM user_account")) == 1


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@pytest.mark.parametrize("table", ["audit", "user_account"])
def test_no_table_is_emptied_at_one_stroke(connection: Connection, table: str) -> None:
    """TRUNCATE fires no trigger for a row; SQLite does not have it."""
    before = trail(connection)
    refused(connection, f"TRUNCATE {table}")

    assert trail(connection) == before
    assert connection.scalar(text("SELECT count(*) FROM user_account")) == 1


def test_the_trail_goes_on_and_an_account_changes(connection: Connection) -> None:
    """What is meant to be possible is, on both."""
    last = trail(connection)[-1]
    entry = AuditLog(connection, lambda: NOON).append(
        ANNA, Change(Action.THRESHOLD_CHANGED, "disc", "1", "2", "on and on")
    )
    assert (entry.number, entry.previous_hash) == (4, last[-1])
    connection.execute(text("UPDATE user_account SET disabled = TRUE WHERE name = 'eve'"))
    assert len(trail(connection)) == 4
