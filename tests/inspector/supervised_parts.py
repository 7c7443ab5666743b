"""What the tests of a supervised camera share: its changes, its processes, a file about it."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

import psutil

from inspector.camera.keeper import Link, LinkChange

LINE = "sim:disc?size=64&fps=50"


@dataclass
class Told:
    """What the camera said of itself, and when."""

    changes: SimpleQueue[tuple[float, LinkChange]] = field(default_factory=SimpleQueue)

    def __call__(self, change: LinkChange) -> None:
        self.changes.put((time.monotonic(), change))

    def next(self, link: Link) -> tuple[float, LinkChange]:
        when, change = self.changes.get(timeout=20)
        assert change.link is link
        return when, change


def children() -> list[psutil.Process]:
    """The camera processes of this test; the resource tracker is nobody's camera."""
    mine = psutil.Process().children()
    return [one for one in mine if "resource_tracker" not in " ".join(one.cmdline())]


def only_child() -> psutil.Process:
    (child,) = children()
    return child


def gone_within(seconds: float, gone: Callable[[], bool]) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if gone():
            return True
        time.sleep(0.05)
    return gone()


def describe(file: Path, **described: object) -> None:
    file.write_text(json.dumps(described), encoding="utf-8")
