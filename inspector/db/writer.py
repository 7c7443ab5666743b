"""The one writer of a database: a thread of its own with the only connection that writes.

All that a station writes passes through here, whoever asks: inspections, events, the outbox; with
what people change beside it, it takes :mod:`turns <inspector.db.turns>`. Who calls
:meth:`Writer.transact` waits for the commit; who reports an event does not wait. An event rides in
the next transaction; where none is on its way it gets one at once, so that a camera's loss is on
disk although no part comes after it. An event that cannot be written itself (a text that is none)
takes nothing with it: it is left out, and raised at the end.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, exc, insert

from engine.types import DatabaseError
from inspector.db.connect import BUSY_MS, foreign_keys_off, writing_engine
from inspector.db.errors import explained, of_the_world
from inspector.db.migrate import look, migrate, newest_revision
from inspector.db.side_tables import EventRow
from inspector.db.turns import Turns
from inspector.pipeline.events import StationEvent

T = TypeVar("T")


class Writer:
    """Opens a database for writing, made or migrated where needed; any thread may use it.

    Each fault of the world (locked, full, damaged, newer) is a :class:`engine.types.DatabaseError`.
    Why an event had to be left out is raised at the end, where that comes by no other error.
    """

    def __init__(self, path: Path, *, busy_ms: int = BUSY_MS) -> None:
        self._path = path
        self._busy_ms = busy_ms
        self._events: deque[dict[str, Any]] = deque()  # from any thread to the writer's
        self._riding: list[dict[str, Any]] = []  # the writer's own, like the connection
        self._left_out: list[Exception] = []  # why, an event each
        self._connected = ExitStack()
        self._thread: ThreadPoolExecutor

    def __enter__(self) -> Self:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database")
        try:
            self._thread.submit(self._open).result()
        except BaseException:
            self._thread.shutdown()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._thread:
            self._thread.submit(self._close).result()
        if self._left_out and error is None:
            first = self._left_out[0]
            first.add_note(f"Events left out of {self._path}: {len(self._left_out)}.")
            raise first

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in one transaction and wait for its commit; an error rolls it back."""
        return self._thread.submit(self._transact, work).result()

    def event(self, event: StationEvent, run_id: str | None = None) -> None:
        """Keep an event, while the writer is open; neither waits nor fails. What the disk refuses
        now is tried again with each later transaction, which fails with it."""
        self._events.append(
            {
                "run_id": run_id,
                "at": event.at,
                "code": event.code,
                "severity": event.severity.name,
                "text": event.text,
                "details": dict(event.details),
            }
        )
        self._thread.submit(self._write_events)

    def _open(self) -> None:
        with ExitStack() as stack, explained(self._path):
            self._connection = stack.enter_context(writing(self._path, self._busy_ms))
            self._turns = Turns(self._path, self._busy_ms)
            self._connected = stack.pop_all()

    def _close(self) -> None:
        with self._connected:
            self._write_events()

    def _write_events(self) -> None:
        """All that wait, unless a transaction has taken them along meanwhile."""
        if self._events or self._riding:
            self._transact(lambda connection: None)

    def _transact(self, work: Callable[[Connection], T]) -> T:
        while self._events:
            self._riding.append(self._events.popleft())
        with self._turns.taken(), explained(self._path), self._connection.begin():
            left_out = self._insert_events()
            result = work(self._connection)
        self._riding.clear()  # only now: what was rolled back still rides
        self._left_out += left_out
        return result

    def _insert_events(self) -> Sequence[Exception]:
        """Each by a statement of its own, which undoes nothing but itself where it fails; why those
        failed that cannot be written. What the disk refuses is raised."""
        left_out: list[Exception] = []
        for row in self._riding:
            try:
                self._connection.execute(insert(EventRow), row)
            except (exc.StatementError, ValueError) as error:  # ValueError: text that is no UTF-8
                if of_the_world(error):
                    raise
                left_out.append(error)
        return left_out


@contextmanager
def writing(path: Path, busy_ms: int = BUSY_MS) -> Iterator[Connection]:
    """The writer's connection to a database that is sound and of this program's schema.

    The write lock is taken only where there is something to make or to migrate.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(
            f"There can be no database at {path} ({error.strerror}): name another folder."
        ) from error
    engine = writing_engine(path, busy_ms=busy_ms)
    try:
        with engine.connect() as connection:
            if look(path, busy_ms) != newest_revision():
                turn = Turns(path, busy_ms).taken()
                with turn, foreign_keys_off(connection, path), connection.begin():
                    migrate(connection, path)
            yield connection
    finally:
        engine.dispose()
