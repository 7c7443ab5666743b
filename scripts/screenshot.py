#!/usr/bin/env python
"""Take a picture of the real window at work: ``screenshot.py MODULE:FACTORY OUT.png``.

FACTORY is called without arguments and gives a context manager that yields ``(session, history,
pictures)``, what :func:`inspector.ui.run.run_window` is given. Needs a display; ``xvfb-run -a -s
"-screen 0 1920x1080x24"`` makes one where there is none.
"""

import argparse
import importlib
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import shiboken6
from PySide6.QtCore import QCoreApplication, QEventLoop
from PySide6.QtWidgets import QApplication

from engine.types import KnownError, MissingError
from inspector.pipeline.inspection import Verdict
from inspector.ui.display import require_display
from inspector.ui.history_view import HistorySource
from inspector.ui.run import open_window
from inspector.ui.session import Session
from inspector.ui.window import StationWindow

Opened = AbstractContextManager[tuple[Session, HistorySource, Path]]


def main() -> int:
    wanted = _arguments()
    try:
        require_display()
        _take(_factory(wanted.factory), wanted)
    except KnownError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(wanted.out)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("factory", help="where the session comes from, as module:function")
    parser.add_argument("out", type=Path, help="the PNG to write")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=800)
    parser.add_argument("--parts", type=int, default=12, help="how many parts to see first")
    parser.add_argument("--verdict", type=Verdict, default=Verdict.NG, help="what to wait for then")
    parser.add_argument("--page", choices=["line", "history"], default="line")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds")
    return parser.parse_args()


def _factory(name: str) -> Callable[[], Opened]:
    module, _, function = name.partition(":")
    made: Callable[[], Opened] = getattr(importlib.import_module(module), function)
    return made


def _take(factory: Callable[[], Opened], wanted: argparse.Namespace) -> None:
    app = QApplication([])
    with factory() as (session, history, pictures):
        window, worker = open_window(session, history, pictures=pictures)
        window.resize(wanted.width, wanted.height)
        worker.start()
        _wait(lambda: _is_worth_a_picture(window, wanted), wanted.timeout)
        if wanted.page == "history":
            _show_history(window, wanted)
        window.grab().save(str(wanted.out))
        window.close()
        _wait(lambda: not window.isVisible(), wanted.timeout)
        shiboken6.delete(window)
    worker.raise_error()
    app.quit()


def _is_worth_a_picture(window: StationWindow, wanted: argparse.Namespace) -> bool:
    seen = window.live.counters.text("parts").replace(",", "")
    enough = seen.isdecimal() and int(seen) >= wanted.parts
    return enough and window.live.verdict.face.word == wanted.verdict.value


def _show_history(window: StationWindow, wanted: argparse.Namespace) -> None:
    """The history page with the newest record of the wanted verdict in detail."""
    window.turn_to(1)
    model = window.history.model
    _wait(lambda: model.rowCount() > 0, wanted.timeout)
    rows = range(model.rowCount())
    window.history.table.selectRow(next(r for r in rows if model.row(r).verdict is wanted.verdict))
    _wait(lambda: window.history.detail.picture.shown.picture is not None, wanted.timeout)


def _wait(condition: Callable[[], Any], timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise MissingError(f"The window had nothing to show within {timeout_s:.0f} s.")
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 50)


if __name__ == "__main__":
    sys.exit(main())
