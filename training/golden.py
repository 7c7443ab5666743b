"""Golden pictures for a bundle: parts that were kept back, and what the trained network says."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from engine.golden import Golden
from engine.types import Image
from training.config import DamageConfig
from training.datasets.synthesis import spoil
from training.model.promptmad import PromptMAD
from training.pictures import Good
from training.rows import stacked
from training.seeds import stream


class Shown(NamedTuple):
    """A picture at the model's size, its product's code, and whether it was spoilt."""

    image: Image
    product: int
    defective: bool


def one_of_each(held_out: Sequence[Good], damage: DamageConfig, seed: int) -> list[Shown]:
    """Of every product the first good part that was kept back, as it is and spoilt."""
    first = {good.product: good for good in reversed(held_out)}
    chosen = [first[product] for product in sorted(first)]
    shown = []
    for good, donor in zip(chosen, [*chosen[1:], chosen[0]], strict=True):
        rng = stream(seed, "golden", good.product)
        spoilt = spoil(good.image, donor.image, rng, damage, good.taken_px)
        shown += [
            Shown(good.image, good.product, defective=False),
            Shown(spoilt.image, good.product, defective=bool(spoilt.mask.any())),
        ]
    return shown


def shown_by(golden: Golden | None) -> list[Shown]:
    """The pictures of an earlier bundle, to be asked about anew."""
    if golden is None:
        return []
    columns = zip(golden.image, golden.product, golden.defective, strict=True)
    return [Shown(image, int(code), bool(bad)) for image, code, bad in columns]


@torch.no_grad()
def answered(model: PromptMAD, shown: Sequence[Shown]) -> Golden:
    """With the maps and scores of the network itself, which is on the CPU, a picture at a time."""
    maps, scores = zip(
        *(model(stacked([s.image]), torch.tensor([s.product])) for s in shown), strict=True
    )
    return Golden(
        image=np.stack([s.image for s in shown]),
        product=np.array([s.product for s in shown], np.int64),
        defective=np.array([s.defective for s in shown], bool),
        map=torch.cat(maps).float().numpy(),
        score=torch.cat(scores).float().numpy(),
    )
