"""The rows that training sees: drawn pictures through the frozen part of the model."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.types import Image
from training.losses import map_target, soft_target
from training.model.bank import Answer
from training.model.promptmad import Features, PromptMAD
from training.pictures import Drawn, Pictures, ahead, processes_here


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows. ``clean`` holds the tokens of the same picture unspoilt, where one is rebuilt."""

    features: Features
    prompt: Answer  # the bank's, the picture's own tokens left out
    clean: Tensor | None  # (B, D, h, w)
    mask: Tensor  # (B, 1, s, s) share of a cell that is spoilt
    fine_mask: Tensor  # (B, 1, m, m) the same at the map's own stride
    product: Tensor  # (B,)


class Rows(Protocol):
    """Where batches come from."""

    def batches(
        self, wanted: Iterable[NDArray[np.integer]], device: torch.device
    ) -> Iterator[Batch]:
        """A batch of float32 tensors on ``device`` for each set of rows asked for."""


@dataclass(frozen=True)
class RowMaker:
    """Makes any row anew."""

    model: PromptMAD
    pictures: Pictures

    def batches(
        self, wanted: Iterable[NDArray[np.integer]], device: torch.device
    ) -> Iterator[Batch]:
        """A batch for each set of rows, drawn by other processes while the device is at work."""
        drawn = ahead(self.pictures, wanted, processes_here())
        return (self._looked_at(pictures, device) for pictures in drawn)

    def batch(self, rows: NDArray[np.integer], device: torch.device) -> Batch:
        """The rows asked for, as float32 tensors on ``device``, which is the model's."""
        return self._looked_at(self.pictures.draw(rows), device)

    @torch.no_grad()
    def _looked_at(self, drawn: Drawn, device: torch.device) -> Batch:
        clean, spoilt, mask, product, owner = (part.to(device) for part in drawn)
        features = self.model.features(spoilt)
        prompt = self.model.ask(features, product, leave_out=owner)
        coarse = soft_target(mask, features.lateral.shape[-1])
        fine = map_target(mask, self.model.config)
        rebuilt = self.model.config.reconstruction
        unspoilt = self.model.features(clean).tokens if rebuilt else None
        return Batch(features, prompt, unspoilt, coarse, fine, product)


def stacked(images: Sequence[Image]) -> Tensor:
    """``(B, H, W, 3)`` uint8."""
    return torch.from_numpy(np.stack(images))
