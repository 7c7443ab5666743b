"""What is to be sent to the site's database, and who sends it.

Rows of the outbox are written with their inspection, in one transaction: what is recorded will be
sent, and nothing else. Sending may happen twice (a station dies between sending and noting it), so
the receiver takes key and revision as one key. A row that has arrived is deleted, not marked: the
inspection is the record, the receiver's key the proof, and the outbox stays as long as what waits.

The forwarder has no connection of its own. Its writes go through the station's
:class:`inspector.db.writer.Writer`, two short transactions a batch: one connection writes and
checkpoints, as ever. Rows are claimed by a lease: where a forwarder dies, another takes them when
it has run out.

Two kinds of failure. A peer that cannot be reached is nobody's fault: the forwarder waits, longer
each time, and no row is given up for it. A row that the peer refuses is put off alone, and after
some tries lies dead until a person has looked at it.
"""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)

from engine.types import DatabaseError, KnownError
from inspector.clock import utc_now
from inspector.db.errors import explained
from inspector.db.reading import reading
from inspector.db.side_tables import OutboxRow
from inspector.db.writer import Writer

WAITING: Final = "WAITING"
DEAD: Final = "DEAD"


class RowRefusedError(DatabaseError):
    """The peer was reached and does not take this row."""


@dataclass(frozen=True, slots=True)
class Item:
    """One row to send; ``payload`` is JSON. ``attempts`` counts refusals, ``error`` is the last."""

    id: int
    key: str
    revision: int
    payload: Mapping[str, Any]
    attempts: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Patience:
    """How many rows a batch, how long a lease, how long to wait after which failure."""

    batch: int = 50
    lease: timedelta = timedelta(minutes=2)
    first_wait_s: float = 1.0
    longest_wait_s: float = 300.0
    tries: int = 8

    def wait_s(self, failures: int) -> float:
        """Twice as long after each failure, the first counting 1."""
        doubled = math.ldexp(self.first_wait_s, min(failures - 1, 60))
        return min(doubled, self.longest_wait_s)


@dataclass(frozen=True, slots=True)
class Round:
    """What came of one batch; ``unreachable`` is the sentence of a peer that did not answer."""

    sent: int
    refused: int
    unreachable: str | None = None


class Forwarder:
    """Sends what waits, in order; ``send`` raises :class:`RowRefusedError` for a row that the peer
    does not take, any other :class:`KnownError` where it cannot be reached."""

    def __init__(
        self,
        writer: Writer,
        send: Callable[[Item], object],
        *,
        patience: Patience = Patience(),
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._writer = writer
        self._send = send
        self._patience = patience
        self._clock = clock

    def forward(
        self, stop: threading.Event, say: Callable[[str], None], idle_s: float = 1.0
    ) -> None:
        """Send until ``stop`` is set; the work of a thread. After each round ``say`` is called with
        why the peer could not be reached, or with ""."""
        outages = 0
        while not stop.is_set():
            done = self.forward_once(stop.is_set)
            say(done.unreachable or "")
            outages = outages + 1 if done.unreachable else 0
            if outages:
                stop.wait(self._patience.wait_s(outages))
            elif done.sent + done.refused == 0:
                stop.wait(idle_s)

    def forward_once(self, stopped: Callable[[], bool] = lambda: False) -> Round:
        """Claim one batch, send it, note what came of it; of the rest, once ``stopped``, nothing is
        sent: a batch takes a slow peer longer than a station's end may take."""
        lease = self._clock() + self._patience.lease
        items = self._writer.transact(lambda connection: self._claim(connection, lease))
        sent: list[int] = []
        refused: dict[int, str] = {}
        unreachable = None
        for item in items:
            if stopped():
                break
            try:
                self._send(item)
            except RowRefusedError as error:
                refused[item.id] = str(error)
            except KnownError as error:
                unreachable = str(error)
                break
            else:
                sent.append(item.id)
        if items:
            self._writer.transact(lambda c: self._settle(c, lease, items, sent, refused))
        return Round(len(sent), len(refused), unreachable)

    def _claim(self, connection: Connection, lease: datetime) -> Sequence[Item]:
        now = self._clock()
        due = (
            _items()
            .where(OutboxRow.state == WAITING, *self._due(now))
            .order_by(OutboxRow.id)
            .limit(self._patience.batch)
        )
        items = [Item(*row) for row in connection.execute(due)]
        claimed = update(OutboxRow).where(OutboxRow.id.in_([item.id for item in items]))
        connection.execute(claimed.values(lease_until=lease))
        return items

    def _due(self, now: datetime) -> tuple[ColumnElement[bool], ...]:
        """Not held, and put off no longer. A clock may be set back: what was never refused has
        nothing to wait for, and no lease or wait is longer than ours, whatever its row says."""
        row, longest = OutboxRow, timedelta(seconds=self._patience.longest_wait_s)
        held = and_(row.lease_until > now, row.lease_until <= now + self._patience.lease)
        put_off = and_(row.next_try_at > now, row.next_try_at <= now + longest)
        free = or_(row.lease_until.is_(None), not_(held))
        return free, or_(row.attempts == 0, not_(put_off))

    def _settle(
        self,
        connection: Connection,
        lease: datetime,
        items: Sequence[Item],
        sent: Sequence[int],
        refused: Mapping[int, str],
    ) -> None:
        """What was sent goes, whoever holds the lease by now; the rest only while it is ours."""
        connection.execute(delete(OutboxRow).where(OutboxRow.id.in_(sent)))
        for item in items:
            ours = (OutboxRow.id == item.id, OutboxRow.lease_until == lease)
            values = {"lease_until": None, **self._put_off(item, refused.get(item.id))}
            connection.execute(update(OutboxRow).where(*ours).values(values))

    def _put_off(self, item: Item, error: str | None) -> Mapping[str, Any]:
        if error is None:
            return {}
        attempts = item.attempts + 1
        return {
            "attempts": attempts,
            "error": error,
            "state": DEAD if attempts >= self._patience.tries else WAITING,
            "next_try_at": self._clock() + timedelta(seconds=self._patience.wait_s(attempts)),
        }


def post(
    connection: Connection, key: str, revision: int, payload: Mapping[str, Any], now: datetime
) -> None:
    """Put something up for sending, in the transaction of what it tells of."""
    row = {"key": key, "revision": revision, "payload": payload, "state": WAITING}
    connection.execute(insert(OutboxRow).values(**row, attempts=0, next_try_at=now))


def revive(connection: Connection, now: datetime) -> tuple[str, ...]:
    """Let all that lies dead be tried anew, when a person has mended the cause; the keys of it."""
    dead = update(OutboxRow).where(OutboxRow.state == DEAD)
    values = {"state": WAITING, "attempts": 0, "next_try_at": now, "lease_until": None}
    return tuple(sorted(connection.scalars(dead.values(values).returning(OutboxRow.key))))


def pending(path: Path) -> int:
    """How many rows wait to be sent."""
    return _count(path, WAITING)


def refused(path: Path) -> int:
    """How many rows the peer refused for good."""
    return _count(path, DEAD)


def dead(path: Path, limit: int = 100) -> tuple[Item, ...]:
    """Rows that the peer refused for good, the oldest first, each with what the peer said."""
    query = _items().where(OutboxRow.state == DEAD).order_by(OutboxRow.id).limit(limit)
    with reading(path) as engine, explained(path), engine.begin() as connection:
        return tuple(Item(*row) for row in connection.execute(query))


def _count(path: Path, state: str) -> int:
    query = select(func.count()).select_from(OutboxRow).where(OutboxRow.state == state)
    with reading(path) as engine, explained(path), engine.begin() as connection:
        return connection.execute(query).scalar_one()


def _items() -> Any:
    row = OutboxRow
    return select(row.id, row.key, row.revision, row.payload, row.attempts, row.error)
