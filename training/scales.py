"""The last fit: scales and weight of the two maps, from goods kept back, never from test data.

Scales come from held-out goods; the weight from synthetic anomalies on those same goods.
"""

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor

from training.cache import Good, cell_share
from training.datasets.synthesis import spoil
from training.model.promptmad import PromptMAD
from training.prepare import images

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
SPOILT_A_GOOD = 3
MOST_GOODS = 40
CENTRE, FAR = 0.5, 0.999  # quantiles of the pixels of goods that become 0 and 1


@torch.no_grad()
def fit_scales(model: PromptMAD, held_out: Sequence[Good], seed: int) -> None:
    """Set centre, spread and weight of :class:`training.model.promptmad.Fusion` per product."""
    for product in range(len(model.bank.tokens)):
        own = [g for g in held_out if g.product == product][:MOST_GOODS]
        goods = torch.cat([_maps(model, images([g]), product) for g in own])
        quantiles = torch.quantile(_pixels(goods), torch.tensor([CENTRE, FAR]), dim=1)
        model.fusion.centre[product] = quantiles[0]
        model.fusion.spread[product] = (quantiles[1] - quantiles[0]).clamp(min=1e-3)
        model.fusion.weight[product] = _best_weight(model, own, goods, product, seed)


def _best_weight(
    model: PromptMAD, own: Sequence[Good], goods: Tensor, product: int, seed: int
) -> float:
    rng = np.random.default_rng([seed, product])
    pairs = list(zip(own, reversed(own), strict=True)) * SPOILT_A_GOOD
    spoilt = [spoil(good.image, donor.image, rng) for good, donor in pairs]
    maps = torch.cat([_maps(model, torch.from_numpy(s.image)[None], product) for s in spoilt])
    masks = cell_share([s.mask for s in spoilt], maps.shape[-1])[:, 0] > 0.5
    return max(WEIGHTS, key=lambda w: _merit(model, w, goods, maps, masks, product))


def _merit(
    model: PromptMAD, weight: float, goods: Tensor, spoilt: Tensor, masks: Tensor, product: int
) -> float:
    """Image AUROC plus pixel AP on synthetic anomalies."""
    centre, spread = (b[product][:, None, None] for b in (model.fusion.centre, model.fusion.spread))
    share = torch.tensor([weight, 1 - weight])[:, None, None]
    fused = [((maps - centre) / spread * share).sum(1) for maps in (goods, spoilt)]
    scores = torch.cat([model.fusion.score(f) for f in fused])
    labels = [0] * len(goods) + [1] * len(spoilt)
    image_auroc = roc_auc_score(labels, scores)
    pixel_ap = average_precision_score(masks.flatten(), fused[1].flatten())
    return float(image_auroc + pixel_ap)


def _maps(model: PromptMAD, image: Tensor, product: int) -> Tensor:
    """Refined logit and distance, unscaled, at stride 4: ``(B, 2, s, s)``."""
    index = torch.full((len(image),), product)
    f = model.features(image)
    c = model.coarse(f, model.bank(f.tokens, index), index)
    logit = model.refine(c, f.lateral)
    distance = torch.nn.functional.interpolate(
        c.distance, size=logit.shape[-2:], mode="bilinear", align_corners=False
    )
    return torch.cat([logit, distance], 1)


def _pixels(maps: Tensor) -> Tensor:
    """``(2, n)``, thinned so that ``torch.quantile`` takes it."""
    flat = maps.transpose(0, 1).flatten(1)
    return flat[:, :: max(1, flat.shape[1] // 500_000)]
