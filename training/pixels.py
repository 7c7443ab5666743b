"""Every pixel of many maps, from the largest value down, in memory that does not grow with them.

An external merge sort: runs of pixels are sorted as they fill and kept on disk, then read back
side by side, never more of them than files may be open. Nothing is binned: each distinct value is a
threshold, as in a sort of all at once.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from types import TracebackType
from typing import Any, Self, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.types import InputError, Mask

RUN = 2**20  # pixels that are sorted at once
READ = 2**14  # rows of each run that lie in memory
SIDE_BY_SIDE = 64  # runs: so many become one

ROW = np.dtype([("value", "f8"), ("inside", "f8"), ("outside", "f8"), ("overlap", "f8")])
"""One distinct value: its pixels inside and outside of masks, and their share of regions."""
Rows: TypeAlias = np.ndarray[tuple[int], np.dtype[Any]]


class Pixels:
    """Maps ``(H, W)`` with their masks, as many as the disk holds; leaving the context takes the
    files away. :class:`InputError` where the disk of the temporary folder is full.
    """

    def __init__(self, run: int = RUN, read: int = READ, most: int = SIDE_BY_SIDE) -> None:
        self._run, self._read, self._most = run, read, most
        self._folder = TemporaryDirectory(prefix="promptmad-pixels-")
        self._waiting: list[Rows] = []
        self._runs: list[list[Path]] = []  # by how often they became one
        self._number = count()
        self.inside, self.outside, self.regions = 0.0, 0.0, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    def add(self, values: NDArray[np.number], mask: Mask) -> None:
        """One picture's map and mask, of one shape."""
        rows = np.empty(values.size, ROW)
        rows["value"], rows["inside"] = values.ravel(), mask.ravel()
        rows["outside"], rows["overlap"] = ~mask.ravel(), region_shares(mask).ravel()
        self.inside += rows["inside"].sum()
        self.outside += rows["outside"].sum()
        self.regions += rows["overlap"].sum()
        self._waiting.append(rows)
        if sum(map(len, self._waiting)) >= self._run:
            self._sort()

    def falling(self) -> Iterator[Rows]:
        """Rows of falling, distinct values, some at a time; none is in two of the parts."""
        if self._waiting:
            self._sort()
        return _merged([path for level in self._runs for path in level], self._read)

    def _sort(self) -> None:
        self._keep([_summed(np.concatenate(self._waiting))], 0)
        self._waiting = []

    def _keep(self, parts: Iterable[Rows], level: int) -> None:
        """A run more of that level; of enough of them, one of the next."""
        if level == len(self._runs):
            self._runs.append([])
        runs = self._runs[level]
        runs.append(self._written(parts))
        if len(runs) == self._most:
            self._keep(_merged(runs, self._read), level + 1)
            for path in runs:
                path.unlink()
            runs.clear()

    def _written(self, parts: Iterable[Rows]) -> Path:
        path = Path(self._folder.name) / f"{next(self._number)}.rows"
        try:
            with path.open("wb") as file:
                for part in parts:
                    part.tofile(file)
        except OSError as error:
            raise InputError(
                f"The temporary folder {gettempdir()} has no room to sort pixels in ({error}): "
                "make some, or name another folder by the variable TMPDIR."
            ) from error
        return path


def _merged(paths: Sequence[Path], read: int) -> Iterator[Rows]:
    """Runs as one, ``read`` rows of each in memory."""
    runs: list[Rows] = [np.memmap(path, ROW, "r") for path in paths]
    while runs:
        parts = [np.asarray(run[:read]) for run in runs]
        # Down to here no run can hold more than lies in memory of it.
        last = max(part["value"][-1] for part in parts)
        counts = [int(np.count_nonzero(part["value"] >= last)) for part in parts]
        yield _summed(np.concatenate([p[:n] for p, n in zip(parts, counts, strict=True)]))
        runs = [run[n:] for run, n in zip(runs, counts, strict=True) if n < len(run)]


def _summed(rows: Rows) -> Rows:
    """One row for each distinct value, the largest first."""
    order = np.argsort(-rows["value"], kind="stable")
    value = rows["value"][order]
    first = np.flatnonzero(np.append(True, value[1:] != value[:-1]))
    summed = np.empty(len(first), ROW)
    summed["value"] = value[first]
    for name in ("inside", "outside", "overlap"):
        summed[name] = np.add.reduceat(rows[name][order], first)
    return summed


def region_shares(mask: Mask) -> NDArray[np.float64]:
    """1 / area inside each 8-connected region: they add up to the number of regions."""
    count, regions = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    areas = np.bincount(regions.ravel(), minlength=count).astype(np.float64)
    shares: NDArray[np.float64] = np.append(0.0, 1 / areas[1:])[regions]
    return shares
