"""The window: what a person sees and presses, from the verdict to the end of the worker."""

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from engine.types import MissingError
from inspector.pipeline.inspection import Verdict
from inspector.ui.session import Health
from inspector.ui.window import StationWindow
from inspector.ui.worker import LineState, Worker
from tests.inspector.ui_parts import (
    GOOD_DISK,
    OnePartThenNone,
    ScriptedSession,
    opened_window,
)

LEFT = Qt.MouseButton.LeftButton


def word(window: StationWindow) -> str:
    return window.live.verdict.face.word


def show_one(qtbot: QtBot, window: StationWindow, worker: Worker, text: str) -> None:
    """Start, and hold the one verdict of the session on the screen."""
    worker.start()
    qtbot.waitUntil(lambda: window.live.counters.text("parts") not in ("–", "0"))
    qtbot.waitUntil(lambda: window.bar.state_text == text)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_the_verdict_is_shown_in_word_and_shape(
    qtbot: QtBot, tmp_path: Path, verdict: Verdict
) -> None:
    session = ScriptedSession(verdicts=[verdict] * 10_000)
    with opened_window(qtbot, tmp_path, session) as (window, worker):
        assert word(window) == "IDLE"
        worker.start()
        qtbot.waitUntil(lambda: word(window) == verdict.value)
        assert verdict.value in window.live.verdict.accessibleName()


def test_a_fault_is_explained_in_words(qtbot: QtBot, tmp_path: Path) -> None:
    session = ScriptedSession(verdicts=[Verdict.FAULT] * 10_000)
    with opened_window(qtbot, tmp_path, session) as (window, worker):
        worker.start()
        qtbot.waitUntil(lambda: word(window) == "FAULT")
        assert window.live.verdict.face.line == "Picture is black. Check light and lens cap."
        assert window.live.verdict.face.small == "Not judged: reject this part"


def test_counters_and_yield(qtbot: QtBot, tmp_path: Path) -> None:
    session = ScriptedSession([Verdict.OK, Verdict.OK, Verdict.OK, Verdict.NG, Verdict.FAULT])
    with opened_window(qtbot, tmp_path, session) as (window, worker):
        worker.start()
        counters = window.live.counters
        qtbot.waitUntil(lambda: counters.text("parts") == "5")
        assert [counters.text(name) for name in ("ok", "ng", "fault")] == ["3", "1", "1"]
        assert counters.text("yield") == "75.0"
        assert counters.text("latency") == "6"


def test_a_line_that_has_ended_shows_no_old_verdict(qtbot: QtBot, tmp_path: Path) -> None:
    with opened_window(qtbot, tmp_path, ScriptedSession([Verdict.OK])) as (window, worker):
        show_one(qtbot, window, worker, "Finished")
        assert word(window) == "FINISHED"


def test_an_old_verdict_gives_way_to_waiting(qtbot: QtBot, tmp_path: Path) -> None:
    now = [100.0]
    with opened_window(qtbot, tmp_path, OnePartThenNone(), stale_s=10.0, timer=lambda: now[0]) as (
        window,
        worker,
    ):
        worker.start()
        qtbot.waitUntil(lambda: word(window) == "OK")
        now[0] = 111.0
        qtbot.waitUntil(lambda: word(window) == "WAITING")
        assert "OK" in window.live.verdict.face.small


def test_a_resumed_line_shows_no_verdict_before_its_next_part(qtbot: QtBot, tmp_path: Path) -> None:
    with opened_window(qtbot, tmp_path, OnePartThenNone()) as (window, worker):
        worker.start()
        qtbot.waitUntil(lambda: word(window) == "OK")
        worker.pause()
        qtbot.waitUntil(lambda: word(window) == "PAUSED")
        worker.start()
        qtbot.waitUntil(lambda: word(window) == "WAITING")


def test_the_keys_start_pause_resume_and_stop(qtbot: QtBot, tmp_path: Path) -> None:
    session = ScriptedSession()
    with opened_window(qtbot, tmp_path, session) as (window, worker):
        window.activateWindow()  # keys go to the active window
        qtbot.waitUntil(window.isActiveWindow)
        buttons = window.live.controls
        qtbot.keyClick(window, Qt.Key.Key_F5)
        qtbot.waitUntil(lambda: worker.state is LineState.RUNNING)
        qtbot.waitUntil(lambda: buttons.pause.isEnabled() and not buttons.start.isEnabled())
        qtbot.keyClick(window, Qt.Key.Key_F6)
        qtbot.waitUntil(lambda: word(window) == "PAUSED")
        assert worker.alive
        assert "Resume" in buttons.start.text()
        qtbot.keyClick(window, Qt.Key.Key_F5)
        qtbot.waitUntil(lambda: worker.state is LineState.RUNNING)
        qtbot.waitUntil(buttons.stop.isEnabled)
        qtbot.keyClick(window, Qt.Key.Key_F8)
        qtbot.waitUntil(lambda: worker.state is LineState.STOPPED)
        assert session.closed


def test_whoever_looks_at_the_history_sees_the_verdict_and_can_stop_the_line(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with opened_window(qtbot, tmp_path, ScriptedSession([Verdict.NG] * 100_000)) as (
        window,
        worker,
    ):
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        worker.start()
        qtbot.waitUntil(lambda: word(window) == "NG")
        assert window.bar.glance.text == ""  # the line's page says it large
        qtbot.keyClick(window, Qt.Key.Key_F2)
        qtbot.waitUntil(lambda: window.bar.glance.text == "NG")
        qtbot.keyClick(window, Qt.Key.Key_F8)
        qtbot.waitUntil(lambda: worker.state is LineState.STOPPED)
        qtbot.waitUntil(lambda: window.bar.glance.text == "STOPPED")
        qtbot.keyClick(window, Qt.Key.Key_F1)
        qtbot.waitUntil(lambda: window.bar.glance.text == "")


def test_a_failure_of_the_worker_stays_until_acknowledged(qtbot: QtBot, tmp_path: Path) -> None:
    session = ScriptedSession([Verdict.OK], MissingError("The camera is gone: plug it in."))
    with opened_window(qtbot, tmp_path, session) as (window, worker):
        worker.start()
        qtbot.waitUntil(window.notice.isVisible)
        assert window.notice.texts == ["Run: The camera is gone: plug it in."]
        assert word(window) == "FAILED"
        assert not window.live.controls.start.isEnabled()
        window.notice.acknowledged.emit()
        qtbot.waitUntil(lambda: not window.notice.isVisible())
        qtbot.waitUntil(window.live.controls.start.isEnabled)


def test_closing_the_window_stops_the_worker_and_waits_for_it(qtbot: QtBot, tmp_path: Path) -> None:
    session = ScriptedSession()
    with opened_window(qtbot, tmp_path, session) as (window, worker):
        worker.start()
        qtbot.waitUntil(lambda: word(window) == "OK")
        window.close()
        qtbot.waitUntil(lambda: not window.isVisible())
        assert session.closed
        assert not worker.alive


def test_a_click_on_a_thumbnail_looks_back_and_live_returns(qtbot: QtBot, tmp_path: Path) -> None:
    session = ScriptedSession([Verdict.NG, Verdict.OK, Verdict.OK])
    with opened_window(qtbot, tmp_path, session) as (window, worker):
        show_one(qtbot, window, worker, "Finished")
        live, oldest = window.live, window.live.strip.parts[2]
        qtbot.mouseClick(live.strip, LEFT, pos=QPoint(*live.strip.card_center(2)))
        assert live.held is oldest
        assert live.picture.shown.picture is oldest.picture
        assert "NOT LIVE" in live.picture.shown.banner
        qtbot.keyClick(window, Qt.Key.Key_L)
        qtbot.waitUntil(lambda: live.held is None)
        assert live.picture.shown.picture is live.strip.parts[0].picture
        assert live.picture.shown.banner == ""


def test_the_slider_fades_the_overlay(qtbot: QtBot, tmp_path: Path) -> None:
    with opened_window(qtbot, tmp_path, ScriptedSession([Verdict.NG])) as (window, worker):
        show_one(qtbot, window, worker, "Finished")
        window.live.opacity.setValue(0)
        bare = pixel_of_the_defect(window)
        window.live.opacity.setValue(100)
        covered = pixel_of_the_defect(window)
        window.live.opacity.setValue(50)
        half = pixel_of_the_defect(window)
    assert bare != covered
    assert half.blue() == pytest.approx((bare.blue() + covered.blue()) / 2, abs=4)


def pixel_of_the_defect(window: StationWindow) -> QColor:
    """The colour in the middle of the hot spot, which lies at x 5-8, y 6-9 of 60 × 40."""
    view = window.live.picture
    box = view.picture_box()
    at = QPoint(int(box.left() + box.width() * 7 / 60), int(box.top() + box.height() * 8 / 40))
    return view.grab().toImage().pixelColor(at)


def test_the_status_strip_is_filled_from_the_session(qtbot: QtBot, tmp_path: Path) -> None:
    with opened_window(qtbot, tmp_path, ScriptedSession()) as (window, _):
        qtbot.waitUntil(lambda: window.strip.names == ["Disk"])
        assert window.strip.text("Disk") == GOOD_DISK.text


def test_a_status_that_cannot_be_had_is_said(qtbot: QtBot, tmp_path: Path) -> None:
    class Unplugged(ScriptedSession):
        def status(self):  # type: ignore[no-untyped-def]
            raise MissingError("The disk is gone.")

    with opened_window(qtbot, tmp_path, Unplugged()) as (window, _):
        qtbot.waitUntil(lambda: window.strip.names == ["Status"])
        assert window.strip.text("Status") == "The disk is gone."
        assert window.strip.health("Status") is Health.BAD


@pytest.mark.parametrize("size", [(1024, 700), (1920, 1080), (3840, 2160)])
def test_every_size_shows_everything(qtbot: QtBot, tmp_path: Path, size: tuple[int, int]) -> None:
    with opened_window(qtbot, tmp_path, ScriptedSession([Verdict.NG])) as (window, worker):
        window.resize(*size)
        show_one(qtbot, window, worker, "Finished")
        assert (window.width(), window.height()) == size
        live = window.live
        for widget in (live.picture, live.verdict, live.counters, live.controls, live.strip):
            assert window.rect().contains(widget.mapTo(window, widget.rect().bottomRight()))
            assert not widget.visibleRegion().isEmpty()
