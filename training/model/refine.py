"""Ten diffusion steps that refine the coarse map, along a bridge or as a plain diffusion.

``bridge``: from coarse map to mask, the family of ResShift (Yue et al., NeurIPS 2023) and cold
diffusion (Bansal et al., 2022). ``ddpm``: PromptMAD read literally, DDPM (Ho et al., NeurIPS 2020)
sampled by DDIM with eta = 0 (Song et al., ICLR 2021), in the coordinates y = x / sqrt(abar), where
DDIM is y_s = x0 + (sigma_s / sigma_t) (y_t - x0), sigma² = (1 - abar) / abar, and starts from the
coarse map. So both have one sampler, and differ in schedule and in what training shows them. The
schedule is PromptMAD's linear beta.

The denoiser predicts the clean map (x0), as a correction of the coarse logit: at its start, and
wherever it has nothing to say, the coarse map stands, so a weak response is never erased for want
of training.
Shapes: B batch, G guide channels, C denoiser channels, s side of the map, F = 2·3·C.
Maps live in [-1, 1]; ``h[t]`` is the coarse map's share of ``x_t``, h[0] = 0 and h[T] = 1.
"""

import math
from itertools import accumulate
from operator import mul

import torch
from torch import Tensor, nn

from training.config import ModelConfig

LAYERS = 3


def noise_share(config: ModelConfig) -> list[float]:
    """``h[0..T]``: (1 - abar_t) / (1 - abar_T) of a bridge, sigma_t / sigma_T of a diffusion.

    Plain floats: a schedule read from a buffer becomes symbolic in an exported graph.
    """
    level = {"bridge": lambda a: 1 - a, "ddpm": sigma}[config.refinement]
    levels = [level(a) for a in abar(config)]
    return [value / levels[-1] for value in levels]


def abar(config: ModelConfig) -> list[float]:
    """``abar[0..T]``, the products of 1 - beta, beta linear."""
    (first, last), steps = config.beta, config.refinement_steps
    betas = [first + (last - first) * t / max(1, steps - 1) for t in range(steps)]
    return list(accumulate((1 - beta for beta in betas), mul, initial=1.0))


def sigma(abar: float) -> float:
    """Noise beside the map in the coordinates of :func:`diffused`."""
    return math.sqrt((1 - abar) / abar)


class Denoiser(nn.Module):
    """nano-C: four 3×3 convolutions, FiLM by step and words, SiLU.

    The first convolution is linear in its concatenated input, so the part that sees coarse map
    and guide is computed once (:meth:`condition`), and a step convolves one channel.
    """

    def __init__(self, config: ModelConfig, lateral_channels: int) -> None:
        super().__init__()
        C, G = config.refiner_channels, config.guide_channels
        self.steps = config.refinement_steps
        self.from_guide = nn.Conv2d(1 + G + lateral_channels, C, 3, padding=1)
        self.from_x = nn.Conv2d(1, C, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(C, C, 3, padding=1)
        self.conv3 = nn.Conv2d(C, C, 3, padding=2, dilation=2)
        self.last = nn.Conv2d(C, 1, 3, padding=1)
        self.film = nn.Sequential(
            nn.Linear(32 + (2 * config.width if config.text else 0), 64),
            nn.SiLU(),
            nn.Linear(64, 2 * LAYERS * C),
        )
        for tensor in self.last.parameters():
            nn.init.zeros_(tensor)

    def condition(self, coarse: Tensor, guide: Tensor, lateral: Tensor) -> Tensor:
        """What every step sees of the picture: ``(B, C, s, s)``."""
        return self.from_guide(torch.cat([to_map(coarse), guide, lateral], 1))

    def film_table(self, B: int, text: Tensor | None) -> Tensor:
        """FiLM scales and shifts of all steps for the words ``(B, 2, d)``: ``(B, T, F)``."""
        weight = self.last.weight
        known = _sinusoid(self.steps, 32, weight.device).to(weight).expand(B, -1, -1)
        if text is not None:
            words = text.flatten(1)[:, None].expand(-1, self.steps, -1)
            known = torch.cat([known, words], 2)
        return self.film(known)

    def forward(self, x: Tensor, coarse: Tensor, condition: Tensor, film: Tensor) -> Tensor:
        """Logit of the clean map ``(B, 1, s, s)``; ``film (B, F)`` is the step's row."""
        scale_shift = film[..., None, None].chunk(2 * LAYERS, 1)
        y1 = _film_silu(self.from_x(x) + condition, *scale_shift[0:2])
        y2 = _film_silu(self.conv2(y1), *scale_shift[2:4])
        y3 = _film_silu(self.conv3(y2), *scale_shift[4:6]) + y1
        return coarse + self.last(y3)


def bridge(mask: Tensor, coarse: Tensor, share: Tensor, noise: Tensor, kappa: float) -> Tensor:
    """``x_t = (1 - h) m + h c + kappa sqrt(h) eps``: a training state between mask and coarse."""
    return (1 - share) * mask + share * coarse + kappa * share.sqrt() * noise


def diffused(mask: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
    """``y_t = m + sigma_t eps``: a training state of the diffusion, x_t / sqrt(abar_t)."""
    return mask + sigma * noise


def step_down(x: Tensor, x0: Tensor, keep: Tensor | float) -> Tensor:
    """``x_s = x0 + (h_s / h_t) (x_t - x0)``: the deterministic sampler, one FMA a pixel."""
    return x0 + keep * (x - x0)


def to_map(logit: Tensor) -> Tensor:
    """Logit → map in [-1, 1]."""
    return 2 * torch.sigmoid(logit) - 1


def _film_silu(y: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return nn.functional.silu(y * (1 + scale) + shift)


def _sinusoid(steps: int, width: int, device: torch.device) -> Tensor:
    """Sinusoidal embedding of t = 1..T: ``(1, T, width)``."""
    half = torch.arange(width // 2, device=device)
    rates = torch.exp(-math.log(1000.0) * half / (width // 2))
    angles = torch.arange(1, steps + 1, device=device)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)[None]
