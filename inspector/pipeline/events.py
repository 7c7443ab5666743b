"""What happens to a station beside its parts: said once, for the log, the database and the line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from inspector.texts import keep_storable, storable


class Severity(IntEnum):
    """How loud an event is; the numbers are those of :mod:`logging`."""

    INFO = 20
    WARNING = 30
    ALARM = 40


class EventCode(StrEnum):
    """What happened, for machines. A code keeps its meaning for ever."""

    RUN_STARTED = "run_started"
    RUN_ENDED = "run_ended"
    STATE_CHANGED = "state_changed"
    ERROR_RAISED = "error_raised"
    ERROR_RESOLVED = "error_resolved"
    ERROR_ACKNOWLEDGED = "error_acknowledged"
    CONTROL_TAKEN = "control_taken"
    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    CAMERA_LOST = "camera_lost"
    CAMERA_BACK = "camera_back"
    LINE_LOST = "line_lost"
    LINE_BACK = "line_back"
    HUNG = "hung"
    SITE_LOST = "site_lost"
    SITE_BACK = "site_back"
    TRIGGERS_REFUSED = "triggers_refused"
    MESSAGE_REFUSED = "message_refused"
    PICTURE_NOT_SAVED = "picture_not_saved"
    PICTURES_RETIRED = "pictures_retired"
    DISK_LOW = "disk_low"
    DATABASE_REFUSED = "database_refused"
    CRASHED = "crashed"
    LOG_LINES_LOST = "log_lines_lost"
    EVENTS_LOST = "events_lost"


SEVERITY: Final[Mapping[EventCode, Severity]] = MappingProxyType(
    {
        EventCode.ERROR_RAISED: Severity.ALARM,
        EventCode.CAMERA_LOST: Severity.ALARM,
        EventCode.LINE_LOST: Severity.ALARM,
        EventCode.HUNG: Severity.ALARM,
        EventCode.PICTURE_NOT_SAVED: Severity.ALARM,
        EventCode.DATABASE_REFUSED: Severity.ALARM,
        EventCode.CRASHED: Severity.ALARM,
        EventCode.CONTROL_TAKEN: Severity.WARNING,
        EventCode.DISK_LOW: Severity.WARNING,
        EventCode.SITE_LOST: Severity.WARNING,
        EventCode.TRIGGERS_REFUSED: Severity.WARNING,
        EventCode.MESSAGE_REFUSED: Severity.WARNING,
        EventCode.LOG_LINES_LOST: Severity.WARNING,
        EventCode.EVENTS_LOST: Severity.WARNING,
    }
)
"""Those not named are :attr:`Severity.INFO`."""

Details: TypeAlias = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class StationEvent:
    """One thing that happened: when (UTC), what, and one sentence for people."""

    code: EventCode
    at: datetime
    text: str
    details: Details = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """A library's sentence may hold anything, and no sentence may cost a record."""
        keep_storable(self, "text")
        said = {k: storable(v) if isinstance(v, str) else v for k, v in self.details.items()}
        object.__setattr__(self, "details", MappingProxyType(said))

    @property
    def severity(self) -> Severity:
        return SEVERITY.get(self.code, Severity.INFO)
