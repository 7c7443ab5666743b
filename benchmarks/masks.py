"""What a mask does to scores and verdicts: the shipped bundle on simulated parts.

    python benchmarks/masks.py [--parts 50]

Makes the figures of docs/decisions/0022. A whole-picture mask has to leave every score as it is; a
region of interest round a defect, its verdict; an ignored one, nothing of it. A patch of noise, in
the corner farthest from the defect and ignored, shows what the graph itself makes of a defect where
something stranger lies beside it.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np

from calibration.area import Area, score_inside
from calibration.recipe import Threshold, read_recipe
from calibration.thresholds import from_goods
from engine.detector import Detector
from engine.types import Image, Mask, Prediction
from inspector.camera.parts.render import FAMILIES, part_seed, render
from inspector.demo.assets import RECIPE, cached_plan
from inspector.pipeline.verdict import judge

SIZE_PX = 256
PATCH_PX = 24
NEAR_PX, FAR_PX = 24, 48  # the graph averages over three of its places, 12 px; features see further
REPEATS = 200


@dataclass(frozen=True, slots=True)
class Seen:
    """One part: what the model said of it, and where its defect is."""

    image: Image
    prediction: Prediction
    mask: Mask

    @property
    def score(self) -> float:
        return self.prediction.score

    @property
    def peak(self) -> float:
        return float(self.prediction.map.max())


def looked_at(detector: Detector, product: str, parts: int) -> tuple[list[Seen], list[Seen]]:
    """As many good parts as defective ones, the kinds of defect in turn."""
    goods, bads = list[Seen](), list[Seen]()
    kinds = list(FAMILIES[product].defects)
    for i in range(2 * parts):
        kind = kinds[i // 2 % len(kinds)] if i % 2 else None
        part = render(product, SIZE_PX, part_seed("masks", 0, i), kind)
        seen = Seen(part.image, detector.detect(part.image, product), part.mask)
        (bads if kind else goods).append(seen)
    return goods, bads


def box(mask: Mask, round_px: int) -> tuple[tuple[int, int], ...]:
    """A rectangle round a defect, with so many pixels more on each side."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    last = SIZE_PX - 1
    left, top = max(x - round_px, 0), max(y - round_px, 0)
    right, bottom = min(x + width + round_px, last), min(y + height + round_px, last)
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def auroc(goods: Sequence[float], bads: Sequence[float]) -> float:
    good, bad = np.array(goods), np.array(bads)[:, None]
    return float((bad > good).mean() + (bad == good).mean() / 2)


def row(product: str, goods: list[Seen], bads: list[Seen], limit: Threshold) -> str:
    whole = np.ones((SIZE_PX, SIZE_PX), np.bool_)
    changed = max(abs(score_inside(s.prediction, whole) - s.score) for s in goods + bads)
    over = [s for s in bads if s.score > limit.score]
    kept = sum(_score(s, roi=(box(s.mask, NEAR_PX),)) > limit.score for s in over)
    near, far = (
        sum(_score(s, ignore=(box(s.mask, px),)) > limit.score for s in over)
        for px in (NEAR_PX, FAR_PX)
    )
    again = from_goods([s.peak for s in goods], 0.05).score
    plain = from_goods([s.score for s in goods], 0.05).score
    return (
        f"| {product} | {changed:.0e} | {kept}/{len(over)} | {near}, {far} of {len(over)} | "
        f"{sum(s.score > limit.score for s in goods)} → {sum(s.peak > limit.score for s in goods)} "
        f"of {len(goods)} | {auroc([s.score for s in goods], [s.score for s in bads]):.3f} → "
        f"{auroc([s.peak for s in goods], [s.peak for s in bads]):.3f} | "
        f"{sum(s.score <= plain for s in bads)} → {sum(s.peak <= again for s in bads)} "
        f"of {len(bads)} |"
    )


def beside(detector: Detector, product: str, bads: list[Seen], limit: Threshold) -> str:
    """Defects that are NG with a corner ignored: how many still are with a patch in that corner."""
    kept, shares = list[bool](), list[float]()
    for seen in bads:
        corner = _far_corner(seen.mask)
        area = Area(width=SIZE_PX, height=SIZE_PX, ignore=(box(corner, FAR_PX),))
        before = score_inside(seen.prediction, area.inside())
        if before <= limit.score or not (area.inside() & seen.mask).any():
            continue
        image = seen.image.copy()
        image[corner] = np.random.default_rng(0).integers(0, 256, (corner.sum(), 3), np.uint8)
        after = score_inside(detector.detect(image, product), area.inside())
        kept.append(after > limit.score)
        shares.append(after / before)
    low, middle = np.percentile(shares, [5, 50])
    return f"| {product} | {sum(kept)}/{len(kept)} | {middle:.2f} | {low:.2f} |"


def _far_corner(mask: Mask) -> Mask:
    """The patch in the corner farthest from the middle of a defect."""
    y, x = (float(places.mean()) for places in np.nonzero(mask))
    corner = np.zeros_like(mask)
    last = SIZE_PX - PATCH_PX
    top, left = (0 if at > SIZE_PX / 2 else last for at in (y, x))
    corner[top : top + PATCH_PX, left : left + PATCH_PX] = True
    return corner


def _score(seen: Seen, **polygons: tuple[tuple[tuple[int, int], ...], ...]) -> float:
    area = Area(width=SIZE_PX, height=SIZE_PX, **polygons)
    return score_inside(seen.prediction, area.inside())


def milliseconds(call: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1e3)
    return median(times)


def speed(side_px: int) -> str:
    """``judge`` on one map with two blobs in it, with and without a mask, and on a good one."""
    rng = np.random.default_rng(0)
    scores = cv2.GaussianBlur(rng.random((side_px, side_px), np.float32), (0, 0), 8)
    scores[50:90, 60:120] += 2
    scores[300:310, 200:290] += 1
    limit = Threshold(score=0.9, map=0.9, interval=(0.8, 1), false_reject_rate=0.01, goods=99)
    far = side_px - 10
    area = Area(
        width=side_px,
        height=side_px,
        roi=(((10, 10), (far, 10), (far, far), (10, far)),),
        ignore=(((400, 20), (480, 20), (480, 90), (440, 140), (400, 90)),),
    )
    masked = limit.model_copy(update={"area": area})
    bad, good = Prediction(1.5, scores, "disc", {}), Prediction(0.5, scores, "disc", {})
    found = [
        milliseconds(lambda p=p, t=t: judge(p, t)) for p in (bad, good) for t in (limit, masked)
    ]
    return (
        f"judge, {side_px} px: NG {found[0]:.2f} ms, with a mask {found[1]:.2f} ms; "
        f"OK {found[2]:.2f} ms, with a mask {found[3]:.2f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--parts", type=int, default=50, help="good ones a product, and as many bad"
    )
    parts = parser.parse_args().parts
    recipe = read_recipe(RECIPE)
    print(
        "| product | change by a whole mask | NG kept, ROI with 24 px | "
        "NG left, ignored with 24, 48 px | "
        "goods over the shipped limit, score → peak | AUROC, score → peak | "
        "missed at 5 % rejects, score → peak |\n|---|---|---|---|---|---|---|"
    )
    with Detector.open(cached_plan("openvino", "f32", print)) as detector:
        with_patch = []
        for product in FAMILIES:
            limit = recipe.threshold(product)
            goods, bads = looked_at(detector, product, parts)
            print(row(product, goods, bads, limit))
            with_patch.append(beside(detector, product, bads, limit))
    print(
        "| product | NG kept beside an ignored patch | score with it, share: median | 5 % |\n"
        "|---|---|---|---|",
        *with_patch,
        sep="\n",
    )
    print(speed(512))
    print(speed(2048))


if __name__ == "__main__":
    main()
