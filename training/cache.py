"""Frozen features on disk: the trunk runs once a picture, training then needs no trunk.

Every row is made from its own seed, so an interrupted cache goes on where it stopped and gives
the same rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engine.types import Image, Mask
from training.datasets.synthesis import spoil, vary
from training.model.promptmad import Features, PromptMAD
from training.seeds import stream


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
    prompt: Tensor  # (B, D, h, w) the bank's answer, the picture's own tokens left out
    clean: Tensor  # (B, D, h, w)
    mask: Tensor  # (B, 1, s, s) share of a cell that is spoilt
    product: Tensor  # (B,)


class FeatureCache:
    """``rows`` spoilt pictures as memory-mapped half floats below ``folder``."""

    def __init__(self, folder: Path, rows: int, model: PromptMAD) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        s, d = model.config.input_px // 4, model.config.neck_dim
        c4 = model.backbone.channels[0]
        shapes = {
            "tokens": (rows, d, s // 2, s // 2),
            "prompt": (rows, d, s // 2, s // 2),
            "clean": (rows, d, s // 2, s // 2),
            "lateral": (rows, c4, s, s),
            "mask": (rows, 1, s, s),
            "product": (rows,),
        }
        self.rows, self._model, self._side = rows, model, s
        self._arrays = {
            name: _array(folder / f"{name}.npy", shape) for name, shape in shapes.items()
        }

    @property
    def megabytes(self) -> float:
        """What the cache takes on disk when it is full."""
        return sum(a.nbytes for a in self._arrays.values()) / 2**20

    @torch.no_grad()
    def fill(self, first: int, goods: Sequence[Good], seed: int, clean_share: float) -> int:
        """Make rows from ``first`` on, at most eight; returns the next row to make."""
        rows = range(first, min(first + 8, self.rows))
        made = [_spoilt_row(goods, stream(seed, "cache", r), clean_share) for r in rows]
        clean = self._model.features(_stack([m.clean for m in made]))
        spoilt = self._model.features(_stack([m.spoilt for m in made]))
        product = torch.tensor([m.good.product for m in made])
        owner = torch.tensor([m.good.id for m in made])
        columns = {
            "tokens": spoilt.tokens,
            "lateral": spoilt.lateral,
            "prompt": self._model.bank(spoilt.tokens, product, leave_out=owner),
            "clean": clean.tokens,
            "mask": cell_share([m.mask for m in made], self._side),
            "product": product,
        }
        for name, values in columns.items():
            self._arrays[name][rows.start : rows.stop] = values.numpy()
        return rows.stop

    def batch(self, rows: NDArray[np.integer]) -> Batch:
        """The rows asked for, as float32 tensors."""
        got = {k: torch.from_numpy(np.asarray(a[rows])) for k, a in self._arrays.items()}
        tokens, lateral, prompt, clean, mask = (
            got[k].float() for k in ("tokens", "lateral", "prompt", "clean", "mask")
        )
        return Batch(Features(tokens, lateral), prompt, clean, mask, got["product"].long())


def cell_share(masks: Sequence[Mask], side: int) -> Tensor:
    """Masks as soft targets ``(B, 1, s, s)``: a stride-4 cell half covered counts as covered."""
    full = torch.from_numpy(np.stack(masks)).float()[:, None]
    return (2 * F.adaptive_avg_pool2d(full, side)).clamp(max=1)


class _Row(NamedTuple):
    good: Good
    clean: Image
    spoilt: Image
    mask: Mask


def _spoilt_row(goods: Sequence[Good], rng: np.random.Generator, clean_share: float) -> _Row:
    """A good part in slightly other light, spoilt or, as often as ``clean_share``, not."""
    good, donor = (goods[int(rng.integers(len(goods)))] for _ in range(2))
    clean = vary(good.image, rng)
    if rng.random() < clean_share:
        return _Row(good, clean, clean, np.zeros(clean.shape[:2], bool))
    synthetic = spoil(clean, donor.image, rng)
    return _Row(good, clean, synthetic.image, synthetic.mask)


def _stack(images: Sequence[Image]) -> Tensor:
    return torch.from_numpy(np.stack(images))


def _array(path: Path, shape: tuple[int, ...]) -> NDArray[np.generic]:
    dtype = np.int32 if path.stem == "product" else np.float16
    if path.is_file():
        kept = np.lib.format.open_memmap(path, "r+")
        if kept.shape == shape and kept.dtype == dtype:
            return kept
    return np.lib.format.open_memmap(path, "w+", dtype, shape)
