"""A thread that looks again and again, whatever the thread that inspects is doing."""

from collections.abc import Callable
from threading import Event
from typing import Final

from inspector.beside import Beside

TURN_S: Final = 0.25


def watch(look: Callable[[], None], fail: Callable[[], None], turn_s: float = TURN_S) -> Beside:
    """Calls ``look`` four times a second until its context ends.

    An error in it calls ``fail``, which has to end what is watched: a station that nobody watches
    may not go on.
    """

    def work(over: Event) -> None:
        while not over.wait(turn_s):
            look()

    return Beside("watch", work, lambda _: fail())
