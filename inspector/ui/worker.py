"""Runs a session in one thread and tells the window, when asked, how it goes.

The window polls ``state`` together with its mailbox: nothing here calls into the GUI.
"""

import logging
import traceback
from enum import Enum
from threading import Lock, Thread

from engine.types import KnownError
from inspector.pipeline.control import Control
from inspector.pipeline.events import EventCode
from inspector.pipeline.station_state import Standing
from inspector.ui.screen_sink import ScreenSink
from inspector.ui.session import Session

_log = logging.getLogger(__name__)


class LineState(Enum):
    """Where the line stands, as the person at it sees it."""

    IDLE = "idle"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"


class Worker:
    """One session, one thread at a time; a new start makes a new control and a new thread.

    A failure is latched: it stays, and the line cannot start, until it is acknowledged. It is
    kept in ``error`` even then, for :meth:`raise_error` when the window has closed.
    """

    def __init__(self, session: Session, screen: ScreenSink) -> None:
        self._session = session
        self._screen = screen
        self._lock = Lock()
        self._thread: Thread | None = None
        self._control = Control()
        self._state = LineState.IDLE
        self._failure: str | None = None
        self.error: BaseException | None = None

    @property
    def state(self) -> LineState:
        with self._lock:
            return self._state

    @property
    def failure(self) -> str | None:
        """The latched failure in one sentence, until it is acknowledged."""
        with self._lock:
            return self._failure

    @property
    def standing(self) -> Standing:
        """How the station itself says that it stands, whatever this line's state."""
        return self._session.standing()

    @property
    def alive(self) -> bool:
        """Whether the thread runs: true until the session has let go of its camera."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def can_start(self) -> bool:
        """Whether :meth:`start` would do something: begin, begin again, or go on after a pause."""
        state = self.state
        if state is LineState.PAUSED or state is LineState.IDLE:
            return True
        over = state in (LineState.STOPPED, LineState.FINISHED, LineState.FAILED)
        return over and self._session.repeatable and self.failure is None and not self.alive

    @property
    def can_pause(self) -> bool:
        return self.state is LineState.RUNNING

    @property
    def can_stop(self) -> bool:
        return self.state in (LineState.RUNNING, LineState.PAUSED)

    def start(self) -> None:
        """Begin, or go on after a pause; nothing where neither is possible."""
        if not self.can_start:
            return
        if self._move(LineState.RUNNING, LineState.PAUSED):
            self._control.start()
            return
        self._control = Control()
        self._control.start()
        self._set(LineState.RUNNING)
        self._thread = Thread(target=self._run, args=(self._control,), name="line", daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Hold the line between two parts; camera and run stay open."""
        if self._move(LineState.PAUSED, LineState.RUNNING):
            self._control.pause()

    def stop(self) -> None:
        """Ask the session to end after the part in hand."""
        if self._move(LineState.STOPPING, LineState.RUNNING, LineState.PAUSED):
            self._control.stop()

    def acknowledge(self, person: str) -> None:
        """``person`` has read the failure, and what else the session has latched."""
        with self._lock:
            self._failure = None
        self._session.acknowledge(person)

    def tell(self, code: EventCode, text: str) -> None:
        """Of something that happened at the window."""
        self._session.tell(code, text)

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread; false where it has not ended in time."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return not self.alive

    def raise_error(self) -> None:
        """Raise what the session raised, so that shown never means swallowed."""
        if self.error is not None:
            raise self.error

    def _run(self, control: Control) -> None:
        try:
            self._session.run(control, self._screen)
        except KnownError as error:
            self._fail(error, str(error))
        except BaseException as error:  # noqa: BLE001  the thread's border: latched, raised at close
            where = "".join(traceback.format_exception(error))
            _log.critical("The line failed:\n%s", where)
            self._fail(error, f"Internal error: {type(error).__name__}: {error}")
        else:
            asked = self.state is LineState.STOPPING
            self._set(LineState.STOPPED if asked else LineState.FINISHED)

    def _fail(self, error: BaseException, sentence: str) -> None:
        with self._lock:
            self.error, self._failure, self._state = error, sentence, LineState.FAILED

    def _set(self, state: LineState) -> None:
        with self._lock:
            self._state = state

    def _move(self, after: LineState, *before: LineState) -> bool:
        """Change the state, unless the worker's end came first; whether it changed."""
        with self._lock:
            moved = self._state in before
            if moved:
                self._state = after
        return moved
