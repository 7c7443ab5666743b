"""A camera's process as the station holds it: messages out, commands in, ended for certain."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Lock
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

from engine.types import InputError, MissingError
from inspector.camera.base import Frame
from inspector.camera.child import CLOSING_S, serve
from inspector.camera.messages import (
    Close,
    Command,
    Crashed,
    Failed,
    Release,
    RingMade,
    Said,
    Taken,
    with_arrays,
)
from inspector.camera.ring import Ring, forget
from inspector.camera.starved import Turn

SPAWN: Final = multiprocessing.get_context("spawn")
STARVED: Final = 4.0
"""So many times longer may a process be silent that the machine gives no time to."""
KINDS: Final = {kind.__name__: kind for kind in (InputError, MissingError)}
"""What a camera raises, by the name it comes under."""


class CameraProcess:
    """One process, one camera, from start to certain end."""

    def __init__(self, spec: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard = clock()
        self._name = f"pmi-{os.getpid()}-{uuid4().hex[:8]}"
        self._rings: dict[str, Ring] = {}
        self._made = {f"{self._name}-1"}  # it may be killed before it tells of its first
        self._ring: Ring | None = None
        self._sending = Lock()
        self._said, told = SPAWN.Pipe(duplex=False)
        listening, self._commands = SPAWN.Pipe(duplex=False)
        self._process = SPAWN.Process(
            target=serve, args=(spec, self._name, told, listening), name=spec, daemon=True
        )
        self._process.start()
        assert self._process.pid is not None
        self._turn = Turn(self._process.pid, clock)
        told.close()  # theirs alone now, so that its end shows
        listening.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ask it to let go, then kill it: what hangs in a producer answers to nothing else."""
        self.send(Close())
        self._process.join(CLOSING_S)
        self._process.kill()
        self._process.join()
        self._process.close()
        for connection in (self._said, self._commands):
            connection.close()
        for ring in self._rings.values():
            ring.__exit__(None, None, None)
        for name in self._made:
            forget(name)

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def kill(self) -> None:
        """End it now, without a word: it is not to be trusted any more."""
        self._process.kill()

    def send(self, command: Command) -> None:
        """Say it, if there is anybody left to listen; from any thread."""
        with self._sending, suppress(OSError):
            self._commands.send(command)

    def hear(self, timeout_s: float, silence_s: float) -> Said | None:
        """The next message, or None where none came in time; ``silence_s`` without any is a hang.

        :class:`engine.types.KnownError` as the camera raised it; :class:`MissingError` where the
        process ended or fell silent; :class:`RuntimeError` with the child's traceback for a fault
        of our own.
        """
        if not self._has_spoken(timeout_s):
            self._turn.begin()
            if self._is_silent(silence_s):
                self.kill()  # what hangs lets go of nothing, however politely it is asked
                raise MissingError(
                    f"The camera's process gave no sign of life for {silence_s:g} s: "
                    "check the camera's cable and its producer."
                )
            return None
        self._heard = self._clock()
        self._turn.end()
        return self._understood(self._received())

    def last_words(self) -> Iterator[Said]:
        """Ask it to let go, and hear it out until it ends; what takes too long is killed."""
        self.send(Close())
        ends = self._clock() + CLOSING_S
        with suppress(EOFError, OSError):
            while self._said.poll(max(0.0, ends - self._clock())):
                message: Said = self._said.recv()
                if isinstance(message, RingMade):
                    self._made.add(message.name)
                yield message
            self.kill()

    def _is_silent(self, silence_s: float) -> bool:
        """Too long; one that only waits for its turn is given some more."""
        silent_s = self._clock() - self._heard
        starved = silent_s <= STARVED * silence_s and self._turn.is_starved()
        return silent_s > silence_s and not starved

    def _has_spoken(self, timeout_s: float) -> bool:
        """Also where it has ended: Windows says so here, other systems where it is read."""
        try:
            return self._said.poll(timeout_s)
        except OSError:
            return True

    def _received(self) -> Said:
        try:
            message: Said = self._said.recv()
        except (EOFError, OSError):
            self._process.join(CLOSING_S)
            raise MissingError(
                f"The camera's process ended by itself (exit code {self._process.exitcode}): "
                "check the camera's producer."
            ) from None
        return message

    def _understood(self, message: Said) -> Said:
        if isinstance(message, Failed):
            raise KINDS.get(message.kind, MissingError)(message.sentence)
        if isinstance(message, Crashed):
            raise RuntimeError(f"In the camera's process:\n{message.trace}")
        if isinstance(message, RingMade):
            self._ring = self._attached(message)
            self._rings[message.name] = self._ring
            self._made.add(message.name)
        return message

    def _attached(self, made: RingMade) -> Ring:
        try:
            return Ring.attach(made.name, made.slots, made.slot_bytes)
        except FileNotFoundError:  # Windows frees it with the process
            raise MissingError(
                "The camera's process ended by itself: check the camera's producer."
            ) from None

    def fetch(self, taken: Taken) -> tuple[Frame, Callable[[], None]]:
        """The frame with its arrays, copied; and how to give its slot back."""
        ring = self._ring
        assert ring is not None  # told of before its first slot
        names = list(taken.layouts)
        arrays = ring.read(taken.slot, taken.number, taken.layouts.values())
        frame = with_arrays(taken.frame, dict(zip(names, arrays, strict=True)))
        return frame, lambda: self.send(Release(ring.name, taken.slot))
