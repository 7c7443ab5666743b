"""A year of parts in one database: does its history answer while the station writes?

    python benchmarks/history.py FOLDER [--rows 10000000] [--keep]

Fills a database of this program's own schema in bulk: four products, 2 % NG with one to three
defects, 0.2 % FAULT, each part with part number, lot and serial, spread evenly over twelve months.
Then a process of its own writes 50 parts a second through InspectionLog, outbox on, while pages of
100 (first, and the one after) are asked of History by each kind of filter, and a Pareto of each
month. The system's own cache of the file is dropped first where the system allows it. Exit code 1
where a page's p95 is over 200 ms, a month's Pareto over 1 s, or a row that was acknowledged is
missing.
"""

import argparse
import multiprocessing as mp
import os
import random
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bulk_rows import BEGAN, LASTS, PRODUCTS, fill

from engine.types import Prediction
from inspector.camera.base import Frame, PartIdentity
from inspector.db.history import EVERYTHING, History, HistoryFilter
from inspector.db.log import InspectionLog, RunInfo
from inspector.pipeline.ids import uuid7_ids
from inspector.pipeline.inspection import Inspection, Reason, Region, Verdict

PAGE = 100
QUERIES = 200
PER_SECOND = 50
PAGE_BAR_MS, PARETO_BAR_S = 200.0, 1.0
MONTH = timedelta(days=30)
SCRATCH = Region(100, 120, 40, 12, 310, 0.93, ((100, 120), (140, 120), (140, 132), (100, 132)))


def run_info(run_id: str) -> RunInfo:
    return RunInfo(
        id=run_id,
        station="press 4",
        camera="bench",
        bundle_sha256="b" * 64,
        plan_sha256="p" * 64,
        recipe_sha256="r" * 64,
        settings_sha256="s" * 64,
        runtime="openvino",
        precision="f32",
        steps=10,
        program_version="0",
    )


def part(number: int, new_id: str) -> Inspection:
    """Every fiftieth is NG."""
    now, bad = datetime.now(UTC), number % 50 == 0
    product = PRODUCTS[number % len(PRODUCTS)]
    identity = PartIdentity(product, "LIVE", f"LIVE{number}")
    frame = Frame(number, None, now, 4.0, "bench", part=identity)
    return Inspection(
        id=new_id,
        frame=frame,
        verdict=Verdict.NG if bad else Verdict.OK,
        reason=Reason.DEFECT if bad else None,
        product=product,
        inspected_at=now,
        prediction=Prediction(0.9 if bad else 0.1, None, product, {}),  # type: ignore[arg-type]
        threshold=0.5,
        map_threshold=0.5,
        regions=(SCRATCH,) if bad else (),
        stages_ms={"grab": 4.0, "pre": 1.2, "infer": 21.0, "post": 0.8, "judge": 0.1},
    )


def write_on(path: Path, run_id: str, stop: Any, says: Any) -> None:
    """A station's rows, until told to stop; says how long the opening and each commit took."""
    new_id, commits, late = uuid7_ids(), [], 0
    began = time.perf_counter()
    with InspectionLog(path, run_info(run_id), outbox=True) as log:
        says.send(time.perf_counter() - began)
        due = time.perf_counter()
        while not stop.is_set():
            written = log.write(part(len(commits), new_id()))
            commits.append(written.stages_ms["commit"])
            due += 1 / PER_SECOND
            late += time.perf_counter() > due
            time.sleep(max(0.0, due - time.perf_counter()))
    says.send((commits, late))


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def month(dice: random.Random) -> dict[str, datetime]:
    since = BEGAN + (LASTS - MONTH) * dice.random()
    return {"since": since, "until": since + MONTH}


def filters(rows: int) -> dict[str, Callable[[random.Random], HistoryFilter]]:
    """One kind of question each, another instance of it each time."""

    def product(dice: random.Random) -> str:
        return dice.choice(PRODUCTS)

    bad = (Verdict.NG, Verdict.FAULT)
    serial = "S{:09d}".format
    return {
        "none": lambda dice: EVERYTHING,
        "time range": lambda dice: HistoryFilter(**month(dice)),
        "verdict": lambda dice: HistoryFilter(verdict=dice.choice(list(Verdict))),
        "product": lambda dice: HistoryFilter(product=product(dice)),
        "product, verdict, time range": lambda dice: HistoryFilter(
            product=product(dice), verdict=dice.choice(bad), **month(dice)
        ),
        "product, OK, time range": lambda dice: HistoryFilter(
            product=product(dice), verdict=Verdict.OK, **month(dice)
        ),
        "reason": lambda dice: HistoryFilter(
            reason=dice.choice([Reason.DEFECT, Reason.NO_FRAME, Reason.LATE_RESULT])
        ),
        "reason, product, time range": lambda dice: HistoryFilter(
            reason=Reason.NO_FRAME, product=product(dice), **month(dice)
        ),
        "serial": lambda dice: HistoryFilter(serial=serial(dice.randrange(rows))),
        "lot": lambda dice: HistoryFilter(lot=f"L{dice.randrange(rows) // 5000:05d}"),
        "part number": lambda dice: HistoryFilter(part=product(dice)),
        "with an alarm": lambda dice: HistoryFilter(alarmed=True),
    }


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = work()
    return time.perf_counter() - began, answer


def ask_pages(history: History, kinds: dict[str, Callable[[random.Random], HistoryFilter]]) -> bool:
    dice, good = random.Random(1), True
    print("| filter | first page p50 | p95 | max | next page p50 | p95 | max | rows |")
    print("|---|---|---|---|---|---|---|---|")
    for name, make in kinds.items():
        first, after, found = [], [], 0
        for _ in range(QUERIES):
            wanted = make(dice)
            seconds, page = timed(lambda wanted=wanted: history.page(wanted, limit=PAGE))
            first.append(seconds * 1000)
            found += len(page)
            if len(page) == PAGE:
                last = page[-1].id
                again = timed(lambda w=wanted, b=last: history.page(w, before=b, limit=PAGE))
                after.append(again[0] * 1000)
        print(f"| {name} | {_row(first)} | {_row(after)} | {found / QUERIES:.0f} |", flush=True)
        good &= all(percentile(times, 0.95) <= PAGE_BAR_MS for times in (first, after) if times)
    return good


def _row(times: Sequence[float]) -> str:
    if not times:
        return "– | – | –"
    figures = (percentile(times, 0.5), percentile(times, 0.95), max(times))
    return " | ".join(f"{each:.1f} ms" for each in figures)


def ask_sums(history: History) -> bool:
    months = [BEGAN + n * (LASTS - MONTH) / 11 for n in range(12)]
    paretos = [timed(lambda since=since: history.pareto(since, since + MONTH)) for since in months]
    seconds = [each[0] for each in paretos]
    parts = sum(bar.parts for bar in paretos[0][1])
    print(f"\nPareto of a month: p50 {percentile(seconds, 0.5):.2f} s, max {max(seconds):.2f} s")
    print(f"({len(paretos[0][1])} bars of {parts} rejects)")
    print(f"counts() of everything: {timed(history.counts)[0]:.2f} s")
    wanted = HistoryFilter(since=months[5], until=months[5] + MONTH)
    print(f"counts() of a month: {timed(lambda: history.counts(wanted))[0]:.2f} s")
    for wanted in (HistoryFilter(product=PRODUCTS[0]), HistoryFilter(part=PRODUCTS[0])):
        name = "product" if wanted.product else "part number"
        print(f"counts() of a {name}: {timed(lambda w=wanted: history.counts(w))[0]:.2f} s")
    print(f"products(): {timed(history.products)[0] * 1000:.1f} ms")
    return max(seconds) <= PARETO_BAR_S


def forget_cached(path: Path) -> None:
    """Ask the system to drop the file from its memory: the first questions read the disk."""
    if hasattr(os, "posix_fadvise"):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def _load() -> str:
    """How many others want the processor; what this run measures, they slow down."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def nothing_lost(path: Path, run_id: str, acknowledged: int) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT count(*), min(sequence), max(sequence) FROM inspection WHERE run_id = ?"
        found = connection.execute(query, (run_id,)).fetchone()
        (waiting,) = connection.execute("SELECT count(*) FROM outbox").fetchone()
    print(f"of {acknowledged} acknowledged rows {found[0]} are there, {waiting} in the outbox")
    return bool(found == (acknowledged, 1, acknowledged) and waiting == acknowledged)


def measure(path: Path, rows: int) -> bool:
    spawn = mp.get_context("spawn")
    run_id, stop, (ours, theirs) = uuid7_ids()(), spawn.Event(), spawn.Pipe()
    writer = spawn.Process(target=write_on, args=(path, run_id, stop, theirs))
    forget_cached(path)
    writer.start()
    print(f"writer: opened in {ours.recv():.1f} s (a check of all but the long tables)", flush=True)
    forget_cached(path)
    began = time.perf_counter()
    with History(path) as history:
        quick = ask_pages(history, filters(rows))
        summed = ask_sums(history)
    seconds = time.perf_counter() - began
    stop.set()
    commits, late = ours.recv()
    writer.join(60)
    share, worst = percentile(commits, 0.99), max(commits)
    print(
        f"\nwriter: {len(commits)} rows in {seconds:.0f} s, {len(commits) / seconds:.1f} a second"
    )
    print(f"commit p50 {percentile(commits, 0.5):.2f}, p99 {share:.2f}, max {worst:.1f} ms;")
    print(f"{late} rows took more than their {1000 / PER_SECOND:.0f} ms")
    lost_none = nothing_lost(path, run_id, len(commits))
    print(f"\nbars: pages {quick}, Pareto {summed}, nothing lost {lost_none}")
    return quick and summed and lost_none


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--keep", action="store_true", help="keep the database, or use it again")
    wanted = parser.parse_args()
    path = wanted.folder / f"history-{wanted.rows}.sqlite"
    try:
        if not path.exists():
            seconds, _ = timed(lambda: fill(path, wanted.rows, run_info("filled")))
            gigabytes = path.stat().st_size / 1e9
            print(f"filled {wanted.rows:,} rows in {seconds:.0f} s, {gigabytes:.2f} GB")
        print(
            f"SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores, load {_load()}", flush=True
        )
        good = measure(path, wanted.rows)
        print(f"load at the end: {_load()}")
        return 0 if good else 1
    finally:
        if not wanted.keep:
            for each in wanted.folder.glob(f"{path.name}*"):
                each.unlink()


if __name__ == "__main__":
    sys.exit(main())
