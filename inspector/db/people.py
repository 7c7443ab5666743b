"""Accounts: logging in, and what administrators do with people. All of it is in the audit trail."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from engine.types import AccessError, InputError
from inspector.db.audit import Action, AuditLog, Change
from inspector.db.chain import Entry
from inspector.db.changes import Changes
from inspector.db.people_tables import UserRow
from inspector.db.standing import PASSWORD, fingerprint_of, made_with, object_of
from inspector.people.passwords import hash_password, is_password
from inspector.people.roles import Permission, Person, Role
from inspector.people.session import Session

FAILURES: Final = 5
LOCKED_FOR: Final = timedelta(minutes=15)
LONGEST_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class Account:
    """What is shown of a person's account; ``locked_until`` is None or UTC, maybe of the past."""

    name: str
    role: Role
    disabled: bool
    locked_until: datetime | None


def account_name(name: str) -> str:
    """One form for what looks the same; :class:`InputError` for what is no name."""
    normal = unicodedata.normalize("NFKC", name).strip().casefold()
    if not (0 < len(normal) <= LONGEST_NAME and normal.isprintable()):
        raise InputError(f"{name!r} is no account's name: take 1 to {LONGEST_NAME} characters.")
    return normal


def accounts(connection: Connection) -> tuple[Account, ...]:
    """All of them, by name."""
    columns = UserRow.name, UserRow.role, UserRow.disabled, UserRow.locked_until
    rows = connection.execute(select(*columns).order_by(UserRow.name))
    return tuple(Account(r.name, Role(r.role), r.disabled, r.locked_until) for r in rows)


def is_locked(until: datetime | None, now: datetime) -> bool:
    """Whether an account is, by its row. A clock may be set back: no lock is longer than ours."""
    return until is not None and now < until <= now + LOCKED_FOR


def log_in(changes: Changes, name: str, password: str) -> Person:
    """Who it is; :class:`AccessError` where name or password is wrong, or the account locked.

    An attempt is counted before the password is looked at, so that many at once are no more than
    :data:`FAILURES`, and stays counted where the program is killed meanwhile. An unknown and a
    disabled name cost the same work as a wrong password and get the same sentence; a locked one is
    told so at once.
    """
    wanted = account_name(name)
    found = _count_attempt(changes, wanted)
    if not is_password(found and found.password_hash, password):
        if found is not None and found.failed_attempts >= FAILURES:
            _note_lock(changes, Person(wanted, Role(found.role)))
        raise AccessError("Name or password is wrong: try again, or ask an administrator.")
    assert found is not None
    with changes.transaction() as connection:
        _set(connection, wanted, failed_attempts=0, locked_until=None)
    return Person(wanted, Role(found.role))


def add_first(changes: Changes, name: str, password: str) -> Entry:
    """Make the first account, an administrator; :class:`AccessError` once there is one."""
    wanted = account_name(name)
    stored = hash_password(password, wanted)
    person = Person(wanted, Role.ADMINISTRATOR)
    with changes.transaction() as connection:
        if accounts(connection):
            raise AccessError("There are accounts already: an administrator has to log in.")
        change = _insert(connection, wanted, person.role, stored, "the first account")
        return AuditLog(connection, changes.clock).append(person, change)


def add(
    changes: Changes, session: Session, name: str, role: Role, password: str, reason: str | None
) -> Entry:
    """Make an account; :class:`InputError` where the name is taken or the password too easy."""
    session.require(Permission.MANAGE_PEOPLE)  # before a tenth of a second goes into the hash
    wanted = account_name(name)
    stored = hash_password(password, wanted)
    return changes.make(
        session,
        Permission.MANAGE_PEOPLE,
        lambda connection: _insert(connection, wanted, role, stored, reason),
    )


def set_role(changes: Changes, session: Session, name: str, role: Role, reason: str) -> Entry:
    """Give a person another role; the last administrator keeps his."""

    def perform(connection: Connection) -> Change:
        account = _account(connection, name)
        _set(connection, account.name, role=role.value)
        _require_administrator(connection)
        return Change(
            Action.ROLE_CHANGED, object_of(account.name), account.role.value, role.value, reason
        )

    return changes.make(session, Permission.MANAGE_PEOPLE, perform)


def set_disabled(
    changes: Changes, session: Session, name: str, disabled: bool, reason: str
) -> Entry:
    """Disable an account, or enable it again; never that of the last administrator."""

    def perform(connection: Connection) -> Change:
        account = _account(connection, name)
        _set(connection, account.name, disabled=disabled)
        _require_administrator(connection)
        action = Action.USER_DISABLED if disabled else Action.USER_ENABLED
        old, new = ("disabled" if off else "enabled" for off in (account.disabled, disabled))
        return Change(action, object_of(account.name), old, new, reason)

    return changes.make(session, Permission.MANAGE_PEOPLE, perform)


def set_password(
    changes: Changes, session: Session, name: str, password: str, reason: str | None
) -> Entry:
    """Give an account another password, which unlocks it: one's own, or as administrator."""
    wanted = account_name(name)
    own = wanted == session.person.name
    permission = Permission.RUN if own else Permission.MANAGE_PEOPLE  # everybody may run
    session.require(permission)
    stored = hash_password(password, wanted)

    def perform(connection: Connection) -> Change:
        account = _account(connection, wanted)
        _set(connection, account.name, password_hash=stored, failed_attempts=0, locked_until=None)
        new = f"{PASSWORD}{fingerprint_of(stored)}"
        return Change(Action.PASSWORD_CHANGED, object_of(account.name), new=new, reason=reason)

    return changes.make(session, permission, perform)


def _count_attempt(changes: Changes, name: str) -> Row[Any] | None:
    """The account, this attempt counted in; None for none and for a disabled one."""
    now = changes.clock()
    with changes.transaction() as connection:
        found = _find(connection, name)
        if found is None or found.disabled:
            return None
        if is_locked(found.locked_until, now):
            minutes = -(-(found.locked_until - now) // timedelta(minutes=1))
            raise AccessError(
                f"The account {name} is locked after {FAILURES} wrong passwords: "
                f"try again in {minutes} min, or ask an administrator."
            )
        failed = 1 if found.locked_until is not None else found.failed_attempts + 1
        locked_until = now + LOCKED_FOR if failed >= FAILURES else None
        _set(connection, name, failed_attempts=failed, locked_until=locked_until)
        return _find(connection, name)


def _note_lock(changes: Changes, person: Person) -> None:
    with changes.transaction() as connection:
        change = Change(
            Action.ACCOUNT_LOCKED, object_of(person.name), reason=f"{FAILURES} wrong passwords"
        )
        AuditLog(connection, changes.clock).append(person, change)


def _insert(
    connection: Connection, name: str, role: Role, stored: str, reason: str | None
) -> Change:
    if _find(connection, name) is not None:
        raise InputError(f"There is an account {name} already: take another name.")
    row = {"name": name, "role": role.value, "password_hash": stored}
    connection.execute(insert(UserRow).values(row | {"failed_attempts": 0, "disabled": False}))
    return Change(
        Action.USER_ADDED, object_of(name), new=made_with(role.value, stored), reason=reason
    )


def _account(connection: Connection, name: str) -> Account:
    wanted = account_name(name)
    for account in accounts(connection):
        if account.name == wanted:
            return account
    raise InputError(f"There is no account {wanted}: 'inspector users list' shows all.")


def _find(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(UserRow.__table__).where(UserRow.name == name)).first()


def _set(connection: Connection, name: str, **values: object) -> None:
    connection.execute(update(UserRow).where(UserRow.name == name).values(values))


def _require_administrator(connection: Connection) -> None:
    """Somebody has to be able to make another one; what was done is undone with the transaction."""
    active = UserRow.role == Role.ADMINISTRATOR.value, UserRow.disabled.is_(False)
    if not connection.scalar(select(func.count()).select_from(UserRow).where(*active)):
        raise InputError("This is the last administrator: make another one first.")
