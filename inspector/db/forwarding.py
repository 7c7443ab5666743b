"""The outbox sent on while a station runs, by a thread that nobody waits for.

The site's database may be away at the start, or go and come back: what waits stays in the
station's own, in the transactions of its inspections, and is sent when somebody answers.
"""

from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

from engine.types import DatabaseError
from inspector.db.central import Central
from inspector.db.outbox import Forwarder
from inspector.db.writer import Writer

PAUSE_S: Final = 5.0
PATIENCE_S: Final = 3.0


class Forwarding:
    """Sends what ``writer``'s outbox holds to the database at ``url``, while entered.

    ``complain`` is called on the thread with a sentence, once, when the site's database cannot be
    opened, and with "" when it can again. A fault of our own is raised at the end.
    """

    def __init__(
        self,
        writer: Writer,
        url: str,
        complain: Callable[[str], None],
        *,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._writer, self._url, self._complain = writer, url, complain
        self._pause_s = pause_s
        self._over = Event()
        self._complaint = ""
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="outbox", daemon=True)

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
        self._thread.join(PATIENCE_S)  # with a peer that has fallen silent: it is a daemon
        if self._error is not None and error is None and not self._thread.is_alive():
            raise self._error

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                self._connect()
                self._over.wait(self._pause_s)
        except BaseException as error:  # noqa: BLE001  the thread's border: raised at its end
            self._error = error
            self._say(f"Nothing is sent on any more: {type(error).__name__}: {error}")

    def _connect(self) -> None:
        try:
            with Central(self._url) as central:
                self._say("")
                Forwarder(self._writer, central.receive).forward(self._over)
        except DatabaseError as error:
            self._say(str(error))

    def _say(self, sentence: str) -> None:
        if sentence != self._complaint:
            self._complaint = sentence
            self._complain(sentence)
