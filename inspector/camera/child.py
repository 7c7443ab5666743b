"""What runs in a camera's own process: open, fetch, fill slots, tell; nothing else.

A producer that locks up, or crashes, takes this process with it and no other. The process ends
when the station does, even one that was killed: its end of the pipe closes.
"""

import os
import signal
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from threading import Condition, Event, Thread
from typing import Final

from engine.types import KnownError
from inspector.camera.base import Camera, Frame
from inspector.camera.messages import (
    Beat,
    Begin,
    Begun,
    Close,
    Crashed,
    Ended,
    Failed,
    Fire,
    Left,
    Opened,
    Release,
    RingMade,
    Said,
    Taken,
    arrays_of,
    without_arrays,
)
from inspector.camera.open import open_camera
from inspector.camera.ring import Ring, room_for

SLOTS: Final = 8
MOST_SLOTS: Final = 24
ROOM_BYTES: Final = 48 * 2**20
"""For more slots than the least: the shared memory of a container is often 64 MB."""
BEAT_S: Final = 0.25
CLOSING_S: Final = 2.0
"""What letting go of a camera may take before the process ends without it."""


def serve(spec: str, ring_name: str, said: Connection, commands: Connection) -> None:
    """The process's whole life. Ctrl+C in a terminal is the station's business, not ours."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _Child(spec, ring_name, said, commands).run()
    except KnownError as error:
        _tell(said, Failed(type(error).__name__, str(error)))
    except Exception:  # noqa: BLE001  the process's border: told to the station, which crashes
        _tell(said, Crashed(traceback.format_exc()))
    said.close()


def _tell(said: Connection, message: Said) -> None:
    """Say it; a station that is no longer there ends this process."""
    try:
        said.send(message)
    except OSError:
        _end()


def _end() -> None:
    """At once: a thread of ours may hang in a producer for ever."""
    os._exit(0)


class _ClosingError(Exception):
    """The station wants no more: raised in the thread that fetches, to unwind the camera."""


class _Child:
    def __init__(self, spec: str, ring_name: str, said: Connection, commands: Connection) -> None:
        self._spec, self._ring_name = spec, ring_name
        self._said, self._commands = said, commands
        self._beaten = 0.0
        self._begins = False  # and the camera gave no sign of life since
        self._camera: Camera | None = None
        self._in_hand: Frame | None = None  # fetched, and not handed over
        self._dropped = 0
        self._slots: _Slots | None = None
        self._held = ExitStack()
        self._begun, self._closing = Event(), Event()

    def run(self) -> None:
        Thread(target=self._listen, daemon=True).start()  # first: opening may take long, or hang
        with open_camera(self._spec, alive=self._beat) as camera, self._held:
            self._camera = camera
            _tell(self._said, _opened(camera))
            try:
                self._fetch(camera)
            except _ClosingError:
                with suppress(OSError):  # a station that is gone needs no counts; we let go first
                    self._said.send(Left(self._values(), self._in_hand))

    def _fetch(self, camera: Camera) -> None:
        self._wait_for(self._begun)
        self._begins = True
        for number, frame in enumerate(camera.frames(), start=1):
            self._hand_over(number, frame, camera.queues)
        _tell(self._said, Ended())
        self._wait_for(self._closing)  # the last pictures lie in memory of this process

    def _wait_for(self, event: Event) -> None:
        while not event.wait(BEAT_S):
            self._beat()

    def _beat(self) -> None:
        """Called by whoever waits, in the thread that fetches."""
        if self._closing.is_set():
            raise _ClosingError
        if self._begins:
            self._begins = False
            _tell(self._said, Begun())
        now = time.monotonic()
        if now - self._beaten >= BEAT_S:
            self._beaten = now
            _tell(self._said, Beat(self._values()))

    def _values(self) -> Mapping[str, float]:
        if self._camera is None:
            return {}
        return {**self._camera.health(), "dropped": self._dropped}

    def _listen(self) -> None:
        """The station's commands, until it is gone."""
        with suppress(EOFError, OSError):
            while not isinstance(command := self._commands.recv(), Close):
                self._obey(command)
        self._closing.set()
        time.sleep(CLOSING_S)  # the process ends meanwhile, and this thread with it
        _end()

    def _obey(self, command: Begin | Fire | Release) -> None:
        if isinstance(command, Begin):
            self._begun.set()
        elif isinstance(command, Fire):
            assert self._camera is not None  # nobody fires one that has not said it is open
            try:
                self._camera.trigger()
            except KnownError as error:  # one write each: the fetching thread may speak, too
                _tell(self._said, Failed(type(error).__name__, str(error)))
                _end()
        elif self._slots is not None:
            self._slots.release(command)

    def _hand_over(self, number: int, frame: Frame, queues: bool) -> None:
        """A camera that queues is never kept waiting, or what it gives next would be older than
        anybody knows: with every slot taken its picture is dropped, and its id is a gap."""
        self._dropped += self._in_hand is not None
        sent_s, told = time.monotonic(), without_arrays(frame)
        self._in_hand = told
        self._beat()
        arrays = arrays_of(frame)
        if self._slots is None or room_for(arrays.values()) > self._slots.ring.slot_bytes:
            self._slots = self._make_ring(room_for(arrays.values()), number, queues)
        slot = self._slots.take_now() if queues else self._slots.take(self._beat)
        if slot is None:
            return
        layouts = self._slots.ring.write(slot, number, arrays.values())
        named = dict(zip(arrays, layouts, strict=True))
        _tell(self._said, Taken(told, slot, number, named, sent_s))
        self._in_hand = None

    def _make_ring(self, slot_bytes: int, number: int, queues: bool) -> "_Slots":
        slots = max(SLOTS, min(MOST_SLOTS, ROOM_BYTES // slot_bytes)) if queues else SLOTS
        ring = Ring.create(f"{self._ring_name}-{number}", slots, slot_bytes)
        self._held.enter_context(ring)
        _tell(self._said, RingMade(ring.name, ring.slots, ring.slot_bytes))
        return _Slots(ring)


def _opened(camera: Camera) -> Opened:
    how = camera.triggered, camera.live, camera.queues, camera.fires, camera.silence_s
    return Opened(camera.name, *how, dict(camera.in_effect))


class _Slots:
    """Which slots of a ring may be filled."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self._free = deque(range(ring.slots))
        self._changed = Condition()

    def release(self, given_back: Release) -> None:
        with self._changed:
            if given_back.ring == self.ring.name:
                self._free.append(given_back.slot)
                self._changed.notify()

    def take_now(self) -> int | None:
        """A free slot, or None."""
        with self._changed:
            return self._free.popleft() if self._free else None

    def take(self, beat: Callable[[], None]) -> int:
        """A free slot, however long the station takes."""
        with self._changed:
            while not self._changed.wait_for(lambda: self._free, timeout=BEAT_S):
                beat()
            return self._free.popleft()
