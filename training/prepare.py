"""Before training: read the goods, keep some back, fit the axes, fill the bank."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from engine.types import InputError
from training.cache import Good
from training.datasets.mvtec import Sample, load
from training.model.bank import cells, coreset
from training.model.promptmad import PromptMAD
from training.seeds import stream, torch_stream

FEWEST_GOODS = 4
CANDIDATES = 12  # tokens offered to the coreset for each that it may keep
TOKENS_A_PICTURE = 64  # for the principal axes
MOST_GOODS = 200  # a product, that axes and bank are made of: more take time and add little
PULLS = (0.0, 0.2, 0.4, 0.8, 1.6)  # a cell away counts for so much of the usual strangeness
BORNE = 1.1  # what a pull may add to the squared distance between good parts
QUERIES, REMEMBERED = 2000, 16000  # tokens that ask and tokens that answer, to find the pull


@dataclass(frozen=True, slots=True)
class Goods:
    """Good pictures, split: ``fitted`` feed bank and training, ``held_out`` set the scales."""

    fitted: Sequence[Good]
    held_out: Sequence[Good]


def read_goods(samples: Sequence[Sample], side: int, held_out: float, seed: int) -> Goods:
    """Read every good picture once; per product a random share is kept back."""
    products = list(dict.fromkeys(s.product for s in samples))
    goods = [Good(i, products.index(s.product), load(s, side)) for i, s in enumerate(samples)]
    kept_back: set[int] = set()
    for index, product in enumerate(products):
        ids = [g.id for g in goods if g.product == index]
        _enough(len(ids), product, samples[ids[0]].path.parent)
        count = max(1, round(held_out * len(ids)))
        chosen = stream(seed, "held out", index).permutation(ids)[:count]
        kept_back.update(int(i) for i in chosen)
    fitted = [g for g in goods if g.id not in kept_back]
    return Goods(fitted, [g for g in goods if g.id in kept_back])


def fit_axes(model: PromptMAD, goods: Sequence[Good], seed: int) -> None:
    """Principal axes of the trunk's features, of tokens and of details, over good pictures."""
    generator = torch_stream(seed, "neck")
    coarse, fine = [], []
    for good in goods[:: -(-len(goods) // MOST_GOODS)]:
        f4, f8, f16 = model.backbone(images([good]))
        coarse.append(_some(model.neck.concatenate(f8, f16), generator))
        fine.append(_some(f4, generator))
    model.neck.axes.fit(torch.cat(coarse))
    model.detail.fit(torch.cat(fine))


def fill_bank(model: PromptMAD, goods: Sequence[Good], seed: int) -> None:
    """Per product, how much place counts, and a coreset of the goods' tokens."""
    generator, bank = torch_stream(seed, "bank"), model.bank
    size = model.config.bank_tokens
    for product in range(len(bank.tokens)):
        own = [g for g in goods if g.product == product][:MOST_GOODS]
        found = _candidates(model, own, CANDIDATES * size, generator)
        pull = place_pull(found.tokens, found.place, found.owner, generator)
        kept = coreset(torch.cat([found.tokens, pull * found.place], 1), size, generator)
        bank.tokens[product] = found.tokens[kept].half()
        bank.details[product] = found.details[kept].half()
        bank.place[product] = found.place[kept]
        bank.owner[product] = found.owner[kept]
        bank.pull[product] = pull


def place_pull(tokens: Tensor, place: Tensor, owner: Tensor, generator: torch.Generator) -> float:
    """How much place may count: the most of :data:`PULLS` that good parts bear.

    Where parts lie alike, a token finds its like near its own place, so that a pull towards it
    costs no likeness; cloth's likes lie anywhere, and a pull makes them strangers. ``tokens
    (N, D)`` look for one another across pictures (``owner``).
    """
    order = torch.randperm(len(tokens), generator=generator)
    count = min(QUERIES, len(tokens) // 4)
    asking, memory = order[:count], order[count : count + REMEMBERED]
    own = owner[asking][:, None] == owner[memory]
    alike = torch.cdist(tokens[asking], tokens[memory]).square().masked_fill(own, torch.inf)
    away = torch.cdist(place[asking], place[memory]).square()

    @cache
    def strangeness(pull: float) -> float:
        nearest = (alike + pull**2 * away).argmin(1, keepdim=True)
        return float(alike.gather(1, nearest).mean())

    free = strangeness(0.0)
    pulls = (share * free**0.5 for share in PULLS)
    return max(pull for pull in pulls if strangeness(pull) <= BORNE * free)


def images(goods: Sequence[Good]) -> Tensor:
    """``(B, H, W, 3)`` uint8."""
    return torch.from_numpy(np.stack([g.image for g in goods]))


class _Candidates(NamedTuple):
    tokens: Tensor  # (N, D)
    details: Tensor  # (N, 4E)
    place: Tensor  # (N, 2)
    owner: Tensor  # (N,)


def _candidates(
    model: PromptMAD, goods: Sequence[Good], count: int, generator: torch.Generator
) -> _Candidates:
    a_picture = -(-count // len(goods))
    found = []
    for good in goods:
        f = model.features(images([good]))
        h, w = f.tokens.shape[-2:]
        details = F.pixel_unshuffle(model.detail(f.lateral), 2)
        keep = torch.randperm(h * w, generator=generator)[:a_picture]
        owner = torch.full((len(keep),), good.id)
        found.append((_rows(f.tokens)[keep], _rows(details)[keep], cells(h, w)[keep], owner))
    return _Candidates(*(torch.cat(column) for column in zip(*found, strict=True)))


def _some(features: Tensor, generator: torch.Generator) -> Tensor:
    rows = _rows(features)
    return rows[torch.randperm(len(rows), generator=generator)[:TOKENS_A_PICTURE]]


def _rows(features: Tensor) -> Tensor:
    """Places of one picture: ``(1, C, h, w) → (h·w, C)``."""
    return features[0].flatten(1).T


def _enough(count: int, product: str, folder: Path) -> None:
    if count < FEWEST_GOODS:
        raise InputError(
            f"{product} has {count} good pictures in {folder}: at least {FEWEST_GOODS} are needed."
        )
