"""What is said over MQTT, as JSON: pure, from frozen values to bytes and back."""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from engine.types import InputError
from inspector.camera.base import PartIdentity
from inspector.line.signals import LineCounts, StationSigns
from inspector.pipeline.events import StationEvent
from inspector.pipeline.inspection import Inspection, Region

MOST_PART_BYTES: Final = 4096
OFFLINE: Final = b'{"state": "offline"}'
"""The last will, and the last word of a station that is closed."""


def _without_nul(text: str) -> str:
    """A site's database may refuse it, and a part whose number was cut short is another part."""
    if "\0" in text:
        raise ValueError("NUL is no letter")
    return text


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_without_nul)]


class _PartMessage(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    part: Name | None = None
    lot: Name | None = None
    serial: Name | None = None


def topic_level(station: str) -> str:
    """A station's name as one level of a topic: what MQTT keeps for itself becomes a dash."""
    return "".join("-" if letter in "/+#\0" else letter for letter in station)


def result_message(station: str, sequence: int, inspection: Inspection) -> bytes:
    """One inspection; its ``id`` tells a copy, its ``sequence`` a gap."""
    frame, prediction = inspection.frame, inspection.prediction
    part = frame.part
    return _json(
        {
            "id": inspection.id,
            "sequence": sequence,
            "station": station,
            "verdict": inspection.verdict.value,
            "reason": None if inspection.reason is None else inspection.reason.value,
            "product": inspection.product,
            "part": {"part": part.part, "lot": part.lot, "serial": part.serial},
            "score": None if prediction is None else _number(prediction.score),
            "threshold": None if inspection.threshold is None else _number(inspection.threshold),
            "regions": [_region(region) for region in inspection.regions],
            "camera": frame.camera,
            "frame_id": frame.frame_id,
            "grabbed_at": _time(frame.grabbed_at),
            "inspected_at": _time(inspection.inspected_at),
            "stages_ms": {name: _number(ms) for name, ms in inspection.stages_ms.items()},
        }
    )


def state_message(signs: StationSigns, counts: LineCounts, dropped: int, at: datetime) -> bytes:
    """What the station says of itself, its counters since it was opened, and the time (UTC)."""
    counters = {"ok": counts.ok, "ng": counts.ng, "fault": counts.fault, "dropped": dropped}
    return _json(
        {
            "state": signs.state,
            "ready": signs.ready,
            "inspecting": signs.inspecting,
            "counters": counters,
            "at": _time(at),
        }
    )


def event_message(event: StationEvent) -> bytes:
    return _json(
        {
            "code": event.code.value,
            "severity": event.severity.name.lower(),
            "text": event.text,
            "details": dict(event.details),
            "at": _time(event.at),
        }
    )


def read_part(payload: bytes) -> PartIdentity:
    """The identity in a message; :class:`InputError` where it is no such message."""
    if len(payload) > MOST_PART_BYTES:
        raise InputError(f"A part message of {len(payload)} bytes is too long: say {_WANTED}.")
    try:
        said = _PartMessage.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"]) or "the message"
        raise InputError(
            f"A part message is not usable ({key}: {first['msg']}): say {_WANTED}."
        ) from None
    return PartIdentity(said.part, said.lot, said.serial)


_WANTED = '{"part": …, "lot": …, "serial": …}, each a text or left out'


def _region(region: Region) -> Mapping[str, int | float | None]:
    return {
        "x": region.x,
        "y": region.y,
        "width": region.width,
        "height": region.height,
        "area_px": region.area_px,
        "peak": _number(region.peak),
    }


def _number(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _json(message: Mapping[str, Any]) -> bytes:
    """Valid UTF-8 whatever the texts are: a message that cannot be sent would end the run."""
    text = json.dumps(message, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace")
