"""Whether the other side is there: by when it was last heard of."""

from collections.abc import Callable
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeAlias

from inspector.pipeline.events import EventCode, StationEvent

Listener: TypeAlias = Callable[[StationEvent], None]
MODBUS: Final = MappingProxyType({"link": "modbus"})


class LinkWatch:
    """Says LINE_LOST once ``timeout_s`` passed in silence, and LINE_BACK at the first word after.

    ``name`` is how people call the link. With ``by_life`` a word counts only where the PLC's life
    number changed: a PLC whose program stopped may answer all the same.
    """

    def __init__(
        self,
        name: str,
        timeout_s: float,
        listener: Listener,
        clock: Callable[[], datetime],
        now: float,
        *,
        by_life: bool = False,
    ) -> None:
        self._name, self._timeout_s, self._by_life = name, timeout_s, by_life
        self._listener, self._clock = listener, clock
        self._heard = now
        self._life: int | None = None
        self.up, self._lost = False, False
        self._doubt = ""

    def heard(self, life: int, now: float) -> None:
        before, self._life = self._life, life
        if self._by_life and before in (None, life):  # the first number is no change
            return
        self._heard, self.up, self._doubt = now, True, ""
        if self._lost:
            self._lost = False
            self._say(EventCode.LINE_BACK, "answers again.")

    def doubt(self, what: str) -> None:
        """What the other side does where it answers and does not count as heard of, for whoever
        mends it; empty where it is silent."""
        self._doubt = what

    def look(self, now: float) -> bool:
        """Whether the link is up now; says so once where it is not."""
        if not self._lost and now - self._heard > self._timeout_s:
            self.up, self._lost = False, True
            what = self._doubt or "was not heard of"
            said = f"{what} for {self._timeout_s:g} s: the outputs are in the safe state."
            self._say(EventCode.LINE_LOST, said)
        return self.up

    def _say(self, code: EventCode, text: str) -> None:
        self._listener(StationEvent(code, self._clock(), f"{self._name} {text}", MODBUS))
