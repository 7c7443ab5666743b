"""The line over Modbus TCP, as the station holds it: a resource with a thread of its own."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from inspector.clock import utc_now
from inspector.line.codec import Order
from inspector.line.desk import Desk
from inspector.line.exchange import ALL_LOW, UNKNOWN, Exchange
from inspector.line.handshake import Handshake, Rules
from inspector.line.modbus_client import poll
from inspector.line.modbus_server import serve
from inspector.line.signals import StationSigns, Trigger
from inspector.line.sink import LineSink
from inspector.line.watch import MODBUS, LinkWatch, Listener
from inspector.pipeline.control import Control
from inspector.pipeline.events import Details, EventCode, StationEvent
from inspector.settings import ModbusSettings

LOOK_S: Final = 0.01
CLOSE_S: Final = 5.0
LEAST_REST_S: Final = 2.0
"""A camera that is silent for so long is lost: longer than a picture may wait inside it."""


class ModbusLine:
    """Open it once for the life of a station; each run has a :meth:`sink` of its own.

    ``listener`` is called with LINE_LOST and LINE_BACK on the line's thread, and with
    TRIGGERS_REFUSED where a run begins or the line is closed. Entering raises
    :class:`engine.types.InputError` where the address cannot be listened on. A PLC that is not
    there is no error: it is waited for.
    """

    def __init__(
        self,
        settings: ModbusSettings,
        listener: Listener,
        *,
        timer: Callable[[], float] = time.monotonic,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._settings = s = settings
        self._listener, self._clock = listener, clock
        self._desk = Desk(timer, self._wake, s.answer_s, s.life_s)
        rest_s = max(s.timeout_s, LEAST_REST_S)
        rules = Rules(len(s.products), s.answer_s, s.beat_s, s.triggers, rest_s)
        name = f"The PLC on {s.host}:{s.port}"
        watch = LinkWatch(name, s.timeout_s, listener, clock, timer(), by_life=s.plc_life)
        # What we serve is low until it is written; what a PLC holds is not known until it is read.
        first = ALL_LOW if s.role == "server" else UNKNOWN
        order = Order(s.low_word_first, s.low_byte_first)
        self._exchange = Exchange(Handshake(rules), self._desk, watch, order, timer, first)
        self._thread = threading.Thread(target=self._run, name="line", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opened = threading.Event()
        self._stop, self._news = asyncio.Event(), asyncio.Event()
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        _quieten_pymodbus()
        self._thread.start()
        self._opened.wait()
        self._require_well()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._call(self._ask_to_stop)
        self._thread.join(CLOSE_S)
        self._say_turned_away(self._desk.turned_away())

    def show(self, signs: StationSigns) -> None:
        """What the station says of itself from now on; from any thread."""
        self._desk.show(signs)

    def alive(self) -> None:
        """A sign of life, from the thread that inspects alone: without it the heart stops.

        :meth:`triggers` and the sink give it by themselves; where hardware triggers the camera,
        whoever waits for frames gives it.
        """
        self._require_well()
        self._desk.alive()

    def took(self, frame_id: int, at: float) -> None:
        """A camera that hardware triggers took this picture then, in seconds of ``timer``: said by
        the inspecting thread before the sink has it."""
        self._desk.took(frame_id, at)

    def triggers(self, control: Control) -> Iterator[Trigger]:
        """Each trigger in order, until ``control`` is stopped; to be drawn by the inspecting
        thread. The frame of a trigger carries its ``frame_id`` and its ``part``; a refused one
        has no picture, and a record all the same."""
        return self._desk.triggers(control, self._require_well)

    def rest(self, hold: Callable[[], None]) -> Iterator[Trigger]:
        """After :meth:`triggers` has ended: ``hold`` lets no more come, and what came until then
        is refused."""
        hold()
        self._desk.await_look()
        yield from self._desk.rest()

    def sink(self) -> LineSink:
        """For one run, right after the sink that commits the record."""
        triggered = self._settings.triggers
        return LineSink(self._desk, self._require_well, self._say_turned_away, triggered=triggered)

    def _say_turned_away(self, count: int) -> None:
        """Once for all that came between two runs: a PLC that is not told may send thousands."""
        if count == 0:
            return
        s = self._settings
        text = (
            f"The PLC on {s.host}:{s.port} triggered {count} times while no run was on: each was "
            "answered by Error, and none has a record."
        )
        details: Details = {**MODBUS, "triggers": count}
        self._listener(StationEvent(EventCode.TRIGGERS_REFUSED, self._clock(), text, details))

    def _require_well(self) -> None:
        """Raise what ended the line's thread, if anything but :meth:`__exit__` did."""
        if self._failure is not None:
            raise self._failure

    def _wake(self) -> None:
        self._call(self._news.set)

    def _call(self, what: Callable[[], None]) -> None:
        """Have the line's thread do it; nothing where that thread is not, or no longer, there."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # closed a moment ago
                loop.call_soon_threadsafe(what)

    def _run(self) -> None:
        try:
            asyncio.run(self._talk())
        except Exception as error:  # noqa: BLE001 (the thread's border: raised to who asks next)
            self._failure = error
        finally:
            self._loop = None
            self._opened.set()

    async def _talk(self) -> None:
        """Until asked to stop, or one of the works fails, which stops and fails the line."""
        self._loop = asyncio.get_running_loop()
        works = [asyncio.create_task(work) for work in self._works()]
        await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
        self._ask_to_stop()
        await asyncio.wait(works)
        for work in works:
            work.result()

    def _ask_to_stop(self) -> None:
        self._stop.set()
        self._news.set()

    def _works(self) -> list[Coroutine[Any, Any, None]]:
        s = self._settings
        if s.role == "server":
            return [serve(s, self._exchange, self._opened.set, self._stop), self._look()]
        self._opened.set()
        return [poll(s, self._exchange, self._news, self._stop), self._look()]

    async def _look(self) -> None:
        """Time passes also while the PLC is silent."""
        while not self._stop.is_set():
            self._exchange.look()
            await asyncio.sleep(LOOK_S)


def _quieten_pymodbus() -> None:
    """It logs each try that fails, with the last twenty frames; our events say it once. Whoever
    wants it all sets its level."""
    log = logging.getLogger("pymodbus")
    if log.level == logging.NOTSET:
        log.setLevel(logging.CRITICAL)
