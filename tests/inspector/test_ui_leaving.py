"""Whoever is signed in when the window closes."""

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from inspector.db.accounts import Accounts
from inspector.pipeline.events import EventCode
from tests.inspector.people_parts import PASSWORDS, cheap_hashes, make_people
from tests.inspector.ui_parts import ScriptedSession, opened_window, sign_in


def test_whoever_leaves_with_the_window_does_while_the_run_can_take_it_down(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, told = ScriptedSession(), list[EventCode]()
    with (
        cheap_hashes(),
        Accounts(make_people(tmp_path / "inspector.db")) as people,
        opened_window(qtbot, tmp_path, session, people=people) as (window, worker),
    ):
        worker.start()
        sign_in(qtbot, window, "olga", PASSWORDS["olga"])
        qtbot.waitUntil(lambda: window.bar.who.text == "olga, operator")
        with monkeypatch.context() as patch:
            patch.setattr(worker, "stop", lambda: told.append(session.told[-1][0]))
            window.close()
        assert told == [EventCode.SIGNED_OUT]
