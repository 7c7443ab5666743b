"""One step of the line, whichever side polls: PLC's registers in, station's registers out."""

from collections.abc import Callable, Sequence
from typing import Final

from inspector.line.codec import Order, Words, read_plc, write_station
from inspector.line.desk import Desk
from inspector.line.handshake import Handshake
from inspector.line.registers import PLC_COUNT
from inspector.line.signals import SAFE
from inspector.line.watch import LinkWatch

ALL_LOW: Final = (0,) * PLC_COUNT
UNKNOWN: Final = (0b11,) + (0,) * (PLC_COUNT - 1)
"""Before the PLC was read: taken for high, since an edge needs a low level seen before."""


class Exchange:
    """Use it on the line's thread alone."""

    def __init__(
        self,
        handshake: Handshake,
        desk: Desk,
        watch: LinkWatch,
        order: Order,
        timer: Callable[[], float],
        plc: Words = UNKNOWN,
    ) -> None:
        self._handshake, self._desk, self._watch = handshake, desk, watch
        self._order, self._timer = order, timer
        self._plc = plc

    @property
    def up(self) -> bool:
        return self._watch.up

    def heard(self, plc: Sequence[int]) -> Words:
        """The PLC asked, and its block is this; the answer, which it takes by itself."""
        self._plc = tuple(plc)
        self.answered()
        return self.look()

    def read(self, plc: Sequence[int]) -> Words:
        """The PLC was asked, and its block is this; what it has to take before it counts as there:
        see :meth:`answered`."""
        self._plc = tuple(plc)
        return self.look()

    def answered(self) -> None:
        """The PLC has said and taken all that it should."""
        self._watch.heard(read_plc(self._plc, self._order).life, self._timer())

    def doubt(self, what: str) -> None:
        """How the connection ended: with ``what`` the PLC refused, or, empty, in silence."""
        self._watch.doubt(what)

    def look(self) -> Words:
        """Time passed, or the station has news; what its registers say now."""
        now = self._timer()
        step = self._handshake.step(
            read_plc(self._plc, self._order),
            self._desk.signs,
            self._desk.take_results(),
            now,
            link=self._watch.look(now),
            alive=self._desk.is_alive(),
        )
        if step.trigger is not None:
            self._desk.put_trigger(step.trigger)
        self._desk.looked()
        return write_station(step.outputs, self._order)

    def safe(self) -> Words:
        """What to leave behind when the line is closed."""
        return write_station(SAFE, self._order)
