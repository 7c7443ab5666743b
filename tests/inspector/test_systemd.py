"""What the service manager hears, over a socket of its kind; and the unit that is shipped."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from inspector.monitor.pulse import Doing, Pulse
from inspector.monitor.systemd import Watchdog, notify, watchdog_s

UNIT = Path(__file__).resolve().parents[2] / "docs" / "station.service"
needs_unix = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no such sockets here")


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    """The service manager's end. Its path is short: such an address has 108 characters."""
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(f"{folder}/notify")
        end.settimeout(10)
        yield end


def heard(manager: socket.socket) -> list[str]:
    """Whatever lies there now."""
    manager.setblocking(False)
    messages = []
    try:
        while True:
            messages.append(manager.recv(100).decode())
    except BlockingIOError:
        return messages
    finally:
        manager.settimeout(10)


@needs_unix
def test_ready_comes_with_the_first_picture_and_pings_while_it_lives(
    manager: socket.socket,
) -> None:
    pulse, alive = Pulse(), [True]
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "30000"}
    with Watchdog(pulse, environ, lambda: alive[0]):
        time.sleep(0.1)
        starting = heard(manager)
        pulse.note(Doing.WAITING)
        first = [manager.recv(100).decode() for _ in range(4)]
        alive[0] = False
        time.sleep(0.1)
        heard(manager)
        time.sleep(0.2)
        hanging = heard(manager)

    assert starting == []
    assert first == ["READY=1", *["WATCHDOG=1"] * 3]
    assert hanging == []
    assert heard(manager) == ["STOPPING=1"]


@needs_unix
def test_an_abstract_address_is_reached() -> None:
    if not Path("/proc").exists():
        pytest.skip("abstract addresses are Linux's")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind("\0inspector-test-" + str(os.getpid()))
        end.settimeout(10)

        assert notify("READY=1", f"@inspector-test-{os.getpid()}")
        assert end.recv(100) == b"READY=1"


def test_without_a_manager_nothing_happens(tmp_path: Path) -> None:
    with Watchdog(Pulse(), {}):
        pass

    assert not notify("READY=1", None)
    if hasattr(socket, "AF_UNIX"):
        assert not notify("READY=1", str(tmp_path / "nobody"))


def test_how_often_it_wants_to_hear() -> None:
    assert watchdog_s({"WATCHDOG_USEC": "30000000"}) == 30
    assert watchdog_s({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}) == 30
    for nothing in ({}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "9", "WATCHDOG_PID": "1"}):
        assert watchdog_s(nothing) == float("inf")


def test_the_shipped_unit_is_one(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "station.service"
    text = UNIT.read_text("utf-8").replace(
        "/opt/inspector/bin/inspector", shutil.which("true") or ""
    )
    unit.write_text(text)
    said = subprocess.run(
        [verify, "verify", "--man=no", unit],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "Failed to" in said.stderr and "manager" in said.stderr.lower():
        pytest.skip("systemd-analyze does not work here: " + said.stderr.splitlines()[0])

    assert (said.returncode, said.stderr) == (0, "")
