"""Metrics of the field, per product, exact: every distinct value is a threshold.

Image figures are scikit-learn's. Pixel figures are summed from the largest value down, in memory
that does not grow with the pictures, as scikit-learn's would not be; AUROC, AP (step-wise) and
F1-max are tested to be the same. AUPRO: Bergmann et al., IJCV 2021, where the usual sweep over 200
thresholds and equal-width histograms go wrong on saturated maps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from training.pixels import Pixels

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
    scores: Sequence[float], labels: Sequence[bool], pixels: Pixels | None = None
) -> Metrics:
    """Image figures over ``scores``; pixel figures over ``pixels``, where there are defects."""
    image = _ranking(np.asarray(labels), np.asarray(scores))
    if pixels is None or not pixels.inside:
        return Metrics(*image, None, None, None, None)
    return Metrics(*image, *_pixel_figures(pixels))


def _ranking(
    labels: NDArray[np.bool_], scores: NDArray[np.floating]
) -> tuple[float | None, float | None, float | None]:
    if labels.all() or not labels.any():
        return None, None, None
    precision, recall, _ = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    auroc = roc_auc_score(labels, scores)
    return float(auroc), float(average_precision_score(labels, scores)), float(f1.max())


def auroc_error(auroc: float, good: int, bad: int) -> float:
    """One standard error of an AUROC over that many good and bad ones, were others drawn like them:
    Hanley and McNeil, Radiology 1982. 0 where all are told apart, which is no certainty."""
    two_bad, two_good = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    spread = (bad - 1) * (two_bad - auroc**2) + (good - 1) * (two_good - auroc**2)
    return float(np.sqrt((auroc * (1 - auroc) + spread) / (good * bad)))


def _pixel_figures(pixels: Pixels, limit: float = FPR_LIMIT) -> tuple[float, float, float, float]:
    """AUROC, AP, F1-max, and the area under per-region overlap against false-positive rate up to
    ``limit``, over ``limit``."""
    auroc = ap = f1 = pro = 0.0
    hits = alarms = overlap = np.zeros(1)
    for rows in pixels.falling():
        hits, alarms, overlap = (
            np.cumsum(np.append(before[-1], rows[name]))
            for before, name in ((hits, "inside"), (alarms, "outside"), (overlap, "overlap"))
        )
        recall, fpr = hits / pixels.inside, alarms / max(1.0, pixels.outside)
        precision = hits[1:] / (hits + alarms)[1:]
        auroc += float(np.trapezoid(recall, fpr))
        ap += float(np.sum(np.diff(recall) * precision))
        f1 = max(f1, float(np.max(2 * hits[1:] / (hits + alarms + pixels.inside)[1:])))
        pro += _area_until(limit, fpr, overlap / pixels.regions)
    return auroc, ap, f1, pro / limit


def _area_until(limit: float, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Under the part of a curve, ``x`` rising, that lies left of ``limit``."""
    at_limit = np.interp(limit, x, y)
    return float(np.trapezoid(np.where(x <= limit, y, at_limit), np.minimum(x, limit)))
