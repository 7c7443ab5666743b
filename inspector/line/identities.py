"""What was said about parts, until their pictures are taken up: which message is whose."""

from collections import deque
from datetime import datetime
from threading import Lock
from typing import Final

from inspector.camera.base import NOT_SAID, PartIdentity

MOST: Final = 64
"""Parts between whoever names them and the picture the station looks at. More is a sender that
does not heed the line; the oldest go, and their parts stay without a name."""


class Identities:
    """Safe to use from any thread. Times are UTC, of one clock."""

    def __init__(self) -> None:
        self._said: deque[tuple[datetime, PartIdentity]] = deque(maxlen=MOST)
        self._lock = Lock()

    def put(self, part: PartIdentity, at: datetime) -> None:
        with self._lock:
            self._said.append((at, part))

    def take(self, before: datetime) -> PartIdentity:
        """The newest said until ``before``, when a picture was taken; it and those older than it
        are gone then. One said later waits: it is of a later part."""
        with self._lock:
            known = [index for index, (at, _) in enumerate(self._said) if at <= before]
            if not known:
                return NOT_SAID
            part = self._said[known[-1]][1]
            for _ in range(known[-1] + 1):
                self._said.popleft()
        return part
