"""What the codes mean to the person at the line: the reason in words, and what to look at."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from inspector.pipeline.inspection import Alarm, Reason, Verdict
from inspector.pipeline.latched import ErrorCode
from inspector.pipeline.readiness import Precondition

REASONS: Final[Mapping[Reason, str]] = {
    Reason.DEFECT: "Defect found",
    Reason.NO_FRAME: "No picture came for a trigger. Check camera, cable and lamp trigger.",
    Reason.LOST_FRAME: "Picture lost: the camera skipped a trigger. Check cable and load.",
    Reason.OUT_OF_ORDER: "Pictures came out of order. Check the camera's link.",
    Reason.LATE_FRAME: "Picture came too late. Check trigger and exposure.",
    Reason.LATE_RESULT: "Verdict came after the deadline. Check the machine's load.",
    Reason.INCOMPLETE_FRAME: "Picture incomplete. Check the camera's cable and network.",
    Reason.NOT_A_PICTURE: "The file or frame is not a picture.",
    Reason.WRONG_FORMAT: "Picture has the wrong size or pixel format. Check the camera's settings.",
    Reason.BLACK_FRAME: "Picture is black. Check light and lens cap.",
    Reason.SATURATED_FRAME: "Picture is overexposed. Check light and exposure.",
    Reason.FROZEN_FRAME: "Same picture as before. Check the camera.",
    Reason.NO_CODE: "The part's code cannot be read. Check print, light and focus.",
    Reason.UNKNOWN_PRODUCT: "Model or recipe does not know this product. Call the engineer.",
    Reason.INVALID_SCORE: "The model gave no valid number. Check the model.",
    Reason.INFERENCE_ERROR: "The model failed on this picture. Check the log.",
    Reason.INTERNAL_ERROR: "A fault of this program. Send its log to your supplier.",
    Reason.NOT_READY: "The station was not ready for this part. See what is missing.",
}


def reason_in_words(reason: Reason | None) -> str:
    """One short sentence; empty for a part that has no reason (OK)."""
    return REASONS[reason] if reason is not None else ""


ALARMS: Final[Mapping[Alarm, str]] = {
    Alarm.PICTURE_NOT_SAVED: "The picture could not be saved. Check the disk.",
}


def alarm_in_words(alarm: Alarm | None) -> str:
    """What a person must look after beside the verdict; empty where there is nothing."""
    return ALARMS[alarm] if alarm is not None else ""


ERRORS: Final[Mapping[ErrorCode, tuple[str, str]]] = {
    ErrorCode.CAMERA_LOST: ("Camera", "The camera is lost"),
    ErrorCode.LINE_LOST: ("PLC", "The PLC is lost"),
    ErrorCode.DATABASE_REFUSED: ("Database", "The database took no record"),
    ErrorCode.INFERENCE_FAILED: ("Model", "The model failed"),
    ErrorCode.HUNG: ("Inspection", "A part takes too long"),
    ErrorCode.NOT_OPENED: ("Run", "The run could not go on"),
    ErrorCode.INTERNAL: ("Program", "A fault of this program"),
}


def part_of_error(code: ErrorCode) -> str:
    """Which part of the station an error is about."""
    return ERRORS[code][0]


def error_in_words(code: ErrorCode) -> str:
    """What went wrong, short enough to be read from two metres."""
    return ERRORS[code][1]


def part_of_station(name: Precondition) -> str:
    """A precondition as the head of a line."""
    return name.capitalize()


def verdict_in_words(verdict: Verdict, regions: int) -> str:
    """The line under the large word: what was decided, for a person."""
    if verdict is Verdict.OK:
        return "No defect found"
    return "Defect found" if regions <= 1 else f"{regions} defects found"


def number(value: float | None) -> str:
    """A raw score with four significant figures; a dash where there is none."""
    return "–" if value is None else f"{value:.4g}"


def clock_time(moment: datetime) -> str:
    """A UTC moment as the wall clock at the line shows it."""
    return moment.astimezone().strftime("%H:%M:%S")


def date_time(moment: datetime) -> str:
    """A UTC moment as local date and time, sortable by eye."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
