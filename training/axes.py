"""The axes that tokens and details are seen on: those that damage moves and good parts do not.

Fisher's discriminant. Signal: how synthetic damage moves a feature. Noise: what is left between a
good part's feature and the nearest on other good parts. Principal axes keep what varies most, and
that is what a place shows, not what is wrong with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.datasets.synthesis import spoil, vary
from training.losses import soft_target
from training.model.backbone import Axes, Neck
from training.model.bank import cells
from training.model.promptmad import PromptMAD
from training.neighbours import Neighbours
from training.pictures import Good
from training.prepare import spread
from training.rows import stacked
from training.seeds import stream, torch_stream

MOST_GOODS = 400  # in all: more take time and add little
TOKENS_A_PICTURE = 128
SPOILT = 0.25  # share of a cell's cover from which it is damage

Look: TypeAlias = Callable[[Tensor], list[Tensor]]
Rng: TypeAlias = np.random.Generator


@dataclass(frozen=True, slots=True)
class Sight:
    """Places of one good part: ``tokens (n, C)``, their stride-4 cells ``details (n, 4, C4)``,
    ``place (n, 2)``."""

    good: Good
    tokens: Tensor
    details: Tensor
    place: Tensor


@dataclass(frozen=True, slots=True)
class Moves:
    """What damage did to the features of one part: ``tokens (m, C)``, ``details (k, C4)``."""

    tokens: Tensor
    details: Tensor


@torch.no_grad()
def fit_axes(model: PromptMAD, goods: Sequence[Good], seed: int) -> None:
    """Set the axes of tokens and of details, and of every memory's tokens."""
    some = spread(goods, MOST_GOODS)
    _fit_neck(model.neck, model.detail, model, some, seed)
    for memory in (model.memory, model.context):
        if memory:
            _fit_neck(memory.neck, None, model, some, seed, memory.side)


def _fit_neck(
    neck: Neck,
    detail: Axes | None,
    model: PromptMAD,
    goods: Sequence[Good],
    seed: int,
    side: int | None = None,
) -> None:
    """Set the axes of a neck's tokens, and of the details that belong to them; ``side`` as
    :class:`training.model.backbone.Backbone` takes it."""
    generator, rng = torch_stream(seed, "axes"), stream(seed, "axes")
    look = partial(model.backbone, side=side)
    if model.config.axes == "spread":
        seen = [_sight(neck, look(stacked([vary(g.image, rng)])), g, generator) for g in goods]
        neck.axes.fit_spread(torch.cat([s.tokens for s in seen]))
        if detail:
            detail.fit_spread(torch.cat([s.details for s in seen]).flatten(0, 1))
        return
    seen, moved = _damaged(neck, look, goods, rng, generator)
    token_noise, detail_noise = _differences(seen, generator)
    tokens = torch.cat([s.tokens for s in seen])
    neck.axes.fit(tokens, torch.cat([m.tokens for m in moved]), token_noise)
    if detail:
        details = torch.cat([s.details for s in seen]).flatten(0, 1)
        detail.fit(details, torch.cat([m.details for m in moved]), detail_noise)


def _damaged(
    neck: Neck, look: Look, goods: Sequence[Good], rng: Rng, generator: torch.Generator
) -> tuple[list[Sight], list[Moves]]:
    """Each part as it is and, beside it, what damage does to it."""
    seen, moved = [], []
    donors = [goods[i] for i in rng.permutation(len(goods))]
    for good, donor in zip(goods, donors, strict=True):
        clean = vary(good.image, rng)
        spoilt = spoil(clean, donor.image, rng)
        f4, f8, f16 = look(stacked([clean, spoilt.image]))
        seen.append(_sight(neck, [f4, f8, f16], good, generator))
        tokens = neck.concatenate(f8, f16)
        moved.append(Moves(_moves(tokens, spoilt.mask), _moves(f4, spoilt.mask)))
    return seen, moved


def _sight(neck: Neck, features: Sequence[Tensor], good: Good, generator: torch.Generator) -> Sight:
    """Some places of the first picture that was looked at."""
    f4, f8, f16 = (f[:1] for f in features)
    tokens = neck.concatenate(f8, f16)
    h, w = tokens.shape[-2:]
    keep = torch.randperm(h * w, generator=generator)[:TOKENS_A_PICTURE].to(tokens.device)
    details = F.pixel_unshuffle(f4, 2)[0].unflatten(0, (-1, 4))
    return Sight(
        good,
        tokens[0].flatten(1).T[keep],
        details.flatten(2).permute(2, 1, 0)[keep],
        cells(h, w).to(tokens)[keep],
    )


def _moves(features: Tensor, mask: np.ndarray) -> Tensor:
    """``(2, C, h, w)`` of a part clean and spoilt → differences where it is spoilt, ``(m, C)``.

    Scaled so that a large stain counts no more than a scratch.
    """
    spoilt = soft_target(torch.from_numpy(mask)[None], features.shape[-1])[0, 0] > SPOILT
    moves = (features[1] - features[0])[:, spoilt.to(features.device)].T
    return moves / max(1, len(moves)) ** 0.5


def _differences(seen: Sequence[Sight], generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Between nearest places of different good parts of a product: of tokens, and of details."""
    token_noise, detail_noise = [], []
    for product in sorted({s.good.product for s in seen}):
        own = [s for s in seen if s.good.product == product]
        tokens, details, place = (
            torch.cat([getattr(s, name) for s in own]) for name in ("tokens", "details", "place")
        )
        owner = torch.cat([torch.full((len(s.tokens),), s.good.id) for s in own])
        found = Neighbours(tokens, place, owner.to(tokens.device), generator)
        nearest = found.nearest(found.pull)
        token_noise.append(tokens[found.asking] - tokens[nearest])
        detail_noise.append((details[found.asking] - details[nearest]).flatten(0, 1))
    return torch.cat(token_noise), torch.cat(detail_noise)
