"""Tells systemd that the station is ready, and that it lives (sd_notify(3)); elsewhere, nothing.

The watchdog is fed only while the thread that inspects shows life: a station that hangs is
restarted, one that waits for its next part is not.
"""

import os
import socket
from collections.abc import Callable, Mapping
from threading import Event
from typing import Final

from inspector.beside import Beside
from inspector.monitor.pulse import Doing, Pulse

LOOK_EVERY_S: Final = 1.0


def notify(state: str, address: str | None) -> bool:
    """Send one message to the socket that ``NOTIFY_SOCKET`` names; whether it was sent."""
    if not address:
        return False
    abstract = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(state.encode(), abstract)
    except OSError:  # the service manager went away: it is not ours to stop for that
        return False
    return True


class Watchdog(Beside):
    """While entered: READY once the station draws its first picture, then a ping a while.

    ``environ`` has what systemd sets: ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID``;
    without the first nothing is done. ``alive`` says whether to ping.
    """

    def __init__(
        self,
        pulse: Pulse,
        environ: Mapping[str, str] = os.environ,
        alive: Callable[[], bool] | None = None,
    ) -> None:
        super().__init__("watchdog", self._tell)
        self._pulse, self._alive = pulse, alive or pulse.is_alive
        self._address = environ.get("NOTIFY_SOCKET")
        self._every_s = min(watchdog_s(environ) / 3, LOOK_EVERY_S)

    def _tell(self, over: Event) -> None:
        if self._address:
            self._feed(over)
            notify("STOPPING=1", self._address)

    def _feed(self, over: Event) -> None:
        while self._pulse.doing is Doing.STARTING:
            if over.wait(self._every_s):
                return
        notify("READY=1", self._address)
        while not over.is_set():
            if self._alive():
                notify("WATCHDOG=1", self._address)
            over.wait(self._every_s)


def watchdog_s(environ: Mapping[str, str]) -> float:
    """How often systemd wants to hear from this process, in seconds; infinity where it does not."""
    meant_for_us = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    usec = environ.get("WATCHDOG_USEC", "")
    return int(usec) / 1e6 if meant_for_us and usec.isdigit() and int(usec) else float("inf")
