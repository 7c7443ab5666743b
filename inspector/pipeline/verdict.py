"""From numbers to a verdict: pure, and monotone in score, map, mask and threshold.

The threshold is data from the recipe; nothing here knows where it came from.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.area import score_inside
from calibration.recipe import Threshold
from engine.types import Mask, Prediction, ScoreMap
from inspector.pipeline.inspection import Reason, Region, Verdict

Labels: TypeAlias = NDArray[np.int32]

MAX_REGIONS: Final = 64
"""The strongest regions kept of one picture. More is a spoilt part, which 64 rows say as well."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, why, and where: ``regions`` is sorted by peak, strongest first.

    ``score`` is the one that met the threshold: of what the recipe's area leaves of the picture.
    None where the model's answer could not be judged.
    """

    verdict: Verdict
    reason: Reason | None
    regions: tuple[Region, ...] = ()
    score: float | None = None

    def score_of(self, prediction: Prediction) -> float:
        """The one score of a part, in its record, to the line and in a replay: the one judged, or
        the graph's own where none could be."""
        return prediction.score if self.score is None else self.score


def judge(prediction: Prediction, threshold: Threshold) -> Judgement:
    """NG above the score threshold, OK up to it, FAULT if the model's answer is no number or not
    of a picture of the recipe's size.

    The score of what lies inside the area decides: an NG whose map shows no region, or only small
    ones, is NG still. Where the recipe says outright that small regions do not count, one whose
    map shows some, and small ones only, is OK. An OK carries no regions, whatever single pixels of
    its map did. That is monotone in the map for a score that is no higher than the map's peak, as
    a mean of its strongest places is, and a ``map`` limit that is no higher than the score's.
    """
    if not (math.isfinite(prediction.score) and bool(np.isfinite(prediction.map).all())):
        return Judgement(Verdict.FAULT, Reason.INVALID_SCORE)
    if threshold.area is not None and not threshold.area.fits(prediction):
        return Judgement(Verdict.FAULT, Reason.WRONG_FORMAT)
    inside = _inside(threshold)
    score = score_inside(prediction, inside)
    if score <= threshold.score:
        return Judgement(Verdict.OK, None, score=score)
    regions = find_regions(prediction.map, threshold, inside, prediction.product)
    if threshold.ignores_small and not regions and _above(prediction.map, threshold, inside).any():
        return Judgement(Verdict.OK, None, score=score)
    return Judgement(Verdict.NG, Reason.DEFECT, regions, score)


def find_regions(
    scores: ScoreMap,
    threshold: Threshold,
    inside: Mask | None = None,
    product: str | None = None,
) -> tuple[Region, ...]:
    """Connected regions (8 neighbours) above ``threshold.map``, ``inside`` if given, of
    ``threshold.smallest_px`` pixels or more.

    At most :data:`MAX_REGIONS`, strongest peak first.
    """
    above = _above(scores, threshold, inside)
    count, found, stats, _ = cv2.connectedComponentsWithStats(
        above.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S
    )
    labels = np.asarray(found, np.int32)
    peaks = np.full(count, -np.inf, np.float32)
    np.maximum.at(peaks, labels[above], scores[above])
    large = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] >= threshold.smallest_px)
    large = large[large != 0]  # label 0 is the background
    strongest = large[np.argsort(-peaks[large], kind="stable")][:MAX_REGIONS]
    found_there = (_region(labels, i, stats[i], float(peaks[i])) for i in strongest)
    return tuple(_told(region, threshold, product) for region in found_there)


def _above(scores: ScoreMap, threshold: Threshold, inside: Mask | None) -> Mask:
    """Where the map is strange, by the recipe's limit for it."""
    above = scores > threshold.map
    return above if inside is None else above & inside


def _inside(threshold: Threshold) -> Mask | None:
    """None where the whole picture counts."""
    area = threshold.area
    return area.inside() if area is not None and area.has_mask else None


def _told(region: Region, threshold: Threshold, product: str | None) -> Region:
    """With what the map alone does not say: scale and product."""
    area_mm2 = None if threshold.area is None else threshold.area.mm2(region.area_px)
    return replace(region, area_mm2=area_mm2, product=product)


def _region(labels: Labels, label: int, stats: NDArray[Any], peak: float) -> Region:
    x, y, width, height, area_px = (int(value) for value in stats)
    inside = (labels[y : y + height, x : x + width] == label).astype(np.uint8)
    outlines, _ = cv2.findContours(
        inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(x, y)
    )
    contour = tuple((int(px), int(py)) for px, py in outlines[0].reshape(-1, 2))
    return Region(x, y, width, height, area_px, peak, contour)
