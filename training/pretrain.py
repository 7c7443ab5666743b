"""Backbone weights of our own, where no pretrained ones may be used: learnt from good parts only.

The pretext task is to find synthetic anomalies (CutPaste, Li et al., CVPR 2021, and DRAEM,
Zavrtanik et al., ICCV 2021, are the family) and, so that features keep saying what a place is,
to name the product. Features that can find what was altered are what the frozen trunk is for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.types import Image, Mask
from training.config import LossConfig, TrainConfig
from training.datasets import shapes
from training.datasets.dataset import read_dataset
from training.datasets.synthesis import spoil, vary
from training.export import LICENCE, ORIGIN
from training.fit import fit
from training.losses import mask_loss, soft_target
from training.model.backbone import Backbone
from training.model.segmentor import rare
from training.pictures import Good
from training.prepare import read_goods
from training.processes import Device, alone
from training.report import Report
from training.rows import stacked
from training.run import Run, save_tensors

STEPS = 9000
CROPS_A_PICTURE = 2


class Pretext(nn.Module):
    """Trunk plus a throw-away head: anomaly logits at stride 4 and the product of the picture."""

    def __init__(self, backbone: Backbone, products: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.lateral = nn.ModuleList(nn.Conv2d(c, 64, 1) for c in backbone.channels)
        self.mix = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.SiLU())
        self.logit = rare(nn.Conv2d(64, 1, 1))
        self.product = nn.Linear(backbone.channels[-1], products)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        f = self.backbone(image)
        size = f[0].shape[-2:]
        levels = [
            F.interpolate(conv(x), size=size, mode="bilinear", align_corners=False)
            for conv, x in zip(self.lateral, f, strict=True)
        ]
        return self.logit(self.mix(torch.stack(levels).sum(0))), self.product(f[-1].mean((2, 3)))


@dataclass(frozen=True, slots=True)
class PretextBatch:
    """Crops of spoilt goods ``(B, H, W, 3)`` uint8, masks ``(B, 1, s, s)``, products ``(B,)``."""

    image: Tensor
    mask: Tensor
    product: Tensor


@dataclass(frozen=True, slots=True)
class PretextStage:
    """Find the alteration, name the product."""

    config: LossConfig
    name: str = "backbone"

    def parameters(self, model: Pretext) -> Iterator[nn.Parameter]:
        return model.parameters()

    def loss(self, model: Pretext, batch: PretextBatch, generator: torch.Generator) -> Tensor:
        logit, product = model(batch.image)
        named = F.cross_entropy(product.float(), batch.product)
        return mask_loss(logit.float(), batch.mask, self.config) + 0.1 * named


def pretrain(run: Run, report: Report, device: Device = "auto") -> Path:
    """Train the trunk of the run's configuration; returns ``OUT/backbone.safetensors``.

    With the same data, products and seed it keeps back the goods that :func:`train` keeps back.
    """
    spec, config = run.spec, run.spec.config
    fabric = alone(config, "inspector pretrain", device)
    torch.manual_seed(config.seed)
    report("reading good parts", 0.0, "")
    samples = read_dataset(spec.data).train_goods(spec.products)
    goods = read_goods(samples, config.model.input_px, config.held_out, config.seed).fitted
    backbone = Backbone(config.model.backbone)
    model = Pretext(backbone, len(spec.products)).to(memory_format=torch.channels_last)
    model.to(fabric.device)

    def batches(rngs: Iterator[np.random.Generator]) -> Iterator[PretextBatch]:
        return (_batch(goods, rng, config, fabric.device) for rng in rngs)

    fit(PretextStage(config.loss), model.train(), batches, run, STEPS, 1.0, report, fabric=fabric)
    weights = run.folder / "backbone.safetensors"
    said = {ORIGIN: "trained by this project on good parts", LICENCE: "Apache-2.0"}
    save_tensors(backbone.net.state_dict(), weights, said)
    return weights


def _batch(
    goods: Sequence[Good], rng: np.random.Generator, config: TrainConfig, device: torch.device
) -> PretextBatch:
    drawn = [_crops(goods, rng) for _ in range(-(-config.batch // CROPS_A_PICTURE))]
    rows = [crop for crops in drawn for crop in crops]
    masks = torch.from_numpy(np.stack([mask for _, mask, _ in rows]))
    return PretextBatch(
        stacked([image for image, _, _ in rows]).to(device),
        soft_target(masks, masks.shape[-1] // 4).to(device),
        torch.tensor([product for _, _, product in rows], device=device),
    )


def _crops(goods: Sequence[Good], rng: np.random.Generator) -> list[tuple[Image, Mask, int]]:
    """One crop round the anomaly of a spoilt good, one round whatever there is to see.

    A quarter of the picture shows all that a trunk can learn from an anomaly, at a quarter of the
    cost.
    """
    good, donor = (goods[int(rng.integers(len(goods)))] for _ in range(2))
    spoilt = spoil(vary(good.image, rng), donor.image, rng)
    grey = shapes.grey(spoilt.image.astype(np.float32))
    centres = (shapes.inside(spoilt.mask, rng), shapes.feature(grey, rng))
    windows = [_window(centre, grey.shape[0], rng) for centre in centres]
    return [(spoilt.image[w], spoilt.mask[w], good.product) for w in windows]


def _window(centre: tuple[int, int], side: int, rng: np.random.Generator) -> tuple[slice, slice]:
    """Half the side, holding ``centre`` (x, y) somewhere in its middle half, inside the picture."""
    half = side // 2
    x, y = (int(np.clip(c - rng.integers(half // 4, 3 * half // 4), 0, half)) for c in centre)
    return slice(y, y + half), slice(x, x + half)
