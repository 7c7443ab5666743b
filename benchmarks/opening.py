"""How long a plan takes from nothing to its first verdict: seconds, each in a process of its own.

    python benchmarks/opening.py PLAN [--rounds 5] [--threads 2]

``opened``: verified by its sums, read and compiled. ``asked``: its golden pictures of one product,
as a station asks before it opens its camera. ``first``: the first part judged. ``imported`` is
Python and its packages, which a station pays once before any of it.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

STAGES = ("imported", "opened", "asked", "first", "total")


def once(plan: Path, threads: int) -> None:
    """In a process of its own; prints seconds by stage."""
    began = time.perf_counter()
    import numpy as np

    from engine.detector import Detector

    at = {"imported": time.perf_counter()}
    with Detector.open(plan, threads) as detector:
        at["opened"] = time.perf_counter()
        detector.verify(products=detector.products[:1])
        at["asked"] = time.perf_counter()
        picture = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8)
        detector.detect(picture, detector.products[0])
        at["first"] = time.perf_counter()
    seconds, before = {}, began
    for stage, then in at.items():
        seconds[stage], before = then - before, then
    print(json.dumps(seconds | {"total": before - began}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.once:
        once(wanted.plan, wanted.threads)
        return
    call = [sys.executable, __file__, wanted.plan, "--threads", str(wanted.threads), "--once"]
    runs = [
        json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
        for _ in range(wanted.rounds)
    ]
    print(
        f"{wanted.plan.name}, {wanted.threads} threads, {wanted.rounds} processes, s: median, worst"
    )
    for stage in STAGES:
        values = [run[stage] for run in runs]
        print(f"{stage:<10}{median(values):8.2f}{max(values):8.2f}")


if __name__ == "__main__":
    main()
