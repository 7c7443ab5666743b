"""How many refinement steps pay: asked of synthetic damage on goods kept back, never of test data.

A refiner may harm: one that sharpens every blob erases the faint ones. So a bundle takes by default
the fewest steps that do as well as any, none included.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from training.datasets.synthesis import spoil, vary
from training.losses import soft_target
from training.metrics import measure
from training.model.promptmad import PromptMAD
from training.prepare import spread
from training.rows import Good, stacked
from training.seeds import stream

CHOICES = (0, 1, 2, 4, 10)
MOST_GOODS = 120
AS_GOOD = 0.002  # of AP and AUPRO, on average: less is not worth a step


@dataclass(frozen=True, slots=True)
class Quality:
    """Of the refined map alone, on synthetic damage, at stride 4; in [0, 1]."""

    pixel_ap: float
    aupro: float

    @property
    def mean(self) -> float:
        return (self.pixel_ap + self.aupro) / 2


@torch.no_grad()
def measure_steps(model: PromptMAD, held_out: Sequence[Good], seed: int) -> dict[int, Quality]:
    """The quality at 0, 1, 2, 4, 10 steps, as far as the model has them, on the same pictures."""
    choices = [c for c in CHOICES if c <= model.config.refinement_steps]
    maps: dict[int, list[torch.Tensor]] = {c: [] for c in choices}
    masks = []
    goods = spread(held_out, MOST_GOODS)
    for i, good in enumerate(goods):
        rng = stream(seed, "refinement", i)
        donor = goods[int(rng.integers(len(goods)))]
        spoilt = spoil(vary(good.image, rng), donor.image, rng)
        product, image = torch.tensor([good.product]), stacked([spoilt.image])
        coarse = model.look(image, product)
        masks.append((soft_target([spoilt.mask], coarse.logit.shape[-1])[0, 0] > 0.5).numpy())
        for steps, found in maps.items():
            found.append(model.refine(coarse, steps)[0, 0].cpu())
    return {steps: _quality([m.numpy() for m in found], masks) for steps, found in maps.items()}


def fewest(quality: Mapping[int, Quality]) -> int:
    """The fewest steps that are as good as the best, but for :data:`AS_GOOD`."""
    best = max(q.mean for q in quality.values())
    return min(steps for steps, q in quality.items() if q.mean >= best - AS_GOOD)


def _quality(maps: list, masks: list) -> Quality:
    found = measure([0.0] * len(maps), [True] * len(maps), maps, masks)
    return Quality(found.pixel_ap or 0.0, found.aupro or 0.0)
