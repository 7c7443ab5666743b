"""The test split of a data set in two halves, measured apart, on whichever device the maps are.

For looking where to go next: what was chosen on one half can be read off the other. Every second
picture of each product's goods and defects is in the second half. Not a command of its own.
"""

import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from training.datasets.dataset import read_dataset
from training.datasets.sample import load, load_mask
from training.metrics import FPR_LIMIT
from training.pixels import region_shares

cv2.setNumThreads(0)  # processes are forked here, and OpenCV's threads do not survive that
FIGURES = ("image AUROC", "pixel AUROC", "pixel AP", "AUPRO")
HALVES = {"whole": (0, 1), "first": (0,), "second": (1,)}


@dataclass(frozen=True)
class Test:
    """``images (N, s, s, 3)``; ``masks`` and each pixel's share of its region ``(N, s, s)``; of
    each picture its product, whether it is defective, whether that is marked, and its half."""

    products: NDArray[np.str_]
    images: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    shares: NDArray[np.float32]
    product: NDArray[np.int64]
    defective: NDArray[np.bool_]
    marked: NDArray[np.bool_]
    half: NDArray[np.int64]


def kept_test(data: Path, side: int, file: Path) -> Test:
    """The test split at one size, read once and kept in ``file``."""
    if not file.exists():
        np.savez(file, **_read(data, side))
    with np.load(file) as kept:
        return Test(**kept)


def _read(data: Path, side: int) -> dict[str, Any]:
    dataset = read_dataset(data)
    products = dataset.products("test")
    samples = [s for p in products for s in dataset.test(p)]
    with multiprocessing.get_context("fork").Pool() as pool:
        images = pool.starmap(load, [(s, side) for s in samples], 8)
        masks = pool.starmap(load_mask, [(s, side) for s in samples], 8)
    filled = np.stack([np.zeros((side, side), bool) if m is None else m for m in masks])
    product = np.array([products.index(s.product) for s in samples])
    defective = np.array([s.is_defective for s in samples])
    return {
        "products": np.array(products),
        "images": np.stack(images),
        "masks": filled,
        "shares": np.stack([region_shares(m) for m in filled]).astype(np.float32),
        "product": product,
        "defective": defective,
        "marked": np.array([m is not None for m in masks]),
        "half": _halves(product, defective),
    }


def _halves(product: NDArray[np.int64], defective: NDArray[np.bool_]) -> NDArray[np.int64]:
    half = np.zeros(len(product), np.int64)
    for kind in set(zip(product, defective, strict=True)):
        own = np.flatnonzero((product == kind[0]) & (defective == kind[1]))
        half[own] = np.arange(len(own)) % 2
    return half


def figures(test: Test, maps: Tensor, scores: Tensor) -> dict[str, list[list[float]]]:
    """By half, a row a product: :data:`FIGURES`, the first alone where defects are not marked."""
    values = scores.float().cpu().numpy()
    said = {}
    for name, wanted in HALVES.items():
        rows = [
            _figures(test, maps, values, (test.product == p) & np.isin(test.half, wanted))
            for p in range(len(test.products))
        ]
        said[name] = rows
    return said


def _figures(
    test: Test, maps: Tensor, scores: NDArray[np.float32], own: NDArray[np.bool_]
) -> list[float]:
    row = [float(roc_auc_score(test.defective[own], scores[own]))]
    if not test.marked[own].all():
        return row
    some = maps[torch.from_numpy(own).to(maps.device)][:, None].float()
    large = F.interpolate(some, size=test.masks.shape[1:], mode="bilinear", align_corners=False)
    masks, shares = (torch.from_numpy(x[own]).to(maps.device) for x in (test.masks, test.shares))
    return [*row, *pixel_figures(large, masks, shares)]


def pixel_figures(maps: Tensor, masks: Tensor, shares: Tensor) -> list[float]:
    """AUROC, AP and AUPRO, exact: as :mod:`training.metrics`, all pixels sorted at once."""
    value, order = maps.flatten().sort(descending=True)
    inside, overlap = (x.flatten()[order].double() for x in (masks, shares))
    last = torch.ones_like(value, dtype=torch.bool)
    last[:-1] = value[1:] != value[:-1]
    hits, alarms, regions = (
        F.pad(x.cumsum(0)[last], (1, 0)) for x in (inside, 1 - inside, overlap)
    )
    recall, fpr, pro = hits / hits[-1], alarms / alarms[-1], regions / regions[-1]
    precision = hits[1:] / (hits + alarms)[1:]
    at_limit = float(np.interp(FPR_LIMIT, fpr.cpu().numpy(), pro.cpu().numpy()))
    below = torch.where(fpr <= FPR_LIMIT, pro, at_limit)
    return [
        torch.trapezoid(recall, fpr).item(),
        (recall.diff() * precision).sum().item(),
        torch.trapezoid(below, fpr.clamp(max=FPR_LIMIT)).item() / FPR_LIMIT,
    ]


def mean(rows: Sequence[Sequence[float]]) -> list[float]:
    """Over the products that have the figure, in percent."""
    known = ([row[i] for row in rows if len(row) > i] for i in range(len(FIGURES)))
    return [100 * sum(values) / len(values) for values in known]


def line(name: str, said: dict[str, list[list[float]]]) -> str:
    """A row of a table: the four means of the whole, of the first and of the second half."""
    cells = (" / ".join(f"{v:.1f}" for v in mean(said[half])) for half in HALVES)
    return f"| {name} | " + " | ".join(cells) + " |"
