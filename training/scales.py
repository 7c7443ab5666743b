"""The last fit: scales and weight of the two maps, from goods kept back, never from test data.

Scales come from held-out goods; the weight from synthetic anomalies on those same goods.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor

from engine.types import Image
from training.cache import Good, stacked
from training.datasets.synthesis import Synthetic, spoil
from training.losses import soft_target
from training.model.promptmad import Fusion, PromptMAD, enlarge
from training.seeds import stream

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
SPOILT_A_GOOD = 3
MOST_GOODS = 40
QUANTILES = torch.tensor([0.5, 0.999])  # of the pixels of goods: these become 0 and 1


@torch.no_grad()
def fit_scales(model: PromptMAD, held_out: Sequence[Good], seed: int) -> None:
    """Set centre, spread and weight of :class:`training.model.promptmad.Fusion` per product."""
    for product in range(len(model.bank.tokens)):
        own = [g for g in held_out if g.product == product][:MOST_GOODS]
        goods = _maps(model, [g.image for g in own], product)
        quantiles = torch.quantile(goods.transpose(0, 1).flatten(1), QUANTILES, dim=1)
        model.fusion.centre[product] = quantiles[0]
        model.fusion.spread[product] = (quantiles[1] - quantiles[0]).clamp(min=1e-3)
        synthetic = _spoilt(own, stream(seed, "scales", product))
        spoilt = _maps(model, [s.image for s in synthetic], product)
        masks = soft_target([s.mask for s in synthetic], spoilt.shape[-1])[:, 0] > 0.5
        trial = _Trial(model.fusion, product, goods, spoilt, masks)
        model.fusion.weight[product] = max(WEIGHTS, key=trial.merit)


@dataclass(frozen=True, slots=True)
class _Trial:
    """Goods and spoilt goods of one product, as maps of segmentor and distance ``(n, 2, s, s)``."""

    fusion: Fusion
    product: int
    goods: Tensor
    spoilt: Tensor
    masks: Tensor

    def merit(self, weight: float) -> float:
        """Image AUROC plus pixel AP on the synthetic anomalies, for one weight."""
        self.fusion.weight[self.product] = weight
        (_, good_scores), (maps, spoilt_scores) = self._fuse(self.goods), self._fuse(self.spoilt)
        labels = [0] * len(self.goods) + [1] * len(self.spoilt)
        image_auroc = roc_auc_score(labels, torch.cat([good_scores, spoilt_scores]))
        return float(image_auroc + average_precision_score(self.masks.flatten(), maps.flatten()))

    def _fuse(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        index = torch.full((len(maps),), self.product)
        return self.fusion(maps[:, :1], maps[:, 1:], index)


def _spoilt(own: Sequence[Good], rng: np.random.Generator) -> list[Synthetic]:
    """Several anomalies on each good part, with another good part as donor."""
    pairs = list(zip(own, reversed(own), strict=True)) * SPOILT_A_GOOD
    made = [spoil(good.image, donor.image, rng) for good, donor in pairs]
    return [s for s in made if s.mask.any()]


def _maps(model: PromptMAD, pictures: Sequence[Image], product: int) -> Tensor:
    """Refined logit and distance, unscaled, at stride 4: ``(n, 2, s, s)``."""
    return torch.cat([_maps_of(model, picture, product) for picture in pictures])


def _maps_of(model: PromptMAD, picture: Image, product: int) -> Tensor:
    index, image = torch.tensor([product]), stacked([picture])
    f = model.features(image)
    c = model.coarse(f, model.bank(f.tokens, index), index)
    logit = model.refine(c)
    return torch.cat([logit, enlarge(c.distance, logit)], 1)
