"""The rows that training sees: good parts, spoilt or not, through the frozen part of the model.

Every row is made from its own seed, so that it is the same whenever, and wherever, it is made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.types import Image, Mask
from training.config import DamageConfig
from training.datasets.synthesis import ANYWHERE, spoil, vary
from training.losses import soft_target
from training.model.bank import Answer
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
    """Some rows. ``clean`` holds the tokens of the same picture unspoilt."""

    features: Features
    prompt: Answer  # the bank's, the picture's own tokens left out
    clean: Tensor  # (B, D, h, w)
    mask: Tensor  # (B, 1, s, s) share of a cell that is spoilt
    fine_mask: Tensor  # (B, 1, m, m) the same at the map's own stride
    product: Tensor  # (B,)


class Rows(Protocol):
    """Where batches come from."""

    def batch(self, rows: NDArray[np.integer], device: torch.device) -> Batch:
        """The rows asked for, as float32 tensors on ``device``."""


@dataclass(frozen=True)
class RowMaker:
    """Makes any row anew; ``donors`` are what an anomaly may borrow its texture from."""

    model: PromptMAD
    goods: Sequence[Good]
    donors: Sequence[Image]
    seed: int
    clean_share: float
    damage: DamageConfig = ANYWHERE

    @torch.no_grad()
    def batch(self, rows: NDArray[np.integer], device: torch.device) -> Batch:
        """The rows asked for, as float32 tensors on ``device``, which is the model's."""
        made = [self._spoilt(int(row)) for row in rows]
        product = torch.tensor([m.good.product for m in made], device=device)
        owner = torch.tensor([m.good.id for m in made], device=device)
        clean = self.model.features(stacked([m.clean for m in made]))
        spoilt = self.model.features(stacked([m.spoilt for m in made]))
        prompt = self.model.ask(spoilt, product, leave_out=owner)
        masks = [m.mask for m in made]
        mask = soft_target(masks, spoilt.lateral.shape[-1]).to(device)
        fine = soft_target(masks, self.model.config.map_px).to(device)
        return Batch(spoilt, prompt, clean.tokens, mask, fine, product)

    def _spoilt(self, row: int) -> "_Row":
        """A good part in slightly other light, spoilt or, as often as ``clean_share``, not."""
        rng = stream(self.seed, "cache", row)
        good = self.goods[int(rng.integers(len(self.goods)))]
        donor = self.donors[int(rng.integers(len(self.donors)))]
        clean = vary(good.image, rng)
        if rng.random() < self.clean_share:
            return _Row(good, clean, clean, np.zeros(clean.shape[:2], bool))
        synthetic = spoil(clean, donor, rng, self.damage)
        return _Row(good, clean, synthetic.image, synthetic.mask)


class _Row(NamedTuple):
    good: Good
    clean: Image
    spoilt: Image
    mask: Mask


def stacked(images: Sequence[Image]) -> Tensor:
    """``(B, H, W, 3)`` uint8."""
    return torch.from_numpy(np.stack(images))
