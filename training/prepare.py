"""Before training: read the goods, keep some back, fill the bank or choose the picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.types import InputError
from training.datasets.sample import FEWEST_GOODS, Sample, load_taken
from training.model.bank import Bank, Tokens, cells, coreset
from training.model.picture import Picture, medoid
from training.model.promptmad import PromptMAD
from training.neighbours import Neighbours
from training.pictures import Good
from training.rows import stacked
from training.seeds import stream, torch_stream

CANDIDATES = 200_000  # tokens offered to the coreset: a share of them would miss the rare ones
MOST_GOODS = 200  # a product, that its bank is made of: more take time and add little


@dataclass(frozen=True, slots=True)
class Goods:
    """Good pictures: ``fitted`` feed training, ``held_out`` set the scales, and banks know all."""

    fitted: Sequence[Good]
    held_out: Sequence[Good]

    @property
    def every(self) -> Sequence[Good]:
        """In the order they were taken."""
        return sorted([*self.fitted, *self.held_out], key=lambda good: good.id)


def read_goods(samples: Sequence[Sample], side: int, held_out: float, seed: int) -> Goods:
    """Read every good picture once; per product a random share is kept back."""
    products = list(dict.fromkeys(s.product for s in samples))
    goods = [
        Good(i, products.index(s.product), *load_taken(s, side)) for i, s in enumerate(samples)
    ]
    kept_back: set[int] = set()
    for index, product in enumerate(products):
        ids = [g.id for g in goods if g.product == index]
        _enough(len(ids), product, samples[ids[0]].path.parent)
        count = max(1, round(held_out * len(ids)))
        chosen = stream(seed, "held out", index).permutation(ids)[:count]
        kept_back.update(int(i) for i in chosen)
    fitted = [g for g in goods if g.id not in kept_back]
    return Goods(fitted, [g for g in goods if g.id in kept_back])


def fill_prompt(model: PromptMAD, goods: Goods, seed: int) -> None:
    """Prompt and memories, per product of the goods, from at most :data:`MOST_GOODS` of them.

    A bank can leave out what a picture gave it, so that it knows those kept back as well: where a
    few dozen are all there are, every seventh is missed. A prompt picture is one of the fitted.
    """
    generator, prompt, memory = torch_stream(seed, "bank"), model.prompt, model.memory
    by_product = of_each(goods.every, MOST_GOODS)
    fitted = of_each(goods.fitted, MOST_GOODS)
    for product, own in by_product.items():
        if isinstance(prompt, Bank):
            found = _candidates(own, _places(model), generator)
            kept = _remember(prompt, product, found, generator)
            prompt.details[product] = found.details[kept].half()
        else:
            _choose_picture(model, prompt, product, fitted[product])
        if memory:
            found = _candidates(own, _bare(partial(_means, model)), generator)
            _remember(memory.tokens, product, found, generator)
    if model.context:
        generator = torch_stream(seed, "context")  # of its own: with or without, banks are the same
        for product, own in by_product.items():
            found = _candidates(own, _bare(model.from_afar), generator)
            _remember(model.context.tokens, product, found, generator)


def _choose_picture(model: PromptMAD, prompt: Picture, product: int, goods: Sequence[Good]) -> None:
    """The medoid: the good part that is nearest to all others."""
    tokens = torch.cat([model.features(stacked([good.image])).tokens.half() for good in goods])
    chosen = medoid(tokens.float())
    prompt.tokens[product] = tokens[chosen]
    lateral = model.features(stacked([goods[chosen].image])).lateral
    prompt.details[product] = model.detail(lateral)[0].half()


def _remember(
    bank: Tokens, product: int, found: "_Candidates", generator: torch.Generator
) -> Tensor:
    """How much place counts, and a coreset of the goods' tokens; returns which were kept."""
    size = bank.tokens.shape[1]
    pull = Neighbours(found.tokens, found.place, found.owner, generator).pull
    kept = coreset(torch.cat([found.tokens, pull * found.place], 1), size, generator)
    bank.tokens[product] = found.tokens[kept].half()
    bank.place[product] = found.place[kept]
    bank.owner[product] = found.owner[kept]
    bank.pull[product] = pull
    return kept


def spread(goods: Sequence[Good], most: int) -> Sequence[Good]:
    """At most so many, evenly from first to last: pictures lie in the order they were taken."""
    count = min(most, len(goods))
    return [goods[i * len(goods) // count] for i in range(count)]


def of_each(goods: Sequence[Good], most: int) -> dict[int, Sequence[Good]]:
    """By product, :func:`spread`."""
    return {
        product: spread([g for g in goods if g.product == product], most)
        for product in sorted({g.product for g in goods})
    }


class _Candidates(NamedTuple):
    tokens: Tensor  # (N, D)
    details: Tensor  # (N, 4E)
    place: Tensor  # (N, 2)
    owner: Tensor  # (N,)


_View: TypeAlias = Callable[[Good], tuple[Tensor, Tensor]]
"""What is to be remembered of a good part: tokens (1, D, h, w) and their details (1, 4E, h, w)."""


def _places(model: PromptMAD) -> _View:
    """For the prompt: every place as it is."""

    def of(good: Good) -> tuple[Tensor, Tensor]:
        f = model.features(stacked([good.image]))
        return f.tokens, F.pixel_unshuffle(model.detail(f.lateral), 2)

    return of


def _means(model: PromptMAD, image: Tensor) -> Tensor:
    means = model.features(image).means
    assert means is not None
    return means


def _bare(means: Callable[[Tensor], Tensor]) -> _View:
    """For a memory: means of a picture, and no details."""

    def of(good: Good) -> tuple[Tensor, Tensor]:
        tokens = means(stacked([good.image]))
        return tokens, tokens[:, :0]

    return of


def _candidates(goods: Sequence[Good], view: _View, generator: torch.Generator) -> _Candidates:
    a_picture = -(-CANDIDATES // len(goods))
    found = []
    for good in goods:
        tokens, details = view(good)
        h, w = tokens.shape[-2:]
        keep = torch.randperm(h * w, generator=generator)[:a_picture]
        owner = torch.full((len(keep),), good.id)
        rows = (_rows(x)[keep.to(x.device)] for x in (tokens, details))
        beside = (x.to(tokens.device) for x in (cells(h, w)[keep], owner))
        found.append((*rows, *beside))
    return _Candidates(*(torch.cat(column) for column in zip(*found, strict=True)))


def _rows(features: Tensor) -> Tensor:
    """Places of one picture: ``(1, C, h, w) → (h·w, C)``."""
    return features[0].flatten(1).T


def _enough(count: int, product: str, folder: Path) -> None:
    if count < FEWEST_GOODS:
        raise InputError(
            f"{product} has {count} good picture{'s' * (count != 1)} in {folder}: at least "
            f"{FEWEST_GOODS} are needed."
        )
