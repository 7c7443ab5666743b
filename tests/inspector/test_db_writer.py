"""One writer, many who ask: events from other threads, and what becomes of them."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, exc

from engine.types import DatabaseError
from inspector.db.log import InspectionLog
from inspector.db.writer import Writer
from inspector.pipeline.events import EventCode, StationEvent
from tests.inspector.db_parts import inspection, run_info
from tests.inspector.pipeline_parts import NOON


def lost(number: int = 0) -> StationEvent:
    return StationEvent(EventCode.CAMERA_LOST, NOON, f"Camera {number} is lost.", {"n": number})


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "station.sqlite"


def test_an_event_is_kept_with_its_run(path: Path) -> None:
    with InspectionLog(path, run_info()) as log:
        log.event(lost(3))

    assert rows(path, "SELECT run_id, at, code, severity, text, details FROM event") == [
        (
            *("run-1", "2026-11-21 12:00:00.000000", "camera_lost", "ALARM"),
            *("Camera 3 is lost.", '{"n": 3}'),
        )
    ]


def test_an_event_reaches_the_disk_although_no_part_comes_after_it(path: Path) -> None:
    with InspectionLog(path, run_info()) as log:
        log.event(lost())
        log._writer.transact(lambda connection: None)  # behind it in the queue

        assert rows(path, "SELECT count(*) FROM event") == [(1,)]


def test_events_of_many_threads_are_all_kept_once_beside_the_parts(path: Path) -> None:
    with InspectionLog(path, run_info()) as log, ThreadPoolExecutor(4) as threads:
        reported = [threads.submit(log.event, lost(n)) for n in range(200)]
        for n in range(50):
            log.write(inspection(n))
        for each in reported:
            each.result()

    assert rows(path, "SELECT count(*), count(DISTINCT text) FROM event") == [(200, 200)]
    assert rows(path, "SELECT count(*), max(sequence) FROM inspection") == [(50, 50)]


def test_events_of_one_thread_keep_their_order(path: Path) -> None:
    with Writer(path) as writer:
        for n in range(20):
            writer.event(lost(n))

    assert rows(path, "SELECT text FROM event ORDER BY id") == [
        (f"Camera {n} is lost.",) for n in range(20)
    ]


def test_an_event_neither_waits_nor_fails_and_is_kept_when_the_lock_is_gone(path: Path) -> None:
    with (
        InspectionLog(path, run_info(), busy_ms=20) as log,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        log.event(lost())
        with pytest.raises(DatabaseError, match="is locked"):
            log.write(inspection(1))
        assert rows(path, "SELECT count(*) FROM event") == [(0,)]
        other.execute("ROLLBACK")
        log.write(inspection(2))
        assert rows(path, "SELECT count(*) FROM event") == [(1,)]

    assert rows(path, "SELECT count(*) FROM event") == [(1,)]


def test_an_event_outlives_the_part_beside_it_that_was_refused(path: Path) -> None:
    with InspectionLog(path, run_info()) as log:
        log.write(inspection(1))
        log.event(lost())
        with pytest.raises(exc.IntegrityError, match="UNIQUE"):
            log.write(inspection(1))

    assert rows(path, "SELECT count(*) FROM event") == [(1,)]


NO_ZONE = StationEvent(EventCode.RUN_STARTED, NOON.replace(tzinfo=None), "No zone.")
NO_TEXT = StationEvent(EventCode.CAMERA_LOST, NOON, "")
object.__setattr__(NO_TEXT, "text", "Ger\udce4t")  # past the border where texts are mended


@pytest.mark.parametrize(
    ("odd", "run", "why"),
    [
        (NO_ZONE, None, "no time zone"),
        (NO_TEXT, None, "surrogates not allowed"),
        (lost(7), "a run that is not there", "FOREIGN KEY"),
    ],
)
def test_an_event_that_cannot_be_written_takes_nothing_with_it_and_is_raised_at_the_end(
    path: Path, odd: StationEvent, run: str | None, why: str
) -> None:
    """It is our own fault then, and must not stay in a thread that nobody asks."""

    def report_and_go_on(writer: Writer) -> None:
        with InspectionLog(path, run_info(), writer=writer) as log:
            with together(writer):
                writer.event(lost(0))
                writer.event(odd, run)
                writer.event(lost(1))
            for n in range(3):
                log.write(inspection(n))

    assert why in str(error_at_the_end(path, report_and_go_on))
    assert rows(path, "SELECT count(*) FROM inspection") == [(3,)]
    assert rows(path, "SELECT text FROM event ORDER BY id") == [
        ("Camera 0 is lost.",),
        ("Camera 1 is lost.",),
    ]


def error_at_the_end(path: Path, work: Callable[[Writer], None]) -> Exception:
    """Of a writer that had to leave out one event."""
    with pytest.raises((exc.StatementError, ValueError)) as raised, Writer(path) as writer:
        work(writer)
    assert raised.value.__notes__ == [f"Events left out of {path}: 1."]
    return raised.value


@contextmanager
def together(writer: Writer) -> Iterator[None]:
    """What is reported meanwhile rides in one transaction."""
    go_on = threading.Event()
    writer._thread.submit(go_on.wait, 10)
    yield
    go_on.set()


def test_an_event_that_was_left_out_hides_no_other_error(path: Path) -> None:
    def report_and_fail(writer: Writer) -> None:
        writer.event(NO_TEXT)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), Writer(path) as writer:
        report_and_fail(writer)


def test_an_event_that_cannot_be_written_counts_once_whatever_else_is_rolled_back(
    path: Path,
) -> None:
    def report_and_fail(writer: Writer) -> None:
        with together(writer):
            failing = [writer._thread.submit(writer._transact, fail) for _ in range(3)]
            writer.event(NO_TEXT)  # rides in the first of them
        assert all(isinstance(each.exception(), ZeroDivisionError) for each in failing)

    error_at_the_end(path, report_and_fail)


def fail(connection: Connection) -> None:
    raise ZeroDivisionError


def test_a_writer_may_outlive_its_runs(path: Path) -> None:
    with Writer(path) as writer:
        for n, name in enumerate(("run-1", "run-2")):
            writer.event(lost(n))
            with InspectionLog(path, run_info(name), writer=writer) as log:
                log.write(inspection(n))
        writer.event(lost(2))

    assert rows(path, "SELECT run_id FROM event") == [(None,)] * 3
    assert rows(path, "SELECT count(*) FROM run WHERE ended_at IS NOT NULL") == [(2,)]


def test_all_that_writes_is_one_thread_and_one_connection(path: Path) -> None:
    seen: set[tuple[int, int]] = set()

    def work(connection: Connection) -> None:
        seen.add((threading.get_ident(), id(connection)))

    with Writer(path) as writer, ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: writer.transact(work), range(20)))

    assert len(seen) == 1
    assert threading.get_ident() not in {thread for thread, _ in seen}


def test_a_writer_that_cannot_open_leaves_no_thread(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n" + bytes(range(256)) * 20)
    with pytest.raises(DatabaseError, match="is not a database"):
        Writer(path).__enter__()

    assert not [each for each in threading.enumerate() if each.name.startswith("database")]
