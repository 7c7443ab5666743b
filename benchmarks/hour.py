"""An hour of a whole station on the shipped bundle at 10 parts a second: does anything grow?

    python benchmarks/hour.py [--warm-up 10] [--minutes 60] [--parts-per-s 10] [--work FOLDER]

Four simulated products, a quarter of the parts defective, pictures of NG saved, rows committed; the
camera in its own process. Memory, threads and file descriptors are those of the station's process,
looked at every five seconds (of descriptors the least of three looks: a picture that is being
written has one for a moment); a part's time is the sum of its stages, without its wait. Give it a
machine of its own: tests of the idle class beside it tripled its p99. Beside what the system
counts stand the blocks that Python holds: what leaks there grows with them; what grows without
them are pages of memory that was free, touched for the first time. The hour begins after ten
minutes at the same pace. CPython keeps up to 2,000 freed tuples of each size, as many as were ever
held at once, which takes half an hour to come to rest: ``--warm-up 30`` measures what is left.
Bars: in the hour memory grows less than 1 MB, threads and descriptors stay, p99 of its last ten
minutes (or sixth) is within 10 % of its first's. Exits 1 where one is missed.
"""

import argparse
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from threading import Event, Thread

import numpy as np
import psutil
from rich.console import Console

from inspector.demo.assets import RECIPE, cached_plan
from inspector.pipeline.control import Control
from inspector.pipeline.inspection import Inspection
from inspector.settings import StationSettings
from inspector.station import StationSession

LOOK_S = 5.0
WAITS = ("grab", "queue")


class Times(nullcontext[None]):
    """When each part was through, and what it took; room for all is taken at the start."""

    def __init__(self, most: int) -> None:
        super().__init__()
        # Written to: zeros alone are pages that the system hands out when they are first touched.
        self.at_s, self.took_ms, self.count = np.full(most, np.nan), np.full(most, np.nan), 0

    def __enter__(self) -> "Times":  # type: ignore[override]
        return self

    def write(self, inspection: Inspection) -> Inspection:
        if self.count < len(self.at_s):
            took = sum(ms for stage, ms in inspection.stages_ms.items() if stage not in WAITS)
            self.at_s[self.count], self.took_ms[self.count] = time.monotonic(), took
            self.count += 1
        return inspection


def measure(
    warm_up: float, minutes: float, parts_per_s: float, work: Path, console: Console
) -> int:
    camera = f"sim:all?fps={parts_per_s:g}&defect_rate=0.25"
    settings = StationSettings(
        name="hour",
        camera=camera,
        plan=cached_plan("openvino", "f32", console.print),
        recipe=RECIPE,
        out=work / "out",
    )
    end_s = (warm_up + minutes) * 60
    times, over, control = Times(int(end_s * parts_per_s) + 1000), Event(), Control()
    looks = np.full((int(end_s / LOOK_S) + 100, 5), np.nan)
    control.start()
    with StationSession(settings) as session:
        worker = Thread(target=session.run, args=(control, times), daemon=True)
        worker.start()
        while times.count == 0 and worker.is_alive():
            over.wait(0.1)
        me, started, number = psutil.Process(), time.monotonic(), 0
        while (passed := time.monotonic() - started) < end_s and worker.is_alive():
            seen = me.memory_info().rss, me.num_threads(), held(me), sys.getallocatedblocks()
            looks[number] = passed, *seen
            number += 1
            over.wait(LOOK_S)
        control.stop()
        worker.join(30)
        total = session.counters.counts().total
    console.print(
        f"{total.triggers} parts in {end_s / 60:g} minutes, {total.triggers / end_s:.2f} a "
        f"second: {total.ok} OK, {total.ng} NG, {total.fault} FAULT.",
        highlight=False,
    )
    return report(looks[:number], times, started, warm_up, minutes, console)


def held(process: psutil.Process) -> int:
    """File descriptors that are open for longer than a moment."""
    counts = []
    for _ in range(3):
        counts.append(process.num_fds())
        time.sleep(0.05)
    return min(counts)


def report(
    looks: np.ndarray,
    times: Times,
    started: float,
    warm_up: float,
    minutes: float,
    console: Console,
) -> int:
    begin_s, end_s, part_s = warm_up * 60, (warm_up + minutes) * 60, min(600.0, minutes * 10)
    hour, half = (looks[looks[:, 0] > s] for s in (begin_s, begin_s + minutes * 30))
    at, took = times.at_s[: times.count] - started, times.took_ms[: times.count]
    console.print(f"{'minutes':>12} {'parts':>7} {'p50 ms':>8} {'p99 ms':>8} {'RSS MB':>8}")
    for begin in np.arange(0, end_s, part_s):
        inside = (at >= begin) & (at < begin + part_s)
        seen = (looks[:, 0] >= begin) & (looks[:, 0] < begin + part_s)
        p50, p99 = np.percentile(took[inside], [50, 99])
        console.print(
            f"{begin / 60:5.0f} – {(begin + part_s) / 60:4.0f} {inside.sum():7} {p50:8.1f} "
            f"{p99:8.1f} {looks[seen, 1].mean() / 2**20:8.1f}",
            highlight=False,
        )
    first, last = (
        np.percentile(took[(at >= begin) & (at < begin + part_s)], 99)
        for begin in (begin_s, end_s - part_s)
    )
    threads, descriptors = (np.unique(hour[:, column]).astype(int) for column in (2, 3))
    slope_mb_h = slope_an_hour(hour, 1) / 2**20
    early = slope_an_hour(looks[looks[:, 0] > part_s], 1) / 2**20
    console.print(
        f"\nAfter {warm_up:g} minutes of warm-up: {slope_mb_h:+.2f} MB an hour (in the second half "
        f"{slope_an_hour(half, 1) / 2**20:+.2f}, and {slope_an_hour(half, 4):+,.0f} of "
        f"{half[-1, 4]:,.0f} blocks of Python; from minute {part_s / 60:g} on {early:+.2f}), "
        f"threads {list(map(int, threads))}, file descriptors {list(map(int, descriptors))}; p99 "
        f"of the last {part_s / 60:g} minutes {last / first:.2f} × the first's.",
        highlight=False,
    )
    constant = len(threads) == 1 and len(descriptors) == 1
    return 0 if slope_mb_h < 1 and constant and last <= 1.1 * first else 1


def slope_an_hour(looks: np.ndarray, column: int) -> float:
    return float(np.polyfit(looks[:, 0] / 3600, looks[:, column], 1)[0])


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--warm-up", type=float, default=10)
    arguments.add_argument("--minutes", type=float, default=60)
    arguments.add_argument("--parts-per-s", type=float, default=10)
    arguments.add_argument("--work", type=Path)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = asked.work or Path(folder)
        return measure(asked.warm_up, asked.minutes, asked.parts_per_s, work, Console())


if __name__ == "__main__":
    sys.exit(main())
