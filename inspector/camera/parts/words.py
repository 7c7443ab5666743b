"""A defect in words: what, how large, where."""

from collections.abc import Sequence

import cv2
import numpy as np

from engine.types import Mask

ROWS, COLUMNS = ("upper", "middle", "lower"), ("left", "middle", "right")
LONG = 3.0  # times as long as wide: worth a length instead of a width


def caption(product: str, what: str, mask: Mask) -> str:
    """For instance "a scratch 84 px long across the upper left"; a good part has no mask."""
    if not mask.any():
        return f"a good {product}"
    points = np.argwhere(mask)[:, ::-1].astype(np.float32)
    _, sides, _ = cv2.minAreaRect(points)
    longer, shorter = max(sides) + 1, min(sides) + 1
    extent = "long across" if longer > LONG * shorter else "wide at"
    return f"{what} {longer:.0f} px {extent} the {_place(points.mean(0).tolist(), mask.shape)}"


def _place(middle: Sequence[float], shape: tuple[int, ...]) -> str:
    column = COLUMNS[min(int(3 * middle[0] / shape[1]), 2)]
    row = ROWS[min(int(3 * middle[1] / shape[0]), 2)]
    return "centre" if row == column else f"{row} {column}".replace("middle ", "centre ")
