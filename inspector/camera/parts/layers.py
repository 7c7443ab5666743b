"""Arithmetic on canvas layers, float32 throughout: blend, blur, move, smooth noise."""

import cv2
import numpy as np
from numpy.typing import ArrayLike

from inspector.camera.parts.surface import Grid, Layer

LEAST_SIGMA_PX = 0.4  # what a pixel itself blurs


def f32(values: ArrayLike) -> Layer:
    """``values`` as a layer; no copy where they are float32 already."""
    return np.asarray(values, np.float32)


def blend(under: Layer, over: ArrayLike, alpha: Layer) -> Layer:
    """``under`` with ``over`` on it as far as ``alpha`` (S, S) says."""
    weight = alpha[..., None] if under.ndim == 3 else alpha
    return f32(under + f32(weight) * (f32(over) - under))


def grey(colour: Layer) -> Layer:
    """The mean of three channels; numpy's own takes a hundred times as long on so short an axis."""
    return f32(cv2.transform(colour, np.full((1, 3), 1 / 3, np.float32)))


def blurred(layer: Layer, grid: Grid, sigma: float) -> Layer:
    """Gaussian blur, ``sigma`` in widths."""
    return f32(cv2.GaussianBlur(layer, (0, 0), max(sigma * grid.size, LEAST_SIGMA_PX)))


def moved(layer: Layer, grid: Grid, dx: float, dy: float, border: float = 0) -> Layer:
    """The layer shifted by (dx, dy) widths; ``border`` comes in from outside."""
    shift = f32([[1, 0, dx * grid.size], [0, 1, dy * grid.size]])
    return f32(cv2.warpAffine(layer, shift, (grid.side, grid.side), borderValue=(border,) * 4))


def smooth_noise(rng: np.random.Generator, grid: Grid, cells: int) -> Layer:
    """Noise around 0, unit variance at its nodes, ``cells`` nodes across, ``(S, S)``."""
    nodes = rng.standard_normal((cells, cells), np.float32)
    return f32(cv2.resize(nodes, (grid.side, grid.side), interpolation=cv2.INTER_CUBIC))
