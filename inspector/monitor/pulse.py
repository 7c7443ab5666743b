"""Signs of life of the thread that inspects, for whoever must notice that it hangs.

A line may stand still for hours, and a thread that waits for its next picture is well. One that has
drawn a picture owes a record soon. So what is measured is the time since a picture was drawn whose
record is not through yet.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import TypeVar

from inspector.pipeline.inspection import HUNG_AFTER_S

T = TypeVar("T")


class Doing(StrEnum):
    """What the inspecting thread does."""

    STARTING = "starting"
    WAITING = "waiting"
    INSPECTING = "inspecting"
    ENDED = "ended"


class Pulse:
    """Written by the thread that inspects, read by any other; ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._now = (Doing.STARTING, clock())  # one tuple, so that a reader sees both of one moment

    @property
    def doing(self) -> Doing:
        return self._now[0]

    def note(self, doing: Doing) -> None:
        self._now = (doing, self._clock())

    def busy_s(self) -> float:
        """Seconds since the picture was drawn that is being inspected; 0 where there is none."""
        doing, since = self._now
        return self._clock() - since if doing is Doing.INSPECTING else 0.0

    def is_alive(self, most_s: float = HUNG_AFTER_S) -> bool:
        """Whether it inspects or waits for a picture, and no part has taken ``most_s``."""
        doing = self.doing
        return doing in (Doing.WAITING, Doing.INSPECTING) and self.busy_s() <= most_s


def watched(frames: Iterable[T], pulse: Pulse) -> Iterator[T]:
    """The same frames. Who asks for the next one is through with the one before, sinks and all."""
    source = iter(frames)
    try:
        while True:
            pulse.note(Doing.WAITING)
            try:
                frame = next(source)
            except StopIteration:
                return
            pulse.note(Doing.INSPECTING)
            yield frame
    finally:
        pulse.note(Doing.ENDED)
