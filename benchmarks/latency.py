"""Milliseconds per stage for OpenVINO, ONNX Runtime and torch, alternated in one run.

    python benchmarks/latency.py [BUNDLE] [--rounds 60] [--threads 2]

Machines are shared and noisy: read the ratios, which are of medians taken in turn. Each round
shuffles the turns: a runtime's threads spin for a while after its answer, and whoever always came
next would always pay. The torch model is the bundle's configuration with random weights, since
weights do not change time.

`inspector bench PLAN` measures the whole path, from the grab to the committed row.
"""

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import torch

from engine.build import build
from engine.bundle import read_bundle
from engine.detector import Detector
from engine.runtimes.base import Answers, Codes, Images
from engine.types import BundleError, MissingError
from inspector.camera.parts.render import render
from inspector.demo.assets import BUNDLE
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
    """One plan per runtime and precision that this machine has, by their names."""
    plans = {}
    for runtime, precision in PLANS:
        name = f"{runtime} {precision}"
        out = folder / name.replace(" ", "-")
        try:
            plans[name] = build(bundle, out, runtime=runtime, precision=precision, threads=threads)
        except (BundleError, MissingError) as error:  # the gate refuses some in half precision
            print(f"No {name}: {error}")
    return plans


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path, nargs="?", default=BUNDLE)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        plans = build_plans(wanted.bundle, Path(name), wanted.threads)
        with detectors(wanted.bundle, plans, wanted.threads) as opened:
            times = race(opened, wanted.rounds, np.random.default_rng(0))
    report(times, wanted.rounds, wanted.threads)


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


if __name__ == "__main__":
    main()
