"""The worker: pause is not stop, an end is reported, a failure is latched and not swallowed."""

import logging
import time
from collections.abc import Callable

import pytest

from engine.types import MissingError
from inspector.pipeline.inspection import Verdict
from inspector.ui.mailbox import Mailbox
from inspector.ui.screen_sink import ScreenSink
from inspector.ui.worker import LineState, Worker
from tests.inspector.ui_parts import ScriptedSession


def worker_of(session: ScriptedSession) -> Worker:
    return Worker(session, ScreenSink(Mailbox()))


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it did not happen within 5 s"
        time.sleep(0.002)


def test_pause_stops_the_parts_and_keeps_the_run() -> None:
    session = ScriptedSession()
    worker = worker_of(session)
    worker.start()
    wait_for(lambda: len(session.shown) > 3)
    worker.pause()
    time.sleep(0.05)  # the part in hand
    held = len(session.shown)
    time.sleep(0.1)
    assert len(session.shown) == held
    assert worker.state is LineState.PAUSED
    assert worker.alive
    assert not session.closed
    worker.start()
    wait_for(lambda: len(session.shown) > held)
    worker.stop()
    assert worker.join(5)


def test_stop_ends_the_run_even_when_paused() -> None:
    session = ScriptedSession()
    worker = worker_of(session)
    worker.start()
    worker.pause()
    worker.stop()
    assert worker.join(5)
    assert worker.state is LineState.STOPPED
    assert session.closed


def test_a_source_that_ends_is_finished_and_may_start_again() -> None:
    session = ScriptedSession([Verdict.OK, Verdict.NG])
    worker = worker_of(session)
    worker.start()
    wait_for(lambda: worker.state is LineState.FINISHED and not worker.alive)
    worker.start()
    wait_for(lambda: worker.state is LineState.FINISHED and not worker.alive)
    assert len(session.shown) == 4


def test_a_session_that_cannot_be_repeated_stays_ended() -> None:
    worker = worker_of(ScriptedSession([Verdict.OK], repeatable=False))
    worker.start()
    assert worker.join(5)
    assert not worker.can_start
    worker.start()
    assert not worker.alive


def test_pressing_stop_after_the_end_changes_nothing() -> None:
    worker = worker_of(ScriptedSession([Verdict.OK]))
    worker.start()
    assert worker.join(5)
    worker.pause()
    worker.stop()
    assert worker.state is LineState.FINISHED


def test_a_known_failure_is_latched_until_acknowledged() -> None:
    failure = MissingError("The camera A2 does not answer: check its cable.")
    session = ScriptedSession([Verdict.OK], failure)
    worker = worker_of(session)
    worker.start()
    assert worker.join(5)
    assert worker.state is LineState.FAILED
    assert worker.failure == "The camera A2 does not answer: check its cable."
    assert not worker.can_start
    worker.acknowledge("olga")
    assert session.acknowledged == ["olga"]
    assert worker.failure is None
    assert worker.can_start


def test_our_own_failure_is_logged_shown_and_raised(caplog: pytest.LogCaptureFixture) -> None:
    worker = worker_of(ScriptedSession([Verdict.OK], ZeroDivisionError("oops")))
    with caplog.at_level(logging.CRITICAL):
        worker.start()
        assert worker.join(5)
    assert worker.failure == "Internal error: ZeroDivisionError: oops"
    assert "Traceback" in caplog.text
    worker.acknowledge("olga")
    with pytest.raises(ZeroDivisionError):
        worker.raise_error()
