"""Frozen features on disk: the trunk runs once a picture, training then needs no trunk.

Every row is made from its own seed, so an interrupted cache goes on where it stopped and gives
the same rows.
"""

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.types import Image, InputError, Mask
from training.datasets.synthesis import spoil, vary
from training.losses import soft_target
from training.model.bank import Answer
from training.model.promptmad import Features, PromptMAD
from training.seeds import stream

ROWS_AT_ONCE = 8


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
    prompt: Answer  # the bank's, the picture's own tokens left out
    clean: Tensor  # (B, D, h, w)
    mask: Tensor  # (B, 1, s, s) share of a cell that is spoilt
    product: Tensor  # (B,)


class FeatureCache:
    """Up to ``rows`` spoilt pictures as memory-mapped half floats below ``folder``.

    ``made`` is how many rows an earlier sitting left there: a cache that is missing, cut or of
    another model is refused then, and one for which the disk has no room is never begun
    (:class:`InputError`), since a memory map that meets a full disk ends the process.
    """

    def __init__(self, folder: Path, rows: int, model: PromptMAD, made: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        s, d = model.config.input_px // 4, model.config.neck_dim
        c4 = model.backbone.channels[0]
        shapes = {
            "tokens": (rows, d, s // 2, s // 2),
            "prompt": (rows, d, s // 2, s // 2),
            "clean": (rows, d, s // 2, s // 2),
            "lateral": (rows, c4, s, s),
            "details": (rows, model.config.detail_dim, s, s),
            "away": (rows, 1, s // 2, s // 2),
            "mask": (rows, 1, s, s),
            "product": (rows,),
        }
        if not made:
            _need_room(folder, 2 * sum(math.prod(shape) for shape in shapes.values()))
        self.rows, self.made, self._model, self._side = rows, made, model, s
        self._arrays = {
            name: _array(folder / f"{name}.npy", shape, made) for name, shape in shapes.items()
        }

    @property
    def megabytes(self) -> float:
        """What the cache takes on disk when it is full."""
        return sum(a.nbytes for a in self._arrays.values()) / 2**20

    @torch.no_grad()
    def fill(
        self, goods: Sequence[Good], donors: Sequence[Image], seed: int, clean_share: float
    ) -> None:
        """Make the next few rows and see them on disk before they count as made.

        ``donors`` are what an anomaly may borrow its texture from.
        """
        rows = range(self.made, min(self.made + ROWS_AT_ONCE, self.rows))
        made = [_spoilt_row(goods, donors, stream(seed, "cache", r), clean_share) for r in rows]
        clean = self._model.features(stacked([m.clean for m in made]))
        spoilt = self._model.features(stacked([m.spoilt for m in made]))
        product = torch.tensor([m.good.product for m in made], device=spoilt.tokens.device)
        owner = torch.tensor([m.good.id for m in made], device=spoilt.tokens.device)
        prompt = self._model.prompt(spoilt.tokens, product, leave_out=owner)
        columns = {
            "tokens": spoilt.tokens,
            "lateral": spoilt.lateral,
            "prompt": prompt.tokens,
            "details": prompt.details,
            "away": prompt.away,
            "clean": clean.tokens,
            "mask": soft_target([m.mask for m in made], self._side),
            "product": product,
        }
        for name, values in columns.items():
            self._arrays[name][rows.start : rows.stop] = values.cpu().numpy()
            self._arrays[name].flush()
        self.made = rows.stop

    def batch(self, rows: NDArray[np.integer], device: torch.device) -> Batch:
        """The rows asked for, as float32 tensors on ``device``."""
        product = torch.from_numpy(np.asarray(self._arrays["product"][rows])).to(device).long()
        tokens, lateral, prompt, details, away, clean, mask = (
            self._maps(name, rows, device)
            for name in ("tokens", "lateral", "prompt", "details", "away", "clean", "mask")
        )
        answer = Answer(prompt, details, away)
        return Batch(Features(tokens, lateral), answer, clean, mask, product)

    def _maps(self, name: str, rows: NDArray[np.integer], device: torch.device) -> Tensor:
        """Channels last: convolutions on the CPU take three quarters of the time then."""
        maps = torch.from_numpy(np.asarray(self._arrays[name][rows])).to(device)
        return maps.float().contiguous(memory_format=torch.channels_last)


class _Row(NamedTuple):
    good: Good
    clean: Image
    spoilt: Image
    mask: Mask


def _spoilt_row(
    goods: Sequence[Good],
    donors: Sequence[Image],
    rng: np.random.Generator,
    clean_share: float,
) -> _Row:
    """A good part in slightly other light, spoilt or, as often as ``clean_share``, not."""
    good = goods[int(rng.integers(len(goods)))]
    donor = donors[int(rng.integers(len(donors)))]
    clean = vary(good.image, rng)
    if rng.random() < clean_share:
        return _Row(good, clean, clean, np.zeros(clean.shape[:2], bool))
    synthetic = spoil(clean, donor, rng)
    return _Row(good, clean, synthetic.image, synthetic.mask)


def stacked(images: Sequence[Image]) -> Tensor:
    """``(B, H, W, 3)`` uint8."""
    return torch.from_numpy(np.stack(images))


def _array(path: Path, shape: tuple[int, ...], made: int) -> "np.memmap[Any, Any]":
    dtype = np.dtype(np.int32 if path.stem == "product" else np.float16)
    if not made:
        return np.lib.format.open_memmap(path, "w+", dtype, shape)
    try:
        there = np.lib.format.open_memmap(path, "r")  # which refuses a file that is too short
        fits = there.shape == shape and there.dtype == dtype
        del there
    except (OSError, ValueError):
        fits = False
    if not fits:
        raise InputError(f"{path} is missing, cut, or of another run: give a new --out.")
    return np.lib.format.open_memmap(path, "r+")


def _need_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"{folder} has {free / 2**30:.1f} GB free, the features take {needed / 2**30:.1f} GB: "
            "make room, or give an --out on another disk."
        )
