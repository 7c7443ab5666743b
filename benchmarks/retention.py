"""What deleting old pictures costs a part judged meanwhile: `python benchmarks/retention.py`.

One thread works as a station does, ten parts a second: numpy, then a file with fsync. Beside it
nothing, then :class:`Retention` with so many files to go. Prints the percentiles of a part's time.
"""

import argparse
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import numpy as np

from inspector.pipeline.housekeeper import Retention
from inspector.pipeline.kept import picture_path
from inspector.settings import PictureSettings

NOW = datetime.now(UTC)
INTERVAL_S = 0.1


def make_files(folder: Path, count: int) -> None:
    """Old OK pictures of one day, and three later days that bear out its age."""
    for days_ago, files in ((100, count), (2, 1), (1, 1), (0, 1)):
        at = NOW - timedelta(days=days_ago)
        for number in range(files):
            name = picture_path(str(UUID(int=number)), at, "picture", ok=True, suffix=".png")
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"p" * 4096)
            os.utime(path, (at.timestamp(), at.timestamp()))


def one_part(folder: Path, rng: np.random.Generator) -> float:
    """Milliseconds of about 20 ms of work and a durable file."""
    start = time.perf_counter()
    for _ in range(20):
        rng.normal(size=20_000).sort()
    with (folder / "row").open("wb") as file:
        file.write(b"r" * 500)
        file.flush()
        os.fsync(file.fileno())
    return (time.perf_counter() - start) * 1e3


def parts(folder: Path, go_on: Callable[[int], bool]) -> list[float]:
    rng, took = np.random.default_rng(0), []
    while go_on(len(took)):
        took.append(one_part(folder, rng))
        time.sleep(max(0.0, INTERVAL_S - took[-1] / 1e3))
    return took


def say(label: str, took: list[float]) -> None:
    p50, p99 = np.percentile(took, [50, 99])
    print(f"{label}: {len(took)} parts, p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {max(took):.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    count = parser.parse_args().files
    with TemporaryDirectory() as name:
        folder = Path(name)
        make_files(folder, count)
        say("alone", parts(folder, lambda n: n < 200))
        events: list[str] = []
        start = time.perf_counter()
        rules = PictureSettings(most_used=1.0, least_free=0.0)
        with Retention(folder, rules, lambda event: events.append(event.text)):
            say("beside retention", parts(folder, lambda n: not events and n < 3000))
        print(f"{events[0] if events else 'not done'} in {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
