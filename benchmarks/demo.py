"""The demo's bars over several seeds: false rejects and misses per product family.

    python benchmarks/demo.py --seeds 101 102 103 104 105 [--parts 200]

Runs `inspector demo --headless` as a person would, one process a seed, each with its own folder,
and checks database and overlays beside the counts. Exits 1 where a bar is missed.
"""

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

FALSE_REJECTS, MISSED = 0.02, 0.05  # the bars, per family over all seeds


def run_demo(seed: int, parts: int, out: Path) -> dict:
    program = "from inspector.cli import main; main()"
    options = ["--headless", "--json", "--parts", str(parts), "--seed", str(seed)]
    command = [sys.executable, "-c", program, "demo", *options, "--out", str(out)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def check_records(said: dict, parts: int) -> None:
    """One row a part, and every NG row has its overlay on disk."""
    database = Path(said["database"])
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM inspection").fetchone()
        ng = connection.execute("SELECT overlay FROM inspection WHERE verdict = 'NG'").fetchall()
    assert rows == parts == said["parts"], (rows, parts)
    assert all(path and (database.parent / path).is_file() for (path,) in ng)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103, 104, 105])
    parser.add_argument("--parts", type=int, default=200)
    wanted = parser.parse_args()
    totals: dict[str, Counter] = {}
    for seed in wanted.seeds:
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            said = run_demo(seed, wanted.parts, Path(folder) / "out")
            check_records(said, wanted.parts)
        each = ", ".join(
            f"{name} {p['missed']}/{p['true_defective']} missed, {p['false_rejects']} rejected"
            for name, p in said["products"].items()
        )
        print(f"seed {seed}: {each} ({time.monotonic() - started:.0f} s)", flush=True)
        for name, product in said["products"].items():
            totals.setdefault(name, Counter()).update(product)
    sys.exit(report(totals))


def report(totals: dict[str, Counter]) -> int:
    """The table; 1 where a family misses a bar."""
    missed_a_bar = 0
    print(f"{'family':<10}{'good':>6}{'rejected':>10}{'defective':>11}{'missed':>8}")
    for name, n in totals.items():
        good = n["parts"] - n["true_defective"] - n["fault"]
        rejected, missed = n["false_rejects"] / good, n["missed"] / n["true_defective"]
        ok = rejected <= FALSE_REJECTS and missed <= MISSED
        missed_a_bar |= not ok
        row = f"{name:<10}{good:>6}{rejected:>10.1%}{n['true_defective']:>11}{missed:>8.1%}"
        print(row + ("" if ok else "   over the bar"))
    return int(missed_a_bar)


if __name__ == "__main__":
    main()
