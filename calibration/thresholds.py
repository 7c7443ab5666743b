"""Where good ends: thresholds from good parts, at a wanted false-reject rate.

Of good parts there are plenty and of defects few, and people can name the share of good parts
they accept to reject. So the threshold of a product is a quantile of its good scores.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.area import Area, score_inside
from calibration.recipe import Threshold
from engine.detector import Detector
from engine.files import sha256_of
from engine.pictures import list_pictures, read_picture
from engine.types import InputError, Prediction

LEAST_GOODS = 10
CONFIDENCE = 0.95
TAIL_SHARE = 0.1  # the tail is fitted to the top decile,
TAIL_LEAST = 5  # or to this many points where a decile has fewer

Scores = NDArray[np.float64]
Progress = Callable[[Sequence[Path], str], Iterable[Path]]


@dataclass(frozen=True, slots=True)
class Quantile:
    """An estimated quantile and its 95 % confidence interval, in the unit of the scores."""

    value: float
    low: float
    high: float


def from_goods(
    scores: ArrayLike, false_reject_rate: float, taught: int = 0, left_out: int = 0
) -> Threshold:
    """The threshold of one product from the raw scores ``(n,)`` of good parts the model does not
    know, or as it would score them if it did not (``taught`` of them); ``left_out`` more it knows,
    and nothing says what it would.

    The map has the score's unit and the score is a mean of the map's strongest places, so one
    limit serves both: a part over it shows at least one place over it, and never an NG without
    a region to look at. :class:`InputError` for fewer than ten goods, a score that is no number,
    or a rate outside 0 to 1.
    """
    if not 0 < false_reject_rate < 1:
        raise InputError(
            f"A false-reject rate of {false_reject_rate} is none: choose one between 0 and 1, "
            "such as 0.01."
        )
    goods = _checked(scores)
    score = quantile(goods, false_reject_rate)
    return Threshold(
        score=score.value,
        map=score.value,
        interval=(score.low, score.high),
        false_reject_rate=false_reject_rate,
        goods=len(goods),
        taught=taught,
        left_out=left_out,
    )


def quantile(goods: Scores, rate: float) -> Quantile:
    """The value that a share ``rate`` of good parts exceeds, from sorted ``goods``.

    Enough goods: the order statistic x_(k), k = ceil((n + 1)(1 - rate)). A new good part of the
    same process exceeds it with probability at most ``rate``, whatever the distribution (split
    conformal prediction: Lei et al., JASA 2018; the rank is Wilks's, 1941). It exists from
    n = 1/rate - 1 on. Fewer goods: :func:`tail_quantile`, since the largest of few is no quantile.

    The interval is that of order statistics (Hahn & Meeker, Statistical Intervals, ch. 5), where
    the goods reach so far, and the fitted tail's beyond.
    """
    n = len(goods)
    rank = int(np.ceil((n + 1) * (1 - rate) - 1e-9))
    tail = tail_quantile(goods, rate)
    if rank > n:
        return tail
    value = float(goods[rank - 1])
    lower, upper = interval_ranks(n, 1 - rate)
    low = float(goods[lower - 1]) if lower >= 1 else float(goods[0])
    high = float(goods[upper - 1]) if upper <= n else max(float(goods[-1]), tail.high)
    return Quantile(value, min(low, value), max(high, value))


def interval_ranks(n: int, p: float) -> tuple[int, int]:
    """Ranks l, u (from 1) with P(x_(l) <= the p-quantile <= x_(u)) of at least 95 %.

    The number of goods below the quantile is binomial (n, p): l is the largest rank with
    P(B < l) <= 2.5 %, u the smallest with P(B >= u) <= 2.5 %. l = 0 or u = n + 1 says that the
    sample does not reach so far.
    """
    below = np.cumsum(_binomial(n, p))  # below[b] = P(B <= b)
    miss = (1 - CONFIDENCE) / 2
    lower = int(np.searchsorted(below, miss, side="right"))
    upper = int(np.searchsorted(below, 1 - miss, side="left")) + 1
    return lower, upper


def tail_quantile(goods: Scores, rate: float) -> Quantile:
    """The quantile by peaks over threshold, from sorted ``goods`` too few to reach it.

    What exceeds a high level u follows a generalised Pareto law (Balkema & de Haan 1974, Pickands
    1975); its shape cannot be estimated from a handful of points and is set to 0, the exponential
    tail of every light-tailed law. With k points above u and b their mean excess, a share ``rate``
    exceeds u + b ln(k / (n rate)). The interval takes ln b as normal with variance 1/k, its
    large-sample law; the level's own uncertainty is left out.

    The result is never below the largest good: no good part that was seen is rejected.
    """
    n = len(goods)
    k = min(max(int(np.ceil(TAIL_SHARE * n)), TAIL_LEAST), n - 1)
    level = float(goods[n - k - 1])
    scale = float(np.mean(goods[n - k :]) - level)
    reach = max(float(np.log(k / (n * rate))), 0.0)
    doubt = float(np.exp(1.96 / np.sqrt(k)))
    least = float(goods[-1])
    value = max(level + scale * reach, least)
    low = level + scale / doubt * reach
    return Quantile(value, min(low, value), max(level + scale * doubt * reach, value))


def calibrate_folder(
    detector: Detector,
    folder: Path,
    product: str,
    false_reject_rate: float,
    progress: Progress = lambda items, _: items,
    known: Mapping[str, float | None] = MappingProxyType({}),
    drawn: Threshold | None = None,
) -> Threshold:
    """The threshold of ``product`` from a folder of good parts; area and smallest region are those
    that were ``drawn`` before, and so is the mask under which it is measured.

    What the model was made from is ``known``, by the hash of its file: such a part counts with the
    score that training gave it as a stranger, and not at all where there is none. That score is of
    the whole picture, so that under a mask such a part does not count either. A picture that cannot
    be read, or is not of the area's size, is an :class:`InputError`: a quantile of what is left
    over would say less than it seems to.
    """
    detector.plan.code(product)
    scored = _Scored(drawn.area if drawn else None)
    new, taught, left_out = [], [], 0
    for path in progress(list_pictures(folder), f"calibrating {product}"):
        content = sha256_of(path)
        if content not in known:
            new.append(scored(detector.detect(read_picture(path), product), path))
        elif (score := known[content]) is not None and not scored.masked:
            taught.append(score)
        else:
            left_out += 1
    try:
        limit = from_goods([*new, *taught], false_reject_rate, len(taught), left_out)
    except InputError as error:
        raise InputError(f"{folder}: {error}{_without(left_out, scored.masked)}") from error
    if drawn is None:
        return limit
    return limit.model_copy(update={"area": drawn.area, "min_area_px": drawn.min_area_px})


class _Scored:
    """The score that a station would judge by, under an area."""

    def __init__(self, area: Area | None) -> None:
        self._area = area
        self._inside = area.inside() if area is not None and area.has_mask else None

    @property
    def masked(self) -> bool:
        return self._inside is not None

    def __call__(self, prediction: Prediction, path: Path) -> float:
        if self._area is not None and not self._area.fits(prediction):
            height, width = prediction.map.shape
            raise InputError(
                f"{path} has {width} × {height} pixels, the area of {prediction.product} is for "
                f"{self._area.width} × {self._area.height}: draw it anew for these pictures."
            )
        return score_inside(prediction, self._inside)


def _without(left_out: int, masked: bool) -> str:
    if not left_out:
        return ""
    if masked:
        return (
            f" {left_out} more taught the model, and what they score as strangers inside the area "
            "is not known: give other good parts."
        )
    return (
        f" {left_out} more taught the model, and what they score as strangers is not known (it is "
        "of f32 plans with the bundle's own refinement steps): give other good parts."
    )


def _checked(scores: ArrayLike) -> Scores:
    """Sorted scores, enough of them, all finite."""
    goods = np.sort(np.asarray(scores, np.float64).ravel())
    if len(goods) < LEAST_GOODS:
        raise InputError(
            f"{len(goods)} good parts say too little: a threshold needs at least {LEAST_GOODS}."
        )
    if not np.isfinite(goods).all():
        raise InputError("A good part has a score that is no number: look at the pictures.")
    return goods


def _binomial(n: int, p: float) -> Scores:
    """P(B = 0 .. n), by logarithms, so that no n is too large."""
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    b = np.arange(n + 1)
    log_ways = log_factorial[n] - log_factorial - log_factorial[::-1]
    return np.asarray(np.exp(log_ways + b * np.log(p) + (n - b) * np.log1p(-p)))
