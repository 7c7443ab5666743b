"""Errors that stay: what went wrong is shown until a person has said that they saw it.

Whether an error keeps the station in Error is another question, and depends on its kind. A lost
camera comes back by itself, and with it the station; what may have cost a record, or is our own
fault, waits for a person.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from inspector.pipeline.events import EventCode


class ErrorCode(StrEnum):
    """What went wrong, for machines. A code keeps its meaning for ever."""

    CAMERA_LOST = "camera_lost"
    LINE_LOST = "line_lost"
    DATABASE_REFUSED = "database_refused"
    INFERENCE_FAILED = "inference_failed"
    HUNG = "hung"
    NOT_OPENED = "not_opened"
    INTERNAL = "internal_error"


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """How an error of one code ends.

    ``heals``: the station leaves Error as soon as the cause has gone; otherwise a person has to
    acknowledge it, too. ``lasting``: the cause is a condition that somebody watches and reports as
    gone; otherwise it was over when it was told, and only the acknowledgement is missing.
    """

    heals: bool = False
    lasting: bool = True
    raised: EventCode = EventCode.ERROR_RAISED
    resolved: EventCode = EventCode.ERROR_RESOLVED


KINDS: Final[Mapping[ErrorCode, ErrorKind]] = MappingProxyType(
    {
        ErrorCode.CAMERA_LOST: ErrorKind(
            heals=True, raised=EventCode.CAMERA_LOST, resolved=EventCode.CAMERA_BACK
        ),
        ErrorCode.LINE_LOST: ErrorKind(
            heals=True, raised=EventCode.LINE_LOST, resolved=EventCode.LINE_BACK
        ),
        ErrorCode.DATABASE_REFUSED: ErrorKind(raised=EventCode.DATABASE_REFUSED),
        ErrorCode.INFERENCE_FAILED: ErrorKind(lasting=False),
        ErrorCode.HUNG: ErrorKind(heals=True, raised=EventCode.HUNG),
        ErrorCode.NOT_OPENED: ErrorKind(lasting=False),
        ErrorCode.INTERNAL: ErrorKind(lasting=False),
    }
)


@dataclass(frozen=True, slots=True)
class LatchedError:
    """One error, from its first appearance until its cause has gone and a person has seen it.

    Raised again meanwhile, it counts up: ``count`` times since ``since``, lastly at ``last_at``,
    with the newest ``sentence``. Times are UTC.
    """

    code: ErrorCode
    sentence: str
    since: datetime
    last_at: datetime
    count: int = 1
    resolved_at: datetime | None = None
    acknowledged_by: str | None = None

    @property
    def is_resolved(self) -> bool:
        return self.resolved_at is not None

    @property
    def blocks(self) -> bool:
        """Whether it keeps the station in Error."""
        unseen = self.acknowledged_by is None and not KINDS[self.code].heals
        return unseen or not self.is_resolved

    @property
    def is_over(self) -> bool:
        """Resolved and acknowledged: nothing is left to show."""
        return self.is_resolved and self.acknowledged_by is not None


Latched: TypeAlias = Mapping[ErrorCode, LatchedError]
"""At most one of each code; pure functions below make the next from the last."""


def latch(errors: Latched, code: ErrorCode, sentence: str, now: datetime) -> Latched:
    """``errors`` with one more, or with one that has happened once more."""
    resolved_at = None if KINDS[code].lasting else now
    known = errors.get(code)
    if known is None:
        return {**errors, code: LatchedError(code, sentence, now, now, resolved_at=resolved_at)}
    again = replace(
        known, sentence=sentence, last_at=now, count=known.count + 1, resolved_at=resolved_at
    )
    return {**errors, code: again}


def resolve(errors: Latched, code: ErrorCode, now: datetime) -> Latched:
    """``errors`` once the cause of ``code`` has gone; nothing where there was none."""
    known = errors.get(code)
    if known is None or known.is_resolved:
        return errors
    return _left({**errors, code: replace(known, resolved_at=now)})


def acknowledge(errors: Latched, code: ErrorCode, person: str) -> Latched:
    """``errors`` once ``person`` has seen ``code``; the first to see it is the one named."""
    known = errors.get(code)
    if known is None or known.acknowledged_by is not None:
        return errors
    return _left({**errors, code: replace(known, acknowledged_by=person)})


def _left(errors: Latched) -> Latched:
    return {code: error for code, error in errors.items() if not error.is_over}
