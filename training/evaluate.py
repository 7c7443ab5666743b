"""A bundle measured on labelled test folders, through the engine a station runs: no torch here.

Maps are compared at the model's input size; masks are resized nearest, then > 0. Nothing is
fitted or chosen on what is read here.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
from rich.console import Console
from rich.table import Table

from engine.build import build
from engine.detector import Detector
from engine.pictures import read_picture
from engine.types import UnknownProductError
from training.datasets.dataset import Dataset
from training.datasets.sample import Sample, load_mask
from training.metrics import Metrics, measure
from training.pixels import Pixels
from training.report import Report


@dataclass(frozen=True, slots=True)
class Judged:
    """One test picture: its raw score, and what judging it took from picture to map."""

    sample: Sample
    score: float
    ms: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics per product, with every picture behind them."""

    products: dict[str, Metrics]
    judged: dict[str, list[Judged]]

    @property
    def mean(self) -> Metrics:
        """Unweighted, over the products that have the figure."""
        return Metrics(*(self._mean_of(f.name) for f in fields(Metrics)))

    @property
    def pooled(self) -> Metrics:
        """Scores of all products in one ranking: what one limit for all would be worth."""
        every = [j for judged in self.judged.values() for j in judged]
        return measure([j.score for j in every], [j.sample.is_defective for j in every])

    def _mean_of(self, name: str) -> float | None:
        values = [getattr(m, name) for m in self.products.values()]
        known = [v for v in values if v is not None]
        return sum(known) / len(known) if known else None


@contextmanager
def planned(bundle: Path, steps: int | None) -> Iterator[Detector]:
    """The bundle built for this machine, in f32, for as long as it is measured."""
    with TemporaryDirectory(prefix="promptmad-") as folder:
        plan = build(bundle, Path(folder) / "plan", steps=steps)
        with Detector.open(plan) as detector:
            yield detector


def evaluate(
    detector: Detector, dataset: Dataset, wanted: Sequence[str], report: Report
) -> Evaluation:
    """Measure on the test split of the wanted products, or of all that both know."""
    known = detector.products
    both = [p for p in known if p in dataset.products("test")]
    names = dataset.chosen(wanted or both, "test")
    for name in names:
        if name not in known:
            raise UnknownProductError(name, known)
    result = Evaluation({}, {})
    for name in names:
        metrics, judged = _measure(detector, dataset.test(name), report)
        result.products[name], result.judged[name] = metrics, judged
    return result


def _measure(
    detector: Detector, samples: Sequence[Sample], report: Report
) -> tuple[Metrics, list[Judged]]:
    judged: list[Judged] = []
    side = detector.plan.input.height
    with Pixels() as pixels:
        for i, sample in enumerate(samples):
            prediction = detector.detect(read_picture(sample.path), sample.product)
            judged.append(Judged(sample, prediction.score, sum(prediction.stages_ms.values())))
            mask = load_mask(sample, side)
            if mask is not None:
                resized = cv2.resize(prediction.map, (side, side), interpolation=cv2.INTER_LINEAR)
                pixels.add(resized, mask)
            report(f"measuring {sample.product}", (i + 1) / len(samples), f"{i + 1} pictures")
        labels = [s.is_defective for s in samples]
        return measure([j.score for j in judged], labels, pixels), judged


def as_json(result: Evaluation, bundle: Path, detector: Detector) -> str:
    """One JSON object."""
    said = {
        "bundle": str(bundle),
        "bundle_sha256": detector.plan.bundle_sha256,
        "steps": detector.plan.steps,
        "products": {p: asdict(m) for p, m in result.products.items()},
        "pictures": {p: len(j) for p, j in result.judged.items()},
        "mean": asdict(result.mean),
        "pooled": asdict(result.pooled),
    }
    return json.dumps(said, indent=2)


def as_table(result: Evaluation, title: str) -> None:
    """The table people read, in percent."""
    names = [f.name for f in fields(Metrics)]
    heads = [name.replace("_", "\n", 1).replace("_", " ") for name in names]
    table = Table("product", "n", *heads, title=title)
    for product, count, metrics in rows(result):
        table.add_row(product, count, *(percent(getattr(metrics, n)) for n in names))
    Console().print(table)


def rows(result: Evaluation) -> list[tuple[str, str, Metrics]]:
    """Product, number of pictures, metrics; the mean and all in one ranking at the end."""
    each = [(p, str(len(result.judged[p])), m) for p, m in result.products.items()]
    return [*each, ("mean", "", result.mean), ("pooled", "", result.pooled)]


def percent(value: float | None) -> str:
    """As people read it; a dash for what there is not."""
    return "–" if value is None else f"{100 * value:.1f}"
