"""A data set frozen: one manifest with the hash of every picture in it, as it is now."""

import os
from collections.abc import Iterator
from pathlib import Path

from engine.files import sha256_of
from training.datasets.dataset import Dataset
from training.datasets.manifest import Row
from training.datasets.sample import Sample
from training.report import Report


def frozen(dataset: Dataset, folder: Path, report: Report) -> Iterator[Row]:
    """A row a picture, with paths as seen from ``folder``, where the table will lie."""
    for i, sample in enumerate(dataset.samples):
        report("hashing pictures", (i + 1) / len(dataset.samples), f"{i + 1} pictures")
        yield _row(sample, folder)


def _row(sample: Sample, folder: Path) -> Row:
    return Row(
        path=_seen_from(folder, sample.path),
        product=sample.product,
        split=sample.split,
        label=sample.label,
        mask=_seen_from(folder, sample.mask_path) if sample.mask_path else "",
        sha256=sha256_of(sample.path),
        source=sample.source,
    )


def _seen_from(folder: Path, path: Path) -> str:
    """With slashes, so that a table written on one system is read on the other."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive of Windows
        return path.resolve().as_posix()
