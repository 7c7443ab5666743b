"""A station's log: every event, what libraries complain of, and the crash of any thread.

The standard library's logging, and no package: libraries speak to it anyway, it rotates files, and
what a line holds is ours and a page long. structlog would be a second way to say the same.
"""

import logging
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TextIO

from engine.types import KnownError
from inspector.clock import utc_now
from inspector.logs.lines import Line
from inspector.logs.writer import WAITING_LINES, LineWriter
from inspector.pipeline.events import EventCode, Severity, StationEvent
from inspector.settings import LogSettings

FOLDER: Final = "logs"
LIBRARY: Final = "library"
"""The code of a line that a library, and no event of ours, has said."""


class StationLog:
    """While entered, writes ``out/logs/station.jsonl`` and readable text to ``stream``.

    :meth:`say` takes events from any thread and waits for nothing. An exception that no thread
    caught is written down and goes on to crash; so does one that leaves the ``with``. ``run`` is
    the id that lines carry, to be set by whoever starts a run.
    """

    def __init__(
        self,
        out: Path,
        station: str,
        settings: LogSettings = LogSettings(),  # noqa: B008 (frozen)
        *,
        stream: TextIO | None = None,
        clock: Callable[[], datetime] = utc_now,
        waiting: int = WAITING_LINES,
    ) -> None:
        self.run: str | None = None
        self._station, self._clock = station, clock
        self._writer = LineWriter(out / FOLDER, settings, stream, self._lost_line, waiting)
        self._stack = ExitStack()

    @property
    def lost(self) -> int:
        """Lines that a slow or full disk did not take."""
        return self._writer.lost

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._writer)
            self._listen_to_libraries(stack)
            self._hear_crashes(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack:
            if isinstance(error, KnownError):
                self.say(StationEvent(EventCode.ERROR_RAISED, self._clock(), str(error)))
            elif isinstance(error, Exception):
                self._crashed(error, threading.current_thread().name)

    def say(self, event: StationEvent) -> None:
        """Write an event; from any thread, without waiting."""
        self._writer.put(
            Line(
                event.at,
                event.severity,
                event.code.value,
                event.text,
                self._station,
                self.run,
                details=dict(event.details),
            )
        )

    def _listen_to_libraries(self, stack: ExitStack) -> None:
        handler, root = _Ear(self._library_said), logging.getLogger()
        root.addHandler(handler)
        stack.callback(root.removeHandler, handler)

    def _library_said(self, record: logging.LogRecord) -> None:
        severity = Severity.ALARM if record.levelno >= logging.ERROR else Severity.WARNING
        at = datetime.fromtimestamp(record.created, UTC)
        self._writer.put(
            Line(
                at,
                severity,
                LIBRARY,
                record.getMessage(),
                self._station,
                self.run,
                record.name,
                trace=_trace(record.exc_info[1] if record.exc_info else None),
            )
        )

    def _hear_crashes(self, stack: ExitStack) -> None:
        """Beside whatever is told of a crash already, which is told of it still."""
        main, threads = sys.excepthook, threading.excepthook

        def in_main(
            kind: type[BaseException], error: BaseException, trace: TracebackType | None
        ) -> None:
            self._crashed(error, threading.current_thread().name)
            main(kind, error, trace)

        def in_thread(crash: threading.ExceptHookArgs) -> None:
            try:
                threads(crash)  # prints in pieces: our line comes after them, not between
            finally:
                if crash.exc_value is not None:
                    self._crashed(crash.exc_value, crash.thread.name if crash.thread else "")

        sys.excepthook, threading.excepthook = in_main, in_thread
        stack.callback(setattr, sys, "excepthook", main)
        stack.callback(setattr, threading, "excepthook", threads)

    def _crashed(self, error: BaseException, thread: str) -> None:
        text = f"A fault of this program: {type(error).__name__}: {error}"
        code = EventCode.CRASHED
        self._writer.put(
            Line(
                self._clock(),
                Severity.ALARM,
                code.value,
                text,
                self._station,
                self.run,
                thread,
                trace=_trace(error),
            )
        )

    def _lost_line(self, lost: int) -> Line:
        text = f"{lost} lines of this log were lost: the disk was too slow, or full."
        code = EventCode.LOG_LINES_LOST
        return Line(
            self._clock(),
            Severity.WARNING,
            code.value,
            text,
            self._station,
            self.run,
            details={"lines": lost},
        )


class _Ear(logging.Handler):
    """Hears warnings and worse."""

    def __init__(self, said: Callable[[logging.LogRecord], None]) -> None:
        super().__init__(logging.WARNING)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said(record)


def _trace(error: BaseException | None) -> str | None:
    return None if error is None else "".join(traceback.format_exception(error))
