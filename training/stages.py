"""What each training stage optimises: a loss over a batch of the cache, and which weights move."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.cache import Batch
from training.config import LossConfig
from training.fit import Stage
from training.losses import mask_loss, reconstruction
from training.model.promptmad import PromptMAD
from training.model.refine import bridge, to_map

KAPPA = 0.2  # noise of the bridge in training, MODEL.md 2.2 (d)


@dataclass(frozen=True, slots=True)
class SegmentStage:
    """Reconstruction, restoration and the coarse map, jointly."""

    config: LossConfig
    name: str = "segmentor"

    def parameters(self, model: PromptMAD) -> Iterator[nn.Parameter]:
        return _of(model.words, model.reconstructor, model.segmentor)

    def loss(self, model: PromptMAD, batch: Batch, generator: torch.Generator) -> Tensor:
        c = model.coarse(batch.features, batch.prompt, batch.product)
        restored = reconstruction(c.reconstruction.float(), batch.clean)
        return restored + self.config.coarse * mask_loss(c.logit.float(), batch.mask, self.config)


@dataclass(frozen=True, slots=True)
class RefineStage:
    """The denoiser on the frozen segmentor's own coarse maps, plus a look at its last step.

    Supervising the whole sampler's end besides one random step keeps the steps from reading the
    mask out of ``x_t`` alone, which at test time does not hold it.
    """

    config: LossConfig
    name: str = "refiner"

    def parameters(self, model: PromptMAD) -> Iterator[nn.Parameter]:
        return _of(model.denoiser)

    def loss(self, model: PromptMAD, batch: Batch, generator: torch.Generator) -> Tensor:
        with torch.no_grad():
            c = model.coarse(batch.features, batch.prompt, batch.product)
        denoiser = model.denoiser
        condition = denoiser.condition(c.logit, c.guide, c.lateral)
        film = denoiser.film_table(c.text)
        B, T = len(batch.product), model.config.refinement_steps
        t = torch.randint(1, T + 1, (B,), generator=generator)
        share = torch.tensor(model.noise_share)[t][:, None, None, None]
        noise = torch.randn(c.logit.shape, generator=generator)
        x = bridge(2 * batch.mask - 1, to_map(c.logit.float()), share, noise, KAPPA)
        one_step = denoiser(x, c.logit, condition, film[torch.arange(B), t - 1])
        whole = model.refine(c)
        losses = (mask_loss(logit.float(), batch.mask, self.config) for logit in (one_step, whole))
        return self.config.refined * sum(losses, torch.zeros(()))


def _of(*modules: nn.Module) -> Iterator[nn.Parameter]:
    for module in modules:
        yield from module.parameters()


def stages(config: LossConfig) -> Sequence[Stage[PromptMAD, Batch]]:
    """The stages in their order."""
    return (SegmentStage(config), RefineStage(config))
