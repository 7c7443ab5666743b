"""200 losses of a camera under a running station: how soon it is said, how soon it inspects again.

    python benchmarks/losses.py [--losses 200] [--work FOLDER]

In turn the camera's process is killed, is stopped as a hung producer stops it, and its plug is
pulled and put back. The station is whole: window apart, all that `inspector station` opens. Bars:
alarm within 2 s of the loss, the next record within 10 s of the camera's return, less than 20 MB
more memory at the end. Exits 1 where one is missed.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import numpy as np
import psutil
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from inspector.pipeline.control import Control
from inspector.pipeline.inspection import Inspection
from inspector.pipeline.state import State
from inspector.station import StationSession
from tests.inspector.station_parts import make_station

KINDS = ("killed", "hung", "unplugged")
WARM_UP = 12


class Records(nullcontext[None]):
    """Rings for each record, after its commit."""

    def __init__(self) -> None:
        super().__init__()
        self.came = Event()
        self.count = 0

    def __enter__(self) -> "Records":  # type: ignore[override]
        return self

    def write(self, inspection: Inspection) -> Inspection:
        self.count += inspection.frame.image is not None
        self.came.set()
        return inspection


@dataclass
class Seen:
    """Seconds, by kind of loss."""

    alarm: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    again: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})


def camera_process() -> psutil.Process:
    while True:
        for child in psutil.Process().children():
            if "resource_tracker" not in " ".join(child.cmdline()):
                return child
        time.sleep(0.005)


def wait_for_state(session: StationSession, state: State, seconds: float = 60) -> float:
    ends = time.monotonic() + seconds
    while session.state.standing.state is not state:
        if time.monotonic() > ends:
            raise TimeoutError(f"The station did not become {state} within {seconds} s.")
        time.sleep(0.002)
    return time.monotonic()


def lose(kind: str, session: StationSession, plug: Path, records: Records, seen: Seen) -> None:
    child, lost = camera_process(), time.monotonic()
    if kind == "killed":
        child.kill()
    elif kind == "hung":
        child.send_signal(signal.SIGSTOP)
    else:
        plug.unlink()
    alarmed = wait_for_state(session, State.ERROR)
    seen.alarm[kind].append(alarmed - lost)
    back = alarmed
    if kind == "unplugged":
        time.sleep(0.5)
        plug.touch()
        back = time.monotonic()
    wait_for_state(session, State.CONTINUOUS_EXECUTION)
    records.came.clear()
    if not records.came.wait(60):
        raise TimeoutError("No record came after the camera was back.")
    seen.again[kind].append(time.monotonic() - back)
    time.sleep(random.uniform(0.05, 0.5))


def measure(losses: int, work: Path, console: Console) -> int:
    plug = work / "plug"
    plug.touch()
    settings = make_station(work, f"sim:disc?size=64&fps=20&plug={plug}", product="disc")
    session, control, records, seen = StationSession(settings), Control(), Records(), Seen()
    me, control_started = psutil.Process(), time.monotonic()
    control.start()
    with session:
        worker = Thread(target=session.run, args=(control, records), daemon=True)
        worker.start()
        wait_for_state(session, State.CONTINUOUS_EXECUTION)
        before = (0, 0, 0)
        for number in range(losses + WARM_UP):
            lose(KINDS[number % 3], session, plug, records, seen)
            if number == WARM_UP - 1:
                before = me.memory_info().rss, me.num_fds(), me.num_threads()
        after = me.memory_info().rss, me.num_fds(), me.num_threads()
        control.stop()
        worker.join(30)
    return report(seen, before, after, records.count, time.monotonic() - control_started, console)


def report(
    seen: Seen,
    before: tuple[int, int, int],
    after: tuple[int, int, int],
    records: int,
    took_s: float,
    console: Console,
) -> int:
    console.print(
        f"{'loss':10} {'times':>6} {'alarm s p50':>12} {'worst':>7} {'again s p50':>12} "
        f"{'worst':>7}",
        highlight=False,
    )
    for kind in KINDS:
        alarm, again = np.array(seen.alarm[kind]), np.array(seen.again[kind])
        console.print(
            f"{kind:10} {len(alarm):6} {np.median(alarm):12.2f} {alarm.max():7.2f} "
            f"{np.median(again):12.2f} {again.max():7.2f}",
            highlight=False,
        )
    grown = (after[0] - before[0]) / 2**20
    console.print(
        f"\nMemory {before[0] / 2**20:.1f} → {after[0] / 2**20:.1f} MB ({grown:+.1f}), file "
        f"descriptors {before[1]} → {after[1]}, threads {before[2]} → {after[2]}, from the "
        f"{WARM_UP}th loss on. {records} records in {took_s:.0f} s.",
        highlight=False,
    )
    slow = max(max(times) for times in seen.alarm.values())
    late = max(max(times) for times in seen.again.values())
    return 0 if slow <= 2 and late <= 10 and grown < 20 else 1


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--losses", type=int, default=200)
    arguments.add_argument("--work", type=Path)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return measure(asked.losses, asked.work or Path(folder), Console())


if __name__ == "__main__":
    raise SystemExit(main())
