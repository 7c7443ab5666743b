"""What each training stage optimises: a loss over a batch of the cache, and which weights move."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.config import LossConfig, TrainConfig
from training.fit import Stage
from training.losses import mask_loss, reconstruction
from training.model.outline import outlined
from training.model.promptmad import PromptMAD
from training.model.refine import abar, bridge, diffused, sigma, to_map
from training.rows import Batch

KAPPA = 0.2  # noise of the bridge in training, MODEL.md 2.2 (d)
STARTS = 0.5  # share of a diffusion's states that begin from the coarse map, as the sampler does


@dataclass(frozen=True, slots=True)
class SegmentStage:
    """Reconstruction, restoration and the coarse map, jointly."""

    config: LossConfig
    jitter: float = 0.0
    name: str = "segmentor"

    def parameters(self, model: PromptMAD) -> Iterator[nn.Parameter]:
        return _of(model.words, model.reconstructor, model.segmentor, model.outline)

    def loss(self, model: PromptMAD, batch: Batch, generator: torch.Generator) -> Tensor:
        blurred = _jittered(batch.features.tokens, self.jitter, generator) if self.jitter else None
        c = model.coarse(batch.features, batch.prompt, batch.product, blurred)
        loss = self.config.coarse * mask_loss(c.logit.float(), batch.mask, self.config)
        if c.reconstruction is not None and batch.clean is not None:
            loss = loss + reconstruction(c.reconstruction.float(), batch.clean)
        if c.outline is not None:
            drawn = outlined(c.logit, c.outline).float()
            loss = loss + self.config.outline * mask_loss(drawn, batch.fine_mask, self.config)
        return loss


def _jittered(tokens: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Gaussian noise of that share of each token's own size (OneNIP's feature jitter)."""
    size = tokens.square().mean(1, keepdim=True).sqrt()
    return tokens + share * size * _noise(tokens, generator)


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
        B, T = len(batch.product), model.config.refinement_steps
        film = denoiser.film_table(B, c.text)
        t = torch.randint(1, T + 1, (B,), generator=generator).to(c.logit.device)
        x = _state(model, 2 * batch.mask - 1, to_map(c.logit.float()), t, generator)
        one_step = denoiser(x, c.logit, condition, film[torch.arange(B, device=t.device), t - 1])
        whole = model.refine(c)
        losses = (self._missed(logit, c.outline, batch) for logit in (one_step, whole))
        return self.config.refined * sum(losses, torch.zeros(()))

    def _missed(self, logit: Tensor, outline: Tensor | None, batch: Batch) -> Tensor:
        """On the refiner's own grid, where its states live, and on that of the map it is for."""
        loss = mask_loss(logit.float(), batch.mask, self.config)
        if outline is None:
            return loss
        return loss + mask_loss(outlined(logit, outline).float(), batch.fine_mask, self.config)


def _state(
    model: PromptMAD, mask: Tensor, coarse: Tensor, t: Tensor, generator: torch.Generator
) -> Tensor:
    """What the denoiser meets at the times ``t (B,)``: a state of bridge or diffusion."""
    noise = _noise(coarse, generator)
    if model.config.refinement == "bridge":
        return bridge(mask, coarse, _at(t, model.noise_share), noise, KAPPA)
    levels = _at(t, [sigma(a) for a in abar(model.config)])
    starts = torch.rand(coarse.shape[0], 1, 1, 1, generator=generator) < STARTS
    return diffused(torch.where(starts.to(t.device), coarse, mask), levels, noise)


def _at(t: Tensor, schedule: Sequence[float]) -> Tensor:
    """A schedule's values at the times ``t (B,)``: ``(B, 1, 1, 1)``."""
    return torch.tensor(schedule).to(t.device)[t][:, None, None, None]


def _noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal, drawn on the CPU: the same for a seed whatever the device."""
    return torch.randn(like.shape, generator=generator).to(like.device)


def _of(*modules: nn.Module | None) -> Iterator[nn.Parameter]:
    for module in modules:
        yield from module.parameters() if module else ()


def stages(config: TrainConfig) -> Sequence[Stage[PromptMAD, Batch]]:
    """The stages in their order."""
    return (SegmentStage(config.loss, config.jitter), RefineStage(config.loss))
