"""Who acknowledged is written down: by name where the station has people."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from inspector.db.accounts import Accounts
from inspector.people.roles import ALLOWED, Permission, Role
from inspector.pipeline.latched import ErrorCode, LatchedError
from inspector.pipeline.state import State
from inspector.station import StationSession
from inspector.ui.hold import Entry, have_new
from inspector.ui.window import StationWindow
from tests.inspector.people_parts import PASSWORDS, cheap_hashes, make_people
from tests.inspector.station_parts import make_station
from tests.inspector.test_ui_hold import LATER, camera_lost
from tests.inspector.ui_parts import ScriptedSession, opened_window, sign_in, standing

LOST = standing(State.ERROR, camera_lost())
BACK = standing(State.CONTINUOUS_EXECUTION, camera_lost(resolved_at=LATER))
TWO = standing(
    State.ERROR,
    camera_lost(),
    LatchedError(ErrorCode.INTERNAL, "A fault of this program.", LATER, LATER),
)
EVENTS = "SELECT text, details FROM event WHERE code = 'error_acknowledged'"


@contextmanager
def opened(
    qtbot: QtBot, folder: Path, session: ScriptedSession, idle: list[float]
) -> Iterator[StationWindow]:
    with cheap_hashes(), Accounts(make_people(folder / "inspector.db")) as accounts:
        options = {"people": accounts, "timer": lambda: idle[0]}
        with opened_window(qtbot, folder, session, **options) as (window, _):
            window.activateWindow()
            qtbot.waitUntil(window.isActiveWindow)
            qtbot.waitUntil(window.notice.isVisible)
            yield window


@pytest.fixture
def session() -> ScriptedSession:
    return ScriptedSession(stands=LOST)


@pytest.fixture
def idle() -> list[float]:
    return [0.0]


@pytest.fixture
def window(
    qtbot: QtBot, tmp_path: Path, session: ScriptedSession, idle: list[float]
) -> Iterator[StationWindow]:
    with opened(qtbot, tmp_path, session, idle) as window:
        yield window


def test_nobody_acknowledges_before_he_has_signed_in(
    qtbot: QtBot, window: StationWindow, session: ScriptedSession
) -> None:
    card = window.people.card
    assert window.notice.button.text() == "Sign in and acknowledge  F9"
    qtbot.keyClick(window, Qt.Key.Key_F9)
    qtbot.waitUntil(card.isVisible)
    sign_in(qtbot, window, "olga", "twelve wrong letters")
    qtbot.waitUntil(lambda: card.error != "")
    assert session.acknowledged == []
    sign_in(qtbot, window, "olga", PASSWORDS["olga"])
    qtbot.waitUntil(lambda: session.acknowledged == ["olga"])
    qtbot.waitUntil(lambda: window.notice.button.text() == "Acknowledge  F9")


def test_whoever_is_signed_in_is_asked_nothing(
    qtbot: QtBot, window: StationWindow, session: ScriptedSession
) -> None:
    sign_in(qtbot, window, "emil", PASSWORDS["emil"])
    qtbot.waitUntil(lambda: window.bar.who.text == "emil, engineer")
    assert session.acknowledged == []
    window.notice.button.click()
    assert session.acknowledged == ["emil"]


def test_a_card_that_was_left_acknowledges_nothing_later(
    qtbot: QtBot, window: StationWindow, session: ScriptedSession
) -> None:
    window.notice.button.click()
    window.people.card.cancel.click()
    sign_in(qtbot, window, "olga", PASSWORDS["olga"])
    qtbot.waitUntil(lambda: window.bar.who.text == "olga, operator")
    assert session.acknowledged == []


def test_whoever_was_idle_for_too_long_signs_in_anew(
    qtbot: QtBot, window: StationWindow, session: ScriptedSession, idle: list[float]
) -> None:
    sign_in(qtbot, window, "emil", PASSWORDS["emil"])
    qtbot.waitUntil(lambda: window.bar.who.text == "emil, engineer")
    idle[0] = 600.0
    window.notice.button.click()  # before the window has looked
    assert session.acknowledged == []
    assert window.people.card.isVisible()


def test_what_comes_while_somebody_signs_in_he_has_not_seen(
    qtbot: QtBot, window: StationWindow, session: ScriptedSession
) -> None:
    window.notice.button.click()
    session.stands = TWO
    qtbot.waitUntil(lambda: len(window.notice.texts) == 2)
    sign_in(qtbot, window, "olga", PASSWORDS["olga"])
    said = "olga, operator: something new, read it first."
    qtbot.waitUntil(lambda: window.bar.who.text == said)
    assert session.acknowledged == []
    window.notice.button.click()
    assert session.acknowledged == ["olga"]
    qtbot.waitUntil(lambda: window.bar.who.text == "olga, operator")


def test_a_camera_that_comes_back_while_somebody_signs_in_is_nothing_new(
    qtbot: QtBot, window: StationWindow, session: ScriptedSession
) -> None:
    window.notice.button.click()
    session.stands = BACK
    qtbot.waitUntil(lambda: not window.notice.loud)
    sign_in(qtbot, window, "olga", PASSWORDS["olga"])
    qtbot.waitUntil(lambda: session.acknowledged == ["olga"])


def test_new_is_what_waits_and_was_not_seen() -> None:
    old, other = Entry("Camera", "No camera."), Entry("Run", "It ended.")
    assert not have_new([old], [old, other])
    assert have_new([old, other], [old])
    assert not have_new([old, Entry("Disk", "It is full.", seen=True)], [old])


def test_a_role_that_may_not_is_told_so(
    qtbot: QtBot, window: StationWindow, session: ScriptedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(qtbot, window, "olga", PASSWORDS["olga"])
    qtbot.waitUntil(lambda: window.bar.who.text == "olga, operator")
    engineers = ALLOWED | {Role.OPERATOR: frozenset({Permission.RUN})}
    monkeypatch.setattr("inspector.people.roles.ALLOWED", engineers)
    window.notice.button.click()
    assert session.acknowledged == []
    said = "olga is operator and may not acknowledge an error"
    qtbot.waitUntil(lambda: said in window.bar.who.text)


def test_the_event_of_a_real_station_names_the_person(qtbot: QtBot, tmp_path: Path) -> None:
    plug = tmp_path / "plug"
    plug.touch()
    settings = make_station(tmp_path, f"sim:disc?size=64&fps=20&plug={plug}")
    with StationSession(settings) as session, cheap_hashes():
        make_people(session.database)
        with (
            Accounts(session.database) as accounts,
            opened_window(qtbot, tmp_path, session, people=accounts) as (window, worker),  # type: ignore[arg-type]
        ):
            worker.start()
            notice, verdict = window.notice, window.live.verdict
            qtbot.waitUntil(lambda: verdict.face.word == "OK", timeout=20_000)
            plug.unlink()
            qtbot.waitUntil(lambda: notice.loud, timeout=10_000)
            notice.button.click()
            sign_in(qtbot, window, "olga", PASSWORDS["olga"])
            acknowledged = "acknowledged by olga"
            qtbot.waitUntil(lambda: acknowledged in "".join(notice.texts))
            plug.touch()
            qtbot.waitUntil(lambda: verdict.face.word == "OK", timeout=20_000)
            assert not notice.isVisible()
    with closing(sqlite3.connect(session.database)) as connection:
        ((text, details),) = connection.execute(EVENTS).fetchall()
    assert text.startswith("olga acknowledged: ")
    assert json.loads(details) == {"error": "camera_lost", "who": "olga"}
