"""Copies and near copies: the same photograph twice, whatever was done to the file in between.

A test picture that stands in the training set, too, makes every figure too good. Two photographs
of good parts never agree in noise and pose; a photograph saved again, brightened, turned or
mirrored does. So what counts is how near two pictures are for pictures of *this* product. Crops
are not found: a shift by a hundredth makes two pictures of one photograph as strange as two parts.
Pictures whose pixels are the same need no such measure, and are found in any set.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.types import Image

SIDE = 48
NEAR = 0.3  # of the usual distance from a good part to the next: nearer is no other photograph
FEWEST = 8  # goods, below which there is no telling what is usual
AT_ONCE = 256  # pictures whose distances to all others lie in memory
FLAT = 1e-3

Print = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pair:
    """Picture ``second`` looks like ``first``, the earliest of those it looks like."""

    first: int
    second: int


def fingerprint(image: Image) -> Print:
    """``(SIDE²,)``: the picture small, grey, without its brightness and contrast."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = np.asarray(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)
    centred = small - small.mean()
    return (centred / max(float(centred.std()), FLAT)).ravel()


def exact_copies(pixels: Sequence[str]) -> Iterator[Pair]:
    """Of pictures known by a hash of their pixels, those that are an earlier one again."""
    seen: dict[str, int] = {}
    for second, known in enumerate(pixels):
        first = seen.setdefault(known, second)
        if first != second:
            yield Pair(first, second)


def near_copies(prints: Sequence[Print], goods: Sequence[int]) -> Iterator[Pair]:
    """Of the pictures of one product, those that are too near an earlier one.

    ``goods`` are the indices of good training pictures, which say what is usual: the median
    distance from each to its nearest. Fewer than :data:`FEWEST` say nothing. None of them may be
    an exact copy of another, which would make that distance 0.
    """
    if len(goods) < FEWEST:
        return
    stack = np.stack(prints)
    usual = float(np.median(_nearest(stack[goods])))
    for block in _blocks(len(stack)):
        turned = _turned(stack[block])
        least = np.min([_distances(own, stack[: block.stop]) for own in turned], 0)
        for second, row in enumerate(least, block.start):
            alike = np.flatnonzero(row[:second] < NEAR * usual)
            if alike.size:
                yield Pair(int(alike[0]), second)


def _blocks(count: int) -> Iterator[slice]:
    """So that not all distances lie in memory at once."""
    for start in range(0, count, AT_ONCE):
        yield slice(start, min(start + AT_ONCE, count))


def _distances(a: Print, b: Print) -> Print:
    """Root mean square differences ``(n, m)``."""
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squares, 0) / a.shape[1]), np.float32)


def _nearest(stack: Print) -> Print:
    """From each to its nearest other, ``(n,)``."""
    found = []
    for block in _blocks(len(stack)):
        distances = _distances(stack[block], stack)
        distances[np.arange(len(distances)), np.arange(block.start, block.stop)] = np.inf
        found.append(distances.min(1))
    return np.concatenate(found)


def _turned(stack: Print) -> Iterator[Print]:
    """The eight ways a square picture can lie."""
    pictures = stack.reshape(-1, SIDE, SIDE)
    for side in (pictures, pictures[:, :, ::-1]):
        for quarter in range(4):
            yield np.rot90(side, quarter, (1, 2)).reshape(len(stack), -1)
