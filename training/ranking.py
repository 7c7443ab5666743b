"""How strange the good parts find one another, once a model is trained."""

from collections.abc import Sequence

import torch

from engine.goods import KnownGood
from training.datasets.dataset import content_sha256
from training.datasets.sample import Sample
from training.datasets.suspects import Ranked
from training.model.promptmad import PromptMAD
from training.pictures import Good
from training.report import Report
from training.rows import stacked

MOST_GOODS = 2000  # are ranked, spread over all: more take minutes


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


def as_known(ranked: Sequence[Ranked], samples: Sequence[Sample]) -> list[KnownGood]:
    """All goods, for the bundle; those that were not ranked have no score."""
    scores = {r.path: r.score for r in ranked}
    return [KnownGood(s.product, content_sha256(s), scores.get(s.path)) for s in samples]
