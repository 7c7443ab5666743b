"""Ours beside anomalib's: picture → verdict against their OpenVINO f32 exports, alternated.

    pip install -e ".[train,peers]"
    python benchmarks/speed.py --work FOLDER [--side-px 256] [--rounds 200] [--threads 2]
        [--only OURS …] [--beside PEER …] [--out FILE.md]

One process, one picture at a time, another order each round; random weights, which take as long as
trained ones. Of ours the whole path is timed: resizing, the plan, the map at the picture's size,
the verdict. Of theirs the graph alone, from a picture that is a tensor already. Read the ratios.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import openvino as ov
import torch
from exports import PEERS, exported
from random_bundle import STEPS, random_bundle

from calibration.recipe import Threshold
from engine.build import build
from engine.detector import Detector
from engine.flops import gflop
from engine.parity import cloud_pictures
from engine.peak import products
from engine.plan import read_plan
from engine.types import Image
from inspector.pipeline.verdict import judge

PICTURES = 8
OURS = {
    "small, mobilenetv4": ("promptmad-small", "mobilenetv4_conv_small", 3, True),
    "small, lite0": ("promptmad-small", "efficientnet_lite0", 3, True),
    "small, resnet18": ("promptmad-small", "resnet18", 3, True),
    "bank-small, lite0": ("promptmad-bank-small", "efficientnet_lite0", 3, True),
    "bank-small, resnet18": ("promptmad-bank-small", "resnet18", 3, True),
    "full, B4": ("promptmad-full", "efficientnet_b4", 3, True),
    "bank-full, B4": ("promptmad-bank-full", "efficientnet_b4", 3, True),
    "small, lite0, 1 product": ("promptmad-small", "efficientnet_lite0", 1, False),
    "small, lite0, 50 products": ("promptmad-small", "efficientnet_lite0", 50, False),
    "bank-tiny, lite0, 1 product": ("promptmad-bank-tiny", "efficientnet_lite0", 1, False),
    "bank-tiny, lite0, 50 products": ("promptmad-bank-tiny", "efficientnet_lite0", 50, False),
}
"""Configuration, trunk, products in the bundle, and whether the plan is for one of them alone."""
MEASURES = ("STFPM, resnet18", "EfficientAD-S")
"""Those that the bars are written in."""
LIMIT = Threshold(score=1e30, map=1e30, interval=(1e30, 1e30), false_reject_rate=0.01, goods=1)


class Runner(NamedTuple):
    """One of those that are compared; ``infer`` gives the milliseconds of its network alone."""

    call: Callable[[Image], Any]
    gflop: float | None
    infer: Callable[[Any], float] | None = None


def ours(work: Path, name: str, side_px: int, threads: int) -> Path:
    """The plan of one of :data:`OURS`, built unless it is there."""
    config, trunk, products, alone = OURS[name]
    stem = "".join(c if c.isalnum() else "_" for c in name) + f"_{side_px}"
    bundle = random_bundle(work / f"{stem}_bundle", config, trunk, side_px, products)
    chosen = ["product_0"] if alone else []
    out = work / f"{stem}_plan"
    return build(bundle, out, steps=STEPS, threads=threads, products=chosen, overwrite=True)


def peer(path: Path, threads: int) -> Runner:
    """OpenVINO in f32 with our own settings, which are its fastest for one picture at a time."""
    import onnx

    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
    }
    compiled = ov.Core().compile_model(path, "CPU", settings)
    request = compiled.create_infer_request()
    x = np.random.default_rng(0).random(list(compiled.inputs[0].shape), np.float32)
    return Runner(lambda _: request.infer([x]), gflop(onnx.load(path)))


def mine(detector: Detector, gflops: float | None) -> Runner:
    """Picture to verdict."""
    product = detector.products[0]

    def call(image: Image) -> float:
        prediction = detector.detect(image, product)
        judge(prediction, LIMIT)
        return prediction.stages_ms["infer"]

    return Runner(call, gflops, infer=lambda ms: ms)


def race(
    runners: dict[str, Runner], pictures: list[Image], rounds: int
) -> dict[str, tuple[float, float]]:
    """Median milliseconds by name, whole and of the network alone."""
    rng = np.random.default_rng(0)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runners}
    for i in range(rounds + 3):
        for name in rng.permutation(list(runners)):
            runner = runners[name]
            started = time.perf_counter()
            found = runner.call(pictures[i % len(pictures)])
            whole = (time.perf_counter() - started) * 1e3
            network = runner.infer(found) if runner.infer else whole
            if i >= 3:
                times[name].append((whole, network))
    return {
        name: (median(w for w, _ in of), median(n for _, n in of)) for name, of in times.items()
    }


def table(
    runners: dict[str, Runner], found: dict[str, tuple[float, float]], peak: float
) -> list[str]:
    """A row each; shares are of the peak that was measured in this run."""
    measures = [name for name in MEASURES if name in found]
    lines = [
        "| model | whole, ms | network, ms | beside it | GFLOP | network, share of peak | "
        + "".join(f"/ {name} | " for name in measures),
        "|---|---|---|---|---|---|" + "---|" * len(measures),
    ]
    for name, (whole, network) in found.items():
        g = runners[name].gflop
        share = "–" if g is None else f"{g / network * 1e3 / peak:.0%}"
        lines.append(
            f"| {name} | {whole:.2f} | {network:.2f} | {1 - network / whole:.1%} | "
            f"{'–' if g is None else f'{g:.2f}'} | {share} | "
            + "".join(f"{whole / found[name][0]:.3f} | " for name in measures)
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--work", type=Path, required=True, help="bundles and exports are kept here"
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--side-px", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=list(OURS), choices=OURS, metavar="OURS")
    parser.add_argument("--beside", nargs="*", default=list(PEERS), choices=PEERS, metavar="PEER")
    wanted = parser.parse_args()
    wanted.work.mkdir(parents=True, exist_ok=True)
    side, threads = wanted.side_px, wanted.threads
    runners = {name: peer(exported(wanted.work, name, side), threads) for name in wanted.beside}
    rng = np.random.default_rng(1)
    with ExitStack() as stack:
        for name in wanted.only:
            plan = ours(wanted.work, name, side, threads)
            detector = stack.enter_context(Detector.open(plan, threads))
            detector.warm_up()
            runners[name] = mine(detector, read_plan(plan).manifest.gflop)
        size = detector.plan.input
        pictures = list(cloud_pictures(size, PICTURES, rng))
        yardsticks = {
            f"product {i}": Runner(lambda _, call=call: call(), work)
            for i, (work, call) in enumerate(products(threads))
        }
        found = race(runners | yardsticks, pictures, wanted.rounds)
    peak = max(1e3 * (by.gflop or 0) / found.pop(name)[0] for name, by in yardsticks.items())
    lines = [
        f"- {side} px, {threads} threads of {os.cpu_count()}, {wanted.rounds} alternated rounds",
        f"- {platform.machine()}, openvino {version('openvino')}, anomalib {version('anomalib')}, "
        f"torch {torch.__version__}",
        f"- f32 peak, the best of three products taking turns with all: {peak:.0f} GFLOP/s",
        "",
        *table(runners, found, peak),
    ]
    print("\n".join(lines))
    if wanted.out:
        wanted.out.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
