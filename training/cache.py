"""Frozen features on disk: the trunk runs once a picture, training then needs no trunk.

Every row is made from its own seed, so an interrupted cache goes on where it stopped and gives
the same rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engine.types import Image, Mask
from training.datasets.synthesis import spoil, vary
from training.model.promptmad import Features, PromptMAD


@dataclass(frozen=True, slots=True)
class Good:
    """One good training picture in memory: ``id`` is what the bank's owners refer to."""

    id: int
    product: int
    image: Image


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of the cache. ``clean`` holds the tokens of the same picture unspoilt."""

    features: Features
    clean: Tensor  # (B, D, h, w)
    mask: Tensor  # (B, 1, s, s) share of a cell that is spoilt
    product: Tensor  # (B,)
    owner: Tensor  # (B,)


class FeatureCache:
    """``rows`` spoilt pictures as memory-mapped half floats below ``folder``."""

    def __init__(self, folder: Path, rows: int, model: PromptMAD) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        s, d = model.config.input_px // 4, model.config.neck_dim
        c4 = model.backbone.channels[0]
        shapes = {
            "tokens": (rows, d, s // 2, s // 2),
            "clean": (rows, d, s // 2, s // 2),
            "lateral": (rows, c4, s, s),
            "mask": (rows, 1, s, s),
            "whose": (rows, 2),
        }
        self.rows, self._model, self._side = rows, model, s
        self._arrays = {
            name: _array(folder / f"{name}.npy", shape) for name, shape in shapes.items()
        }

    @staticmethod
    def megabytes(rows: int, model: PromptMAD) -> float:
        """What a cache of that many rows takes on disk."""
        s = model.config.input_px // 4
        halves = 2 * model.config.neck_dim * s * s // 4 + (model.backbone.channels[0] + 1) * s * s
        return 2 * rows * halves / 2**20

    @torch.no_grad()
    def fill(self, first: int, goods: Sequence[Good], seed: int, clean_share: float) -> int:
        """Make rows from ``first`` on, at most eight; returns the next row to make."""
        rows = range(first, min(first + 8, self.rows))
        made = [_spoilt_row(goods, np.random.default_rng([seed, r]), clean_share) for r in rows]
        clean = self._model.features(_stack([m[1] for m in made]))
        spoilt = self._model.features(_stack([m[2] for m in made]))
        at = slice(rows.start, rows.stop)
        self._arrays["clean"][at] = clean.tokens.half().numpy()
        self._arrays["tokens"][at] = spoilt.tokens.half().numpy()
        self._arrays["lateral"][at] = spoilt.lateral.half().numpy()
        self._arrays["mask"][at] = cell_share([m[3] for m in made], self._side).half().numpy()
        self._arrays["whose"][at] = [(m[0].product, m[0].id) for m in made]
        return rows.stop

    def batch(self, rows: NDArray[np.integer]) -> Batch:
        """The rows asked for, as float32 tensors."""
        got = {k: torch.from_numpy(np.asarray(a[rows])) for k, a in self._arrays.items()}
        whose = got["whose"].long()
        features = Features(got["tokens"].float(), got["lateral"].float())
        return Batch(features, got["clean"].float(), got["mask"].float(), whose[:, 0], whose[:, 1])


def cell_share(masks: Sequence[Mask], side: int) -> Tensor:
    """Masks as soft targets ``(B, 1, s, s)``: a stride-4 cell half covered counts as covered."""
    full = torch.from_numpy(np.stack(masks)).float()[:, None]
    return (2 * F.adaptive_avg_pool2d(full, side)).clamp(max=1)


def _spoilt_row(
    goods: Sequence[Good], rng: np.random.Generator, clean_share: float
) -> tuple[Good, Image, Image, Mask]:
    """(the good part, its varied picture, the same spoilt, mask)."""
    good, donor = (goods[int(rng.integers(len(goods)))] for _ in range(2))
    clean = vary(good.image, rng)
    if rng.random() < clean_share:
        return good, clean, clean, np.zeros(clean.shape[:2], bool)
    synthetic = spoil(clean, donor.image, rng)
    return good, clean, synthetic.image, synthetic.mask


def _stack(images: Sequence[Image]) -> Tensor:
    return torch.from_numpy(np.stack(images))


def _array(path: Path, shape: tuple[int, ...]) -> NDArray[np.generic]:
    dtype = np.int32 if path.stem == "whose" else np.float16
    if path.is_file():
        kept = np.lib.format.open_memmap(path, "r+")
        if kept.shape == shape and kept.dtype == dtype:
            return kept
    return np.lib.format.open_memmap(path, "w+", dtype, shape)
