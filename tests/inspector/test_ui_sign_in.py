"""Signing in at the window, on a real database and a real argon2."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from engine.types import DatabaseError
from inspector.db import people
from inspector.db.accounts import Accounts
from inspector.db.audit import read_trail
from inspector.db.changes import Changes
from inspector.people.roles import Role
from inspector.pipeline.events import EventCode
from inspector.ui import theme
from inspector.ui.sign_in_card import SignInCard
from inspector.ui.theme import Scale
from inspector.ui.window import StationWindow
from inspector.ui.worker import LineState, Worker
from tests.inspector.people_parts import PASSWORDS, Clock, cheap_hashes, logged_in, make_people
from tests.inspector.ui_parts import ScriptedSession, opened_window, sign_in

WRONG = "twelve wrong letters"
SAID_WRONG = "Name or password is wrong: try again, or ask an administrator."


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    with cheap_hashes():
        return make_people(tmp_path_factory.mktemp("people") / "station.sqlite").read_bytes()


@pytest.fixture
def path(made: bytes, tmp_path: Path) -> Iterator[Path]:
    """The database that the window of :func:`opened` will show."""
    copy = tmp_path / "inspector.db"
    copy.write_bytes(made)
    with cheap_hashes():
        yield copy


@dataclass
class Opened:
    """A window at a station with people, whose idle time a test moves."""

    window: StationWindow
    worker: Worker
    session: ScriptedSession
    idle: list[float]
    clock: Clock = field(default_factory=Clock)

    @property
    def text(self) -> str:
        return self.window.bar.who.text


@contextmanager
def opened(qtbot: QtBot, path: Path) -> Iterator[Opened]:
    now, clock, session = [0.0], Clock(), ScriptedSession()
    with (
        Accounts(path, clock=clock) as accounts,
        opened_window(qtbot, path.parent, session, people=accounts, timer=lambda: now[0]) as (
            window,
            worker,
        ),
    ):
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        yield Opened(window, worker, session, now, clock)


def test_a_station_without_accounts_asks_nobody(qtbot: QtBot, tmp_path: Path) -> None:
    with Changes(tmp_path / "inspector.db", create=True):
        pass
    with opened(qtbot, tmp_path / "inspector.db") as at:
        qtbot.wait(100)
        assert not at.window.bar.who.isVisible()


def test_whoever_signs_in_is_shown_until_he_signs_out(qtbot: QtBot, path: Path) -> None:
    with opened(qtbot, path) as at:
        button = at.window.bar.who.button
        assert button.isVisible()
        assert (button.text(), at.text) == ("Sign in  F3", "")
        sign_in(qtbot, at.window, " Emil ", PASSWORDS["emil"])
        qtbot.waitUntil(lambda: at.text == "emil, engineer")
        assert button.text() == "Sign out  F3"
        assert not at.window.people.card.isVisible()
        button.click()
        qtbot.waitUntil(lambda: at.text == "")
        assert button.text() == "Sign in  F3"
        assert at.session.told == [
            (EventCode.SIGNED_IN, "emil, engineer, signed in."),
            (EventCode.SIGNED_OUT, "emil signed out."),
        ]


def test_whoever_is_signed_in_leaves_with_the_window(qtbot: QtBot, path: Path) -> None:
    with opened(qtbot, path) as at:
        sign_in(qtbot, at.window, "olga", PASSWORDS["olga"])
        qtbot.waitUntil(lambda: at.text == "olga, operator")
        at.window.close()
        assert at.session.told[-1] == (EventCode.SIGNED_OUT, "olga signed out.")


def test_it_all_goes_by_the_keyboard_and_the_line_hears_its_keys(qtbot: QtBot, path: Path) -> None:
    with opened(qtbot, path) as at:
        at.worker.start()
        qtbot.keyClick(at.window, Qt.Key.Key_F3)
        card = at.window.people.card
        qtbot.waitUntil(lambda: card.name.hasFocus())
        qtbot.keyClicks(card.name, "olga")
        qtbot.keyClick(card.name, Qt.Key.Key_Return)
        assert card.password.hasFocus()
        qtbot.keyClick(card.password, Qt.Key.Key_F6)
        qtbot.waitUntil(lambda: at.worker.state is LineState.PAUSED)
        qtbot.keyClicks(card.password, PASSWORDS["olga"])
        qtbot.keyClick(card.password, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: at.text == "olga, operator")
        qtbot.keyClick(at.window, Qt.Key.Key_F3)
        qtbot.waitUntil(lambda: at.text == "")


def test_which_of_the_two_was_wrong_is_not_told(qtbot: QtBot, path: Path) -> None:
    with opened(qtbot, path) as at:
        card = at.window.people.card
        told = set()
        for name, password in (("emil", WRONG), ("nobody", PASSWORDS["emil"])):
            sign_in(qtbot, at.window, name, password)
            qtbot.waitUntil(lambda: card.error != "")
            told.add(card.error)
            assert card.isVisible()
            assert (card.name.text(), card.password.text()) == (name, "")
            at.window.bar.who.button.click()
            assert not card.isVisible()
        assert told == {SAID_WRONG}
        assert at.text == ""


def test_a_locked_account_says_until_when(qtbot: QtBot, path: Path) -> None:
    with opened(qtbot, path) as at:
        card = at.window.people.card
        at.window.bar.who.button.click()
        card.name.setText("emil")
        for said in [SAID_WRONG] * 5 + ["locked after 5 wrong passwords: try again in 15 min"]:
            qtbot.keyClicks(card.password, PASSWORDS["emil"] if "locked" in said else WRONG)
            card.enter.click()
            assert not card.enter.isEnabled()
            qtbot.waitUntil(lambda: card.name.isEnabled())
            assert said in card.error
        at.clock.wait(15)
        qtbot.keyClicks(card.password, PASSWORDS["emil"])
        card.enter.click()
        qtbot.waitUntil(lambda: at.text == "emil, engineer")
    assert read_trail(path)[0].action == "account_locked"


def test_the_line_goes_on_while_a_password_is_checked(
    qtbot: QtBot, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if argon2 took as long as the window wants to go on."""
    go_on, threads = threading.Event(), []

    def slow(stored: str | None, password: str) -> bool:
        threads.append(threading.current_thread())
        return go_on.wait(20)

    monkeypatch.setattr("inspector.db.people.is_password", slow)
    with opened(qtbot, path) as at:
        at.worker.start()
        sign_in(qtbot, at.window, "olga", WRONG)
        qtbot.waitUntil(lambda: bool(threads))
        card, parts = at.window.people.card, at.window.live.counters
        assert card.enter.text() == "Checking …"
        before = parts.text("parts")
        qtbot.waitUntil(lambda: parts.text("parts") != before)
        go_on.set()
        qtbot.waitUntil(lambda: at.text == "olga, operator")
    assert threading.main_thread() not in threads


def test_whoever_leaves_the_card_is_not_signed_in_by_it(
    qtbot: QtBot, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr("inspector.db.people.is_password", lambda *_: go_on.wait(20))
    with opened(qtbot, path) as at:
        card = at.window.people.card
        sign_in(qtbot, at.window, "olga", WRONG)
        qtbot.keyClick(card, Qt.Key.Key_Escape)
        qtbot.waitUntil(lambda: not card.isVisible())
        go_on.set()
        sign_in(qtbot, at.window, "emil", WRONG)  # comes after it on the same thread
        qtbot.waitUntil(lambda: at.text != "")
        assert at.text == "emil, engineer"


def test_a_card_that_somebody_left_goes_away(qtbot: QtBot, path: Path) -> None:
    with opened(qtbot, path) as at:
        card = at.window.people.card
        at.idle[0] = 1000.0
        at.window.bar.who.button.click()
        at.idle[0] = 1059.0
        qtbot.keyClicks(card.password, "half of a")
        at.idle[0] = 1118.0
        qtbot.wait(100)
        assert card.isVisible()
        at.idle[0] = 1119.0
        qtbot.waitUntil(lambda: not card.isVisible())
        assert card.password.text() == ""


def press(widget: QWidget, qtbot: QtBot) -> None:
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def type_a_letter(widget: QWidget, qtbot: QtBot) -> None:
    qtbot.keyClick(widget, Qt.Key.Key_Left)


def turn_the_wheel(widget: QWidget, qtbot: QtBot) -> None:
    here, none = QPointF(widget.rect().center()), Qt.MouseButton.NoButton
    turn = QWheelEvent(
        here,
        widget.mapToGlobal(here),
        QPoint(),
        QPoint(0, 120),
        none,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, turn)


@pytest.mark.parametrize("sign", [press, type_a_letter, turn_the_wheel])
def test_an_engineer_is_signed_out_when_idle_and_it_is_said(
    qtbot: QtBot, path: Path, sign: Callable[[QWidget, QtBot], None]
) -> None:
    with opened(qtbot, path) as at:
        sign_in(qtbot, at.window, "emil", PASSWORDS["emil"])
        qtbot.waitUntil(lambda: at.text == "emil, engineer")
        at.idle[0] = 599.0
        qtbot.wait(100)
        sign(at.window.live.verdict, qtbot)
        at.idle[0] = 1198.0
        qtbot.wait(100)
        assert at.text == "emil, engineer"
        at.idle[0] = 1199.0
        said = "emil was signed out after 10 idle minutes."
        qtbot.waitUntil(lambda: at.text == said)
        assert at.session.told[1:] == [(EventCode.SIGNED_OUT, said)]
        assert at.window.bar.who.button.text() == "Sign in  F3"
        sign_in(qtbot, at.window, "emil", PASSWORDS["emil"])
        qtbot.waitUntil(lambda: at.text == "emil, engineer")


def test_an_operator_is_not_signed_out_by_time(qtbot: QtBot, path: Path) -> None:
    with opened(qtbot, path) as at:
        sign_in(qtbot, at.window, "olga", PASSWORDS["olga"])
        qtbot.waitUntil(lambda: at.text == "olga, operator")
        at.idle[0] = 1e6
        qtbot.wait(100)
        assert at.text == "olga, operator"


@pytest.mark.parametrize(
    "change",
    [
        lambda c, ada: people.set_disabled(c, ada, "emil", True, "left"),
        lambda c, ada: people.set_role(c, ada, "emil", Role.OPERATOR, "a mistake"),
    ],
)
def test_an_account_that_changes_is_signed_out(
    qtbot: QtBot, path: Path, change: Callable[..., object]
) -> None:
    with opened(qtbot, path) as at:
        sign_in(qtbot, at.window, "emil", PASSWORDS["emil"])
        qtbot.waitUntil(lambda: at.text == "emil, engineer")
        with Changes(path) as changes:
            change(changes, logged_in(changes, "ada"))
        said = "emil was signed out: the account has changed."
        qtbot.waitUntil(lambda: at.text == said)
        assert at.session.told[1:] == [(EventCode.SIGNED_OUT, said)]


def test_the_first_account_makes_the_window_ask(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "inspector.db"
    with Changes(path, create=True):
        pass
    with opened(qtbot, path) as at, cheap_hashes():
        assert not at.window.bar.who.isVisible()
        with Changes(path) as changes:
            people.add_first(changes, "ada", PASSWORDS["ada"])
        qtbot.waitUntil(at.window.bar.who.isVisible)


def test_accounts_that_cannot_be_read_any_more_are_still_asked_for(
    qtbot: QtBot, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(qtbot, path) as at:
        asked: list[int] = []

        def fail(accounts: Accounts) -> tuple[people.Account, ...]:
            asked.append(1)
            raise DatabaseError("The database is damaged.")

        monkeypatch.setattr(Accounts, "known", fail)
        qtbot.waitUntil(lambda: len(asked) == 2)  # the second is asked once the first has failed
        assert at.window.bar.who.isVisible()
        assert at.window.people.wanted


def test_a_locked_database_is_said_on_the_card(qtbot: QtBot, path: Path) -> None:
    with Accounts(path, busy_ms=20) as accounts, Changes(path) as other:
        options = {"people": accounts}
        with opened_window(qtbot, path.parent, ScriptedSession(), **options) as (window, _):
            with other.transaction():
                sign_in(qtbot, window, "olga", PASSWORDS["olga"])
                qtbot.waitUntil(lambda: "locked by another program" in window.people.card.error)
            assert window.bar.who.text == ""


@pytest.mark.parametrize("size", [(1024, 700), (1920, 1080)])
def test_the_card_never_lies_over_the_verdict(
    qtbot: QtBot, path: Path, size: tuple[int, int]
) -> None:
    with opened(qtbot, path) as at:
        window, card = at.window, at.window.people.card
        window.resize(*size)
        window.bar.who.button.click()
        card.ask_again(
            "The account emil is locked after 5 wrong passwords: " + "ask somebody. " * 9
        )
        qtbot.waitUntil(lambda: card.enter.height() > 0)
        verdict, body = window.live.verdict, card.parentWidget()
        box = verdict.rect().translated(verdict.mapTo(body, QPoint()))
        assert not card.geometry().intersects(box)
        assert body.rect().contains(card.geometry())
        assert (window.width(), window.height()) == size


def test_the_card_is_as_high_when_it_opens_again(qtbot: QtBot, path: Path) -> None:
    with opened(qtbot, path) as at:
        card, heights = at.window.people.card, []
        for _ in range(2):
            at.window.bar.who.button.click()
            qtbot.wait(50)
            heights.append(card.height())
            card.ask_again("Name or password is wrong: try again.")
            card.cancel.click()
        assert heights[0] == heights[1]


def test_the_bar_leaves_room_for_the_longest_name(qtbot: QtBot, path: Path) -> None:
    with opened(qtbot, path) as at, Changes(path) as changes:
        pages = [b for b in at.window.bar.findChildren(QAbstractButton) if b.isCheckable()]
        before = [button.width() for button in pages]
        longest = "w" * people.LONGEST_NAME
        ada = logged_in(changes, "ada")
        people.add(changes, ada, longest, Role.ADMINISTRATOR, "nine new harbours", None)
        sign_in(qtbot, at.window, longest, "nine new harbours")
        qtbot.waitUntil(lambda: at.text == f"{longest}, administrator")
        qtbot.wait(50)
        assert at.window.width() == 1024
        assert [button.width() for button in pages] == before


@pytest.mark.parametrize("dpi", [84, 96, 130])
def test_the_card_is_pressed_with_a_finger(qtbot: QtBot, dpi: float) -> None:
    ground = QWidget()
    ground.setStyleSheet(theme.style_sheet(Scale(dpi)))
    ground.resize(800, 800)
    card = SignInCard(Scale(dpi), ground)
    ground.show()
    card.open("Sign in")
    targets = [*card.findChildren(QAbstractButton), *card.findChildren(QLineEdit)]
    assert len(targets) == 4
    for target in targets:
        assert min(target.width(), target.height()) >= 12 * dpi / 25.4
    shiboken6.delete(ground)
