"""EAN-13 bar codes (GS1 General Specifications, 5.2): digits → dark and light modules."""

import numpy as np
from numpy.typing import NDArray

# fmt: off
LEFT_ODD = ("0001101", "0011001", "0010011", "0111101", "0100011",
            "0110001", "0101111", "0111011", "0110111", "0001011")
PARITY = ("LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG",
          "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL", "LGGLGL")
# fmt: on


def modules(digits: str) -> NDArray[np.bool_]:
    """The 95 modules of 13 ``digits`` (the last one is the check digit), true where dark."""
    left = "".join(
        _left(int(digit), kind)
        for digit, kind in zip(digits[1:7], PARITY[int(digits[0])], strict=True)
    )
    right = "".join(_right(int(digit)) for digit in digits[7:])
    return np.array([bit == "1" for bit in f"101{left}01010{right}101"])


def _right(digit: int) -> str:
    return LEFT_ODD[digit].translate(str.maketrans("01", "10"))


def _left(digit: int, kind: str) -> str:
    return LEFT_ODD[digit] if kind == "L" else _right(digit)[::-1]
