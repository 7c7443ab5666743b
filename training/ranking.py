"""How strange the good parts find one another, once a model is trained."""

from collections import Counter
from collections.abc import Sequence

import torch

from engine.known import KnownGood
from training.datasets.dataset import content_sha256
from training.datasets.sample import Sample
from training.datasets.suspects import Ranked
from training.model.promptmad import PromptMAD
from training.pictures import Good
from training.prepare import of_each
from training.report import Report
from training.rows import stacked

MOST_GOODS = 2000  # are ranked, of all products: more take minutes
LEAST_GOODS = 50  # of each, however many products there are


@torch.no_grad()
def rank(
    model: PromptMAD, goods: Sequence[Good], samples: Sequence[Sample], report: Report
) -> list[Ranked]:
    """The strangest first; ``samples`` by the goods' ids.

    Each part's own tokens are left out of the bank, or it would vouch for itself.
    """
    ranked = []
    for i, good in enumerate(goods):
        product, image = torch.tensor([good.product]), stacked([good.image])
        coarse = model.look(image, product, leave_out=torch.tensor([good.id]))
        _, score = model.fusion(model.finished(coarse), coarse.distance, product)
        sample = samples[good.id]
        ranked.append(Ranked(sample.product, sample.path, score.item()))
        report("ranking the goods", (i + 1) / len(goods), f"{i + 1} pictures")
    return sorted(ranked, key=lambda r: -r.score)


def some_of_each(goods: Sequence[Good]) -> list[Good]:
    """As many of each product as there is time for."""
    products = len({good.product for good in goods})
    most = max(LEAST_GOODS, MOST_GOODS // products)
    return [good for own in of_each(goods, most).values() for good in own]


def as_known(ranked: Sequence[Ranked], samples: Sequence[Sample]) -> list[KnownGood]:
    """All goods, for the bundle. Those that were not ranked have no score, nor has one that is
    there twice: its twin vouches for it."""
    scores = {(r.product, r.path): r.score for r in ranked}
    files = [(s.product, content_sha256(s)) for s in samples]
    twice = {file for file, count in Counter(files).items() if count > 1}
    return [
        KnownGood(*file, None if file in twice else scores.get((sample.product, sample.path)))
        for file, sample in zip(files, samples, strict=True)
    ]
