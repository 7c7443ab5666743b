"""300 `kill -9` at random moments: no acknowledged record may be missing, none may be damaged.

    python benchmarks/kills.py [--kills 300] [--seed 0] [--work FOLDER]

Two of three kills hit the station's process, in which the thread that inspects lives, the third
its camera's. A verdict counts as acknowledged when the station has told it, which is after the
commit. After each kill of the station it is started anew on the same database, as systemd would.
Bars: 0 acknowledged records missing, 0 failures of integrity, inspecting again within 15 s. Exits
1 where one is missed.
"""

import argparse
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

import numpy as np
import psutil
from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from inspector.app import run_headless
from inspector.pipeline.inspection import Inspection
from inspector.settings import StationSettings
from inspector.station import StationSession
from tests.inspector.station_parts import make_station

CAMERA = "sim:all?size=64&fps=40&defect_rate=0.3"


class Teller(nullcontext[None]):
    """Acknowledges: a line on standard output, after the commit."""

    def __enter__(self) -> "Teller":  # type: ignore[override]
        return self

    def write(self, inspection: Inspection) -> Inspection:
        print(inspection.id, inspection.verdict.value, flush=True)
        return inspection


def be_a_station(settings: Path) -> None:
    with StationSession(
        StationSettings.model_validate_json(settings.read_text("utf-8"))
    ) as session:
        run_headless(session, Teller())


@dataclass
class Station:
    """A station in a process of its own, and the verdicts that it told."""

    settings: Path
    told: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        self.started = time.monotonic()
        self.lines: SimpleQueue[tuple[float, str]] = SimpleQueue()
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--be", str(self.settings)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )
        self.reader = Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):  # a line cut off by the kill told nobody
                self.lines.put((time.monotonic(), line))

    def hear(self, seconds: float) -> float | None:
        """Take in what is told within so many seconds; when the first of it came."""
        first, ends = None, time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            try:
                when, line = self.lines.get(timeout=left)
            except Empty:
                break
            first = first or when
            self._note(line)
        return first

    def hear_one(self, seconds: float) -> float:
        when, line = self.lines.get(timeout=seconds)
        self._note(line)
        return when

    def _note(self, line: str) -> None:
        name, verdict = line.split()
        self.told[name] = verdict

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        while not self.lines.empty():
            self._note(self.lines.get()[1])

    def camera(self) -> psutil.Process | None:
        children = psutil.Process(self.process.pid).children()
        apart = [one for one in children if "resource_tracker" not in " ".join(one.cmdline())]
        return apart[0] if apart else None


def missing(database: Path, told: dict[str, str]) -> int:
    """Acknowledged verdicts that the database does not have as they were told."""
    with closing(sqlite3.connect(database)) as connection:
        kept = dict(connection.execute("SELECT id, verdict FROM inspection"))
    return sum(kept.get(name) != verdict for name, verdict in told.items())


def is_sound(database: Path) -> bool:
    with closing(sqlite3.connect(database)) as connection:
        answers: Sequence[tuple[str]] = connection.execute("PRAGMA integrity_check").fetchall()
        astray = connection.execute("PRAGMA foreign_key_check").fetchall()
    return answers == [("ok",)] and not astray


def measure(kills: int, seed: int, work: Path, console: Console) -> int:
    rng = random.Random(seed)
    settings = make_station(work, CAMERA, limit=0.5, threads=1)
    file = work / "settings.json"
    file.write_text(settings.model_dump_json(), encoding="utf-8")
    database = settings.out / "inspections.sqlite"
    station, again = Station(file), {"station": [], "camera": []}
    damaged = lost = 0
    station.start()
    station.hear_one(60)
    for number in range(kills):
        which = "camera" if number % 3 == 2 else "station"
        station.hear(rng.uniform(0.0, 1.0))
        struck = time.monotonic()
        if which == "camera":
            child = station.camera()
            if child is not None:
                child.kill()
            time.sleep(0.2)
            station.hear(0.05)
        else:
            station.kill()
            damaged += not is_sound(database)
            lost += missing(database, station.told)
            station.start()
        again[which].append(station.hear_one(60) - struck)
    station.kill()
    damaged += not is_sound(database)
    lost += missing(database, station.told)
    for kind, times in again.items():
        took = np.array(times)
        console.print(
            f"{kind:8} {len(took):4} kills, inspecting again p50 {np.median(took):.2f} s, worst "
            f"{took.max():.2f} s",
            highlight=False,
        )
    console.print(
        f"{len(station.told)} acknowledged verdicts, {lost} missing; {damaged} failures of "
        "integrity.",
        highlight=False,
    )
    return 0 if not lost and not damaged and max(map(max, again.values())) <= 15 else 1


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--kills", type=int, default=300)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--work", type=Path)
    arguments.add_argument("--be", type=Path, help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.be is not None:
        be_a_station(asked.be)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return measure(asked.kills, asked.seed, asked.work or Path(folder), Console())


if __name__ == "__main__":
    raise SystemExit(main())
