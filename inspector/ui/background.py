"""The one way across threads for work the GUI asks for: done off its thread, delivered on it.

The outcome travels as one queued signal. What the world did wrong becomes a sentence; our own
mistakes are raised again in the GUI's thread, where they end the program instead of vanishing.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot

from engine.types import KnownError

Result = TypeVar("Result")


class Background(QObject):
    """One thread that works through what it is asked, in order; :meth:`close` ends it."""

    _done = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="background")
        self._is_closed = False
        self._done.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        work: Callable[[], Result],
        then: Callable[[Result], None],
        failed: Callable[[str], None],
    ) -> None:
        """Call ``work`` on the other thread, then ``then`` or ``failed`` on this one; nothing once
        it is closed."""
        if not self._is_closed:
            self._thread.submit(self._work, work, then, failed)

    def close(self) -> None:
        """Drop what waits, let what runs come to its end, deliver nothing more."""
        self._is_closed = True  # what is on its way comes all the same: Qt has queued it
        self._done.disconnect(self._deliver)
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _work(
        self,
        work: Callable[[], Result],
        then: Callable[[Result], None],
        failed: Callable[[str], None],
    ) -> None:
        try:
            deliver: Callable[[], None] = partial(then, work())
        except KnownError as error:
            deliver = partial(failed, str(error))
        except BaseException as error:  # noqa: BLE001  the thread's border: raised in the GUI's
            deliver = partial(_raise, error)
        self._done.emit(deliver)

    @Slot(object)
    def _deliver(self, call: Callable[[], None]) -> None:
        if not self._is_closed:
            call()


def _raise(error: BaseException) -> None:
    raise error
