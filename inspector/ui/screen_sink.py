"""The sink that feeds the window: all work on pixels is done here, in the worker's thread."""

from collections import deque
from types import TracebackType
from typing import Final, Self

import numpy as np
from PySide6.QtGui import QImage

from engine.types import Image
from inspector.pipeline.counters import Counters
from inspector.pipeline.frame_checks import is_picture
from inspector.pipeline.inspection import Inspection
from inspector.ui.images import fit, heat_image, heat_rgba, picture_image
from inspector.ui.mailbox import Mailbox
from inspector.ui.screen import Outline, PartView, ScreenState

HEAT_PX: Final = 768  # a map is smooth: more pixels would only cost time
THUMBNAIL_PX: Final = 192
RECENT: Final = 16
LATENCIES: Final = 1000  # the screen's median is of the last thousand parts: cheap at every part


class ScreenSink:
    """Turns each inspection into one letter for the mailbox.

    ``long_edge_px`` bounds the picture shown; ``recent`` is how many parts stay at hand.
    """

    def __init__(
        self, mailbox: Mailbox[ScreenState], *, long_edge_px: int = 1600, recent: int = RECENT
    ) -> None:
        self._mailbox = mailbox
        self._long_edge_px = long_edge_px
        self._recent: deque[PartView] = deque(maxlen=recent)
        self._counters = Counters(window=LATENCIES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to let go of: the last part stays on the screen when a run ends."""

    def write(self, inspection: Inspection) -> Inspection:
        """Prepare one part for the screen and leave it in the mailbox."""
        part = view_of(inspection, self._long_edge_px)
        self._recent.appendleft(part)
        self._counters.write(inspection)
        letter = ScreenState(part, tuple(self._recent), self._counters.counts())
        self._mailbox.put(letter)
        return inspection


def view_of(inspection: Inspection, long_edge_px: int) -> PartView:
    """One inspection, ready to draw."""
    prediction = inspection.prediction
    shown = _shown(inspection, long_edge_px)
    return PartView(
        id=inspection.id,
        verdict=inspection.verdict,
        reason=inspection.reason,
        alarm=inspection.alarm,
        product=inspection.product,
        inspected_at=inspection.inspected_at,
        score=prediction.score if prediction else None,
        threshold=inspection.threshold,
        latency_ms=sum(inspection.stages_ms.values()),
        picture=None if shown is None else picture_image(shown),
        heat=_heat(inspection),
        thumbnail=None if shown is None else picture_image(fit(shown, THUMBNAIL_PX)),
        outlines=_outlines(inspection),
    )


def _shown(inspection: Inspection, long_edge_px: int) -> Image | None:
    """The frame's picture at the screen's size; None for what is no picture."""
    image = inspection.frame.image
    if image is None or not is_picture(image):
        return None
    return fit(image, long_edge_px)


def _heat(inspection: Inspection) -> QImage | None:
    """The map in colour; None where the model was not asked or gave no number."""
    prediction, limit = inspection.prediction, inspection.map_threshold
    if prediction is None or limit is None or not np.isfinite(prediction.map).all():
        return None
    return heat_image(heat_rgba(fit(prediction.map, HEAT_PX), limit))


def _outlines(inspection: Inspection) -> tuple[Outline, ...]:
    if inspection.frame.image is None:
        return ()
    height, width = inspection.frame.image.shape[:2]
    return tuple(
        tuple(((x + 0.5) / width, (y + 0.5) / height) for x, y in region.contour)
        for region in inspection.regions
    )
