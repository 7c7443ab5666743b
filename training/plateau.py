"""When a stage has stopped learning: by its own training loss, never by anything held back."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

KEEP = 0.98  # of the smoothed loss, a step
BETTER = 0.01  # share of the loss by which it must fall to count as better


class Plateau:
    """A smoothed loss, and for how many steps it has not become better.

    Of no ``patience``, 0, it never ends a stage.
    """

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self.loss, self._best, self._waited = math.nan, math.inf, 0

    def update(self, loss: float, *, warm: bool) -> None:
        """The next step's loss; before the stage is ``warm`` nothing is expected of it."""
        first = math.isnan(self.loss)
        self.loss = loss if first else KEEP * self.loss + (1 - KEEP) * loss
        if self.loss < (1 - BETTER) * self._best:
            self._best, self._waited = self.loss, 0
        elif warm:
            self._waited += 1

    @property
    def reached(self) -> bool:
        return 0 < self._patience <= self._waited

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        kept = [self.loss, self._best, self._waited]
        return {"plateau": torch.tensor(kept, dtype=torch.float64)}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """From a checkpoint's tensors; those of others are left alone."""
        self.loss, self._best, waited = tensors["plateau"].tolist()
        self._waited = int(waited)
