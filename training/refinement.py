"""How many refinement steps pay: asked of synthetic damage on goods kept back, never of test data.

A refiner may harm: one that sharpens every blob erases the faint ones. So a bundle takes by default
the fewest steps that do as well as any, none included.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch

from training.config import DamageConfig
from training.datasets.synthesis import ANYWHERE, spoil, vary
from training.losses import soft_target
from training.metrics import measure
from training.model.promptmad import PromptMAD
from training.pictures import Good
from training.pixels import Pixels
from training.prepare import spread
from training.rows import stacked
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
def measure_steps(
    model: PromptMAD, held_out: Sequence[Good], seed: int, damage: DamageConfig = ANYWHERE
) -> dict[int, Quality]:
    """The quality at 0, 1, 2, 4, 10 steps, as far as the model has them, on the same pictures, with
    ``damage`` as in training.
    """
    choices = [c for c in CHOICES if c <= model.config.refinement_steps]
    goods = spread(held_out, MOST_GOODS)
    with ExitStack() as stack:
        pixels = {c: stack.enter_context(Pixels()) for c in choices}
        _add_maps(model, goods, seed, damage, pixels)
        return {steps: _quality(found) for steps, found in pixels.items()}


def _add_maps(
    model: PromptMAD,
    goods: Sequence[Good],
    seed: int,
    damage: DamageConfig,
    pixels: Mapping[int, Pixels],
) -> None:
    """One spoilt picture of each good part, refined by every number of steps."""
    for i, good in enumerate(goods):
        rng = stream(seed, "refinement", i)
        donor = goods[int(rng.integers(len(goods)))]
        spoilt = spoil(vary(good.image, rng), donor.image, rng, damage)
        product, image = torch.tensor([good.product]), stacked([spoilt.image])
        coarse = model.look(image, product)
        mask = (
            soft_target(torch.from_numpy(spoilt.mask)[None], model.config.map_px)[0, 0] > 0.5
        ).numpy()
        for steps, found in pixels.items():
            found.add(model.finished(coarse, steps)[0, 0].cpu().numpy(), mask)


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


def _quality(pixels: Pixels) -> Quality:
    found = measure([], [], pixels)
    return Quality(found.pixel_ap or 0.0, found.aupro or 0.0)
