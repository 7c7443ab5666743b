"""What the site's database refused goes on again, when a person has mended the cause."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from engine.types import InputError
from inspector.db.audit import Action, Change
from inspector.db.chain import Entry
from inspector.db.changes import Changes
from inspector.db.outbox import revive
from inspector.people.roles import Permission
from inspector.people.session import Session

MOST_NAMED: Final = 20
"""Keys in an audit entry: all of them could be longer than a field of it."""


@dataclass(frozen=True, slots=True)
class SentAgain:
    """How many rows wait anew; ``entry`` is None in a database where nobody has an account."""

    rows: int
    entry: Entry | None


def send_again(changes: Changes, session: Session | None, reason: str | None) -> SentAgain:
    """Let all dead letters be tried anew, beside a station that may be sending others.

    ``session`` None is for a database without accounts: there is nobody whose act it could be.
    :class:`engine.types.AccessError` for an operator, :class:`InputError` without a reason, or
    where nothing lies dead any more.
    """
    keys: Sequence[str] = ()
    if session is None:
        with changes.transaction() as connection:
            return SentAgain(len(revive(connection, changes.clock())), None)

    def perform(connection: Connection) -> Change:
        nonlocal keys
        keys = revive(connection, changes.clock())
        if not keys:
            raise InputError(f"No row of {changes.path} is refused any more.")
        return Change(Action.RECORDS_SENT_AGAIN, "outbox", _refused(keys), "waiting", reason)

    entry = changes.make(session, Permission.SEND_AGAIN, perform)
    return SentAgain(len(keys), entry)


def _refused(keys: Sequence[str]) -> str:
    more = f", and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
    return f"refused: {', '.join(keys[:MOST_NAMED])}{more}"
