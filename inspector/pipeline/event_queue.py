"""Station events on their way from whoever saw them to the one thread that writes them down.

A queue, and no callbacks: a listener would run on the thread that raised the error, under its
locks, and a slow disk would hold up the line. It is bounded, since nobody may be there to read.
"""

from collections import deque
from dataclasses import dataclass
from threading import Condition
from typing import Final

from inspector.pipeline.events import StationEvent

MOST_EVENTS: Final = 1024


@dataclass(frozen=True, slots=True)
class Drained:
    """What had come in, oldest first; ``lost`` counts older ones that found no room."""

    events: tuple[StationEvent, ...]
    lost: int


class EventQueue:
    """Safe to use from any thread. The newest events are kept: they say how things stand."""

    def __init__(self, most: int = MOST_EVENTS) -> None:
        self._events: deque[StationEvent] = deque(maxlen=most)
        self._lost = 0
        self._came = Condition()

    def put(self, event: StationEvent) -> None:
        """Never waits."""
        with self._came:
            self._lost += len(self._events) == self._events.maxlen
            self._events.append(event)
            self._came.notify()

    def drain(self, timeout_s: float = 0.0) -> Drained:
        """All there is, after waiting up to ``timeout_s`` seconds for the first."""
        with self._came:
            self._came.wait_for(lambda: bool(self._events), timeout_s)
            drained = Drained(tuple(self._events), self._lost)
            self._events.clear()
            self._lost = 0
        return drained
