"""A thread that looks again and again, whatever the thread that inspects is doing."""

from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

TURN_S: Final = 0.25


class Watch:
    """Calls ``look`` four times a second until the context ends.

    An error in it calls ``fail``, which has to end what is watched: a station that nobody watches
    may not go on. It is raised where the context ends.
    """

    def __init__(
        self, look: Callable[[], None], fail: Callable[[], None], turn_s: float = TURN_S
    ) -> None:
        self._look, self._fail, self._turn_s = look, fail, turn_s
        self._over = Event()
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="watch", daemon=True)

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
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._over.wait(self._turn_s):
                self._look()
        except BaseException as error:  # noqa: BLE001  the thread's border: raised at its end
            self._error = error
            self._fail()
