"""Numbers of eight to sixteen bits, packed as cameras pack them: the upper eight bits of each.

Three ways are in use. One number in two bytes, little end first (Mono10). The PFNC's ``p``: a
stream of bits, the lowest first, in which numbers follow each other without a gap. The older one of
GigE Vision, ``Packed``: two numbers in three bytes, the upper eight bits of each in the outer two.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Packing:
    """``group`` numbers of ``bits`` in ``size`` bytes."""

    bits: int
    group: int
    size: int
    way: Literal["plain", "stream", "outer"]

    def bytes_of(self, numbers: int) -> int:
        """What so many take, the last byte begun counted whole."""
        if self.way == "outer":
            return -(-numbers * self.size // self.group)
        return -(-numbers * (self.bits if self.way == "stream" else 8 * self.size) // 8)

    def upper_eight(self, lines: Bytes, numbers: int) -> Bytes:
        """``(lines, bytes)`` → ``(lines, numbers)``, of each number its upper eight bits."""
        if self.size == 1:
            return lines
        if self.way == "plain":
            return self._plain(lines)
        missing = -lines.shape[1] % self.size
        whole = np.pad(lines, ((0, 0), (0, missing))) if missing else lines
        groups = whole.reshape(len(lines), -1, self.size)
        upper = groups[..., ::2] if self.way == "outer" else self._stream(groups)
        return upper.reshape(len(lines), -1)[:, :numbers]

    def _plain(self, lines: Bytes) -> Bytes:
        values = np.ascontiguousarray(lines).view("<u2")
        return (values >> (self.bits - 8)).astype(np.uint8)

    def _stream(self, groups: Bytes) -> Bytes:
        """Each number's upper eight bits end where the next number begins."""
        upper = np.empty((*groups.shape[:-1], self.group), np.uint8)
        for i in range(self.group):
            byte, shift = divmod((i + 1) * self.bits - 8, 8)
            upper[..., i] = groups[..., byte] >> shift
            if shift:
                upper[..., i] |= groups[..., byte + 1] << (8 - shift)
        return upper


PLAIN = Packing(8, 1, 1, "plain")


def packing_named(depth: str) -> Packing:
    """Of the end of a format's name: "8", "12", "12p", "12Packed"."""
    bits = int(depth.removesuffix("Packed").removesuffix("p"))
    if depth.endswith("Packed"):
        return Packing(bits, 2, 3, "outer")
    if depth.endswith("p"):
        group = 4 if bits == 10 else 2
        return Packing(bits, group, group * bits // 8, "stream")
    return PLAIN if bits == 8 else Packing(bits, 1, 2, "plain")
