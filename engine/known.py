"""The good parts that a model was made from, and what each scores as a stranger.

A part whose tokens lie in the bank finds itself there and scores too low, so that a limit set by
such scores rejects several times the good parts that were asked for. Training can leave a part's
tokens out of the bank and a plan cannot; so the scores travel, one row a picture, in
``known_goods.csv``: product, SHA-256 of the picture's file, raw score at the bundle's own number of
refinement steps, or nothing where there is none.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.types import BundleError

KNOWN = "known_goods.csv"
HEADS = ["product", "sha256", "score"]


@dataclass(frozen=True, slots=True)
class KnownGood:
    """A picture that the model was made from; ``score`` is None where it is not known."""

    product: str
    sha256: str
    score: float | None


def write_known(goods: Sequence[KnownGood], folder: Path, *, scored: bool = True) -> None:
    """Into a folder that is being made; without scores where they would be others."""
    with (folder / KNOWN).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(HEADS)
        for good in goods if scored else (replace(good, score=None) for good in goods):
            table.writerow([good.product, good.sha256, "" if good.score is None else good.score])


def read_known(folder: Path) -> Sequence[KnownGood]:
    """Of a bundle or plan that is verified; none where it is older than this file.
    :class:`BundleError` where the file is not what :func:`write_known` writes."""
    path = folder / KNOWN
    if not path.is_file():
        return ()
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [_read(row) for row in csv.DictReader(file)]
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise BundleError(f"{path} is not usable: make {folder} again.") from error


def scores_of(goods: Sequence[KnownGood], product: str) -> Mapping[str, float | None]:
    """By the hash of the file, of one product."""
    return {good.sha256: good.score for good in goods if good.product == product}


def _read(row: Mapping[str, str]) -> KnownGood:
    score = row["score"].strip()
    return KnownGood(row["product"], row["sha256"], float(score) if score else None)
