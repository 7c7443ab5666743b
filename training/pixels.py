"""Every pixel of many maps, from the largest value down, in memory that does not grow with them.

An external merge sort: runs of pixels are sorted as they fill and kept on disk, then read back
side by side. Nothing is binned: each distinct value is a threshold, as in a sort of all at once.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.types import Mask

RUN = 2**20  # pixels that are sorted at once
READ = 2**14  # rows of each run that lie in memory

ROW = np.dtype([("value", "f8"), ("inside", "f8"), ("outside", "f8"), ("overlap", "f8")])
"""One distinct value: its pixels inside and outside of masks, and their share of regions."""
Rows: TypeAlias = np.ndarray[tuple[int], np.dtype[Any]]


class Pixels:
    """Maps ``(H, W)`` with their masks, as many as the disk holds; leaving the context takes the
    files away.
    """

    def __init__(self, run: int = RUN, read: int = READ) -> None:
        self._run, self._read = run, read
        self._folder = TemporaryDirectory(prefix="promptmad-pixels-")
        self._waiting: list[Rows] = []
        self._runs: list[Path] = []
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
        runs: list[Rows] = [np.load(path, mmap_mode="r") for path in self._runs]
        while runs:
            parts = [np.asarray(run[: self._read]) for run in runs]
            # Down to here no run can hold more than lies in memory of it.
            last = max(part["value"][-1] for part in parts)
            counts = [int(np.count_nonzero(part["value"] >= last)) for part in parts]
            yield _summed(np.concatenate([p[:n] for p, n in zip(parts, counts, strict=True)]))
            runs = [run[n:] for run, n in zip(runs, counts, strict=True) if n < len(run)]

    def _sort(self) -> None:
        path = Path(self._folder.name) / f"{len(self._runs)}.npy"
        np.save(path, _summed(np.concatenate(self._waiting)))
        self._runs.append(path)
        self._waiting = []


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
