"""Roles, passwords, sessions and accounts, on a real database and a real argon2."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Connection, update
from typer.testing import CliRunner

from engine.types import AccessError, DatabaseError, InputError
from inspector.db import people
from inspector.db.audit import Action, Change, read_trail, verify_trail
from inspector.db.changes import Changes
from inspector.db.log import InspectionLog
from inspector.db.people_tables import UserRow
from inspector.db.verify_cli import trail
from inspector.people import passwords
from inspector.people.roles import ALLOWED, Permission, Person, Role, require
from inspector.people.session import Session
from tests.inspector.db_parts import inspection, run_info
from tests.inspector.people_parts import PASSWORDS, Clock, cheap_hashes, logged_in, make_people

WRONG = "twelve wrong letters"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with cheap_hashes():
        return make_people(tmp_path_factory.mktemp("people") / "station.sqlite")


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Iterator[Path]:
    copy = tmp_path / "station.sqlite"
    copy.write_bytes(made.read_bytes())
    with cheap_hashes():
        yield copy


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def changes(path: Path, clock: Clock) -> Iterator[Changes]:
    with Changes(path, clock=clock) as changes:
        yield changes


def actions(path: Path) -> list[str]:
    return [entry.action for entry in reversed(read_trail(path))]


def test_each_role_may_do_more_than_the_one_before() -> None:
    operator, engineer, administrator = (ALLOWED[role] for role in Role)
    assert operator < engineer < administrator == frozenset(Permission)


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("role", Role)
def test_whoever_lacks_a_permission_is_told_whom_to_ask(role: Role, permission: Permission) -> None:
    person = Person("olga", role)
    if permission in ALLOWED[role]:
        require(person, permission)
        return
    with pytest.raises(AccessError, match=f"olga is {role} and may not {permission}: ask somebody"):
        require(person, permission)


def test_operators_cannot_change_thresholds() -> None:
    assert Permission.CHANGE_THRESHOLD not in ALLOWED[Role.OPERATOR]
    assert Permission.CHANGE_THRESHOLD in ALLOWED[Role.ENGINEER]


@pytest.mark.parametrize(
    "password", ["elevenlette", "x" * 257, "passwordpassword", "Passwort12345", "aaaaaaaaaaaaa"]
)
def test_a_password_that_is_short_or_obvious_is_refused(password: str) -> None:
    with pytest.raises(InputError, match="take some words"):
        passwords.hash_password(password, "emil")


def test_a_password_is_not_made_of_its_account() -> None:
    with pytest.raises(InputError, match="first that anybody would try"):
        passwords.hash_password("emilemilemil42", "emil")


def test_length_is_the_only_rule() -> None:
    stored = passwords.hash_password("twelve small")
    assert stored.startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert passwords.is_password(stored, "twelve small")
    assert not passwords.is_password(stored, "Twelve small")


def test_two_ways_to_type_a_letter_are_one_password() -> None:
    stored = passwords.hash_password("zwölf Möwen am Meer")
    assert passwords.is_password(stored, "zwo\u0308lf Mo\u0308wen am Meer")


def test_nobody_has_no_password_and_takes_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    profile = passwords.hasher()

    class Watched(PasswordHasher):
        def verify(self, stored: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
            asked.append(str(stored))
            return super().verify(stored, password)

    monkeypatch.setattr(passwords, "hasher", Watched)
    assert not passwords.is_password(None, WRONG)
    assert asked == [passwords.NOBODY]
    assert not profile.check_needs_rehash(passwords.NOBODY), "the profile has changed"


@pytest.mark.parametrize("role", [Role.ENGINEER, Role.ADMINISTRATOR])
def test_a_session_ends_when_idle_and_not_before(role: Role) -> None:
    now = 0.0
    session = Session(Person("emil", role), lambda: now)
    now = 599.9
    session.require(Permission.CHANGE_THRESHOLD)
    now = 1199.8
    session.require(Permission.CHANGE_THRESHOLD)
    now = 1799.8
    assert session.ended
    for _ in range(2):
        with pytest.raises(AccessError, match="ended after 10 idle minutes: log in again"):
            session.require(Permission.CHANGE_THRESHOLD)


def test_an_operators_session_has_no_end() -> None:
    now = 0.0
    session = Session(Person("olga", Role.OPERATOR), lambda: now)
    now = 1e9
    session.require(Permission.STOP)


def test_whoever_knows_the_password_logs_in(changes: Changes) -> None:
    assert people.log_in(changes, " Emil ", PASSWORDS["emil"]) == Person("emil", Role.ENGINEER)


def test_wrong_name_wrong_password_and_disabled_are_told_the_same(changes: Changes) -> None:
    people.set_disabled(changes, logged_in(changes, "ada"), "olga", True, "left the plant")
    told = set()
    for name, password in (("emil", WRONG), ("nobody", WRONG), ("olga", PASSWORDS["olga"])):
        with pytest.raises(AccessError) as refused:
            people.log_in(changes, name, password)
        told.add(str(refused.value))
    assert told == {"Name or password is wrong: try again, or ask an administrator."}


def fail(changes: Changes, times: int) -> None:
    for _ in range(times):
        with pytest.raises(AccessError, match="is wrong"):
            people.log_in(changes, "emil", WRONG)


def test_five_failures_lock_for_fifteen_minutes_whatever_restarts(path: Path, clock: Clock) -> None:
    for _ in range(5):
        with Changes(path, clock=clock) as changes:
            fail(changes, 1)
    with Changes(path, clock=clock) as changes:
        clock.wait(14.5)
        with pytest.raises(AccessError, match=r"emil is locked after 5 .* again in 1 min"):
            people.log_in(changes, "emil", PASSWORDS["emil"])
        clock.wait(0.5)
        assert people.log_in(changes, "emil", PASSWORDS["emil"]).name == "emil"
    assert actions(path)[-1] == Action.ACCOUNT_LOCKED
    assert read_trail(path)[0].object == "user emil"


def test_four_failures_are_forgotten_by_one_success(changes: Changes) -> None:
    for _ in range(3):
        fail(changes, 4)
        people.log_in(changes, "emil", PASSWORDS["emil"])


def test_after_a_lock_there_are_five_attempts_again(changes: Changes, clock: Clock) -> None:
    fail(changes, 5)
    clock.wait(15)
    fail(changes, 4)
    assert people.log_in(changes, "emil", PASSWORDS["emil"])


def test_many_guesses_at_once_are_five_guesses(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits until all have been counted, as if its argon2 took that long."""
    asked, met = [], threading.Barrier(5)

    def slow(stored: str | None, password: str) -> bool:
        asked.append(password)
        met.wait(timeout=20)
        return False

    def guess() -> None:
        with Changes(path, clock=clock) as own, pytest.raises(AccessError):
            people.log_in(own, "emil", WRONG)

    monkeypatch.setattr("inspector.db.people.is_password", slow)
    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(asked) == 5


def test_the_first_account_needs_nobody_and_the_next_one_does(tmp_path: Path) -> None:
    path = tmp_path / "new" / "station.sqlite"
    with Changes(path, create=True) as changes:
        people.add_first(changes, "Ada", PASSWORDS["ada"])
        with pytest.raises(AccessError, match="an administrator has to log in"):
            people.add_first(changes, "eve", PASSWORDS["emil"])
        (account,) = read_accounts(changes)
    assert (account.name, account.role) == ("ada", Role.ADMINISTRATOR)
    assert actions(path) == [Action.USER_ADDED]


def read_accounts(changes: Changes) -> tuple[people.Account, ...]:
    with changes.transaction() as connection:
        return people.accounts(connection)


MANAGED: dict[str, Callable[[Changes, Session], object]] = {
    "add": lambda c, s: people.add(c, s, "eve", Role.ENGINEER, "a password of eve's", None),
    "role": lambda c, s: people.set_role(c, s, "olga", Role.ADMINISTRATOR, "she asked"),
    "disable": lambda c, s: people.set_disabled(c, s, "ada", True, "in my way"),
    "password": lambda c, s: people.set_password(c, s, "ada", "a password of mine", None),
}


@pytest.mark.parametrize("what", MANAGED)
@pytest.mark.parametrize("who", ["olga", "emil"])
def test_only_administrators_manage_people(
    path: Path, changes: Changes, who: str, what: str
) -> None:
    before = read_accounts(changes), actions(path)
    session = logged_in(changes, who)
    with pytest.raises(AccessError, match="may not manage people"):
        MANAGED[what](changes, session)
    assert (read_accounts(changes), actions(path)) == before
    people.log_in(changes, "ada", PASSWORDS["ada"])


def test_what_an_administrator_does_is_in_the_trail(path: Path, changes: Changes) -> None:
    ada = logged_in(changes, "ada")
    people.set_role(changes, ada, "olga", Role.ENGINEER, "trained")
    people.set_disabled(changes, ada, "emil", True, "left")
    people.set_disabled(changes, ada, "emil", False, "came back")
    people.set_password(changes, ada, "olga", "another of nine", "forgotten")
    shown = [
        (entry.who, entry.action, entry.object, entry.old, (entry.new or "")[:9], entry.reason)
        for entry in reversed(read_trail(path, limit=4))
    ]
    assert shown == [
        ("ada", "role_changed", "user olga", "operator", "engineer", "trained"),
        ("ada", "user_disabled", "user emil", "enabled", "disabled", "left"),
        ("ada", "user_enabled", "user emil", "disabled", "enabled", "came back"),
        ("ada", "password_changed", "user olga", None, "password ", "forgotten"),
    ]
    assert verify_trail(path).walk.broken is None
    assert people.log_in(changes, "olga", "another of nine").role is Role.ENGINEER


TAMPER = {
    "ada": "UPDATE user_account SET password_hash ="
    " (SELECT password_hash FROM user_account WHERE name = 'olga') WHERE name = 'ada'",
    "emil": "UPDATE user_account SET disabled = 1 WHERE name = 'emil'",
    "eve": "INSERT INTO user_account VALUES ('eve', 'operator', 'x', 0, NULL, 0)",
    "olga": "UPDATE user_account SET role = 'administrator' WHERE name = 'olga'",
}


def test_accounts_are_as_the_trail_has_them(path: Path, changes: Changes) -> None:
    ada = logged_in(changes, "ada")
    people.set_role(changes, ada, "olga", Role.ENGINEER, "trained")
    people.set_disabled(changes, ada, "emil", True, "left")
    people.set_password(changes, ada, "olga", "another of nine", None)
    assert verify_trail(path).strangers == ()
    people.set_disabled(changes, ada, "emil", False, "came back")
    fail(changes, 5)
    assert verify_trail(path).strangers == ()


@pytest.mark.parametrize("name", TAMPER)
def test_an_account_changed_past_the_trail_is_found(path: Path, name: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(TAMPER[name])
        connection.commit()
    assert verify_trail(path).strangers == (name,)
    said = CliRunner().invoke(trail, ["verify", str(path)])
    assert said.exit_code == 1
    assert f"accounts are not as it has them: {name}." in said.stdout


def test_ones_own_password_is_ones_own_affair(changes: Changes) -> None:
    olga = logged_in(changes, "olga")
    people.set_password(changes, olga, "Olga", "another of nine", None)
    assert people.log_in(changes, "olga", "another of nine")


def test_a_new_password_unlocks(changes: Changes) -> None:
    fail(changes, 5)
    people.set_password(changes, logged_in(changes, "ada"), "emil", "a lamp over water", None)
    assert people.log_in(changes, "emil", "a lamp over water")


@pytest.mark.parametrize(
    "change",
    [
        lambda c, s: people.set_role(c, s, "ada", Role.OPERATOR, "tired"),
        lambda c, s: people.set_disabled(c, s, "ada", True, "tired"),
    ],
)
def test_the_last_administrator_stays(
    path: Path, changes: Changes, change: Callable[[Changes, Session], object]
) -> None:
    before = actions(path)
    with pytest.raises(InputError, match="last administrator"):
        change(changes, logged_in(changes, "ada"))
    assert actions(path) == before
    people.set_role(changes, logged_in(changes, "ada"), "emil", Role.ADMINISTRATOR, "for two")
    change(changes, logged_in(changes, "ada"))


def test_what_somebody_was_when_he_logged_in_is_not_what_he_is(changes: Changes) -> None:
    ada, emil = logged_in(changes, "ada"), logged_in(changes, "emil")
    people.set_role(changes, ada, "emil", Role.ADMINISTRATOR, "for two")
    late = logged_in(changes, "emil")
    people.set_role(changes, ada, "emil", Role.OPERATOR, "a mistake")
    with pytest.raises(AccessError, match="emil is operator and may not manage people"):
        people.set_role(changes, late, "ada", Role.OPERATOR, "mine now")
    people.set_disabled(changes, ada, "emil", True, "left")
    with pytest.raises(AccessError, match="emil is disabled"):
        people.set_password(changes, emil, "emil", "another of mine", None)


def test_a_change_that_fails_leaves_no_entry_and_an_entry_that_fails_no_change(
    path: Path, changes: Changes
) -> None:
    ada, before = logged_in(changes, "ada"), (read_accounts(changes), actions(path))

    def broken(connection: Connection) -> Change:
        connection.execute(update(UserRow).values(role="operator"))
        return 1 / 0  # type: ignore[return-value]

    with pytest.raises(ZeroDivisionError):
        changes.make(ada, Permission.MANAGE_PEOPLE, broken)
    with closing(sqlite3.connect(path)) as other:
        other.execute(
            "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    with pytest.raises(Exception, match="no"):
        people.set_role(changes, ada, "olga", Role.ENGINEER, "trained")
    assert (read_accounts(changes), actions(path)) == before


def test_a_locked_database_is_one_sentence(path: Path) -> None:
    with Changes(path, busy_ms=20) as changes, closing(sqlite3.connect(path)) as other:
        session = logged_in(changes, "ada")
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="is locked by another program"):
            people.set_role(changes, session, "olga", Role.ENGINEER, "trained")


def test_people_change_things_beside_a_station_that_writes(path: Path) -> None:
    with InspectionLog(path, run_info()) as log, Changes(path) as changes:
        ada = logged_in(changes, "ada")
        for number in range(20):
            log.write(inspection(number))
            people.set_role(changes, ada, "olga", list(Role)[number % 3], "back and forth")
        with changes.transaction() as connection:
            pragma = connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar_one()
    assert pragma == 0, "checkpoints are the station's"
    assert verify_trail(path).walk.count == 23
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM inspection").fetchone() == (20,)


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb", "\x1b[2J"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="is no account's name"):
        people.account_name(name)


def test_a_taken_name_is_refused_however_it_is_written(changes: Changes) -> None:
    with pytest.raises(InputError, match="There is an account emil already"):
        people.add(
            changes, logged_in(changes, "ada"), "EMIL", Role.OPERATOR, "twelve new words", ""
        )
