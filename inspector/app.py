"""Runs a station from the command line: with a window, or headless."""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Annotated, Any, Self

import typer

from engine.types import MissingError
from inspector.db.accounts import Accounts
from inspector.db.errors import explained
from inspector.db.history import History
from inspector.db.log import writing
from inspector.lock import TakenError, alone_in
from inspector.pipeline.control import Control
from inspector.pipeline.inspection import Inspection
from inspector.pipeline.sinks import Sink
from inspector.settings import read_settings
from inspector.station import StationSession


class NoScreen:
    """The screen of a station without one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to let go of."""

    def write(self, inspection: Inspection) -> Inspection:
        return inspection


def run_headless(session: StationSession, screen: Sink) -> None:
    """Run to the end in this thread. Ctrl+C, or a service manager's SIGTERM, ends it between
    two parts, with the run closed, and is then raised as :class:`KeyboardInterrupt`; a second one
    does not wait."""
    control = Control()
    control.start()
    with _signals_stop(control):
        session.run(control, screen)


@contextmanager
def _signals_stop(control: Control) -> Iterator[None]:
    """Ctrl+C, and what a service manager sends, where nobody else has taken them: it is not ours
    to replace another's handler, or "ignored"."""
    usual: dict[int, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
    }
    in_main = threading.current_thread() is threading.main_thread()
    ours = [number for number, handler in usual.items() if signal.getsignal(number) is handler]
    if not in_main or signal.SIGINT not in ours:
        yield
        return
    interrupted = False

    def restore() -> None:
        for number in ours:
            signal.signal(number, usual[number])

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        restore()
        control.stop()

    for number in ours:
        signal.signal(number, stop)
    try:
        yield
    finally:
        restore()
    if interrupted:
        raise KeyboardInterrupt


def run_windowed(session: StationSession) -> int:
    """Open the window on the session; :class:`MissingError` where there is no display."""
    from inspector.ui.display import display_problem

    problem = display_problem()
    if problem is not None:
        raise MissingError(problem)
    from inspector.ui.run import run_window

    with ExitStack() as stack:
        _make_database(session.database)
        history = stack.enter_context(History(session.database))
        people = stack.enter_context(Accounts(session.database))
        return run_window(session, history, pictures=session.settings.out, people=people)


def _make_database(path: Path) -> None:
    """Made or migrated now, so that the history opens before the first part.

    Not where a station runs in the folder: it has made its database, and goes on with the schema
    that it knows. The history opens on that one, or says that it is of another version.
    """
    with suppress(TakenError), alone_in(path.parent), explained(path), writing(path):
        return


def station(
    settings: Annotated[Path, typer.Argument(help="The station's TOML file.")],
    headless: Annotated[bool, typer.Option("--headless", help="No window.")] = False,
    frames: Annotated[int | None, typer.Option(help="End after so many frames.", min=1)] = None,
) -> None:
    """Run a station: its camera, its plan, its recipe, its database; with a window or without."""
    with StationSession(read_settings(settings), frames) as session:
        status = _run_headless(session) if headless else run_windowed(session)
    if status:
        raise typer.Exit(status)


def _run_headless(session: StationSession) -> int:
    try:
        run_headless(session, NoScreen())
    finally:  # after Ctrl+C, too: it is how a station without an end is ended
        _say_counts(session)
    return 0


def _say_counts(session: StationSession) -> None:
    total = session.counters.counts().total
    typer.echo(f"{total.triggers} parts: {total.ok} OK, {total.ng} NG, {total.fault} FAULT.")
