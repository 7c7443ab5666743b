"""What refinement costs: milliseconds of a bundle's forward pass at 0, 1, 2, 4 and 10 steps.

    python benchmarks/refinement.py BUNDLE [--runtime openvino] [--rounds 60] [--threads 2]

Plans of one bundle take turns in one process, in another order each round, on fresh noise: read
the shares, which are of medians. The share of N steps is what of their forward pass they take.
"""

import argparse
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import numpy as np

from engine.build import build
from engine.detector import Detector

STEPS = (0, 1, 2, 4, 10)


def race(opened: Mapping[int, Detector], rounds: int) -> dict[int, float]:
    """Median milliseconds of inference by number of steps."""
    rng = np.random.default_rng(0)
    times: dict[int, list[float]] = {steps: [] for steps in opened}
    size = opened[0].plan.input
    for _ in range(rounds):
        picture = rng.integers(0, 256, (size.height, size.width, 3), dtype=np.uint8)
        for steps in rng.permutation(list(opened)):
            detector = opened[int(steps)]
            prediction = detector.detect(picture, detector.products[0])
            times[int(steps)].append(prediction.stages_ms["infer"])
    return {steps: median(of) for steps, of in times.items()}


def table(ms: Mapping[int, float]) -> list[str]:
    """A line a number of steps."""
    lines = ["| steps | infer, ms | share of the forward pass |", "|---|---|---|"]
    return lines + [f"| {n} | {t:.2f} | {100 * (t - ms[0]) / t:.1f} % |" for n, t in ms.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--runtime", default="auto", choices=("auto", "openvino", "onnxruntime"))
    parser.add_argument("--precision", default="f32", choices=("f32", "bf16"))
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        opened = {}
        for steps in STEPS:
            plan = build(
                wanted.bundle,
                Path(folder) / str(steps),
                runtime=wanted.runtime,
                precision=wanted.precision,
                threads=wanted.threads,
                steps=steps,
            )
            opened[steps] = stack.enter_context(Detector.open(plan, wanted.threads))
            opened[steps].warm_up()
        print("\n".join(table(race(opened, wanted.rounds))))


if __name__ == "__main__":
    main()
