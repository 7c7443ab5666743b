"""Start, pause and stop, from the window's thread, for the thread that inspects."""

import time
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from threading import Condition
from typing import TypeVar

T = TypeVar("T")


class RunState(StrEnum):
    """Ready → running ⇄ paused → stopped. Stopped is final: the next run has its own control."""

    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class Control:
    """One run's switch. Safe to use from any thread; calls that change nothing are harmless.

    Pause is not stop: while paused no frame is drawn from the camera, and the run goes on.
    """

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._running_since, self._held_since = timer(), float("inf")
        self._state = RunState.READY
        self._changed = Condition()

    @property
    def state(self) -> RunState:
        with self._changed:
            return self._state

    def ran_at(self, moment: float) -> bool:
        """Whether it ran at this moment since it was started, or went on after a pause, last:
        seconds of ``timer``, since the machine's clock may be set meanwhile."""
        with self._changed:
            return self._running_since <= moment < self._held_since

    def start(self) -> None:
        """Begin, or go on after a pause. A stopped run stays stopped."""
        with self._changed:
            if self._state in (RunState.READY, RunState.PAUSED):
                self._running_since, self._held_since = self._timer(), float("inf")
            self._become(RunState.RUNNING)

    def pause(self) -> None:
        self._hold(RunState.PAUSED)

    def stop(self) -> None:
        self._hold(RunState.STOPPED)

    def gate(self, frames: Iterable[T]) -> Iterator[T]:
        """Pass frames on while running, draw none while ready or paused, end when stopped.

        A frame already drawn is passed on, whatever was pressed meanwhile: its part went by.
        """
        source = iter(frames)
        while self._wait_until_running():
            try:
                frame = next(source)
            except StopIteration:
                return
            yield frame

    def once_started(self, frames: Iterable[T]) -> Iterator[T]:
        """All frames from the start on, also those of a pause, until they end by themselves: for a
        source that goes on whatever is pressed here, and must not be kept waiting."""
        with self._changed:
            self._changed.wait_for(lambda: self._state is not RunState.READY)
        yield from frames

    def _hold(self, state: RunState) -> None:
        with self._changed:
            self._held_since = min(self._held_since, self._timer())
            self._become(state)

    def _become(self, state: RunState) -> None:
        if self._state is not RunState.STOPPED:
            self._state = state
            self._changed.notify_all()

    def _wait_until_running(self) -> bool:
        """Whether to go on: true once running, false once stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._state in (RunState.RUNNING, RunState.STOPPED))
            return self._state is RunState.RUNNING
