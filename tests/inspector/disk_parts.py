"""Small disks of their own, for what a station does when one is full."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

NOISE = bytes(range(256)) * 32


@contextmanager
def small_disk(at: Path, options: str) -> Iterator[Path]:
    """One with ``mount``'s options, as "size=1m"; skips the test where nobody may make one."""
    at.mkdir(parents=True)
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", at], check=False)
    except FileNotFoundError:
        pytest.skip("There is no mount here.")
    if done.returncode:
        pytest.skip("Only root on Linux can make a disk for a test.")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", at], check=True)


def fill(disk: Path) -> None:
    """To the last byte."""
    with suppress(OSError), (disk / "filled").open("wb", buffering=0) as file:
        while True:
            file.write(NOISE)
