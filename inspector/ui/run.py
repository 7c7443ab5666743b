"""Opens the window on a session and stays until it is closed.

Import :mod:`inspector.ui.display` first and ask it: importing this module needs Qt's libraries.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final

import shiboken6
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from inspector.ui.history_view import HistorySource
from inspector.ui.mailbox import Mailbox
from inspector.ui.screen import ScreenState
from inspector.ui.screen_sink import ScreenSink
from inspector.ui.session import Session
from inspector.ui.sign_in import People
from inspector.ui.window import StationWindow
from inspector.ui.worker import Worker

USUAL: Final = (1280, 800)


def run_window(
    session: Session,
    history: HistorySource,
    *,
    pictures: Path,
    people: People | None = None,
    start: bool = True,
) -> int:
    """Show the station's window until a person closes it; Qt's exit status.

    ``history`` and ``people`` must stay open that long; ``pictures`` is the folder that picture
    paths start from, the database's. ``start``: begin at once, without a press on Start. What the
    session raised, or what failed in the window itself, is raised here once the window has closed
    and the worker has ended.
    """
    app = QApplication.instance() or QApplication(sys.argv[:1])
    window, worker = open_window(session, history, pictures=pictures, people=people)
    if start:
        worker.start()
    with _deleted_here(window), _closed_by_interrupt(window), _ended_by_crash(window):
        status = app.exec()
    worker.raise_error()
    if worker.alive:
        raise TimeoutError("The line did not stop after the window was closed.")
    return status


def open_window(
    session: Session,
    history: HistorySource,
    *,
    pictures: Path,
    people: People | None = None,
) -> tuple[StationWindow, Worker]:
    """The window, shown, and the worker it controls, not yet started. Needs a QApplication."""
    mailbox: Mailbox[ScreenState] = Mailbox()
    worker = Worker(session, ScreenSink(mailbox, long_edge_px=_longest_useful_edge()))
    window = StationWindow(
        worker,
        mailbox,
        history,
        title=session.title,
        pictures=pictures,
        people=people,
        status=session.status,
    )
    window.resize(*USUAL)
    window.show()
    return window, worker


def _longest_useful_edge() -> int:
    """More pixels than the screen is high would be thrown away in drawing."""
    screen = QGuiApplication.primaryScreen()
    return round(screen.size().height() * screen.devicePixelRatio())


@contextmanager
def _deleted_here(window: StationWindow) -> Iterator[None]:
    """Widgets sit in reference cycles: left to the garbage collector, they would be deleted in
    whatever thread it happens to run, and Qt takes the process down for that."""
    try:
        yield
    finally:
        shiboken6.delete(window)


@contextmanager
def _closed_by_interrupt(window: StationWindow) -> Iterator[None]:
    """Ctrl+C in the terminal closes the window in good order."""

    def close(number: int, frame: FrameType | None) -> None:
        window.close()

    before = signal.signal(signal.SIGINT, close)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _ended_by_crash(window: StationWindow) -> Iterator[None]:
    """Qt swallows what a slot raises: here the first such error closes the window and is raised."""
    crashes: list[BaseException] = []

    def note(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        crashes.append(error)
        window.close()

    before, sys.excepthook = sys.excepthook, note
    try:
        yield
    finally:
        sys.excepthook = before
    if crashes:
        raise crashes[0]
