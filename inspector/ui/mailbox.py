"""A mailbox for one letter: the worker puts, the GUI takes the newest and never falls behind.

A queued signal a frame fills Qt's event queue as soon as drawing is slower than the line; here
an unread letter is replaced, so the GUI's debt is one frame at most. Whatever must not be lost
(counters, the last parts) is therefore cumulative inside the letter.
"""

from threading import Lock
from typing import Generic, TypeVar

Letter = TypeVar("Letter")


class Mailbox(Generic[Letter]):
    """Holds the newest letter only; any thread may put, any thread may take."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._letter: Letter | None = None

    def put(self, letter: Letter) -> None:
        """Leave a letter in place of the one not yet read."""
        with self._lock:
            self._letter = letter

    def take(self) -> Letter | None:
        """The newest letter, once; None when there is nothing new."""
        with self._lock:
            letter, self._letter = self._letter, None
        return letter
