"""The outbox: written with the inspection, sent once or twice, landing once."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import exc

from engine.types import DatabaseError, KnownError
from inspector.db.log import InspectionLog
from inspector.db.outbox import Forwarder, Item, Patience, Round, RowRefusedError, dead, pending
from inspector.db.outbox import revive as revive_dead
from inspector.db.writer import Writer
from inspector.pipeline.inspection import Verdict
from tests.inspector.db_parts import inspection, run_info
from tests.inspector.pipeline_parts import NOON

ROOT = Path(__file__).parents[2]


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Peer:
    """Takes what it is sent; raises ``trouble`` instead while there is some."""

    got: list[Item] = field(default_factory=list)
    trouble: Callable[[Item], KnownError | None] = lambda item: None

    def __call__(self, item: Item) -> None:
        error = self.trouble(item)
        if error is not None:
            raise error
        self.got.append(item)

    @property
    def numbers(self) -> list[int]:
        return [int(item.key[-12:]) for item in self.got]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "station.sqlite"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    """A database with five parts that wait to be sent, still open."""
    with Writer(path) as writer:
        log = InspectionLog(path, run_info(), outbox=True, writer=writer, clock=lambda: NOON)
        with log:
            for n in range(5):
                log.write(inspection(n, Verdict.NG if n == 1 else Verdict.OK))
        yield writer


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def refuses(number: int) -> Callable[[Item], KnownError | None]:
    refused = inspection(number).id
    return lambda item: RowRefusedError("Not this one.") if item.key == refused else None


def test_without_the_option_nothing_waits(path: Path) -> None:
    with InspectionLog(path, run_info()) as log:
        log.write(inspection(1))

    assert pending(path) == 0


def test_a_part_that_is_refused_is_not_sent(path: Path) -> None:
    with InspectionLog(path, run_info(), outbox=True) as log:
        log.write(inspection(1))
        with pytest.raises(exc.IntegrityError):
            log.write(inspection(1))

    assert pending(path) == 1


def test_all_that_waits_is_sent_once_in_order_and_gone(path: Path, writer: Writer) -> None:
    peer = Peer()
    forwarder = Forwarder(writer, peer, patience=Patience(batch=3), clock=Clock())

    rounds = [forwarder.forward_once() for _ in range(3)]

    assert rounds == [Round(3, 0), Round(2, 0), Round(0, 0)]
    assert peer.numbers == [0, 1, 2, 3, 4]
    assert rows(path, "SELECT count(*) FROM outbox") == [(0,)]
    assert rows(path, "SELECT count(*) FROM inspection") == [(5,)]


def test_what_is_sent_says_all_about_the_part(writer: Writer) -> None:
    peer = Peer()
    Forwarder(writer, peer, clock=Clock()).forward_once()
    payload, revision = peer.got[1].payload, peer.got[1].revision

    assert revision == 1
    assert payload["run"]["station"] == "press 4"
    assert payload["inspection"]["inspected_at"] == "2026-11-21T12:00:01+00:00"
    assert payload["inspection"]["verdict"] == "NG"
    assert payload["defects"][0]["area_px"] == 16


def test_a_peer_that_is_away_costs_no_row_a_try(path: Path, writer: Writer) -> None:
    away = DatabaseError("Nobody answers.")
    peer = Peer(trouble=lambda item: away if len(peer.got) == 2 else None)
    forwarder = Forwarder(writer, peer, clock=Clock())

    assert forwarder.forward_once() == Round(2, 0, "Nobody answers.")
    assert rows(path, "SELECT DISTINCT attempts, lease_until FROM outbox") == [(0, None)]
    peer.trouble = lambda item: None
    assert forwarder.forward_once() == Round(3, 0)
    assert peer.numbers == [0, 1, 2, 3, 4]


def test_a_refused_row_is_put_off_longer_each_time_and_holds_up_no_other(
    path: Path, writer: Writer
) -> None:
    clock, peer = Clock(), Peer(trouble=refuses(2))
    forwarder = Forwarder(writer, peer, clock=clock)

    assert forwarder.forward_once() == Round(4, 1)
    waits = []
    for _ in range(3):
        waits.append(seconds_until_due(path) - (clock.now - NOON).total_seconds())
        assert forwarder.forward_once() == Round(0, 0), "not before its time"
        clock.wait(waits[-1])
        assert forwarder.forward_once() == Round(0, 1)
    assert waits == [1, 2, 4]


def seconds_until_due(path: Path) -> float:
    ((due,),) = rows(path, "SELECT next_try_at FROM outbox")
    return (datetime.fromisoformat(f"{due}+00:00") - NOON).total_seconds()


def test_a_row_refused_too_often_lies_dead_until_a_person_revives_it(
    path: Path, writer: Writer
) -> None:
    clock, peer = Clock(), Peer(trouble=refuses(2))
    forwarder = Forwarder(writer, peer, patience=Patience(tries=3), clock=clock)
    for _ in range(9):
        forwarder.forward_once()
        clock.wait(1000)

    (letter,) = dead(path)
    assert (letter.key, letter.attempts, letter.error) == (inspection(2).id, 3, "Not this one.")
    assert pending(path) == 0

    peer.trouble = lambda item: None
    assert writer.transact(lambda c: revive_dead(c, clock.now)) == (inspection(2).id,)
    assert forwarder.forward_once() == Round(1, 0)
    assert dead(path) == ()


def test_two_forwarders_share_the_work_by_lease(writer: Writer) -> None:
    other = Forwarder(writer, second := Peer(), clock=Clock())
    first = Peer()

    def send(item: Item) -> None:
        first(item)
        other.forward_once()

    Forwarder(writer, send, patience=Patience(batch=2), clock=Clock()).forward_once()

    assert (first.numbers, second.numbers) == ([0, 1], [2, 3, 4])


def test_what_a_dead_forwarder_held_is_sent_by_the_next_when_its_lease_is_out(
    writer: Writer,
) -> None:
    def die(item: Item) -> None:
        raise ZeroDivisionError

    clock, peer = Clock(), Peer()
    with pytest.raises(ZeroDivisionError):
        Forwarder(writer, die, clock=clock).forward_once()
    forwarder = Forwarder(writer, peer, clock=clock)

    assert forwarder.forward_once() == Round(0, 0)
    clock.wait(Patience().lease.total_seconds())
    assert forwarder.forward_once() == Round(5, 0)


def test_what_was_posted_by_a_clock_that_was_ahead_is_sent_at_once(writer: Writer) -> None:
    """As with an empty battery, until the network's time was there."""
    for back in (timedelta(seconds=30), timedelta(days=365)):
        peer = Peer(trouble=lambda item: DatabaseError("Nobody answers."))
        forwarder = Forwarder(writer, peer, clock=Clock(NOON - back))
        assert forwarder.forward_once() == Round(0, 0, "Nobody answers.")


def test_what_was_put_off_by_a_clock_that_was_ahead_waits_no_longer_than_the_longest_wait(
    writer: Writer,
) -> None:
    clock, peer = Clock(NOON + timedelta(days=365)), Peer(trouble=refuses(2))
    forwarder = Forwarder(writer, peer, clock=clock)
    assert forwarder.forward_once() == Round(4, 1)
    peer.trouble = lambda item: None

    clock.now -= timedelta(seconds=Patience().longest_wait_s - 1)  # due in 300 s
    assert forwarder.forward_once() == Round(0, 0)
    clock.wait(-1)
    assert forwarder.forward_once() == Round(1, 0)


def test_a_lease_of_a_clock_that_was_ahead_is_out(writer: Writer) -> None:
    def die(item: Item) -> None:
        raise ZeroDivisionError

    clock = Clock(NOON + timedelta(days=365))
    with pytest.raises(ZeroDivisionError):
        Forwarder(writer, die, clock=clock).forward_once()
    forwarder = Forwarder(writer, Peer(), clock=clock)

    assert forwarder.forward_once() == Round(0, 0)
    clock.wait(-1)  # longer than any lease
    assert forwarder.forward_once() == Round(5, 0)


def test_who_lost_its_lease_puts_nothing_off(path: Path, writer: Writer) -> None:
    """A slow peer refuses in the end what another forwarder holds by now."""
    clock = Clock()

    def slow(item: Item) -> None:
        clock.wait(Patience().lease.total_seconds() + 1)
        sql = f"UPDATE outbox SET lease_until = '2027-01-01 00:00:00.000000' WHERE id = {item.id}"
        writer.transact(lambda c: c.exec_driver_sql(sql))
        raise RowRefusedError("Too late.")

    Forwarder(writer, slow, patience=Patience(batch=1), clock=clock).forward_once()

    assert rows(path, "SELECT attempts, lease_until FROM outbox WHERE id = 1") == [
        (0, "2027-01-01 00:00:00.000000")
    ]


def test_the_wait_doubles_up_to_its_bound() -> None:
    patience = Patience(first_wait_s=1, longest_wait_s=300)

    assert [patience.wait_s(n) for n in (1, 2, 3, 9, 10, 2000)] == [1, 2, 4, 256, 300, 300]


def test_a_thread_forwards_until_it_is_stopped(writer: Writer) -> None:
    stop, peer = threading.Event(), Peer()

    def send(item: Item) -> None:
        peer(item)
        if len(peer.got) == 5:
            stop.set()

    Forwarder(writer, send, patience=Patience(batch=2)).forward(stop, lambda _: None)

    assert peer.numbers == [0, 1, 2, 3, 4]


def test_a_thread_that_is_stopped_ends_within_a_batch_and_holds_nothing(
    path: Path, writer: Writer
) -> None:
    stop, peer = threading.Event(), Peer()

    def send(item: Item) -> None:
        peer(item)
        if len(peer.got) == 2:
            stop.set()

    Forwarder(writer, send).forward(stop, lambda _: None)

    assert peer.numbers == [0, 1]
    assert rows(path, "SELECT count(*), count(lease_until) FROM outbox") == [(3, 0)]


def test_no_two_letters_of_one_revision(path: Path, writer: Writer) -> None:
    copy = (
        "INSERT INTO outbox (key, revision, payload, state, attempts, next_try_at)"
        " SELECT key, revision, payload, state, attempts, next_try_at FROM outbox"
    )
    with pytest.raises(exc.IntegrityError, match="UNIQUE"):
        writer.transact(lambda c: c.exec_driver_sql(copy))


WRITE_FOR_EVER = """
import sys
from itertools import count
from pathlib import Path
from inspector.db.log import InspectionLog
from tests.inspector.db_parts import inspection, run_info

with InspectionLog(Path(sys.argv[1]), run_info(), outbox=True) as log:
    for n in count():
        print(log.write(inspection(n)).id, flush=True)
"""


def test_a_killed_station_leaves_each_part_it_told_of_and_each_with_its_letter(path: Path) -> None:
    command = [sys.executable, "-c", WRITE_FOR_EVER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as station:
        assert station.stdout is not None
        told = [station.stdout.readline().strip() for _ in range(30)]
        station.kill()
        told += [line.strip() for line in station.stdout if line.endswith("\n")]

    with Writer(path):
        pass
    kept = [key for (key,) in rows(path, "SELECT id FROM inspection ORDER BY id")]
    assert set(told) <= set(kept)
    assert len(kept) - len(told) <= 1, "committed, and killed before it was told"
    assert [key for (key,) in rows(path, "SELECT key FROM outbox ORDER BY id")] == kept
