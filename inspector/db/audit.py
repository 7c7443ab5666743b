"""The audit trail: who changed what, when, from what to what, and why (21 CFR Part 11.10(e)).

Entries are only ever added, each chained to the one before (:mod:`inspector.db.chain`); triggers
of the database refuse the rest. How far a trail can be trusted is said there.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Row, insert, select, text

from engine.types import InputError
from inspector.clock import utc_now
from inspector.db.chain import GENESIS, Entry, Walk, sealed, walk
from inspector.db.errors import explained
from inspector.db.people_tables import AuditRow
from inspector.db.reading import reading
from inspector.db.standing import Standing, fingerprint_of, noted, strangers
from inspector.people.roles import Person
from inspector.texts import storable

LONGEST: Final = 1000
"""Characters of one field of an entry."""


class Action(StrEnum):
    """What was done, for machines. A code keeps its meaning for ever."""

    USER_ADDED = "user_added"
    ROLE_CHANGED = "role_changed"
    USER_DISABLED = "user_disabled"
    USER_ENABLED = "user_enabled"
    PASSWORD_CHANGED = "password_changed"
    ACCOUNT_LOCKED = "account_locked"
    THRESHOLD_CHANGED = "threshold_changed"
    THRESHOLD_NOT_CHANGED = "threshold_not_changed"
    RECORDS_SENT_AGAIN = "records_sent_again"
    PART_REVIEWED = "part_reviewed"
    DATABASE_RESTORED = "database_restored"


WANT_REASON: Final = frozenset(
    {
        Action.ROLE_CHANGED,
        Action.USER_DISABLED,
        Action.USER_ENABLED,
        Action.THRESHOLD_CHANGED,
        Action.THRESHOLD_NOT_CHANGED,
        Action.RECORDS_SENT_AGAIN,
        Action.DATABASE_RESTORED,
    }
)


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody does: :class:`InputError` where the action wants a reason and has none, or a
    text is longer than :data:`LONGEST` or holds what no screen shows."""

    action: Action
    object: str
    old: str | None = None
    new: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.action in WANT_REASON and not (self.reason or "").strip():
            raise InputError(f"{self.object} is not changed without a reason: say why.")
        for value in (self.object, self.old, self.new, self.reason):
            if value is not None and (len(value) > LONGEST or not value.isprintable()):
                raise InputError(
                    f"{value[:40]!r} cannot be written into the audit trail: "
                    f"give one line of at most {LONGEST} characters."
                )


class AuditLog:
    """Adds entries in the transaction that the connection is in, which makes the change, too.

    The transaction has to hold the write lock from its beginning, as those of a
    :func:`inspector.db.connect.writing_engine` do: the last hash is read in it.
    """

    def __init__(self, connection: Connection, clock: Callable[[], datetime] = utc_now) -> None:
        self._connection = connection
        self._clock = clock

    def append(self, person: Person, change: Change) -> Entry:
        """Add one entry at the end of the chain; it counts once the transaction is committed."""
        newest = select(AuditRow.number, AuditRow.hash).order_by(AuditRow.number.desc()).limit(1)
        last = self._connection.execute(newest).first()
        number, head = (0, GENESIS) if last is None else (last.number, last.hash)
        entry = sealed(
            Entry(
                number=number + 1,
                at=_utc_text(self._clock()),
                who=person.name,
                role=person.role.value,
                action=change.action.value,
                object=change.object,
                old=change.old,
                new=change.new,
                reason=change.reason,
                previous_hash=head,
            )
        )
        self._connection.execute(insert(AuditRow).values(asdict(entry)))
        return entry


@dataclass(frozen=True, slots=True)
class TrailCheck:
    """What :func:`verify_trail` found; ``unguarded`` names triggers that are gone, ``strangers``
    accounts that are not as a whole trail has them."""

    walk: Walk
    unguarded: tuple[str, ...]
    strangers: tuple[str, ...]


GUARDS: Final = ("audit_is_a_chain", "audit_is_never_changed", "audit_is_never_removed")


def verify_trail(path: Path, kept_head: str = GENESIS) -> TrailCheck:
    """Read the whole trail of a database, check each byte of every entry, and the accounts by it.

    ``kept_head`` is a head that an earlier check gave and that was kept elsewhere: a trail whose
    end was cut off, or that was computed anew, does not pass it. :class:`DatabaseError` where the
    file is none of ours, or damaged.
    """
    with _opened(path) as connection:
        standings: dict[str, Standing] = {}
        found = walk(noted(_entries(connection), standings), kept_head)
        odd = strangers(standings, _accounts(connection)) if found.broken is None else ()
        return TrailCheck(found, _unguarded(connection), odd)


def read_trail(
    path: Path, *, about: str | None = None, who: str | None = None, limit: int = 50
) -> tuple[Entry, ...]:
    """The last ``limit`` entries, newest first: of objects that contain ``about``, by ``who``."""
    query = select(AuditRow.__table__).order_by(AuditRow.number.desc()).limit(limit)
    if about is not None:
        query = query.where(AuditRow.object.contains(storable(about), autoescape=True))
    if who is not None:
        query = query.where(AuditRow.who == storable(who))
    with _opened(path) as connection:
        return tuple(_entry(row) for row in connection.execute(query))


@contextmanager
def _opened(path: Path) -> Iterator[Connection]:
    """A connection that only reads, and takes any bytes for text: an edited one may leave no UTF-8,
    and is to be found, not to be choked on."""
    with reading(path) as engine, explained(path), engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        yield connection


def _entries(connection: Connection) -> Iterator[Entry]:
    query = select(AuditRow.__table__).order_by(AuditRow.number)
    for row in connection.execution_options(yield_per=1000).execute(query):
        yield _entry(row)


def _accounts(connection: Connection) -> dict[str, Standing]:
    """As they stand in the file, which may have been edited to hold anything."""
    query = text("SELECT name, role, disabled, password_hash FROM user_account")
    return {
        str(name): Standing(str(role), bool(disabled), fingerprint_of(str(password_hash)))
        for name, role, disabled, password_hash in connection.execute(query)
    }


def _entry(row: Row[tuple[object, ...]]) -> Entry:
    return Entry(**row._mapping)


def _unguarded(connection: Connection) -> tuple[str, ...]:
    query = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'")
    found = set(connection.scalars(query))
    return tuple(name for name in GUARDS if name not in found)


def _utc_text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
