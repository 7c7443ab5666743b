"""Frozen features on disk: the trunk runs once a picture, training then needs no trunk.

An interrupted cache goes on where it stopped and gives the same rows.
"""

import math
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.types import InputError
from training.model.bank import Answer
from training.model.outline import PIXELS
from training.model.promptmad import Features, PromptMAD
from training.rows import Batch, RowMaker

ROWS_AT_ONCE = 8


class FeatureCache:
    """Up to ``rows`` spoilt pictures as memory-mapped half floats below ``folder``.

    ``made`` is how many rows an earlier sitting left there: a cache that is missing, cut or of
    another model is refused then, and one for which the disk has no room is neither begun nor gone
    on with (:class:`InputError`), since a memory map that meets a full disk ends the process.
    """

    def __init__(self, folder: Path, rows: int, model: PromptMAD, made: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        s, d = model.config.input_px // 4, model.config.neck_dim
        c4 = model.backbone.channels[0]
        shapes = {
            "tokens": (rows, s // 2, s // 2, d),
            "prompt": (rows, s // 2, s // 2, d),
            "lateral": (rows, s, s, c4),
            "details": (rows, s, s, model.config.detail_dim),
            "away": (rows, s // 2, s // 2, 1),
            "strange": (rows, s // 2, s // 2, 1),
            "mask": (rows, s, s, 1),
            "product": (rows,),
        }
        if model.config.reconstruction:
            shapes["clean"] = (rows, s // 2, s // 2, d)
        if model.config.outline_channels:
            shapes |= {
                "picture": (rows, 2 * s, 2 * s, PIXELS),
                "fine_mask": (rows, 2 * s, 2 * s, 1),
            }
        self._folder, self._row_bytes = folder, 2 * sum(map(math.prod, shapes.values())) // rows
        self.rows, self.made = rows, made
        if not made:
            self.need_room()
        self._arrays = {
            name: _array(folder / f"{name}.npy", shape, made) for name, shape in shapes.items()
        }

    @property
    def megabytes(self) -> float:
        """What the cache takes on disk when it is full."""
        return sum(a.nbytes for a in self._arrays.values()) / 2**20

    def need_room(self) -> None:
        """:class:`InputError` where the disk does not hold the rows that are still to be made."""
        free = shutil.disk_usage(self._folder).free
        needed = self._row_bytes * (self.rows - self.made)
        if free < needed:
            raise InputError(
                f"{self._folder} has {free / 2**30:.1f} GB free, the features take "
                f"{needed / 2**30:.1f} GB: make room, give an --out on another disk, or "
                "take --no-cache, which makes them anew for every step and takes far longer."
            )

    def fill(self, maker: RowMaker, device: torch.device) -> None:
        """Make the next few rows and see them on disk before they count as made."""
        rows = range(self.made, min(self.made + ROWS_AT_ONCE, self.rows))
        batch = maker.batch(np.asarray(rows), device)
        columns = {
            "tokens": batch.features.tokens,
            "lateral": batch.features.lateral,
            "prompt": batch.prompt.tokens,
            "details": batch.prompt.details,
            "away": batch.prompt.away,
            "strange": batch.prompt.strange,
            "clean": batch.clean,
            "mask": batch.mask,
            "product": batch.product,
            "picture": batch.features.picture,
            "fine_mask": batch.fine_mask,
        }
        for name, array in self._arrays.items():
            values = columns[name]
            assert values is not None
            last = values.movedim(1, -1) if values.dim() > 1 else values
            array[rows.start : rows.stop] = last.cpu().numpy()
            array.flush()
        self.made = rows.stop

    def batches(
        self, wanted: Iterable[NDArray[np.integer]], device: torch.device
    ) -> Iterator[Batch]:
        """A batch for each set of rows asked for, read while the one before it is at work."""
        with ThreadPoolExecutor(1, "cache") as reader:
            coming: Future[Batch] | None = None
            for rows in wanted:
                here, coming = coming, reader.submit(self.batch, rows, device)
                if here:
                    yield here.result()
            if coming:
                yield coming.result()

    def batch(self, rows: NDArray[np.integer], device: torch.device) -> Batch:
        """The rows asked for, as float32 tensors on ``device``."""
        product = torch.from_numpy(np.asarray(self._arrays["product"][rows])).to(device).long()
        tokens, lateral, mask = (self._maps(n, rows, device) for n in ("tokens", "lateral", "mask"))
        answer = Answer(
            *(self._maps(n, rows, device) for n in ("prompt", "details", "away", "strange"))
        )
        clean, picture, fine = (
            self._maps(name, rows, device) if name in self._arrays else None
            for name in ("clean", "picture", "fine_mask")
        )
        features = Features(tokens, lateral, picture=picture)
        return Batch(features, answer, clean, mask, mask if fine is None else fine, product)

    def _maps(self, name: str, rows: NDArray[np.integer], device: torch.device) -> Tensor:
        """As it lies on disk, channels last: convolutions on the CPU take three quarters of the
        time then, and nothing is turned round."""
        maps = torch.from_numpy(np.asarray(self._arrays[name][rows])).to(device)
        return maps.movedim(-1, 1).float()


def _array(path: Path, shape: tuple[int, ...], made: int) -> "np.memmap[Any, Any]":
    dtype = np.dtype(np.int32 if path.stem == "product" else np.float16)
    if not made:
        return np.lib.format.open_memmap(path, "w+", dtype, shape)
    try:
        there = np.lib.format.open_memmap(path, "r")  # which refuses a file that is too short
        fits = there.shape == shape and there.dtype == dtype
        del there
    except (OSError, ValueError):
        fits = False
    if not fits:
        raise InputError(f"{path} is missing, cut, or of another run: give a new --out.")
    return np.lib.format.open_memmap(path, "r+")
