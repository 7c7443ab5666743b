"""PromptMAD whole: trunk → prompt → reconstruction → segmentor → refinement → map and score.

The parts are cut where the exported graphs are cut: :class:`Trunk`, one step, :class:`Fusion`.
Shapes: B batch, P products, D token channels, h w at stride 8, s at stride 4, d width.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.fuse import timesteps
from training.config import ModelConfig
from training.model.attention import Mlp
from training.model.backbone import Axes, Backbone, Neck
from training.model.bank import Answer, Bank, distance
from training.model.reconstruct import Reconstructor
from training.model.refine import Denoiser, noise_share, step_down, to_map
from training.model.segmentor import Segmentor

SURE = (2.0, 4.0)
"""Scores of the segmentor between which the memory falls silent, above the usual limits."""


@dataclass(frozen=True, slots=True)
class Features:
    """What the frozen part gives, and what training caches: tokens and the stride-4 lateral."""

    tokens: Tensor  # (B, D, h, w)
    lateral: Tensor  # (B, C4, s, s)


@dataclass(frozen=True, slots=True)
class Coarse:
    """What the segmentor says, and what the refinement starts from."""

    reconstruction: Tensor  # (B, D, h, w)
    distance: Tensor  # (B, 1, h, w)
    lateral: Tensor  # (B, C4 + E, s, s) the trunk's own, and its residual to the bank's details
    guide: Tensor  # (B, G, s, s)
    logit: Tensor  # (B, 1, s, s)
    text: Tensor  # (B, 2, d)


class Words(nn.Module):
    """The prompt table ``(P, 2, E)``, normal and abnormal, adapted to ``(B, 2, d)``."""

    table: Tensor

    def __init__(self, table: Tensor, width: int) -> None:
        super().__init__()
        self.register_buffer("table", table)
        self.adapt = nn.Sequential(nn.Linear(table.shape[2], width), Mlp(width, width))
        self.kind = nn.Parameter(0.02 * torch.randn(1, 2, width))

    def forward(self, product: Tensor) -> Tensor:
        return self.adapt(self.table[product]) + self.kind


class Fusion(nn.Module):
    """Refined logit and distance → one raw map and one raw score, on scales set by good parts.

    Per product ``z = (v - centre) / spread`` for each of the two maps, then the larger: what the
    segmentor was never shown may still be strange to the memory, and the other way round. Where
    the segmentor is sure by itself the memory falls silent, whose marks are far less sharp.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, products: int, score_top: float) -> None:
        super().__init__()
        self.score_top = score_top
        self.register_buffer("centre", torch.zeros(products, 2))
        self.register_buffer("spread", torch.ones(products, 2))

    def channels(self, logit: Tensor, distance: Tensor, product: Tensor) -> Tensor:
        """Both maps on their scales: ``(B, 2, s, s)``, segmentor first."""
        both = torch.cat([logit, enlarge(distance, logit)], 1)
        centre, spread = (b[product][..., None, None] for b in (self.centre, self.spread))
        return (both - centre) / spread

    def forward(self, logit: Tensor, distance: Tensor, product: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(B, s, s)`` and score ``(B,)``."""
        segmented, strange = self.channels(logit, distance, product).unbind(1)
        fused = torch.maximum(segmented, strange * self._needed(segmented))
        return fused, self.score(fused)

    def _needed(self, segmented: Tensor) -> Tensor:
        """How much the memory has to say, 1 to 0, as the segmentor's own score rises: (B, 1, 1)."""
        unsure, sure = SURE
        share = (sure - self.score(segmented)) / (sure - unsure)
        return share.clamp(0, 1)[:, None, None]

    def score(self, fused: Tensor) -> Tensor:
        """Mean of the strongest pixels of a 3×3-averaged map: one hot pixel is no defect."""
        smooth = F.avg_pool2d(fused[:, None], 3, 1, 1, count_include_pad=False).flatten(1)
        count = max(1, round(self.score_top * smooth.shape[1]))
        return smooth.topk(count, 1).values.mean(1)


def enlarge(distance: Tensor, logit: Tensor) -> Tensor:
    """The distance at the logit's grid, ``(B, 1, s, s)``."""
    return F.interpolate(distance, size=logit.shape[-2:], mode="bilinear", align_corners=False)


class PromptMAD(nn.Module):
    """One model for many products; the product's index chooses bank, words and scales."""

    def __init__(self, config: ModelConfig, backbone: Backbone, prompts: Tensor) -> None:
        super().__init__()
        products, c4 = len(prompts), backbone.channels[0]
        self.config = config
        self.backbone = backbone
        self.neck = Neck(sum(backbone.channels[1:]), config.neck_dim)
        self.detail = Axes(c4, config.detail_dim)
        self.bank = Bank(products, config.bank_tokens, config.neck_dim, config.detail_dim)
        self.words = Words(prompts, config.width)
        self.reconstructor = Reconstructor(config)
        self.segmentor = Segmentor(config, c4 + config.detail_dim)
        self.denoiser = Denoiser(config, c4 + config.detail_dim)
        self.fusion = Fusion(products, config.score_top)
        self.noise_share = noise_share(config.refinement_steps, config.beta)

    def features(self, image: Tensor) -> Features:
        """uint8 ``(B, H, W, 3)`` → frozen features."""
        f4, f8, f16 = self.backbone(image)
        return Features(self.neck(f8, f16), f4)

    def coarse(self, f: Features, prompt: Answer, product: Tensor) -> Coarse:
        """Everything up to the coarse map; ``prompt`` is what the bank answers."""
        text = self.words(product)
        rebuilt = self.reconstructor(f.tokens, prompt.tokens, text[:, :1])
        strange = distance(f.tokens, prompt)
        differences = [(rebuilt - f.tokens).abs(), (prompt.tokens - f.tokens).abs()]
        residual = torch.cat([*differences, strange, prompt.away], 1)
        fine = (prompt.details - self.detail(f.lateral)).abs()
        lateral = torch.cat([f.lateral, fine], 1)
        guide, logit = self.segmentor(residual, lateral, text)
        return Coarse(rebuilt, strange, lateral, guide, logit, text)

    def refine(self, c: Coarse, steps: int | None = None) -> Tensor:
        """The sampler, all steps or fewer: the refined logit ``(B, 1, s, s)``."""
        trained = self.config.refinement_steps
        times = [*timesteps(trained, trained if steps is None else steps), 0]
        condition = self.denoiser.condition(c.logit, c.guide, c.lateral)
        film = self.denoiser.film_table(c.text)
        x, logit = to_map(c.logit), c.logit
        for t, s in pairwise(times):
            logit = self.denoiser(x, c.logit, condition, film[:, t - 1])
            x = step_down(x, to_map(logit), self.noise_share[s] / self.noise_share[t])
        return logit

    def forward(self, image: Tensor, product: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(B, s, s)`` and score ``(B,)``, raw."""
        f = self.features(image)
        c = self.coarse(f, self.bank(f.tokens, product), product)
        return self.fusion(self.refine(c), c.distance, product)
