"""Work that goes on beside a station's own thread, and whose end nobody overlooks."""

from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import Self


def nobody(error: BaseException) -> None:
    """Hears of a failure where it is enough that it is raised at the end."""


class Beside:
    """Calls ``work`` on a daemon thread while the context is entered.

    ``work`` gets an event that is set when the context ends, and has to return soon after it. What
    it raises is told to ``failed`` at once, on that thread, and is raised where the context ends,
    unless that ends by another error. A thread that has not ended ``patience_s`` later, as one
    does that waits for a peer, is left to end with the process.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Event], None],
        failed: Callable[[BaseException], None] = nobody,
        patience_s: float | None = None,
    ) -> None:
        self._work, self._failed, self._patience_s = work, failed, patience_s
        self._over = Event()
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(self._patience_s)
        if self._error is not None and error is None and not self._thread.is_alive():
            raise self._error

    def _run(self) -> None:
        try:
            self._work(self._over)
        except BaseException as error:  # noqa: BLE001  the thread's border: raised at its end
            self._error = error
            self._failed(error)
