"""A bundle measured on labelled test folders, through the engine a station runs: no torch here.

Maps are compared at the model's input size; masks are resized nearest, then > 0. Nothing is
fitted or chosen on what is read here.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engine.bench import percentiles
from engine.build import build
from engine.detector import Detector
from engine.pictures import read_picture
from engine.types import UnknownProductError
from training.datasets.dataset import Dataset
from training.datasets.sample import Sample, load_mask
from training.metrics import Metrics, measure
from training.pixels import Pixels
from training.report import Report
from training.setting import setting


@dataclass(frozen=True, slots=True)
class Judged:
    """One test picture: its raw score, and what judging it took from picture to map."""

    sample: Sample
    score: float
    ms: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics per product, with every picture behind them.

    ``pooled`` is everything in one ranking, what one limit for all products would be worth: all
    pictures, and all pixels of the products that have masks.
    """

    products: dict[str, Metrics]
    judged: dict[str, list[Judged]]
    pooled: Metrics

    @property
    def mean(self) -> Metrics:
        """Unweighted, over the products that have the figure."""
        return Metrics(*(self._mean_of(f.name) for f in fields(Metrics)))

    @property
    def every(self) -> list[Judged]:
        """The pictures of all products."""
        return [j for judged in self.judged.values() for j in judged]

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
    """Measure on the test split of the wanted products, or of all that both know.

    Of several products the pixels are sorted twice, for their own figures and for the pooled ones,
    which took 30 ms more a picture of 256 x 256 px. The temporary folder holds 32 bytes a pixel
    for it, 2 MB such a picture, and memory some 32 kB.
    """
    names = _known(detector, dataset, wanted)
    result: dict[str, tuple[Metrics, list[Judged]]] = {}
    with Pixels() as pooled:
        shared = [pooled] if len(names) > 1 else []  # of one product they are its own
        for name in names:
            result[name] = _measure(detector, dataset.test(name), shared, report)
        metrics = {name: measured for name, (measured, _) in result.items()}
        judged = {name: some for name, (_, some) in result.items()}
        every = [j for some in judged.values() for j in some]
        together = _figures(every, pooled) if shared else metrics[names[0]]
    return Evaluation(metrics, judged, together)


def _known(detector: Detector, dataset: Dataset, wanted: Sequence[str]) -> Sequence[str]:
    known = detector.products
    both = [p for p in known if p in dataset.products("test")]
    names = dataset.chosen(wanted or both, "test")
    for name in names:
        if name not in known:
            raise UnknownProductError(name, known)
    return names


def _measure(
    detector: Detector, samples: Sequence[Sample], shared: Sequence[Pixels], report: Report
) -> tuple[Metrics, list[Judged]]:
    """One product; where it has masks, its pixels go into ``shared`` as well."""
    judged: list[Judged] = []
    masked = any(s.mask_path for s in samples if s.is_defective)
    with Pixels() as pixels:
        into = [pixels, *shared] if masked else []
        for i, sample in enumerate(samples):
            judged.append(_judge(detector, sample, into))
            report(f"measuring {sample.product}", (i + 1) / len(samples), f"{i + 1} pictures")
        return _figures(judged, pixels), judged


def _judge(detector: Detector, sample: Sample, into: Sequence[Pixels]) -> Judged:
    side = detector.plan.input.height
    prediction = detector.detect(read_picture(sample.path), sample.product)
    mask = load_mask(sample, side) if into else None
    if mask is not None:
        resized = cv2.resize(prediction.map, (side, side), interpolation=cv2.INTER_LINEAR)
        for pixels in into:
            pixels.add(resized, mask)
    return Judged(sample, prediction.score, sum(prediction.stages_ms.values()))


def _figures(judged: Sequence[Judged], pixels: Pixels) -> Metrics:
    return measure([j.score for j in judged], [j.sample.is_defective for j in judged], pixels)


def latency(judged: Iterable[Judged]) -> dict[str, float]:
    """Milliseconds from a picture in memory to its map, median and 95th percentile."""
    found = percentiles(j.ms for j in judged)
    return {f"{p}_ms": found[p] for p in ("p50", "p95")}


def as_json(result: Evaluation, bundle: Path, detector: Detector) -> str:
    """One JSON object."""
    each = {p: latency(judged) for p, judged in result.judged.items()}
    said = {
        "bundle": str(bundle),
        "bundle_sha256": detector.plan.bundle_sha256,
        "steps": detector.plan.steps,
        "products": {p: asdict(m) for p, m in result.products.items()},
        "pictures": {p: len(j) for p, j in result.judged.items()},
        "mean": asdict(result.mean),
        "pooled": asdict(result.pooled),
        "latency": {"pictures": len(result.every), **latency(result.every), "products": each},
        "setting": asdict(setting(detector)),
    }
    return json.dumps(said, indent=2)


def as_table(result: Evaluation, title: str) -> None:
    """The table people read, in percent."""
    names = [f.name for f in fields(Metrics)]
    heads = [name.replace("_", "\n", 1).replace("_", " ") for name in names]
    table = Table("product", "n", *heads, title=escape(title))
    for product, count, metrics in rows(result):
        table.add_row(escape(product), count, *(percent(getattr(metrics, n)) for n in names))
    Console().print(table)


def rows(result: Evaluation) -> list[tuple[str, str, Metrics]]:
    """Product, number of pictures, metrics; the mean and all in one ranking at the end."""
    each = [(p, str(len(result.judged[p])), m) for p, m in result.products.items()]
    return [*each, ("mean", "", result.mean), ("pooled", "", result.pooled)]


def percent(value: float | None) -> str:
    """As people read it; a dash for what there is not."""
    return "–" if value is None else f"{100 * value:.1f}"
