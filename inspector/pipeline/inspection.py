"""The record of one part: what goes to every sink, and what a row in the database says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from engine.types import Prediction
from inspector.camera.base import Frame

HUNG_AFTER_S: Final = 30.0
"""No part takes so long: a first picture after warm-up has taken 2 s on a slow machine."""


class Verdict(StrEnum):
    """OK, NG, or FAULT: the station could not judge. A FAULT is rejected, never a defect."""

    OK = "OK"
    NG = "NG"
    FAULT = "FAULT"


class Reason(StrEnum):
    """Why a verdict is not OK, for machines."""

    DEFECT = "defect"
    NO_FRAME = "no_frame"
    LOST_FRAME = "lost_frame"
    OUT_OF_ORDER = "out_of_order"
    LATE_FRAME = "late_frame"
    LATE_RESULT = "late_result"
    INCOMPLETE_FRAME = "incomplete_frame"
    NOT_A_PICTURE = "not_a_picture"
    WRONG_FORMAT = "wrong_format"
    BLACK_FRAME = "black_frame"
    SATURATED_FRAME = "saturated_frame"
    FROZEN_FRAME = "frozen_frame"
    NO_CODE = "no_code"
    UNKNOWN_PRODUCT = "unknown_product"
    INVALID_SCORE = "invalid_score"
    INFERENCE_ERROR = "inference_error"
    INTERNAL_ERROR = "internal_error"
    NOT_READY = "not_ready"


class Alarm(StrEnum):
    """What went wrong beside the verdict, which stands all the same."""

    PICTURE_NOT_SAVED = "picture_not_saved"


@dataclass(frozen=True, slots=True)
class Region:
    """One connected defect region, in pixels of the picture: box, area, peak, contour.

    ``contour`` is a tuple of (x, y) points; ``peak`` is the largest map value inside;
    ``area_mm2`` is None where the recipe has no scale.
    """

    x: int
    y: int
    width: int
    height: int
    area_px: int
    peak: float
    contour: tuple[tuple[int, int], ...]
    area_mm2: float | None = None
    product: str | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """One trigger, one verdict, one record.

    ``prediction`` is None when the model was not asked (a FAULT); its ``score`` is the one that met
    the threshold, of what the recipe's area leaves; ``threshold`` is the raw score above which the
    part is NG; ``pictures`` names the saved files (overlay, crop, picture), relative to the folder
    of the database; ``stages_ms`` holds grab, check, pre, infer, post, judge and what sinks add to
    it; ``lost_before`` counts the frames a free-running camera lost just before this one (a
    triggered camera's lost frames are records of their own); ``alarm`` is what a person must look
    after, though the verdict stands.
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
    lost_before: int = 0
    alarm: Alarm | None = None
