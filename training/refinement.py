"""How many refinement steps pay: asked of synthetic damage on goods kept back, never of test data.

A refiner may harm: one that sharpens every blob erases the faint ones. So a bundle takes by default
the fewest steps that do as well as any, none included.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from engine.types import Image, Mask
from training.config import DamageConfig
from training.datasets.synthesis import ANYWHERE, spoil, vary
from training.losses import map_target
from training.metrics import measure
from training.model.promptmad import Fusion, PromptMAD, enlarge
from training.pictures import Good
from training.pixels import Pixels
from training.prepare import spread
from training.rows import stacked
from training.scales import set_scales
from training.seeds import stream

CHOICES = (0, 1, 2, 4, 10)
MOST_GOODS = 120
AS_GOOD = 0.002  # of AP and AUPRO, on average: less is not worth a step


@dataclass(frozen=True, slots=True)
class Quality:
    """Of the map that a bundle gives, on synthetic damage, at the map's stride; in [0, 1]."""

    pixel_ap: float
    aupro: float

    @property
    def mean(self) -> float:
        return (self.pixel_ap + self.aupro) / 2


class _Look(NamedTuple):
    """Of one picture, on the CPU: its logits by number of steps, and the distance."""

    product: int
    logits: Mapping[int, Tensor]  # (1, 1, s, s) each
    distance: Tensor  # (1, 1, s, s)

    def maps(self, steps: int) -> Tensor:
        return torch.cat([self.logits[steps], self.distance], 1)


@torch.no_grad()
def measure_steps(
    model: PromptMAD, held_out: Sequence[Good], seed: int, damage: DamageConfig = ANYWHERE
) -> dict[int, Quality]:
    """The quality at 0, 1, 2, 4, 10 steps, as far as the model has them, on the same pictures, with
    ``damage`` as in training; each number on the scales that good parts give it.
    """
    choices = [c for c in CHOICES if c <= model.config.refinement_steps]
    held_back = spread(held_out, MOST_GOODS)
    goods = [_look(model, good.image, good, choices) for good in held_back]
    spoilt, masks = [], []
    for i, good in enumerate(held_back):
        rng = stream(seed, "refinement", i)
        donor = held_back[int(rng.integers(len(held_back)))]
        synthetic = spoil(vary(good.image, rng), donor.image, rng, damage, good.taken_px)
        target = map_target(torch.from_numpy(synthetic.mask)[None], model.config)
        masks.append((target[0, 0] > 0.5).numpy())
        spoilt.append(_look(model, synthetic.image, good, choices))
    return {
        steps: _quality(deepcopy(model.fusion), steps, goods, spoilt, masks) for steps in choices
    }


def _look(model: PromptMAD, image: Image, good: Good, choices: Sequence[int]) -> _Look:
    """At a picture of that good part, whose own tokens the banks leave out."""
    product, own = torch.tensor([good.product]), torch.tensor([good.id])
    coarse = model.look(stacked([image]), product, leave_out=own)
    logits = {steps: model.finished(coarse, steps).cpu() for steps in choices}
    return _Look(good.product, logits, enlarge(coarse.distance.cpu(), logits[choices[0]]))


def _quality(
    fusion: Fusion,
    steps: int,
    goods: Sequence[_Look],
    spoilt: Sequence[_Look],
    masks: Sequence[Mask],
) -> Quality:
    fusion = fusion.cpu()
    for product in sorted({look.product for look in goods}):
        own = [look.maps(steps) for look in goods if look.product == product]
        set_scales(fusion, product, torch.cat(own))
    with Pixels() as pixels:
        for look, mask in zip(spoilt, masks, strict=True):
            fused, _ = fusion(look.logits[steps], look.distance, torch.tensor([look.product]))
            pixels.add(fused[0].numpy(), mask)
        found = measure([], [], pixels)
    return Quality(found.pixel_ap or 0.0, found.aupro or 0.0)


def fewest(quality: Mapping[int, Quality]) -> int:
    """The fewest steps that are as good as the best, but for :data:`AS_GOOD`, of those that lower
    neither figure."""
    none = quality[0]
    harmless = {
        steps: q.mean
        for steps, q in quality.items()
        if q.pixel_ap >= none.pixel_ap - AS_GOOD and q.aupro >= none.aupro - AS_GOOD
    }
    return min(
        steps for steps, mean in harmless.items() if mean >= max(harmless.values()) - AS_GOOD
    )
