"""Soft shapes in which synthetic anomalies live: blobs, strokes, patches, islands of smooth noise.

Every shape is ``(side, side)`` float32 in [0, 1] and draws from the generator it is given.
"""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.types import Mask

Shape: TypeAlias = NDArray[np.float32]


def noise(side: int, cells: int, rng: np.random.Generator) -> Shape:
    """Smooth noise of about ``cells`` bumps across the picture, zero mean, unit deviation."""
    coarse = rng.standard_normal((cells + 3, cells + 3)).astype(np.float32)
    zoom = cv2.resize(coarse, None, fx=side / cells, fy=side / cells, interpolation=cv2.INTER_CUBIC)
    top, left = rng.integers(0, zoom.shape[0] - side + 1, 2)
    field = zoom[top : top + side, left : left + side]
    return (field - field.mean()) / (field.std() + 1e-6)


def islands(side: int, rng: np.random.Generator) -> Shape:
    """Where smooth noise is high, as DRAEM has it (Zavrtanik et al., ICCV 2021).

    Value noise, alike on both axes, within a window; DRAEM's is Perlin's gradient noise.
    """
    field = noise(side, int(2 ** rng.integers(1, 6)), rng)
    window = blob(side, rng, radius=(0.08, 0.35))
    return _soft(field - rng.uniform(0.4, 1.2)) * (window > 0.5)


def blob(side: int, rng: np.random.Generator, radius: tuple[float, float] = (0.012, 0.12)) -> Shape:
    """An irregular spot; ``radius`` is a range, log-uniform, as a share of the side."""
    mean_px = side * np.exp(rng.uniform(*np.log(radius)))
    centre = rng.uniform(0.05, 0.95, 2) * side
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    waves = [
        rng.normal(0, 0.16 / k) * np.cos(k * angles + rng.uniform(0, 6.3)) for k in range(2, 7)
    ]
    wobble = np.sum(waves, axis=0)
    squeeze = np.array([1.0, rng.uniform(0.45, 1.0)])
    points = np.stack([np.cos(angles), np.sin(angles)], 1) * squeeze * (1 + wobble)[:, None]
    turn = rng.uniform(0, np.pi)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return _filled(side, centre + mean_px * points @ rotation.T, soft_px=rng.uniform(0.4, 1.5))


def area(side: int, rng: np.random.Generator) -> Shape:
    """A large part of the picture: a turned rectangle, islands all over it, or a large blob."""
    draw = rng.integers(3)
    if draw == 0:
        return blob(side, rng, radius=(0.04, 0.2))
    if draw == 1:
        return _soft(noise(side, int(2 ** rng.integers(1, 6)), rng) - rng.uniform(0.5, 1.5))
    share, aspect = rng.uniform(0.01, 0.1), np.exp(rng.uniform(-1.1, 1.1))
    return _rectangle(side, side * np.sqrt([share * aspect, share / aspect]), (0.5, 1.0), rng)


def patch(side: int, rng: np.random.Generator) -> Shape:
    """A turned rectangle, CutPaste's patch or, when thin, its scar (Li et al., CVPR 2021)."""
    if rng.random() < 0.5:
        area, aspect = rng.uniform(0.002, 0.06), np.exp(rng.uniform(-1.1, 1.1))
        size = side * np.sqrt([area * aspect, area / aspect])
    else:
        size = side * np.array([rng.uniform(0.008, 0.05), rng.uniform(0.05, 0.22)])
    return _rectangle(side, size, (0.3, 1.0), rng)


def _rectangle(
    side: int, size: NDArray[np.float64], soft_px: tuple[float, float], rng: np.random.Generator
) -> Shape:
    """Anywhere, turned by any angle."""
    middle, angle = (rng.uniform(0, side), rng.uniform(0, side)), rng.uniform(0, 180)
    corners = cv2.boxPoints((middle, tuple(size), angle))
    return _filled(side, corners, rng.uniform(*soft_px))


def stroke(side: int, rng: np.random.Generator) -> Shape:
    """A wandering line of uneven width: the shape of scratches, cracks, threads and hairs."""
    steps = int(rng.integers(6, 40))
    jitter = rng.choice([0.04, 0.2, 0.7])
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, jitter, steps))
    length = side * np.exp(rng.uniform(np.log(0.05), np.log(0.6)))
    path = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1), 0) * length / steps
    path += rng.uniform(0.05, 0.95, 2) * side - path.mean(0)
    width = side / 256 * np.exp(rng.uniform(np.log(0.7), np.log(4.0)))
    canvas = np.zeros((side, side), np.float32)
    cv2.polylines(
        canvas,
        [np.round(path * 16).astype(np.int32)],
        isClosed=False,
        color=1.0,
        thickness=max(1, round(width)),
        lineType=cv2.LINE_8,
        shift=4,
    )
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), 0.5 + 0.2 * width), np.float32)


def grey(picture: NDArray[np.float32]) -> Shape:
    """The mean over channels of ``(side, side, 3)``, fifty times as fast as numpy's."""
    return np.asarray(cv2.transform(picture, np.full((1, 3), 1 / 3, np.float32)), np.float32)


def feature(picture: Shape, rng: np.random.Generator) -> tuple[int, int]:
    """A place (x, y) drawn as often as there is something to see: where grey levels change."""
    side = picture.shape[0]
    smooth = cv2.GaussianBlur(picture, (0, 0), side / 128)
    slope = np.hypot(cv2.Sobel(smooth, -1, 1, 0), cv2.Sobel(smooth, -1, 0, 1))
    weight = cv2.GaussianBlur(slope, (0, 0), side / 64).ravel().astype(np.float64) + 1e-9
    y, x = divmod(int(rng.choice(weight.size, p=weight / weight.sum())), side)
    return x, y


def inside(mask: Mask, rng: np.random.Generator) -> tuple[int, int]:
    """A place (x, y) drawn from the mask; from anywhere where it is empty."""
    places = np.flatnonzero(mask) if mask.any() else np.arange(mask.size)
    y, x = divmod(int(rng.choice(places)), mask.shape[1])
    return x, y


def moved(shape: Shape, to: tuple[int, int]) -> Shape:
    """The shape with its centre of mass at ``to``; empty shapes stay."""
    ys, xs = np.nonzero(shape > 0.3)
    if not len(xs):
        return shape
    step = np.array([[1, 0, to[0] - xs.mean()], [0, 1, to[1] - ys.mean()]])
    return np.asarray(cv2.warpAffine(shape, step, shape.shape[::-1]), np.float32)


def reach(shape: Shape) -> int:
    """The longer side of the shape's box, in pixels; 1 for an empty one."""
    ys, xs = np.nonzero(shape > 0.3)
    return int(max(np.ptp(xs), np.ptp(ys)) + 1) if len(xs) else 1


def _filled(side: int, points: ArrayLike, soft_px: float) -> Shape:
    canvas = np.zeros((side, side), np.float32)
    cv2.fillPoly(canvas, [np.round(16 * np.asarray(points)).astype(np.int32)], 1.0, shift=4)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), soft_px), np.float32)


def _soft(field: Shape) -> Shape:
    return np.clip(field * 4 + 0.5, 0, 1).astype(np.float32)
