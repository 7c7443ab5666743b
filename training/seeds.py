"""One generator for every draw, named: two uses of one seed never see the same numbers."""

import zlib

import numpy as np
import torch


def stream(seed: int, name: str, *indices: int) -> np.random.Generator:
    """A numpy generator of its own for (seed, name, indices)."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), *indices])


def torch_stream(seed: int, name: str, *indices: int) -> torch.Generator:
    """The same for torch."""
    return torch.Generator().manual_seed(int(stream(seed, name, *indices).integers(2**63)))
