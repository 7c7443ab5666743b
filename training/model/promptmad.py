"""PromptMAD whole: trunk → prompt → reconstruction → segmentor → refinement → map and score.

The parts are cut where the exported graphs are cut: :class:`Trunk`, one step, :class:`Fusion`.
Shapes: B batch, P products, D token channels, h w at stride 8, s at stride 4, d width.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.fuse import timesteps
from training.config import ModelConfig
from training.model.attention import Mlp
from training.model.backbone import Axes, Backbone, Neck
from training.model.bank import Answer, Bank, Tokens, length
from training.model.outline import Outline, outlined, pixels
from training.model.picture import Picture
from training.model.reconstruct import Reconstructor
from training.model.refine import Denoiser, noise_share, step_down, to_map
from training.model.segmentor import Segmentor

SURE = (2.0, 4.0)
"""Scores of the segmentor between which the memory falls silent, above the usual limits."""
SLIGHT = 1e-3
"""A score that is nobody's limit: what scores less is stretched no further."""


@dataclass(frozen=True, slots=True)
class Features:
    """What the frozen part gives, and what training caches: tokens and the stride-4 lateral."""

    tokens: Tensor  # (B, D, h, w)
    lateral: Tensor  # (B, C4, s, s)
    means: Tensor | None = None  # (B, M, h, w) what the memory is asked about, if there is one
    picture: Tensor | None = None  # (B, 4, 2s, 2s) what the outline is drawn by, if it is


@dataclass(frozen=True, slots=True)
class Coarse:
    """What the segmentor says, and what the refinement starts from."""

    reconstruction: Tensor | None  # (B, D, h, w)
    distance: Tensor  # (B, 1, h, w) to the bank, or of the reconstruction to the picture
    lateral: Tensor  # (B, C4 + E, s, s) the trunk's own, and its residual to the bank's details
    guide: Tensor  # (B, G, s, s)
    logit: Tensor  # (B, 1, s, s)
    text: Tensor | None  # (B, 2, d)
    outline: Tensor | None = None  # (B, 1, 2s, 2s) what the picture adds to the logit


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


class Memory(nn.Module):
    """A second bank, of coarser tokens, that is only asked how strange a place is.

    What marks a defect's edge and what finds a part strange want different tokens: means over a
    neighbourhood forgive a texture its noise, and blur a crack. Seen at another ``side`` than the
    picture's it knows larger things: a wide crack enlarged is nothing but texture.
    """

    def __init__(
        self, config: ModelConfig, backbone: Backbone, products: int, side: int | None = None
    ) -> None:
        super().__init__()
        self.side = side
        self.neck = Neck(sum(backbone.channels[1:]), config.memory_dim)
        self.tokens = Tokens(products, config.memory_tokens, config.memory_dim)

    def forward(self, means: Tensor, product: Tensor, leave_out: Tensor | None) -> Tensor:
        """How strange each place is, ``(B, 1, h, w)``."""
        return self.tokens.nearest(means, product, leave_out).strange


class Fusion(nn.Module):
    """Refined logit and distance → one raw map and one raw score, on scales set by good parts.

    Per product ``z = (v - centre) / spread`` for each of the two maps, then the larger: what the
    segmentor was never shown may still be strange to the memory, and the other way round. Either
    the smaller adds ``agreement`` of itself, since two that agree are surer than one, or, without
    any, the memory falls silent where the segmentor is sure by itself: its marks are less sharp.
    For the same reason the map may draw a share of it only (``drawn``), stretched then, until its
    own score is that of all there is.
    """

    centre: Tensor
    spread: Tensor

    def __init__(
        self,
        products: int,
        score_top: float,
        around: int = 3,
        agreement: float = 0.0,
        drawn: float = 1.0,
    ) -> None:
        super().__init__()
        self.score_top, self.around = score_top, around
        self.agreement, self.drawn = agreement, drawn
        self.register_buffer("centre", torch.zeros(products, 2))
        self.register_buffer("spread", torch.ones(products, 2))

    def channels(self, logit: Tensor, distance: Tensor, product: Tensor) -> Tensor:
        """Both maps on their scales: ``(B, 2, s, s)``, segmentor first."""
        both = torch.cat([logit, enlarge(distance, logit)], 1)
        centre, spread = (b[product][..., None, None] for b in (self.centre, self.spread))
        return (both - centre) / spread

    def forward(self, logit: Tensor, distance: Tensor, product: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(B, s, s)`` and score ``(B,)``."""
        return self.judged(*self.channels(logit, distance, product).unbind(1))

    def judged(self, segmented: Tensor, strange: Tensor) -> tuple[Tensor, Tensor]:
        """Map and score of both maps on their scales, ``(B, s, s)`` each. The score is the map's
        own, since one limit serves both: see :func:`calibration.thresholds.from_goods`."""
        fused = self.joined(segmented, strange)
        score = self.score(fused)
        if self.drawn == 1:
            return fused, score
        part = self.joined(segmented, self.drawn * strange)
        stretch = score / self.score(part).clamp(min=SLIGHT)
        return part * stretch.clamp(min=0)[:, None, None], score

    def joined(self, segmented: Tensor, strange: Tensor) -> Tensor:
        """Both maps on their scales, ``(B, s, s)``, as one."""
        if not self.agreement:
            return torch.maximum(segmented, strange * self._needed(segmented))
        smaller = torch.minimum(segmented, strange).clamp(min=0)  # one map never silences the other
        return torch.maximum(segmented, strange) + self.agreement * smaller

    def _needed(self, segmented: Tensor) -> Tensor:
        """How much the memory has to say, 1 to 0, as the segmentor's own score rises: (B, 1, 1)."""
        unsure, sure = SURE
        share = (sure - self.score(segmented)) / (sure - unsure)
        return share.clamp(0, 1)[:, None, None]

    def score(self, fused: Tensor) -> Tensor:
        """Mean of the strongest pixels of an averaged map: one hot pixel is no defect."""
        around = self.around
        smooth = F.avg_pool2d(fused[:, None], around, 1, around // 2, count_include_pad=False)
        smooth = smooth.flatten(1)
        count = max(1, round(self.score_top * smooth.shape[1]))
        return smooth.topk(count, 1).values.mean(1)


def enlarge(distance: Tensor, logit: Tensor) -> Tensor:
    """The distance at the logit's grid, ``(B, 1, s, s)``."""
    return F.interpolate(distance, size=logit.shape[-2:], mode="bilinear", align_corners=False)


Beside: TypeAlias = tuple[Tensor, Tensor, Tensor]
"""A picture beside its prompt: how strange (B, 1, h, w), residual, lateral."""


class PromptMAD(nn.Module):
    """One model for many products; the product's index chooses bank, words and scales."""

    def __init__(self, config: ModelConfig, backbone: Backbone, prompts: Tensor) -> None:
        super().__init__()
        lateral = backbone.channels[0] + (config.detail_dim if config.prompt == "bank" else 0)
        self.config = config
        self.backbone = backbone
        self.neck = Neck(sum(backbone.channels[1:]), config.neck_dim, config.neighbourhood)
        self.detail = Axes(backbone.channels[0], config.detail_dim)
        self.prompt = _prompt(config, len(prompts))
        self.memory = Memory(config, backbone, len(prompts)) if config.memory_tokens else None
        afar = config.afar_px if backbone.patch is None else None
        self.context = Memory(config, backbone, len(prompts), afar) if afar else None
        self.words: nn.Module | None = Words(prompts, config.width) if config.text else None
        self.reconstructor = Reconstructor(config) if config.reconstruction else None
        self.encoded: nn.Module | None = None  # the prompt's tokens, where they are worked out
        self.segmentor = Segmentor(config, lateral)
        self.denoiser = Denoiser(config, lateral)
        self.outline = Outline(config) if config.outline_channels else None
        around = 3 if self.outline is None else 5  # about three cells of stride 4
        self.fusion = Fusion(
            len(prompts), config.score_top, around, config.agreement, config.memory_drawn
        )
        self.noise_share = noise_share(config)
        self.steps = config.refinement_steps

    def features(self, image: Tensor) -> Features:
        """uint8 ``(B, H, W, 3)`` → frozen features."""
        f4, f8, f16 = self.backbone(image)
        means = None if self.memory is None else self.memory.neck(f8, f16)
        picture = None if self.outline is None else pixels(image.to(f4.device))
        return Features(self.neck(f8, f16), f4, means, picture)

    def look(self, image: Tensor, product: Tensor, leave_out: Tensor | None = None) -> Coarse:
        """Pictures as :meth:`features` takes them, beside their products' prompts, to the coarse
        map; ``leave_out (B,)`` as in :meth:`training.model.bank.Bank.forward`. On any device."""
        f = self.features(image)
        product = product.to(f.tokens.device)
        leave_out = None if leave_out is None else leave_out.to(f.tokens.device)
        coarse = self.coarse(f, self.ask(f, product, leave_out), product)
        if self.context is None:
            return coarse
        afar = self.context(self.from_afar(image), product, leave_out)
        return replace(coarse, distance=(coarse.distance + enlarge(afar, coarse.distance)) / 2)

    def from_afar(self, image: Tensor) -> Tensor:
        """What the memory of larger things is asked about; the segmentor never sees it, so that
        training need not: ``(B, M, side/8, side/8)``."""
        assert self.context is not None
        _, f8, f16 = self.backbone(image, self.context.side)
        return self.context.neck(f8, f16)

    def ask(self, f: Features, product: Tensor, leave_out: Tensor | None = None) -> Answer:
        """What prompt and memory have to say; ``leave_out`` as in :meth:`look`."""
        answer = self.prompt(f.tokens, product, leave_out)
        if self.memory is None or f.means is None:
            return answer
        return answer._replace(strange=self.memory(f.means, product, leave_out))

    def coarse(
        self, f: Features, prompt: Answer, product: Tensor, blurred: Tensor | None = None
    ) -> Coarse:
        """Everything up to the coarse map; ``prompt`` is what bank or picture answers.

        ``blurred`` are the tokens that the reconstruction sees in training, if not the picture's.
        """
        text = self.words(product) if self.words else None
        rebuilt = None
        if self.reconstructor is not None:
            normal = text[:, :1] if text is not None and self.config.fused else None
            seen = f.tokens if blurred is None else blurred
            encoded = self.encoded(product) if self.encoded else None
            rebuilt = self.reconstructor(seen, prompt.tokens, normal, encoded)
        strange, residual, lateral = self._beside(f, prompt, rebuilt)
        guide, logit = self.segmentor(residual, lateral, text)
        outline = None
        if self.outline is not None and f.picture is not None:
            outline = self.outline(guide, f.picture)
        return Coarse(rebuilt, strange, lateral, guide, logit, text, outline)

    def finished(self, c: Coarse, steps: int | None = None) -> Tensor:
        """Refined, and with its outline where the model draws one."""
        return outlined(self.refine(c, steps), c.outline)

    def _beside(self, f: Features, prompt: Answer, rebuilt: Tensor | None) -> Beside:
        """Of a bank, what is strange is what it does not hold. One picture lies nowhere as the
        query does: what is strange is what was not rebuilt."""
        if self.config.prompt == "picture":
            assert rebuilt is not None
            return _not_rebuilt(f, rebuilt)
        normal = [prompt.tokens] if rebuilt is None else [rebuilt, prompt.tokens]
        differences = [(n - f.tokens).abs() for n in normal]
        fine = (prompt.details - self.detail(f.lateral)).abs()
        residual = torch.cat([*differences, prompt.strange, prompt.away], 1)
        return prompt.strange, residual, torch.cat([f.lateral, fine], 1)

    def refine(self, c: Coarse, steps: int | None = None) -> Tensor:
        """The sampler, by default :attr:`steps` of them: the refined logit ``(B, 1, s, s)``."""
        taken = self.steps if steps is None else steps
        times = [*timesteps(self.config.refinement_steps, taken), 0]
        condition = self.denoiser.condition(c.logit, c.guide, c.lateral)
        film = self.denoiser.film_table(c.logit.shape[0], c.text)
        x, logit = to_map(c.logit), c.logit
        for t, s in pairwise(times):
            logit = self.denoiser(x, c.logit, condition, film[:, t - 1])
            x = step_down(x, to_map(logit), self.noise_share[s] / self.noise_share[t])
        return logit

    def forward(self, image: Tensor, product: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(B, s, s)`` and score ``(B,)``, raw."""
        c = self.look(image, product)
        return self.fusion(self.finished(c), c.distance, product)


def _not_rebuilt(f: Features, rebuilt: Tensor) -> Beside:
    error = rebuilt - f.tokens
    strange = length(error) / error.shape[1] ** 0.5
    return strange, torch.cat([error.abs(), strange], 1), f.lateral


def _prompt(config: ModelConfig, products: int) -> Bank | Picture:
    sizes = config.neck_dim, config.detail_dim
    if config.prompt == "bank":
        return Bank(products, config.bank_tokens, *sizes)
    return Picture(products, config.input_px // 8, *sizes)
