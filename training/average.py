"""The average of the weights on their way: what a stage ends with, instead of its last step.

Polyak & Juditsky, SIAM J. Control Optim. 1992; exponential, with the usual warm-up so that a short
stage does not end on its random beginnings.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

PREFIX = "average."


class Average:
    """A moving average of ``parameters``; a ``decay`` of 0 follows them exactly."""

    def __init__(self, parameters: Iterable[nn.Parameter], decay: float) -> None:
        self.decay = decay
        self._of = list(parameters)
        self._mean = [p.detach().clone() for p in self._of]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """After the optimiser's ``step``, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for mean, now in zip(self._mean, self._of, strict=True):
            mean.lerp_(now, 1 - decay)

    @torch.no_grad()
    def settle(self) -> None:
        """The parameters become their average."""
        for now, mean in zip(self._of, self._mean, strict=True):
            now.copy_(mean)

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        return {f"{PREFIX}{i}": mean for i, mean in enumerate(self._mean)}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """From a checkpoint's tensors; those of others are left alone."""
        for i, mean in enumerate(self._mean):
            mean.copy_(tensors[f"{PREFIX}{i}"])
