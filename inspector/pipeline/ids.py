"""Ids that sort by time: UUIDv7, RFC 9562 section 5.7.

The standard library has ``uuid.uuid7`` from Python 3.14 on. Until that is the oldest we support,
these few lines serve, with clock and randomness as parameters so that a test can hold them still.
"""

import os
import time
from collections.abc import Callable
from uuid import UUID


def uuid7_ids(
    now_ns: Callable[[], int] = time.time_ns, random_bytes: Callable[[int], bytes] = os.urandom
) -> Callable[[], str]:
    """A function that gives one new UUIDv7 a call, each greater than the one before.

    The 12 bits after the milliseconds hold the fraction of the millisecond (RFC 9562 section 6.2,
    method 3). Where the clock stands still or is set back, the last time is counted on instead,
    so order is kept. Not for two threads at once.
    """
    last = 0

    def new_id() -> str:
        nonlocal last
        last = max(_ms_and_fraction(now_ns()), last + 1)
        return str(_pack(last, int.from_bytes(random_bytes(8), "big")))

    return new_id


def _ms_and_fraction(ns: int) -> int:
    """60 bits: 48 of Unix milliseconds, 12 of the fraction of a millisecond."""
    milliseconds, rest_ns = divmod(ns, 1_000_000)
    return milliseconds << 12 | (rest_ns << 12) // 1_000_000


def _pack(time_60: int, random_64: int) -> UUID:
    milliseconds, fraction = divmod(time_60, 1 << 12)
    version, variant = 0x7, 0b10
    return UUID(
        int=milliseconds << 80
        | version << 76
        | fraction << 64
        | variant << 62
        | random_64 & ((1 << 62) - 1)
    )
