"""A bundle measured on labelled test folders, through the engine a station runs: no torch here.

Maps are compared at the model's input size; masks are resized nearest, then > 0. Nothing is
fitted or chosen on what is read here.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from engine.build import build
from engine.bundle import read_bundle
from engine.detector import Detector
from engine.pictures import read_picture
from engine.types import Mask, ScoreMap, UnknownProductError
from training.datasets.dataset import read_dataset
from training.datasets.sample import Sample, load_mask
from training.metrics import Metrics, measure
from training.report import Report


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics per product and their unweighted mean, with what produced them."""

    bundle: str
    bundle_sha256: str
    steps: int
    products: dict[str, Metrics]
    pictures: dict[str, int]

    @property
    def mean(self) -> dict[str, float | None]:
        return {f.name: self._mean_of(f.name) for f in fields(Metrics)}

    def _mean_of(self, name: str) -> float | None:
        values = [getattr(m, name) for m in self.products.values()]
        known = [v for v in values if v is not None]
        return sum(known) / len(known) if known else None


def evaluate(
    bundle: Path, data: Path, wanted: Sequence[str], steps: int | None, report: Report
) -> Evaluation:
    """Build the bundle for this machine, in f32, and measure it."""
    opened = read_bundle(bundle)
    known = opened.manifest.products
    dataset = read_dataset(data)
    both = [p for p in known if p in dataset.products("test")]
    names = dataset.chosen(wanted or both, "test")
    for name in names:
        if name not in known:
            raise UnknownProductError(name, known)
    taken = opened.manifest.refinement.default_steps if steps is None else steps
    with TemporaryDirectory(prefix="promptmad-") as folder:
        plan = build(bundle, Path(folder) / "plan", steps=taken)
        with Detector.open(plan) as detector:
            samples = {name: dataset.test(name) for name in names}
            results = {n: _measure(detector, s, report) for n, s in samples.items()}
    counts = {name: len(s) for name, s in samples.items()}
    return Evaluation(str(bundle), opened.sha256, taken, results, counts)


def _measure(detector: Detector, samples: Sequence[Sample], report: Report) -> Metrics:
    scores: list[float] = []
    maps: list[ScoreMap] = []
    masks: list[Mask] = []
    side = detector.plan.input.height
    for i, sample in enumerate(samples):
        prediction = detector.detect(read_picture(sample.path), sample.product)
        scores.append(prediction.score)
        mask = load_mask(sample, side)
        if mask is not None:
            resized = cv2.resize(prediction.map, (side, side), interpolation=cv2.INTER_LINEAR)
            maps.append(resized.astype(np.float32))
            masks.append(mask)
        report(f"measuring {sample.product}", (i + 1) / len(samples), f"{i + 1} pictures")
    return measure(scores, [s.is_defective for s in samples], maps, masks)


def as_json(result: Evaluation) -> str:
    """One JSON object."""
    return json.dumps(asdict(result) | {"mean": result.mean}, indent=2)


def as_table(result: Evaluation) -> None:
    """The table people read, in percent."""
    names = [f.name for f in fields(Metrics)]
    heads = [name.replace("_", "\n", 1).replace("_", " ") for name in names]
    table = Table("product", "n", *heads, title=f"{result.bundle}, {result.steps} steps")
    rows = {p: asdict(m) for p, m in result.products.items()} | {"mean": result.mean}
    for product, values in rows.items():
        shown = ["–" if values[n] is None else f"{100 * values[n]:.1f}" for n in names]
        table.add_row(product, str(result.pictures.get(product, "")), *shown)
    Console().print(table)
