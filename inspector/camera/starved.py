"""Tells a process that hangs from one that the machine gives no time to.

One that waits in its producer sleeps; one that spins there uses a whole core. One that could run
and gets less than half a core is neither: it waits for its turn, as everybody does then.
"""

import os
import time
from collections.abc import Callable
from typing import Final

import psutil

HALF_A_CORE: Final = 0.5


class Turn:
    """Watches one process from :meth:`begin` on. Windows does not tell who waits for a turn: there
    nobody counts as starved."""

    def __init__(self, pid: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._process = psutil.Process(pid)
        self._clock = clock
        self._began: tuple[float, float] | None = None

    def begin(self) -> None:
        """Nothing has been heard since now; a second call changes nothing until :meth:`end`."""
        if self._began is None:
            self._began = self._clock(), self._cpu_s()

    def end(self) -> None:
        """Something was heard."""
        self._began = None

    def is_starved(self) -> bool:
        """Whether it would run if it could, and got less than half a core since it began."""
        if self._began is None or os.name != "posix":
            return False
        since, cpu_s = self._began
        passed = max(self._clock() - since, 1e-3)
        try:
            waits = self._process.status() == psutil.STATUS_RUNNING
        except psutil.Error:
            return False
        return waits and (self._cpu_s() - cpu_s) / passed < HALF_A_CORE

    def _cpu_s(self) -> float:
        try:
            used = self._process.cpu_times()
        except psutil.Error:
            return 0.0
        return float(used.user + used.system)
