"""The step's weights in the order that the kernel reads them.

C channels, 9 taps row by row. ``mma.m16n8k16`` wants of its right operand, from lane 4 g + t, the
input channels 2 t, 2 t + 1, 2 t + 8 and 2 t + 9 of output channel g (PTX ISA, "Matrix Fragments for
mma.m16n8k16"): packed so, a warp reads its weights in one go.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Weights: TypeAlias = NDArray[np.float32]

SOURCE = Path(__file__).with_name("diffusion_step.cu")
CHANNELS = (16, 32)
"""Of the denoisers that the kernel is compiled for."""
TILE = {16: 16, 32: 12}
"""Side in pixels of the piece that a block makes, by channels."""
THREADS = 256
TAPS = 9


def by_tap(weight: Weights) -> Weights:
    """A convolution from or to one channel, ``(C, 1, 3, 3)`` or ``(1, C, 3, 3)``: ``(9, C)``."""
    return np.ascontiguousarray(weight.reshape(-1, TAPS).T)


def by_lane(weight: Weights) -> NDArray[np.float16]:
    """A convolution ``(C, C, 3, 3)``, out before in: ``(9, C/16, C/8, 32, 2, 2)``."""
    channels = len(weight)
    # out = 8 * block + g; in = 16 * block + 8 * half + 2 * t + odd
    parts = weight.reshape(channels // 8, 8, channels // 16, 2, 4, 2, TAPS)
    lanes = parts.transpose(6, 2, 0, 1, 4, 3, 5)
    shape = (TAPS, channels // 16, channels // 8, 32, 2, 2)
    return np.ascontiguousarray(lanes.reshape(shape), np.float16)


ORDER: Mapping[str, Callable[[Weights], NDArray[Any]]] = {
    "from_x.weight": by_tap,
    "conv2.weight": by_lane,
    "conv2.bias": np.asarray,
    "conv3.weight": by_lane,
    "conv3.bias": np.asarray,
    "last.weight": by_tap,
    "last.bias": np.asarray,
}
"""The denoiser's weights as the kernel takes them, and how each is packed."""


def packed(weights: Mapping[str, Weights]) -> dict[str, NDArray[Any]]:
    """The kernel's weights in its order, of a denoiser's by their names."""
    return {name: pack(weights[name]) for name, pack in ORDER.items()}


def grid(channels: int, side: int, pictures: int) -> tuple[int, int, int]:
    """Blocks across, down and deep for maps of ``side`` pixels."""
    tiles = -(-side // TILE[channels])
    return tiles, tiles, pictures
