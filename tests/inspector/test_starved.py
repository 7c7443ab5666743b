"""Who waits in a producer, who spins there, and who only waits for a turn."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from inspector.camera.starved import Turn

posix = pytest.mark.skipif(os.name != "posix", reason="Windows does not tell who waits for a turn")
SPIN = "while True: pass"


def judged(program: str, niceness: int = 0, crowd: int = 0) -> bool:
    """Whether ``program`` counts as starved after half a second among ``crowd`` others."""
    command = [sys.executable, "-c"]
    others = [subprocess.Popen([*command, SPIN]) for _ in range(crowd)]
    try:
        with subprocess.Popen([*command, program]) as process:
            psutil.Process(process.pid).nice(niceness)
            time.sleep(0.3)
            turn = Turn(process.pid)
            turn.begin()
            time.sleep(1.0)
            starved = any(turn.is_starved() or time.sleep(0.02) for _ in range(20))
            process.kill()
            return bool(starved)
    finally:
        for other in others:
            other.kill()
            other.wait()


def test_one_that_sleeps_is_not_starved() -> None:
    assert not judged("import time; time.sleep(60)")


@posix
def test_one_that_gets_no_turn_is_starved() -> None:
    crowd = 2 * (os.cpu_count() or 1)
    assert judged(SPIN, niceness=19, crowd=crowd)


def test_nothing_is_said_of_one_that_has_spoken() -> None:
    turn = Turn(os.getpid())
    turn.begin()
    turn.end()
    assert not turn.is_starved()


@posix
def test_one_that_is_gone_is_not_starved() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    turn = Turn(process.pid)
    turn.begin()
    process.wait()
    assert not turn.is_starved()
