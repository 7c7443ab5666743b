"""`inspector users`: passwords line by line from stdin, or on the terminal without an echo."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine.types import InputError
from inspector.cli import app
from inspector.db.audit import read_trail
from inspector.people.passwords import hash_password, is_password
from tests.inspector.people_parts import PASSWORDS, cheap_hashes, make_people


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "station.sqlite"


def users(path: Path, *arguments: str, lines: tuple[str, ...] = ()) -> Result:
    command = ["users", *arguments, "--database", str(path)]
    return CliRunner().invoke(app, command, input="".join(f"{line}\n" for line in lines))


def test_people_are_made_from_nothing_and_managed_by_the_first(path: Path) -> None:
    ada = "seven green bicycles"
    made = users(path, "add", "Ada", "--role", "administrator", lines=(ada,))
    assert (made.exit_code, made.stdout) == (0, "user ada is administrator (audit entry 1).\n")

    more = ("add", "emil", "--role", "operator", "--as", "ada")
    assert users(path, *more, lines=(ada, "a lamp under water")).exit_code == 0
    given = ("role", "emil", "engineer", "--reason", "trained")
    assert users(path, *given, lines=("ada", ada)).stdout == (
        "user emil is engineer, was operator (audit entry 3).\n"
    )
    other = users(path, "password", "emil", "--as", "ada", lines=(ada, "a lamp over water"))
    assert other.exit_code == 0
    left = ("disable", "emil", "--as", "ada", "--reason", "left")
    assert users(path, *left, lines=(ada,)).exit_code == 0
    assert users(path, "list").stdout == "ada\tadministrator\tactive\nemil\tengineer\tdisabled\n"
    assert users(path, *left, "--undo", lines=(ada,)).exit_code == 0
    assert users(path, "list").stdout.endswith("emil\tengineer\tactive\n")
    assert [entry.action for entry in read_trail(path)] == [
        *("user_enabled", "user_disabled", "password_changed", "role_changed"),
        *("user_added", "user_added"),
    ]


def test_the_first_is_an_administrator(path: Path) -> None:
    said = users(path, "add", "emil", "--role", "engineer", lines=("a lamp under water",))
    assert said.exit_code == 2
    assert "The first account is an administrator's" in said.stderr
    assert users(path, "list").stdout == ""


def test_nobody_is_added_without_an_administrator(path: Path) -> None:
    make_people(path)
    for lines in ((PASSWORDS["olga"], "a new password"), ("a wrong password", "x" * 12), ()):
        said = users(path, "add", "eve", "--role", "engineer", "--as", "olga", lines=lines)
        assert said.exit_code == 2
        assert said.stderr.count("\n") == 1
    assert "eve" not in users(path, "list").stdout


def test_a_terminal_shows_no_password(path: Path) -> None:
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "inspector", "users", "add", "ada"]
    command += ["--role", "administrator", "--database", str(path)]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        shown = b""
        for prompt in (b"New password of ada: ", b"The same again: "):
            while prompt not in shown:
                shown += os.read(ours, 1024)
            os.write(ours, b"seven green bicycles\n")
        while b"audit entry 1" not in shown:
            shown += os.read(ours, 1024)
        process.wait(timeout=60)
    os.close(ours)
    assert process.returncode == 0
    assert b"bicycles" not in shown


def test_a_lock_is_listed_while_it_holds_and_no_longer_than_any_can(path: Path) -> None:
    make_people(path)
    for minutes, state in ((5, "locked"), (-5, "active"), (24 * 60, "active")):
        until = datetime.now(UTC) + timedelta(minutes=minutes)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(
                "UPDATE user_account SET locked_until = ? WHERE name = 'emil'",
                [f"{until:%Y-%m-%d %H:%M:%S.%f}"],
            )
        assert f"emil\tengineer\t{state}\n" in users(path, "list").stdout


def test_a_password_of_other_bytes_is_nobodys() -> None:
    """As a terminal in the locale C hands them over."""
    odd = b"seven gr\xfcn bicycles".decode("utf-8", "surrogateescape")
    with pytest.raises(InputError, match="type it anew"):
        hash_password(odd)
    with cheap_hashes():
        assert not is_password(hash_password("seven green bicycles"), odd)
        assert not is_password("$argon2id$ä", "seven green bicycles")
        assert not is_password(None, odd)
