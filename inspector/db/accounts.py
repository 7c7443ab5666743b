"""The accounts of one station's database, for its window: who is known, and signing in.

To look, it keeps a connection that only reads; to sign in, it opens one of its own for that
moment, as `inspector users` does, and asks nothing of the thread that writes the station's rows.
"""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from inspector.clock import utc_now
from inspector.db.changes import Changes
from inspector.db.connect import BUSY_MS
from inspector.db.errors import explained
from inspector.db.people import Account, accounts, log_in
from inspector.db.reading import reading
from inspector.people.roles import Person


class Accounts:
    """``clock`` gives UTC. :class:`engine.types.DatabaseError` where the file cannot be read."""

    def __init__(
        self, path: Path, *, clock: Callable[[], datetime] = utc_now, busy_ms: int = BUSY_MS
    ) -> None:
        self._path, self._clock, self._busy_ms = path, clock, busy_ms
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._engine = self._stack.enter_context(reading(self._path, self._busy_ms))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def known(self) -> tuple[Account, ...]:
        """All accounts, as they are now; none where nobody has made any."""
        with explained(self._path), self._engine.begin() as connection:
            return accounts(connection)

    def log_in(self, name: str, password: str) -> Person:
        """As :func:`inspector.db.people.log_in`: it takes argon2's tenth of a second, or more."""
        with Changes(self._path, clock=self._clock, busy_ms=self._busy_ms) as changes:
            return log_in(changes, name, password)
