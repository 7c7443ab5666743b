"""Where a part is looked at, and how large is large enough: the engineer's share of a recipe.

Polygons are in pixels of the picture, and the picture's size stands beside them. Shares of the
picture would be silently somewhere else after another binning or sensor window; so would be a
scale. A picture of another size is a fault instead. See docs/decisions/0022.
"""

import math
from collections.abc import Iterable
from typing import Annotated, Literal, Self, TypeAlias

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.types import Mask, Prediction

Pixels = Annotated[int, Field(ge=1, le=16384)]
Positive = Annotated[float, Field(gt=0)]
Point: TypeAlias = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]
Polygon: TypeAlias = Annotated[tuple[Point, ...], Field(min_length=3)]
"""Corners (x, y); the outline belongs to it."""


class Area(BaseModel):
    """What counts of one product's picture, ``width`` × ``height`` pixels.

    Only inside of any polygon of ``roi``, everywhere if there is none, and never inside of one of
    ``ignore``. ``mm_per_px`` is the scale at the part, ``min_area_mm2`` the smallest region worth
    reporting. ``small_regions`` says what a part is whose every region is smaller than that:
    "count" leaves it NG, "ignore" makes it OK.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    width: Pixels
    height: Pixels
    roi: tuple[Polygon, ...] = ()
    ignore: tuple[Polygon, ...] = ()
    mm_per_px: Positive | None = None
    min_area_mm2: Positive | None = None
    small_regions: Literal["count", "ignore"] = "count"

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        for polygon in (*self.roi, *self.ignore):
            if any(x >= self.width or y >= self.height for x, y in polygon):
                raise ValueError(
                    f"a polygon leaves the picture of {self.width} × {self.height} pixels"
                )
            if _twice_area(polygon) == 0:
                raise ValueError("a polygon encloses nothing")
        if self.min_area_mm2 is not None and self.mm_per_px is None:
            raise ValueError("min_area_mm2 needs mm_per_px")
        if self.has_mask and not self.inside().any():
            raise ValueError("roi and ignore leave nothing of the picture")
        return self

    @property
    def has_mask(self) -> bool:
        return bool(self.roi or self.ignore)

    def inside(self) -> Mask:
        """What counts: ``(height, width)`` bool."""
        mask = _filled(self.roi, self) if self.roi else np.ones((self.height, self.width), np.bool_)
        return mask & ~_filled(self.ignore, self) if self.ignore else mask

    def fits(self, prediction: Prediction) -> bool:
        """Whether the picture had the size that this is about."""
        return prediction.map.shape == (self.height, self.width)

    def mm2(self, area_px: int) -> float | None:
        """An area in mm², where the scale is known."""
        return None if self.mm_per_px is None else area_px * self.mm_per_px**2

    @property
    def min_area_px(self) -> int:
        """The fewest pixels that make ``min_area_mm2``; 0 without one."""
        if self.min_area_mm2 is None or self.mm_per_px is None:
            return 0
        # A whole number of pixels is not one more for the sake of the last bit.
        return math.ceil(self.min_area_mm2 / self.mm_per_px**2 - 1e-9)


def score_inside(prediction: Prediction, inside: Mask | None) -> float:
    """The raw score of what lies ``inside``: the graph's own, but never above the peak in there.

    The score is a mean of the map's strongest places, so the peak inside is an upper bound of what
    the graph would say of the inside alone, whatever its pooling: a defect in there is never
    weakened, a mask only takes away, and all is monotone in map, score and mask. Something has to
    be ``inside``, as of every :class:`Area`.
    """
    if inside is None:
        return prediction.score
    _, peak, _, _ = cv2.minMaxLoc(prediction.map, inside.view(np.uint8))
    return min(prediction.score, peak)


def _twice_area(polygon: Polygon) -> int:
    """The shoelace formula (Meister, 1769)."""
    ahead = (*polygon[1:], polygon[0])
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(polygon, ahead, strict=True)))


def _filled(polygons: Iterable[Polygon], area: Area) -> Mask:
    """The union of ``polygons``; one after the other, since together they would cancel out."""
    filled = np.zeros((area.height, area.width), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(filled, [np.array(polygon, np.int32)], 1)
    return filled.astype(np.bool_)
