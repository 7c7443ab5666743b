"""Opening the window: where there is no display, what ends it, what it raises."""

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from engine.types import MissingError
from inspector.app import run_windowed
from inspector.db.history import History
from inspector.pipeline.inspection import Verdict
from inspector.station import StationSession
from inspector.ui.display import display_problem, require_display
from inspector.ui.run import run_window
from inspector.ui.window import StationWindow
from tests.inspector.people_parts import cheap_hashes, make_people
from tests.inspector.station_parts import make_station
from tests.inspector.ui_parts import ScriptedSession, write_database


def test_without_a_display_there_is_a_sentence() -> None:
    problem = display_problem({}, "linux")
    assert problem is not None
    assert "--headless" in problem


def test_a_display_that_does_not_answer_is_a_problem() -> None:
    problem = display_problem({"DISPLAY": ":63211", "QT_QPA_PLATFORM": "nonsense"}, "linux")
    assert problem is not None
    assert "Qt cannot open a window here" in problem


def test_drawing_into_memory_is_no_problem() -> None:
    require_display()  # the tests themselves run so


def test_no_display_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.ui.display.display_problem", lambda: "There is no display.")
    with pytest.raises(MissingError, match="no display") as caught:
        require_display()
    assert caught.value.exit_code == 3


def close_soon() -> None:
    """Close the station's window once it is there."""

    def close() -> None:
        windows = [w for w in QApplication.topLevelWidgets() if isinstance(w, StationWindow)]
        for window in windows:
            window.close()

    QTimer.singleShot(300, close)


def test_the_window_runs_until_it_is_closed(qtbot: QtBot, tmp_path: Path) -> None:
    write_database(tmp_path / "inspector.db", [])
    session = ScriptedSession()
    close_soon()
    with History(tmp_path / "inspector.db") as history:
        assert run_window(session, history, pictures=tmp_path) == 0
    assert session.shown
    assert session.closed


def test_what_the_session_raised_is_raised_at_the_end(qtbot: QtBot, tmp_path: Path) -> None:
    write_database(tmp_path / "inspector.db", [])
    session = ScriptedSession([Verdict.OK], MissingError("The camera is gone."))
    close_soon()
    with (
        History(tmp_path / "inspector.db") as history,
        pytest.raises(MissingError, match="camera is gone"),
    ):
        run_window(session, history, pictures=tmp_path)


def test_the_station_hands_its_people_to_the_window(qtbot: QtBot, tmp_path: Path) -> None:
    session = StationSession(make_station(tmp_path, "sim:disc?size=64&fps=20"))
    with cheap_hashes():
        make_people(session.database)
    shown: list[bool] = []

    def look() -> None:
        windows = [w for w in QApplication.topLevelWidgets() if isinstance(w, StationWindow)]
        for window in windows:
            shown.append(window.bar.who.isVisible())
            window.close()

    QTimer.singleShot(300, look)
    with session:
        assert run_windowed(session) == 0
    assert shown[0]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal from 3.12 on")
def test_the_binding_counts_its_references_to_none(qtbot: QtBot) -> None:
    """PySide6 6.12.0 on Python 3.11 gives one back a call: the program aborts within minutes."""
    label = QLabel()
    qtbot.addWidget(label)
    before = sys.getrefcount(None)
    for _ in range(1000):
        label.setText("part")
    assert sys.getrefcount(None) > before - 100
