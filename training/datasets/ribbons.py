"""Long soft shapes: bands and cracks that cross a picture, and the edge of another half.

As in :mod:`training.datasets.shapes`: ``(side, side)`` float32 in [0, 1], explicit generators.
"""

import cv2
import numpy as np

from training.datasets.shapes import Shape

Range = tuple[float, float]

HAIR, FINE, GAP = (0.004, 0.010), 0.014, 0.04  # of a side


def band(side: int, rng: np.random.Generator) -> Shape:
    """A stripe with soft flanks: what rolling, drawing and wiping leave."""
    drawn = _ribbon(side, rng, length=(0.3, 1.3), width=(0.012, 0.12), bend=0.08)
    return _blurred(drawn, rng.uniform(0.6, 2.5))


def crack(side: int, rng: np.random.Generator, widest: float = GAP) -> Shape:
    """A wandering line, of a hair's width up to ``widest``, now and then with a branch."""
    bend = float(rng.choice([0.1, 0.25, 0.4]))
    drawn = _ribbon(side, rng, length=(0.3, 1.4), width=(HAIR[0], widest), bend=bend)
    if rng.random() < 0.3:
        branch = _ribbon(side, rng, length=(0.2, 0.7), width=HAIR, bend=0.3)
        drawn = np.maximum(drawn, branch)
    return _blurred(drawn, rng.uniform(0.5, 0.9))


def beyond(side: int, rng: np.random.Generator) -> Shape:
    """Everything beyond an uneven edge: a break, a part that ends too early."""
    turn = rng.normal(0, 0.15) + rng.integers(4) * np.pi / 2
    y, x = np.mgrid[:side, :side] / side - 0.5
    across, along = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    wander = np.cumsum(rng.normal(0, 0.012, 24))
    edge = rng.uniform(0.05, 0.42) + np.interp(along, np.linspace(-0.8, 0.8, 24), wander)
    steepness = side / rng.uniform(0.5, 2)
    return np.asarray(np.clip((across - edge) * steepness + 0.5, 0, 1), np.float32)


def _ribbon(side: int, rng: np.random.Generator, length: Range, width: Range, bend: float) -> Shape:
    """A path of uneven width, of so many sides' length; half of them run along the picture."""
    steps = int(rng.integers(12, 40))
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, bend, steps))
    if rng.random() < 0.5:
        heading += rng.choice([0, np.pi / 2]) + rng.normal(0, 0.1) - heading.mean()
    stride = side * rng.uniform(*length) / steps
    path = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1), 0) * stride
    path += rng.uniform(0, side, 2) - path.mean(0)
    swell = np.convolve(rng.normal(0, 0.5, steps + 4), np.full(5, 0.2), "valid")
    widths = np.exp(swell + rng.uniform(*np.log(width))) * side
    canvas = np.zeros((side, side), np.float32)
    fixed = [tuple(int(v) for v in point) for point in np.round(path * 8)]  # 3 bits of fraction
    for start, end, wide in zip(fixed[:-1], fixed[1:], widths, strict=False):
        cv2.line(canvas, start, end, 1.0, max(1, round(wide)), cv2.LINE_8, 3)
    return canvas


def _blurred(shape: Shape, sigma_px: float) -> Shape:
    return np.asarray(cv2.GaussianBlur(shape, (0, 0), sigma_px), np.float32)
