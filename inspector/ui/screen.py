"""What crosses from the worker to the window: frozen, ready to draw, complete in itself."""

from dataclasses import dataclass
from datetime import datetime

from PySide6.QtGui import QImage

from inspector.pipeline.counters import Counts
from inspector.pipeline.inspection import Alarm, Reason, Verdict

Outline = tuple[tuple[float, float], ...]
"""The contour of a defect; x and y as a share of the picture's width and height, 0 to 1."""


@dataclass(frozen=True, slots=True)
class PartView:
    """One part as the screen shows it.

    ``picture``, ``heat`` (premultiplied ARGB, to be laid over the picture) and ``thumbnail`` own
    their bytes and are never painted on. They are None where there was nothing to show.
    """

    id: str
    verdict: Verdict
    reason: Reason | None
    alarm: Alarm | None
    product: str | None
    inspected_at: datetime
    score: float | None
    threshold: float | None
    latency_ms: float
    picture: QImage | None
    heat: QImage | None
    thumbnail: QImage | None
    outlines: tuple[Outline, ...]


@dataclass(frozen=True, slots=True)
class ScreenState:
    """One letter to the window: the newest part, the parts before it (newest first), the counts.

    Cumulative, because the mailbox drops what the window has not read.
    """

    part: PartView
    recent: tuple[PartView, ...]
    counts: Counts
