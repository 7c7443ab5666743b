"""Milliseconds per stage for OpenVINO, ONNX Runtime and torch, alternated in one run.

    python benchmarks/latency.py [BUNDLE] [--rounds 60] [--threads 2]

Machines are shared and noisy: read the ratios, which are of medians taken in turn. Each round
shuffles the turns: a runtime's threads spin for a while after its answer, and whoever always came
next would always pay. The torch model is the bundle's configuration with random weights, since
weights do not change time.

A second table has the whole path, from the grab to the committed row, of a headless station.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import torch

from calibration.recipe import Recipe, Threshold, write_recipe
from engine.build import build
from engine.bundle import read_bundle
from engine.detector import Detector
from engine.runtimes.base import Answers, Codes, Images
from inspector.app import NoScreen, StationSession, run_headless
from inspector.camera.parts.render import FAMILIES, render
from inspector.demo.assets import BUNDLE
from inspector.pipeline.counters import Percentiles
from inspector.settings import StationSettings
from training.config import config_named
from training.model.backbone import Backbone
from training.model.promptmad import PromptMAD

STAGES = ("pre", "infer", "post")
REFERENCE = "openvino f32"
PLANS = (("openvino", "f32"), ("openvino", "bf16"), ("onnxruntime", "f32"))
PICTURE_PX = 400


class TorchRuntime:
    """The torch model behind the engine's protocol, so that the same detector times it."""

    name, precision, version = "fake", "f32", torch.__version__

    def __init__(self, model: PromptMAD) -> None:
        self.model = model.eval()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    @torch.inference_mode()
    def infer(self, image: Images, product: Codes) -> Answers:
        maps, scores = self.model(torch.from_numpy(image), torch.from_numpy(product))
        return maps.numpy(), scores.numpy()


def build_plans(bundle: Path, folder: Path, threads: int) -> dict[str, Path]:
    """One plan per runtime and precision, by their names."""
    return {
        f"{runtime} {precision}": build(
            bundle,
            folder / f"{runtime}-{precision}",
            runtime=runtime,
            precision=precision,
            threads=threads,
        )
        for runtime, precision in PLANS
    }


@contextmanager
def detectors(
    bundle: Path, plans: Mapping[str, Path], threads: int
) -> Iterator[dict[str, Detector]]:
    """One open detector per plan, and torch's."""
    torch.set_num_threads(threads)
    with ExitStack() as stack:
        opened = {
            name: stack.enter_context(Detector.open(plan, threads)) for name, plan in plans.items()
        }
        manifest = read_bundle(bundle).manifest
        config = config_named(manifest.model).model
        prompts = torch.randn(len(manifest.products), 2, config.text_dim)
        model = PromptMAD(config, Backbone(config.backbone), prompts)
        opened["torch f32"] = Detector(TorchRuntime(model), opened[REFERENCE].plan)
        for detector in opened.values():
            detector.warm_up()
        yield opened


def race(
    opened: Mapping[str, Detector], rounds: int, rng: np.random.Generator
) -> dict[str, dict[str, list[float]]]:
    """Milliseconds by runtime and stage, one of each round."""
    times: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in opened}
    product = opened[REFERENCE].products[0]
    for i in range(rounds):
        picture = render("disc", PICTURE_PX, seed=i).image
        for name in rng.permutation(list(opened)):
            stages = opened[name].detect(picture, product).stages_ms
            for stage in STAGES:
                times[name][stage].append(stages[stage])
            times[name]["total"].append(sum(stages.values()))
    return times


def whole_path(plan: Path, folder: Path, parts: int, threads: int) -> Mapping[str, Percentiles]:
    """Milliseconds of each stage of a headless station on a simulated line.

    Every part is called NG, the dearest verdict: each is drawn, and three pictures of it saved.
    """
    with Detector.open(plan, threads) as detector:
        families = [product for product in detector.products if product in FAMILIES]
        if not families:
            sys.exit(f"No whole path: {plan.name} knows none of {', '.join(FAMILIES)}.")
        limits = {product: _ng_always(detector, product) for product in families}
        recipe = Recipe(name="all NG", bundle_sha256=detector.plan.bundle_sha256, products=limits)
    write_recipe(recipe, folder / "recipe.json")
    settings = StationSettings(
        name="latency",
        camera=f"sim:{','.join(limits)}?parts={parts}&size={PICTURE_PX}",
        plan=plan,
        recipe=folder / "recipe.json",
        out=folder / "out",
        threads=threads,
    )
    session = StationSession(settings)
    run_headless(session, NoScreen())
    counts = session.counters.counts()
    assert counts.total.ng == parts, counts.total
    return counts.latency_ms


def _ng_always(detector: Detector, product: str) -> Threshold:
    """Any score is NG; regions are the strangest hundredth of a picture, so of a usual size."""
    found = detector.detect(render(product, PICTURE_PX, seed=0).image, product)
    return Threshold(
        score=-1e9,
        map=float(np.percentile(found.map, 99)),
        interval=(-1e9, -1e9),
        false_reject_rate=0.01,
        goods=1,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path, nargs="?", default=BUNDLE)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plans = build_plans(wanted.bundle, folder, wanted.threads)
        with detectors(wanted.bundle, plans, wanted.threads) as opened:
            times = race(opened, wanted.rounds, np.random.default_rng(0))
        report(times, wanted.rounds, wanted.threads)
        path = whole_path(plans[REFERENCE], folder, wanted.rounds, wanted.threads)
        report_path(path, wanted.rounds)


def report(times: dict[str, dict[str, list[float]]], rounds: int, threads: int) -> None:
    """Medians, p99 of the total, and the ratio of medians to the reference."""
    print(
        f"{PICTURE_PX} px picture, batch 1, {threads} threads, {rounds} alternated rounds, "
        "ms (median)"
    )
    print(f"{'runtime':<18}" + "".join(f"{s:>9}" for s in (*STAGES, "total", "p99", "ratio")))
    reference = np.median(times[REFERENCE]["total"])
    for name, stages in times.items():
        medians = [float(np.median(stages[s])) for s in (*STAGES, "total")]
        p99 = float(np.percentile(stages["total"], 99))
        row = [*medians, p99, medians[-1] / reference]
        print(f"{name:<18}" + "".join(f"{v:>9.2f}" for v in row))


def report_path(stages: Mapping[str, Percentiles], parts: int) -> None:
    """The stages in the order they happen; the total is of each part's sum."""
    print(f"\nms per stage, whole path: {REFERENCE}, headless station, {parts} parts, all NG")
    print(f"{'stage':<24}{'median':>9}{'p99':>9}")
    for stage, ms in stages.items():
        print(f"{stage:<24}{ms.p50:>9.2f}{ms.p99:>9.2f}")


if __name__ == "__main__":
    main()
