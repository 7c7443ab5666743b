"""The pictures that training sees: good parts in slightly other light, spoilt or not.

Each is drawn from its own seed, so that it is the same whenever, wherever and in whichever process
it is drawn. Drawing takes milliseconds of a CPU, which would keep a GPU waiting: :func:`ahead` has
other processes draw those of the steps to come.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from engine.types import Image, Mask
from training.config import DamageConfig
from training.datasets.synthesis import ANYWHERE, spoil, vary
from training.seeds import stream
from training.setting import usable_cores

AHEAD = 2  # steps that each process draws ahead
MOST = 8  # processes: these draw more than a GPU takes, and each holds the goods


@dataclass(frozen=True, slots=True)
class Good:
    """One good training picture in memory: ``id`` is what the bank's owners refer to, ``taken_px``
    the side it had before it was brought to the model's size, where that is known."""

    id: int
    product: int
    image: Image
    taken_px: int | None = None


class Drawn(NamedTuple):
    """Pictures before they are looked at: clean and spoilt ``(B, H, W, 3)`` uint8, where they are
    spoilt ``(B, H, W)``, and of each its product and its good part's id ``(B,)``."""

    clean: Tensor
    spoilt: Tensor
    mask: Tensor
    product: Tensor
    owner: Tensor


class _Row(NamedTuple):
    clean: Image
    spoilt: Image
    mask: Mask
    product: int
    owner: int


@dataclass(frozen=True)
class Pictures(Dataset[_Row]):
    """Draws any row; ``donors`` are what an anomaly may borrow its texture from."""

    goods: Sequence[Good]
    donors: Sequence[Image]
    seed: int
    clean_share: float
    damage: DamageConfig = ANYWHERE

    def __getitem__(self, row: int) -> _Row:
        """A good part in slightly other light, spoilt or, as often as ``clean_share``, not."""
        rng = stream(self.seed, "cache", row)
        good = self.goods[int(rng.integers(len(self.goods)))]
        donor = self.donors[int(rng.integers(len(self.donors)))]
        clean = vary(good.image, rng)
        if rng.random() < self.clean_share:
            return _Row(clean, clean, np.zeros(clean.shape[:2], bool), good.product, good.id)
        synthetic = spoil(clean, donor, rng, self.damage, good.taken_px)
        return _Row(clean, synthetic.image, synthetic.mask, good.product, good.id)

    def draw(self, rows: Iterable[int]) -> Drawn:
        """The rows asked for, in this process."""
        return _together([self[int(row)] for row in rows])


def ahead(
    pictures: Pictures, wanted: Iterable[NDArray[np.integer]], processes: int
) -> Iterator[Drawn]:
    """For each set of rows its pictures, drawn in ``processes`` others before they are asked for.

    Leaving the iterator ends them.
    """
    loader = DataLoader(
        pictures,
        batch_sampler=_Lists(wanted),
        num_workers=processes,
        collate_fn=_together,
        prefetch_factor=AHEAD,
        worker_init_fn=_alone,
        multiprocessing_context="spawn",
        pin_memory=torch.cuda.is_available(),
    )
    yield from loader


def processes_here() -> int:
    """As many as there are cores to spare, of those that this process has to itself, or enough."""
    sharing = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(MOST, usable_cores() // sharing - 1))


@dataclass(frozen=True)
class _Lists:
    """Sets of rows as lists, which is what a loader takes."""

    wanted: Iterable[NDArray[np.integer]]

    def __iter__(self) -> Iterator[list[int]]:
        return (rows.tolist() for rows in self.wanted)


def _together(rows: Sequence[_Row]) -> Drawn:
    clean, spoilt, mask = (
        torch.from_numpy(np.stack(part))
        for part in ([r.clean for r in rows], [r.spoilt for r in rows], [r.mask for r in rows])
    )
    product, owner = (
        torch.tensor(part) for part in ([r.product for r in rows], [r.owner for r in rows])
    )
    return Drawn(clean, spoilt, mask, product, owner)


def _alone(worker: int) -> None:
    """Processes share the cores: none takes more than its own."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
