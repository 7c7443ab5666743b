"""Pixels from one process to another: fixed slots of shared memory, numbered as they are filled.

The filler owns the ring and hands each filled slot over by a message; the other side copies and
gives the slot back. Nothing is filled that was not given back, and the number in the slot proves
it: a slot that was written meanwhile is an error, never a mixed picture.
"""

import shutil
from collections.abc import Collection
from contextlib import suppress
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.types import MissingError

Layout: TypeAlias = tuple[tuple[int, ...], str]
"""Shape and dtype of one array in a slot, as NumPy writes them."""

HEADER: Final = 64  # the slot's number, on a cache line of its own
ALIGN: Final = 64
SHARED: Final = Path("/dev/shm")  # where Linux keeps it: containers often get 64 MB


class Ring:
    """``slots`` slots of ``slot_bytes`` payload each, in the shared memory called ``name``.

    Made by :meth:`create` in one process, opened by :meth:`attach` in the other.
    """

    def __init__(self, memory: SharedMemory, slots: int, slot_bytes: int) -> None:
        self._memory = memory
        self.slots, self.slot_bytes = slots, slot_bytes

    @classmethod
    def create(cls, name: str, slots: int, slot_bytes: int) -> Self:
        """:class:`MissingError` where the machine has no room: what is not there kills by signal
        when it is first touched."""
        size = slots * (HEADER + slot_bytes)
        if SHARED.is_dir() and shutil.disk_usage(SHARED).free < size:
            raise MissingError(
                f"A camera's pictures want {size >> 20} MB of shared memory and {SHARED} has less: "
                "enlarge it (a container: --shm-size)."
            )
        return cls(SharedMemory(name, create=True, size=size), slots, slot_bytes)

    @classmethod
    def attach(cls, name: str, slots: int, slot_bytes: int) -> Self:
        return cls(SharedMemory(name), slots, slot_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._memory.close()

    @property
    def name(self) -> str:
        return self._memory.name

    def write(self, slot: int, number: int, arrays: Collection[NDArray[Any]]) -> list[Layout]:
        """Fill a slot that was given back; ``number`` is above 0 and never used twice."""
        self._number(slot)[0] = 0
        offset = HEADER
        for array in arrays:
            there = np.frombuffer(self._slot(slot), np.uint8, array.nbytes, offset)
            there[:] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            offset += _padded(array.nbytes)
        self._number(slot)[0] = number
        return [(array.shape, array.dtype.str) for array in arrays]

    def read(self, slot: int, number: int, layouts: Collection[Layout]) -> list[NDArray[Any]]:
        """Copies of what the slot holds; :class:`RuntimeError` if it was written meanwhile."""
        copies, offset = [], HEADER
        before = int(self._number(slot)[0])
        for shape, kind in layouts:
            count = int(np.prod(shape))
            there = np.frombuffer(self._slot(slot), np.dtype(kind), count, offset)
            copies.append(there.reshape(shape).copy())
            offset += _padded(there.nbytes)
        after = int(self._number(slot)[0])
        if not before == after == number:
            raise RuntimeError(f"Slot {slot} holds picture {after}, not {number}.")
        return copies

    def _slot(self, slot: int) -> memoryview:
        size = HEADER + self.slot_bytes
        memory = self._memory.buf
        assert memory is not None  # open until the context ends
        return memory[slot * size : (slot + 1) * size]

    def _number(self, slot: int) -> NDArray[np.uint64]:
        return np.frombuffer(self._slot(slot), np.uint64, 1)


def room_for(arrays: Collection[NDArray[Any]]) -> int:
    """The payload bytes that a slot for these arrays needs."""
    return sum(_padded(array.nbytes) for array in arrays) or ALIGN


def forget(name: str) -> None:
    """Free a ring whose maker may have died; harmless where it is gone or never was."""
    with suppress(FileNotFoundError):
        memory = SharedMemory(name)
        memory.close()
        memory.unlink()


def _padded(size: int) -> int:
    return -(-size // ALIGN) * ALIGN
