"""From numbers to a verdict: pure, and monotone in the score.

The threshold is data from the recipe; nothing here knows where it came from.
"""

import math
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.recipe import Threshold
from engine.types import Prediction, ScoreMap
from inspector.pipeline.inspection import Reason, Region, Verdict

Labels: TypeAlias = NDArray[np.int32]

MAX_REGIONS: Final = 64
"""The strongest regions kept of one picture. More is a spoilt part, which 64 rows say as well."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, why, and where: ``regions`` is sorted by peak, strongest first."""

    verdict: Verdict
    reason: Reason | None
    regions: tuple[Region, ...] = ()


def judge(prediction: Prediction, threshold: Threshold) -> Judgement:
    """NG above the score threshold, OK up to it, FAULT if the model's answer is no number.

    The score alone decides: an NG whose map shows no region is NG still, and an OK carries no
    regions, whatever single pixels of its map did.
    """
    if not (math.isfinite(prediction.score) and bool(np.isfinite(prediction.map).all())):
        return Judgement(Verdict.FAULT, Reason.INVALID_SCORE)
    if prediction.score > threshold.score:
        return Judgement(Verdict.NG, Reason.DEFECT, find_regions(prediction.map, threshold))
    return Judgement(Verdict.OK, None)


def find_regions(scores: ScoreMap, threshold: Threshold) -> tuple[Region, ...]:
    """Connected regions (8 neighbours) above ``threshold.map`` of ``min_area_px`` or more.

    At most :data:`MAX_REGIONS`, strongest peak first.
    """
    above = scores > threshold.map
    count, found, stats, _ = cv2.connectedComponentsWithStats(
        above.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S
    )
    labels = np.asarray(found, np.int32)
    peaks = np.full(count, -np.inf, np.float32)
    np.maximum.at(peaks, labels[above], scores[above])
    large = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] >= threshold.min_area_px)
    large = large[large != 0]  # label 0 is the background
    strongest = large[np.argsort(-peaks[large], kind="stable")][:MAX_REGIONS]
    return tuple(_region(labels, i, stats[i], float(peaks[i])) for i in strongest)


def _region(labels: Labels, label: int, stats: NDArray[Any], peak: float) -> Region:
    x, y, width, height, area_px = (int(value) for value in stats)
    inside = (labels[y : y + height, x : x + width] == label).astype(np.uint8)
    outlines, _ = cv2.findContours(
        inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(x, y)
    )
    contour = tuple((int(px), int(py)) for px, py in outlines[0].reshape(-1, 2))
    return Region(x, y, width, height, area_px, peak, contour)
