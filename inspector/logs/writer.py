"""Writes the lines on a thread of its own, so that a slow disk never makes a part wait.

The queue is bounded. A line that finds it full is lost, and counted; so is one that the disk
refuses. As soon as lines go through again, the log says how many were lost.
"""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from logging import Formatter, LogRecord, makeLogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TextIO

from engine.files import unwritable
from inspector.logs.lines import Line, as_json, as_text
from inspector.settings import LogSettings

FILE: Final = "station.jsonl"
WAITING_LINES: Final = 2000
PATIENCE_S: Final = 3.0  # with a disk that does not take the last lines


class LineWriter:
    """Takes lines from any thread, while entered; ``folder`` is made.

    ``stream`` gets them as text (None: nobody does); ``lost_line`` makes the line that says how
    many were lost. :class:`InputError` where the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        settings: LogSettings,
        stream: TextIO | None,
        lost_line: Callable[[int], Line],
        waiting: int = WAITING_LINES,
    ) -> None:
        self._path = folder / FILE
        self._settings, self._stream, self._lost_line = settings, stream, lost_line
        self._queue: queue.Queue[Line | None] = queue.Queue(waiting)
        self._lock = threading.Lock()
        self._lost, self._unsaid = 0, 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    @property
    def lost(self) -> int:
        """Lines lost since the start."""
        return self._lost

    def __enter__(self) -> Self:
        most = int(self._settings.megabytes * 1e6)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _File(self._path, most, self._settings.files - 1, self._lose)
        except OSError as error:
            raise unwritable(self._path, error) from error
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(queue.Full):
            self._queue.put(None, timeout=PATIENCE_S)
        self._thread.join(PATIENCE_S)
        if not self._thread.is_alive():
            with suppress(OSError):  # the disk is full: what it did not take is counted
                self._file.close()

    def put(self, line: Line) -> None:
        """Never waits."""
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._lose()

    def _lose(self) -> None:
        with self._lock:
            self._lost += 1
            self._unsaid += 1

    def _run(self) -> None:
        while (line := self._queue.get()) is not None:
            self._write(line)
            self._say_lost()

    def _write(self, line: Line) -> None:
        self._file.emit(makeLogRecord({"msg": as_json(line)}))
        if self._stream is not None:
            with suppress(OSError, ValueError):  # nobody listens there any more
                self._stream.write(as_text(line) + "\n")
                self._stream.flush()

    def _say_lost(self) -> None:
        if self._queue.full():
            return
        with self._lock:
            lost, self._unsaid = self._unsaid, 0
        if lost:
            self._write(self._lost_line(lost))


class _File(RotatingFileHandler):
    """Rotated by size; what the disk refuses is told to ``lose``, not printed.

    Windows neither renames nor deletes what anybody has open. A file that is held so costs no line
    and no older file: the newest grows meanwhile, and is tried again after a tenth of its size.
    """

    def __init__(self, path: Path, most: int, older: int, lose: Callable[[], None]) -> None:
        super().__init__(path, maxBytes=most, backupCount=older, encoding="utf-8")
        self._lose = lose
        self._again_at = 0
        self.setFormatter(Formatter("%(message)s"))

    def handleError(self, record: LogRecord) -> None:  # noqa: N802 (logging's own name)
        self._lose()

    def shouldRollover(self, record: LogRecord) -> bool:  # noqa: N802 (logging's own name)
        return bool(super().shouldRollover(record)) and self._size() >= self._again_at

    def doRollover(self) -> None:  # noqa: N802 (logging's own name)
        size = self._size()
        self.close()  # our own hand on it would be in the way, too; opened again below
        self._again_at = 0
        try:
            self._shift()
        except OSError:
            self._again_at = size + self.maxBytes // 10
        self.stream = self._open()

    def _size(self) -> int:
        return 0 if self.stream is None else self.stream.tell()

    def _shift(self) -> None:
        """Each file gets the next number, and the oldest goes.

        The newest first, aside as number 0: where that is refused, nothing has been touched. Then
        into the first number that is free: where one in between is refused, the next try finds
        the gap that it left, and no second file goes.
        """
        numbers = range(self.backupCount + 1)
        aside, *older = (Path(f"{self.baseFilename}.{number}") for number in numbers)
        if not aside.exists():  # else a try before this one came so far
            Path(self.baseFilename).rename(aside)
        free = next((at for at, path in enumerate(older) if not path.exists()), len(older) - 1)
        older[free].unlink(missing_ok=True)
        for at in range(free, 0, -1):
            older[at - 1].rename(older[at])
        aside.rename(older[0])
