"""The record of one part: what goes to every sink, and what a row in the database says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from engine.types import Prediction
from inspector.camera.base import Frame


class Verdict(StrEnum):
    """OK, NG, or FAULT: the station could not judge. A FAULT is rejected, never a defect."""

    OK = "OK"
    NG = "NG"
    FAULT = "FAULT"


class Reason(StrEnum):
    """Why a verdict is not OK, for machines."""

    DEFECT = "defect"
    LOST_FRAME = "lost_frame"
    LATE_FRAME = "late_frame"
    INCOMPLETE_FRAME = "incomplete_frame"
    NOT_A_PICTURE = "not_a_picture"
    WRONG_FORMAT = "wrong_format"
    BLACK_FRAME = "black_frame"
    SATURATED_FRAME = "saturated_frame"
    FROZEN_FRAME = "frozen_frame"
    UNKNOWN_PRODUCT = "unknown_product"
    INVALID_SCORE = "invalid_score"
    INFERENCE_ERROR = "inference_error"
    PICTURE_NOT_SAVED = "picture_not_saved"


@dataclass(frozen=True, slots=True)
class Region:
    """One connected defect region, in pixels of the picture: box, area, peak, contour.

    ``contour`` is a tuple of (x, y) points; ``peak`` is the largest map value inside.
    """

    x: int
    y: int
    width: int
    height: int
    area_px: int
    peak: float
    contour: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """One trigger, one verdict, one record.

    ``prediction`` is None when the model was not asked (a FAULT); ``threshold`` is the raw score
    above which the part is NG; ``pictures`` names the saved files, relative to the folder of the
    database; ``stages_ms`` holds grab, pre, infer, post, judge and what sinks add to it.
    """

    id: str  # a UUIDv7: sorts by time
    frame: Frame
    verdict: Verdict
    reason: Reason | None
    product: str | None
    inspected_at: datetime
    prediction: Prediction | None = None
    threshold: float | None = None
    map_threshold: float | None = None
    regions: tuple[Region, ...] = ()
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    pictures: Mapping[str, Path] = field(default_factory=dict)
