"""A file that was edited to hold bytes that are no text: said by whatever command meets it."""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine.types import DatabaseError
from inspector.cli import app
from inspector.db.accounts import Accounts
from inspector.db.audit import verify_trail
from inspector.db.history import History
from inspector.db.log import InspectionLog
from tests.inspector.db_parts import inspection, run_info
from tests.inspector.people_parts import PASSWORDS, make_people

NO_TEXT = "CAST(X'FF41' AS TEXT)"
ESCAPE = "char(27) || '[2K' || char(13) || 'The audit trail is whole'"

pytestmark = pytest.mark.usefixtures("cheap")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = make_people(tmp_path / "station.sqlite")
    with InspectionLog(path, run_info()) as log:
        log.write(inspection(1))
    return path


def edit(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.mark.parametrize(
    ("name", "shown"), [(NO_TEXT, "�A."), (ESCAPE, "�[2K�The audit trail is whole.")]
)
def test_verify_finds_an_account_whose_name_is_no_text(path: Path, name: str, shown: str) -> None:
    edit(path, f"INSERT INTO user_account VALUES ({name}, 'operator', 'x', 0, NULL, 0)")
    said = run("db", "verify", path)

    assert said.exit_code == 1
    assert said.stdout.endswith(f"accounts are not as it has them: {shown}\n")
    assert len(verify_trail(path).strangers) == 1


@pytest.mark.parametrize("at", ["X'FF41'", NO_TEXT, "7"])
def test_the_trail_is_printed_whatever_it_holds(path: Path, at: str) -> None:
    edit(path, "DROP TRIGGER audit_is_never_changed", f"UPDATE audit SET at = {at}")
    said = run("audit", path)

    assert said.exit_code == 0
    assert "emil" in said.stdout
    assert run("db", "verify", path).exit_code == 1


def test_accounts_that_are_no_text_are_damage(path: Path) -> None:
    with Accounts(path) as accounts:
        edit(path, f"UPDATE user_account SET password_hash = {NO_TEXT} WHERE name = 'olga'")
        with pytest.raises(DatabaseError, match="is damaged: restore a backup"):
            accounts.log_in("olga", PASSWORDS["olga"])
        edit(path, f"UPDATE user_account SET name = {NO_TEXT} WHERE name = 'olga'")
        with pytest.raises(DatabaseError, match="is damaged: restore a backup"):
            accounts.known()
    said = run("users", "list", "--database", path)

    assert said.exit_code == 2
    assert "is damaged: restore a backup" in said.stderr


def test_records_that_are_no_text_are_damage(path: Path) -> None:
    edit(path, f"UPDATE inspection SET lot = {NO_TEXT}, crop = {NO_TEXT}")
    with History(path) as history, pytest.raises(DatabaseError, match="is damaged"):
        history.page()
    said = run("db", "check", path)

    assert said.exit_code == 2
    assert "is damaged: restore a backup" in said.stderr


@pytest.mark.parametrize(
    ("edited", "told"),
    [
        ("inspection SET crop = X'FF41'", "The picture b'\\xffA' is not on the disk."),
        (f"inspection SET crop = '{'x' * 300}'", "xxx is not on the disk."),
        ("recipe_version SET recipe = X'FF41'", "is not the one that has this hash."),
    ],
)
def test_what_is_no_name_and_no_recipe_is_found(path: Path, edited: str, told: str) -> None:
    edit(path, f"UPDATE {edited}")
    said = run("db", "check", path)

    assert said.exit_code == 1
    assert told in said.stdout


def test_a_list_of_people_moves_no_cursor(path: Path) -> None:
    edit(path, f"UPDATE user_account SET name = {ESCAPE} WHERE name = 'olga'")

    said = run("users", "list", "--database", path)
    assert "�[2K�The audit trail is whole\toperator" in said.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are Unicode")
def test_a_database_whose_name_is_no_text_is_named(path: Path) -> None:
    odd = path.with_name(os.fsdecode(b"caf\xe9.sqlite"))

    assert run("db", "backup", path, odd).stdout.endswith("caf�.sqlite\n")
    assert run("db", "check", odd).stdout.endswith("caf�.sqlite: sound.\n")
    assert "caf�.sqlite is whole: 3 entries" in run("db", "verify", odd).stdout
