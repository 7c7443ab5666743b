"""Losses on logits. Masks may be soft: shares of a cell in [0, 1]."""

from torch import Tensor
from torch.nn import functional as F

from training.config import LossConfig, ModelConfig


def focal(logit: Tensor, mask: Tensor, gamma: float, alpha: float) -> Tensor:
    """Focal loss, Lin et al., ICCV 2017, with soft targets; ``alpha`` weighs the positives."""
    cross_entropy = F.binary_cross_entropy_with_logits(logit, mask, reduction="none")
    p = logit.sigmoid()
    hardness = (mask - p).abs() ** gamma
    weight = alpha * mask + (1 - alpha) * (1 - mask)
    return (weight * hardness * cross_entropy).mean()


def dice(logit: Tensor, mask: Tensor, smooth: float = 1.0) -> Tensor:
    """Soft Dice per picture (Milletari et al., 3DV 2016), factor 2, mean over the batch."""
    p, m = logit.sigmoid().flatten(1), mask.flatten(1)
    overlap = 2 * (p * m).sum(1) + smooth
    return (1 - overlap / (p.square().sum(1) + m.square().sum(1) + smooth)).mean()


def mask_loss(logit: Tensor, mask: Tensor, config: LossConfig) -> Tensor:
    """Focal and Dice, weighted: the supervision of both the coarse and the refined map."""
    pixelwise = focal(logit, mask, config.focal_gamma, config.focal_alpha)
    return config.focal * pixelwise + config.dice * dice(logit, mask)


def soft_target(masks: Tensor, side: int) -> Tensor:
    """Masks ``(B, H, W)`` as targets ``(B, 1, side, side)``: twice the covered share, at most 1.

    A hairline covers little of a cell; counted by area alone it would teach "hardly a defect".
    """
    return (2 * covered(masks, side)).clamp(max=1)


def covered(masks: Tensor, side: int) -> Tensor:
    """The share of each cell that masks ``(B, H, W)`` cover: ``(B, 1, side, side)``.

    What a cell of a few pixels is taught: the order of its values is then the order in which a
    pixel there is one of the defect, and no mark is wider than what it marks.
    """
    return F.adaptive_avg_pool2d(masks.float()[:, None], side)


def map_target(masks: Tensor, config: ModelConfig) -> Tensor:
    """What the map at its own stride is taught and measured by: ``(B, 1, m, m)``."""
    target = covered if config.outline_channels else soft_target
    return target(masks, config.map_px)


def reconstruction(rebuilt: Tensor, clean: Tensor) -> Tensor:
    """Mean squared error plus cosine distance over channels, ``(B, D, h, w)`` each."""
    cosine = 1 - F.cosine_similarity(rebuilt, clean, dim=1)
    return F.mse_loss(rebuilt, clean) + cosine.mean()
