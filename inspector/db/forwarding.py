"""The outbox sent on while a station runs, by a thread that nobody waits for.

The site's database may be away at the start, or go and come back: what waits stays in the
station's own, in the transactions of its inspections, and is sent when somebody answers.
"""

from collections.abc import Callable
from threading import Event
from typing import Final

from engine.types import KnownError
from inspector.beside import Beside
from inspector.db.central import Central
from inspector.db.outbox import Forwarder
from inspector.db.writer import Writer

PAUSE_S: Final = 5.0
PATIENCE_S: Final = 3.0


class Forwarding(Beside):
    """Sends what ``writer``'s outbox holds to the database at ``url``, while entered.

    ``complain`` is called on the thread with a sentence, once, when the site's database cannot be
    opened or takes nothing more, and with "" when it does: the first time, too, since its loss may
    have been told of by an earlier one of these. Once the end has begun, nothing is said: a peer
    that needs longer comes upon a writer that is closed, and what it took is sent once more. A
    fault of our own before is raised at the end.
    """

    def __init__(
        self,
        writer: Writer,
        url: str,
        complain: Callable[[str], None],
        *,
        pause_s: float = PAUSE_S,
    ) -> None:
        super().__init__("outbox", self._send_on, self._fell, PATIENCE_S)
        self._writer, self._url, self._complain = writer, url, complain
        self._pause_s = pause_s
        self._complaint: str | None = None  # nothing said yet

    def _send_on(self, over: Event) -> None:
        while not over.is_set():
            self._connect(over)
            over.wait(self._pause_s)

    def _fell(self, error: BaseException) -> None:
        self._say(f"Nothing is sent on any more: {type(error).__name__}: {error}")

    def _connect(self, over: Event) -> None:
        try:
            with Central(self._url) as central:
                self._say("")
                Forwarder(self._writer, central.receive).forward(over, self._say)
        except KnownError as error:
            self._say(str(error))

    def _say(self, sentence: str) -> None:
        if sentence != self._complaint and not self._over.is_set():
            self._complaint = sentence
            self._complain(sentence)
