"""Before training: read the goods, keep some back, fit the neck, fill the bank."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.types import InputError
from training.cache import Good
from training.datasets.mvtec import Sample, load
from training.model.bank import coreset
from training.model.promptmad import PromptMAD
from training.seeds import stream, torch_stream

FEWEST_GOODS = 4
CANDIDATES = 24  # tokens offered to the coreset for each that it may keep
TOKENS_A_PICTURE = 64  # for the principal axes


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


def fit_neck(model: PromptMAD, goods: Sequence[Good], seed: int) -> None:
    """Principal axes of the trunk's features over places of the good pictures."""
    generator = torch_stream(seed, "neck")
    rows = []
    for good in goods:
        _, f8, f16 = model.backbone(images([good]))
        places = model.neck.concatenate(f8, f16)[0].flatten(1).T
        keep = torch.randperm(len(places), generator=generator)[:TOKENS_A_PICTURE]
        rows.append(places[keep])
    model.neck.fit(torch.cat(rows))


def fill_bank(model: PromptMAD, goods: Sequence[Good], seed: int) -> None:
    """Per product, a coreset of the goods' tokens, each token with its owner."""
    generator = torch_stream(seed, "bank")
    size = model.config.bank_tokens
    for product in range(len(model.bank.tokens)):
        own = [g for g in goods if g.product == product]
        tokens, owner = _candidates(model, own, CANDIDATES * size, generator)
        chosen = coreset(tokens, size, generator)
        model.bank.tokens[product] = tokens[chosen].half()
        model.bank.owner[product] = owner[chosen]


def images(goods: Sequence[Good]) -> Tensor:
    """``(B, H, W, 3)`` uint8."""
    return torch.from_numpy(np.stack([g.image for g in goods]))


def _candidates(
    model: PromptMAD, goods: Sequence[Good], count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    a_picture = -(-count // len(goods))
    tokens, owner = [], []
    for good in goods:
        places = model.features(images([good])).tokens[0].flatten(1).T
        keep = torch.randperm(len(places), generator=generator)[:a_picture]
        tokens.append(places[keep])
        owner.append(torch.full((len(keep),), good.id))
    return torch.cat(tokens), torch.cat(owner)


def _enough(count: int, product: str, folder: Path) -> None:
    if count < FEWEST_GOODS:
        raise InputError(
            f"{product} has {count} good pictures in {folder}: at least {FEWEST_GOODS} are needed."
        )
