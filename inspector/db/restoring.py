"""A restore by an administrator, who is on the trail of what he put in the old one's place.

He is known to the database that is replaced, while it can be read; where it is gone, damaged, of
another schema or has no people, to the backup. Where neither has people nobody is asked. The entry
goes into the restored trail, and has the head of the one that was replaced: that one is shorter or
longer, and lies beside it from now on.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from engine.types import DatabaseError
from inspector.db.audit import Action, AuditLog, Change, read_trail
from inspector.db.backup import restore
from inspector.db.changes import Changes
from inspector.db.errors import explained
from inspector.db.people import accounts
from inspector.db.reading import reading
from inspector.people.roles import Permission
from inspector.people.session import Session


def restore_with_entry(
    backup: Path,
    path: Path,
    now: datetime,
    ask: Callable[[Changes], Session],
    reason: str | None,
) -> Path | None:
    """:func:`inspector.db.backup.restore`; ``ask`` logs somebody in, where anybody has an account.

    :class:`engine.types.AccessError` unless an administrator does, :class:`InputError` without a
    reason; then all stays as it was.
    """

    def admit(part: Path) -> None:
        keeper = next((each for each in (path, part) if _has_people(each)), None)
        if keeper is None:
            return
        change = Change(Action.DATABASE_RESTORED, "database", _trail(path), _trail(part), reason)
        with Changes(keeper) as changes:
            session = ask(changes)
        session.require(Permission.RESTORE_DATABASE)
        with Changes(part) as restored, restored.transaction() as connection:
            AuditLog(connection, restored.clock).append(session.person, change)

    return restore(backup, path, now, admit)


def _has_people(path: Path) -> bool:
    try:
        with reading(path) as engine, explained(path), engine.connect() as connection:
            return bool(accounts(connection))
    except DatabaseError:  # who should be in there cannot be asked of it
        return False


def _trail(path: Path) -> str:
    """What the entry says of a trail: how long it was, and its head."""
    try:
        newest = read_trail(path, limit=1)
    except DatabaseError:
        return "no readable trail"
    return "".join(f"{entry.number} entries, head {entry.hash}" for entry in newest) or "no entry"
