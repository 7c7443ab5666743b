"""What the window asks of the accounts, beside a station that writes; argon2 is real, if cheap."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.types import AccessError, DatabaseError
from inspector.db import people
from inspector.db.accounts import Accounts
from inspector.db.changes import Changes
from inspector.db.log import InspectionLog
from inspector.people.roles import Person, Role
from tests.inspector.db_parts import inspection, run_info
from tests.inspector.people_parts import PASSWORDS, Clock, cheap_hashes, logged_in, make_people


def test_people_sign_in_beside_a_station_that_writes(tmp_path: Path) -> None:
    path, clock = tmp_path / "station.sqlite", Clock()
    with (
        cheap_hashes(),
        Accounts(make_people(path), clock=clock) as accounts,
        InspectionLog(path, run_info()) as log,
    ):
        for number in range(6):
            log.write(inspection(number))
            assert accounts.log_in("olga", PASSWORDS["olga"]) == Person("olga", Role.OPERATOR)
        fail(accounts)
        with Changes(path, clock=clock) as changes:
            people.set_disabled(changes, logged_in(changes, "ada"), "olga", True, "left")
        shown = {account.name: account for account in accounts.known()}
    assert list(shown) == ["ada", "emil", "olga"]
    assert shown["olga"].disabled
    assert shown["emil"].locked_until == clock.now + people.LOCKED_FOR
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM inspection").fetchone() == (6,)


def test_a_database_that_nobody_has_made_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="There is no database"), Accounts(tmp_path / "none"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_clock_that_was_ahead_locks_nobody_once_it_is_set_right(tmp_path: Path) -> None:
    day, clock = 24 * 60, Clock()
    with (
        cheap_hashes(),
        Accounts(make_people(tmp_path / "station.sqlite"), clock=clock) as accounts,
    ):
        clock.wait(day)
        fail(accounts)
        clock.wait(-day)
        assert accounts.log_in("emil", PASSWORDS["emil"]) == Person("emil", Role.ENGINEER)
        clock.wait(day)
        fail(accounts)
        clock.wait(-day)
        fail(accounts)
        with pytest.raises(AccessError, match="is locked"):
            accounts.log_in("emil", PASSWORDS["emil"])


def fail(accounts: Accounts) -> None:
    """As often as it takes to be locked."""
    for _ in range(people.FAILURES):
        with pytest.raises(AccessError, match="is wrong"):
            accounts.log_in("emil", "twelve wrong letters")
