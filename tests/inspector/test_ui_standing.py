"""How the station stands, in the window: loud where it is held, quiet where it is well."""

from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from inspector.pipeline.latched import ErrorCode, LatchedError
from inspector.pipeline.readiness import Check, Precondition
from inspector.pipeline.state import State
from inspector.pipeline.station_state import Standing
from inspector.station import StationSession
from inspector.ui import theme
from inspector.ui.hold import Entry
from inspector.ui.notice import MOST, Notice
from inspector.ui.session import Health
from inspector.ui.theme import Scale
from inspector.ui.window import StationWindow
from inspector.ui.worker import LineState
from tests.inspector.station_parts import make_station
from tests.inspector.test_ui_hold import LATER, camera_lost
from tests.inspector.ui_parts import (
    WELL,
    OnePartThenNone,
    ScriptedSession,
    opened_window,
    standing,
)

FULL = Check(Precondition.DISK, False, "The disk is full: free some space.")
LOST = standing(State.ERROR, camera_lost())
BACK = standing(State.CONTINUOUS_EXECUTION, camera_lost(resolved_at=LATER))
CLOSED = Check(Precondition.PLAN, False, "The plan is closed.")


def word(window: StationWindow) -> str:
    return window.live.verdict.face.word


@pytest.mark.parametrize(
    ("stands", "shown", "bar", "line"),
    [
        (LOST, "ERROR", "Error", "The camera is lost"),
        (standing(State.INITIALIZED, missing=[FULL]), "NOT READY", "Not ready", "Missing: disk"),
    ],
)
def test_what_holds_a_running_line_takes_the_place_of_the_verdict(
    qtbot: QtBot, tmp_path: Path, stands: Standing, shown: str, bar: str, line: str
) -> None:
    session = ScriptedSession()
    with opened_window(qtbot, tmp_path, session) as (window, worker):
        worker.start()
        qtbot.waitUntil(lambda: word(window) == "OK")
        assert not window.notice.isVisible()
        session.stands = stands
        qtbot.waitUntil(lambda: word(window) == shown)
        assert window.live.verdict.face.line == line
        assert window.live.verdict.face.tone is theme.CAUTION
        assert window.bar.state_text == bar
        assert window.notice.loud


def test_a_run_that_opens_is_quiet(qtbot: QtBot, tmp_path: Path) -> None:
    session = ScriptedSession(stands=standing(State.INITIALIZED, missing=[CLOSED]))
    with opened_window(qtbot, tmp_path, session) as (window, worker):
        worker.start()
        qtbot.waitUntil(lambda: word(window) == "STARTING")
        assert window.live.verdict.face.tone is theme.QUIET
        assert not window.notice.isVisible()


def test_a_line_that_goes_on_has_no_old_verdict(qtbot: QtBot, tmp_path: Path) -> None:
    session = OnePartThenNone()
    with opened_window(qtbot, tmp_path, session) as (window, worker):
        worker.start()
        qtbot.waitUntil(lambda: word(window) == "OK")
        session.stands = LOST
        qtbot.waitUntil(lambda: word(window) == "ERROR")
        session.stands = WELL
        qtbot.waitUntil(lambda: word(window) == "WAITING")


def test_a_record_stays_quietly_until_it_is_acknowledged_by_its_key(
    qtbot: QtBot, tmp_path: Path
) -> None:
    session = ScriptedSession(stands=BACK)
    with opened_window(qtbot, tmp_path, session) as (window, worker):
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        worker.start()
        qtbot.waitUntil(lambda: word(window) == "OK")
        notice = window.notice
        assert notice.isVisible()
        assert not notice.loud
        (text,) = notice.texts
        assert text.startswith("Camera, over: No camera.\nsince ")
        qtbot.keyClick(window, Qt.Key.Key_F9)
        qtbot.waitUntil(lambda: session.acknowledged == ["operator"])
        session.stands = WELL
        qtbot.waitUntil(lambda: not notice.isVisible())


def test_there_is_no_button_where_nothing_waits_for_a_person(qtbot: QtBot, tmp_path: Path) -> None:
    seen = standing(State.ERROR, camera_lost(acknowledged_by="operator"))
    with opened_window(qtbot, tmp_path, ScriptedSession(stands=seen)) as (window, _):
        qtbot.waitUntil(window.notice.isVisible)
        assert not window.notice.button.isVisible()
        assert window.notice.loud


def test_the_strip_is_asked_at_once_when_the_standing_changes(qtbot: QtBot, tmp_path: Path) -> None:
    asked = []

    class Asked(ScriptedSession):
        def status(self):  # type: ignore[no-untyped-def]
            asked.append(self.stands)
            return super().status()

    session = Asked()
    with opened_window(qtbot, tmp_path, session) as (window, _):
        qtbot.waitUntil(lambda: window.strip.names == ["Disk"])
        session.stands = LOST
        qtbot.waitUntil(lambda: LOST in asked, timeout=1000)  # the usual turn takes two seconds


def test_many_entries_leave_the_line_its_room(qtbot: QtBot, tmp_path: Path) -> None:
    errors = [
        LatchedError(code, f"{code}: " + "a sentence that says what to do. " * 3, LATER, LATER)
        for code in ErrorCode
    ]
    crowded = standing(State.ERROR, *errors, missing=[FULL])
    with opened_window(qtbot, tmp_path, ScriptedSession(stands=crowded)) as (window, worker):
        worker.start()
        qtbot.waitUntil(lambda: word(window) == "ERROR")
        assert len(window.notice.texts) == MOST
        assert window.notice.texts[-1] == "4 more: Inspection, Run, Program, Disk"
        assert (window.width(), window.height()) == (1024, 700)
        live = window.live
        for widget in (live.picture, live.verdict, live.counters, live.controls, live.strip):
            assert window.rect().contains(widget.mapTo(window, widget.rect().bottomRight()))


@pytest.mark.parametrize("dpi", [84, 96, 130])
def test_acknowledge_is_12_mm(qtbot: QtBot, dpi: float) -> None:
    notice = Notice(Scale(dpi))
    notice.setStyleSheet(theme.style_sheet(Scale(dpi)))
    notice.show_entries([Entry("Camera", "No camera.")])
    notice.show()
    assert min(notice.button.width(), notice.button.height()) >= 12 * dpi / 25.4
    shiboken6.delete(notice)


def test_a_camera_that_is_unplugged_and_comes_back(qtbot: QtBot, tmp_path: Path) -> None:
    plug = tmp_path / "plug"
    plug.touch()
    settings = make_station(tmp_path, f"sim:disc?size=64&fps=20&plug={plug}")
    with (
        StationSession(settings) as session,
        opened_window(qtbot, tmp_path, session) as (window, worker),  # type: ignore[arg-type]
    ):
        worker.start()
        strip, notice = window.strip, window.notice
        qtbot.waitUntil(lambda: word(window) == "OK", timeout=20_000)
        qtbot.waitUntil(lambda: strip.health("State") is Health.GOOD)
        assert strip.text("State") == "ContinuousExecution"
        plug.unlink()
        qtbot.waitUntil(lambda: word(window) == "ERROR" and notice.loud, timeout=10_000)
        (error,) = session.standing().errors
        assert notice.texts[0].startswith(f"Camera: {error.sentence}")
        qtbot.waitUntil(lambda: strip.health("Camera") is strip.health("State") is Health.BAD)
        plug.touch()
        qtbot.waitUntil(lambda: word(window) == "OK" and not notice.loud, timeout=20_000)
        assert "its cause has gone" in notice.texts[0]
        notice.button.click()
        qtbot.waitUntil(lambda: not notice.isVisible())
        assert worker.state is LineState.RUNNING
