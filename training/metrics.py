"""Metrics of the field, per product: scikit-learn where it is right, our own exact AUPRO.

AUROC, AP (step-wise) and F1-max come from scikit-learn. AUPRO: Bergmann et al., IJCV 2021; exact
by one global sort, where the usual sweep over 200 thresholds and equal-width histograms go wrong
on saturated maps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from engine.types import Mask, ScoreMap

FPR_LIMIT = 0.3


@dataclass(frozen=True, slots=True)
class Metrics:
    """All in [0, 1]; pixel figures are None where a product has no masks."""

    image_auroc: float | None
    image_ap: float | None
    image_f1_max: float | None
    pixel_auroc: float | None
    pixel_ap: float | None
    pixel_f1_max: float | None
    aupro: float | None


def measure(
    scores: Sequence[float], labels: Sequence[bool], maps: Sequence[ScoreMap], masks: Sequence[Mask]
) -> Metrics:
    """Image figures over ``scores``; pixel figures over ``maps`` with ``masks`` (may be empty)."""
    image = _ranking(np.asarray(labels), np.asarray(scores))
    if not masks or not any(m.any() for m in masks):
        return Metrics(*image, None, None, None, None)
    truth, value = np.stack(masks), np.stack(maps)
    return Metrics(*image, *_ranking(truth.ravel(), value.ravel()), aupro(value, truth))


def _ranking(
    labels: NDArray[np.bool_], scores: NDArray[np.floating]
) -> tuple[float | None, float | None, float | None]:
    if labels.all() or not labels.any():
        return None, None, None
    precision, recall, _ = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    auroc = roc_auc_score(labels, scores)
    return float(auroc), float(average_precision_score(labels, scores)), float(f1.max())


def aupro(maps: NDArray[np.floating], masks: NDArray[np.bool_], limit: float = FPR_LIMIT) -> float:
    """Area under per-region overlap against false-positive rate up to ``limit``, over ``limit``.

    ``maps`` and ``masks`` are ``(N, H, W)``; regions are 8-connected. Ties share one threshold.
    """
    weight = np.concatenate([_region_weights(m).ravel() for m in masks])
    weight /= weight.sum()
    negative = ~masks.ravel()
    order = np.argsort(-maps.ravel(), kind="stable")
    value = maps.ravel()[order]
    last_of_tie = np.append(value[1:] != value[:-1], True)
    overlap = np.cumsum(weight[order])[last_of_tie]
    fpr = np.cumsum(negative[order], dtype=np.float64)[last_of_tie] / max(1, negative.sum())
    overlap, fpr = np.append(0.0, overlap), np.append(0.0, fpr)
    at_limit = np.interp(limit, fpr, overlap)
    inside = fpr < limit
    curve = np.append(overlap[inside], at_limit)
    return float(np.trapezoid(curve, np.append(fpr[inside], limit)) / limit)


def _region_weights(mask: Mask) -> NDArray[np.float64]:
    """1 / area inside each region: their sum over a picture is its number of regions."""
    count, regions = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    areas = np.bincount(regions.ravel(), minlength=count).astype(np.float64)
    per_region = np.append(0.0, 1 / areas[1:])
    return per_region[regions]
