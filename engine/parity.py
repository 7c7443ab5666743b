"""The parity gate: a plan has to say what its bundle says, or it is not put into service.

Scores that change after export are what users of other tools complain of most. So every plan is
asked about the bundle's golden pictures, when it is built and whenever it is opened for a line.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.bundle import Bundle
from engine.golden import Golden
from engine.manifest import Manifest, Precision, Size
from engine.reference import reference
from engine.runtimes.base import Answers, Images, Runtime, in_turns
from engine.types import BundleError

CLOUDS = 4
NARROW = 0.1


class Ranges(NamedTuple):
    """Of the expected scores and maps of each picture's product: ``(G,)`` each."""

    score: NDArray[np.float32]
    map: NDArray[np.float32]


class Limit(NamedTuple):
    """Largest difference that a plan may show, as shares of the range that is expected of a
    product's values: of a score, of all but :data:`FEW` of a map's places, and of any place."""

    score: float
    map: float
    place: float


FEW = 0.01
LIMITS: Mapping[Precision, Limit] = {
    "f32": Limit(score=1e-3, map=1e-3, place=1e-2),
    "f16": Limit(score=1e-2, map=1e-1, place=1e-1),
    "bf16": Limit(score=1e-2, map=1e-1, place=1e-1),
    "int8": Limit(score=5e-2, map=1e-1, place=2.5e-1),
}
"""f32 plans stay near 1e-6, but for places whose nearest two tokens are equally far: rounding takes
the other one, and a map of a real model moved by 1.6e-3 there, in 21 of 36864 places by more than
1e-3. bf16 moved single places by up to 6e-2. A score is a mean of many, and has to stay closer."""

ON_THE_LIMIT = 0.1
"""Share of a score's tolerance within which it stands on its limit, and may fall on either side: a
limit can be a good part's own score."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a plan is from what was expected of some ``pictures``; ``flips`` are those whose
    verdict differs.

    ``score``, ``map`` and ``place`` are differences as in :class:`Limit`; ``auroc`` is the
    difference in separating goods from defects, None where there are not both. It refuses nothing:
    of a few pictures it changes with one score that passes its equal.
    """

    pictures: int
    score: float
    map: float
    place: float
    auroc: float | None = None
    flips: tuple[int, ...] = ()

    def fault(self, precision: Precision) -> str:
        """What is wrong with it, in words; nothing where it may be put into service."""
        limit = LIMITS[precision]
        if not self.score <= limit.score:  # so that NaN is refused, too
            return f"its scores differ by {self.score:.1e} of their range, over {limit.score:.0e}"
        if not self.map <= limit.map:
            return f"its maps differ by {self.map:.1e} of their range, over {limit.map:.0e}"
        if not self.place <= limit.place:
            return f"a map differs by {self.place:.1e} of its range, over {limit.place:.0e}"
        if self.flips:
            return f"its verdict differs on golden picture {', '.join(map(str, self.flips))}"
        return ""


def expected(bundle: Bundle, steps: int, codes: Sequence[int] | None = None) -> Golden:
    """What a plan of ``steps`` refinement steps, for some products or for all, has to answer.

    The golden answers are torch's own, for the bundle's default steps. Other numbers of steps, and
    bundles without golden pictures, are answered by the bundle's graphs one after the other; such a
    bundle is asked about clouds. :class:`BundleError` where those give no such answers.
    """
    golden = bundle.golden
    if golden is not None and codes is not None and not len(golden.of(codes)):
        golden = None  # it shows none of these
    if golden is not None and steps == bundle.manifest.refinement.default_steps:
        return golden if codes is None else golden.narrowed(codes)
    asked = _clouds(bundle.manifest, codes) if golden is None else golden
    maps, scores = reference(bundle, steps, asked.image, asked.product)
    said = bundle.manifest
    try:
        found = replace(asked, map=maps, score=scores)
        found = found.checked(said.input, said.map, len(said.products))
        return found if codes is None else found.narrowed(codes)
    except ValueError as error:
        raise BundleError(
            f"The graphs of {bundle.folder} do not answer as its manifest says: {error}; export "
            "the bundle again."
        ) from error


def measure(
    runtime: Runtime,
    golden: Golden,
    limits: NDArray[np.float64] | None = None,
    products: Collection[int] | None = None,
) -> Parity:
    """Ask an open runtime about every golden picture, or those of some ``products`` where there are
    any, one at a time as a line does.

    ``limits (P,)`` are the scores by product above which a part is NG; NaN where there is none.
    """
    asked = golden if products is None else golden.of(products)
    asked = asked if len(asked) else golden  # an older bundle has none of some: better these
    found = in_turns(runtime.infer, asked.image, asked.product)
    parity = compared(found, asked)
    if limits is None:
        return parity
    margin = ON_THE_LIMIT * LIMITS[runtime.precision].score * ranges_of(asked).score
    return replace(parity, flips=_flips(found[1], asked, limits[asked.product], margin))


def _flips(
    scores: NDArray[np.float32],
    golden: Golden,
    limit: NDArray[np.float64],
    margin: NDArray[np.float32],
) -> tuple[int, ...]:
    """Pictures on which the verdict is another, but for scores that stand on their limit."""
    verdicts = (scores > limit) != (golden.score > limit)
    on_it = np.maximum(np.abs(scores - limit), np.abs(golden.score - limit)) <= margin
    return tuple(int(i) for i in np.flatnonzero(verdicts & ~on_it & np.isfinite(limit)))


def ranges_of(golden: Golden) -> Ranges:
    """Of the expected scores and maps, product by product: a loud one excuses no quiet one.

    That of scores is at least :data:`NARROW` of the maps', which have the same unit: clouds and
    overlooked defects score alike, and a share of next to nothing would say nothing.
    """
    score, of_map = np.ones(len(golden), np.float32), np.ones(len(golden), np.float32)
    for code in np.unique(golden.product):
        shows = golden.product == code
        width = np.ptp(golden.map[shows])
        flat = np.float32(1)  # is taken as it is
        of_map[shows] = width or flat
        score[shows] = max(np.ptp(golden.score[shows]), NARROW * width) or flat
    return Ranges(score, of_map)


def compared(found: Answers, golden: Golden) -> Parity:
    """How far the answers are from the expected ones, as shares of their ranges;
    :class:`BundleError` where they have another shape."""
    for mine, theirs in zip(found, golden.answers, strict=True):
        if mine.shape != theirs.shape:
            raise BundleError(
                f"The plan answers with {mine.shape} where its bundle says {theirs.shape}: export "
                "the bundle again."
            )
    maps, scores = (np.abs(f - e) for f, e in zip(found, golden.answers, strict=True))
    ranges = ranges_of(golden)
    places = maps.reshape(len(golden), -1)
    mostly = np.quantile(places, 1 - FEW, axis=1, method="higher")
    both = bool(golden.defective.any() and not golden.defective.all())
    return Parity(
        pictures=len(golden),
        score=float((scores / ranges.score).max()),
        map=float((mostly / ranges.map).max()),
        place=float((places.max(axis=1) / ranges.map).max()),
        auroc=abs(_auroc(found[1], golden) - _auroc(golden.score, golden)) if both else None,
    )


def require(parity: Parity, precision: Precision, what: str, mend: str) -> None:
    """:class:`BundleError` where a plan may not be put into service."""
    if fault := parity.fault(precision):
        raise BundleError(f"{what} answers otherwise than its bundle: {fault}; {mend}.")


def cloud_pictures(size: Size, count: int, rng: np.random.Generator) -> Images:
    """Clouds with grain: ``(count, H, W, 3)`` uint8, smooth and rough at once."""
    shape = (size.width, size.height)
    clouds = [
        cv2.resize(rng.uniform(0, 255, (6, 6, 3)), shape, interpolation=cv2.INTER_CUBIC)
        for _ in range(count)
    ]
    grain = rng.normal(0, 8, (count, size.height, size.width, 3))
    return np.clip(np.stack(clouds) + grain, 0, 255).astype(np.uint8)


def _clouds(said: Manifest, codes: Sequence[int] | None) -> Golden:
    """Pictures for a bundle that has no golden ones, of each product one at least; the answers are
    still to come."""
    known = np.arange(len(said.products)) if codes is None else np.array(codes)
    count = max(CLOUDS, len(known))
    return Golden(
        image=cloud_pictures(said.input, count, np.random.default_rng(0)),
        product=np.resize(known.astype(np.int64), count),
        defective=np.zeros(count, bool),
        map=np.zeros((count, said.map.height, said.map.width), np.float32),
        score=np.zeros(count, np.float32),
    )


def _auroc(scores: NDArray[np.float32], golden: Golden) -> float:
    """Share of pairs of a good and a defective picture in which the defective scores higher."""
    goods, defects = scores[~golden.defective], scores[golden.defective]
    higher = defects[:, None] > goods[None]
    ties = defects[:, None] == goods[None]
    return float((higher + 0.5 * ties).mean())
