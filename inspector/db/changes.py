"""The one way in which a person changes anything: permission, change and audit entry together.

It may be another process than the station's, which goes on writing its rows meanwhile. So each
transaction is short (no password is hashed in one), and checkpoints are left to the station.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, select

from engine.types import AccessError, DatabaseError
from inspector.clock import utc_now
from inspector.db.audit import AuditLog, Change
from inspector.db.chain import Entry
from inspector.db.connect import BUSY_MS, writing_engine
from inspector.db.errors import explained
from inspector.db.files import is_there
from inspector.db.log import writing
from inspector.db.migrate import check_revision, newest_revision
from inspector.db.people_tables import UserRow
from inspector.db.turns import Turns
from inspector.people.roles import Permission, Person, Role, require
from inspector.people.session import Session


class Changes:
    """A database opened for what people change; with ``create`` it is made where there is none.

    ``clock`` gives UTC. Use it on one thread. What is wrong with the file is a
    :class:`engine.types.DatabaseError`; an older schema is one, too: the station migrates, once.
    """

    def __init__(
        self,
        path: Path,
        *,
        create: bool = False,
        clock: Callable[[], datetime] = utc_now,
        busy_ms: int = BUSY_MS,
    ) -> None:
        self.path = path
        self.clock = clock
        self._create = create
        self._busy_ms = busy_ms
        self._turns = Turns(path, busy_ms)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack, explained(self.path):
            if not is_there(self.path):
                self._make_file()
            engine = writing_engine(self.path, busy_ms=self._busy_ms)
            stack.callback(engine.dispose)
            self._connection = stack.enter_context(engine.connect())
            newest_revision()  # read from disk once: not while others wait for us
            with self._connection.begin():
                self._connection.exec_driver_sql("PRAGMA wal_autocheckpoint = 0")
                check_revision(self._connection, self.path)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _make_file(self) -> None:
        if not self._create:
            raise DatabaseError(f"There is no database at {self.path}: name the station's.")
        with writing(self.path, self._busy_ms):
            pass

    def make(
        self,
        session: Session,
        permission: Permission,
        perform: Callable[[Connection], Change],
    ) -> Entry:
        """Perform a change and write its entry, in one transaction or not at all.

        ``perform`` does it on the connection and says what it did; whatever it raises undoes all.
        :class:`AccessError` where the session has ended, the role does not hold the permission,
        or the account was disabled or given another role since the person logged in.
        """
        session.require(permission)
        with self.transaction() as connection:
            person = _as_of_now(connection, session.person)
            require(person, permission)
            return AuditLog(connection, self.clock).append(person, perform(connection))

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One that holds the write lock from its beginning, and takes its turn."""
        with self._turns.taken(), explained(self.path), self._connection.begin():
            yield self._connection


def _as_of_now(connection: Connection, person: Person) -> Person:
    wanted = UserRow.name == person.name, UserRow.disabled.is_(False)
    role = connection.scalar(select(UserRow.role).where(*wanted))
    if role is None:
        raise AccessError(f"The account {person.name} is disabled: ask an administrator.")
    return Person(person.name, Role(role))
