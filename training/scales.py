"""The last fit: the scales of the two maps, from goods kept back; no damage, and never test data.

On synthetic damage, which it was trained on, the segmentor always beats the memory: weights chosen
there would switch the memory off. Good parts favour neither.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from training.model.promptmad import Fusion, PromptMAD, enlarge
from training.pictures import Good
from training.prepare import of_each
from training.rows import stacked

MOST_GOODS = 200
STRANGE = 0.98  # of good parts score less, on each map: the score of the next becomes 1


@torch.no_grad()
def fit_scales(model: PromptMAD, held_out: Sequence[Good]) -> None:
    """Set centre and spread of the model's fusion, per product of the goods."""
    for product, own in of_each(held_out, MOST_GOODS).items():
        set_scales(model.fusion, product, torch.cat([_maps(model, good) for good in own]))


def set_scales(fusion: Fusion, product: int, maps: Tensor) -> None:
    """A product's centre and spread, from its good parts' maps ``(N, 2, s, s)``, unscaled.

    On either map the median pixel of good parts becomes 0, and the score of the strangest part in
    fifty becomes 1. Where the maps add up both are stretched alike, so that their sum's does.
    """
    centre = maps.transpose(0, 1).flatten(1).median(1).values
    scores = torch.stack([fusion.score(maps[:, i]) for i in range(2)])
    strange = torch.quantile(scores, STRANGE, dim=1)
    fusion.centre[product] = centre
    fusion.spread[product] = (strange - centre).clamp(min=1e-3)
    if fusion.agreement:
        logit, distance = maps.to(fusion.centre.device).split(1, 1)
        _, score = fusion(logit, distance, torch.full((len(maps),), product))
        fusion.spread[product] *= torch.quantile(score, STRANGE).clamp(min=1e-3)


def _maps(model: PromptMAD, good: Good) -> Tensor:
    """Refined logit and distance, unscaled, at the map's stride: ``(1, 2, s, s)``, on the CPU; the
    banks asked as a new part would ask them, who does not know itself."""
    product, image = torch.tensor([good.product]), stacked([good.image])
    c = model.look(image, product, leave_out=torch.tensor([good.id]))
    logit = model.finished(c)
    return torch.cat([logit, enlarge(c.distance, logit)], 1).cpu()
