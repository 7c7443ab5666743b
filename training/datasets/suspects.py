"""Good parts that look like none: defective ones that somebody put among the good, perhaps.

A run ranks its own goods and leaves the table in its folder. One bad picture in training makes its
defect normal for ever.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.files import whole_file
from engine.types import InputError

NAME = "goods.csv"
HEADS = ("product", "path", "score")
STRANGE = 2.0  # the strangest good part in fifty has 1


@dataclass(frozen=True, slots=True)
class Ranked:
    """A good part of the training split and how strange the others find it."""

    product: str
    path: Path
    score: float


def write_ranked(ranked: Sequence[Ranked], folder: Path) -> None:
    """``goods.csv`` in a run's folder, whole or not at all."""
    with whole_file(folder / NAME) as part, part.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(HEADS)
        table.writerows((r.product, r.path, f"{r.score:.4f}") for r in ranked)


def suspicious(run: Path) -> Iterator[Ranked]:
    """The goods of a run that are too strange; :class:`InputError` where it has ranked none."""
    path = run / NAME
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                ranked = Ranked(row["product"], Path(row["path"]), float(row["score"]))
                if ranked.score > STRANGE:
                    yield ranked
    except OSError as error:
        raise InputError(
            f"{run} holds no {NAME}: name a run that was trained to its end."
        ) from error
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged: resume the run, which writes it again.") from error
