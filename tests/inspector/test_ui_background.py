"""What is asked off the GUI's thread, once nobody wants it any more."""

from threading import Event

from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from inspector.ui.background import Background


def test_what_is_on_its_way_at_the_close_is_delivered_to_nobody(qtbot: QtBot) -> None:
    owner, worked, told = QObject(), Event(), list[str]()
    background = Background(owner)
    background.run(worked.set, lambda _: told.append("then"), told.append)
    assert worked.wait(10)
    background.close()  # lets what runs come to its end: its word is queued now
    background.run(worked.set, lambda _: told.append("later"), told.append)
    qtbot.wait(50)
    assert told == []
