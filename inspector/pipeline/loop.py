"""One trigger, one verdict, one record: from frames to inspections.

A generator: stopping is leaving it. Whatever goes wrong with one frame comes out as FAULT, never
as OK and never not at all. What is our own fault crashes, once its part has its record.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from calibration.recipe import Recipe, Threshold
from engine.types import (
    Image,
    InferenceError,
    InputError,
    KnownError,
    Prediction,
    UnknownProductError,
)
from inspector.camera.base import Frame
from inspector.clock import utc_now
from inspector.pipeline.arrivals import Arrivals
from inspector.pipeline.frame_checks import FrameLimits, check_frame
from inspector.pipeline.inspection import HUNG_AFTER_S, Inspection, Reason, Verdict
from inspector.pipeline.verdict import judge

REASON_OF: Mapping[type[KnownError], Reason] = {
    UnknownProductError: Reason.UNKNOWN_PRODUCT,
    InputError: Reason.WRONG_FORMAT,
    InferenceError: Reason.INFERENCE_ERROR,
}
"""What a detector may refuse about one frame, the narrower error first."""


class Detector(Protocol):
    """What the loop asks of the engine."""

    def detect(self, image: Image, product: str) -> Prediction:
        """Score one picture; raises :class:`UnknownProductError` or :class:`InferenceError`."""
        ...


def inspect(
    frames: Iterable[Frame],
    detector: Detector,
    recipe: Recipe,
    *,
    triggered: bool,
    new_id: Callable[[], str],
    product: str | None = None,
    limits: FrameLimits = FrameLimits(),  # noqa: B008 (frozen)
    deadline_ms: float | None = None,
    clock: Callable[[], datetime] = utc_now,
    timer: Callable[[], float] = time.perf_counter,
) -> Iterator[Inspection]:
    """Judge the frames of one camera, one inspection a trigger, in order.

    A frame's own ``product`` goes before the station's. Where ``triggered``, each id missing
    before a frame is a part not seen: a FAULT of its own; a count that broke is
    :class:`InputError`, after the FAULT of the frame that shows it. A free-running camera's lost
    frames are counted in ``lost_before``: over a pause they are many. ``deadline_ms`` is from
    trigger to verdict, all stages together, the wait of a finished picture among them: a later
    verdict is FAULT, and without a deadline one of a part that hung. ``clock`` gives UTC, ``timer``
    seconds for durations. An error that nobody foresaw is raised after a FAULT of its part.
    """
    bench = _Bench(detector, recipe, product, limits, deadline_ms, clock, timer, new_id)
    arrivals = Arrivals()
    for frame in frames:
        arrival = arrivals.note(frame)
        broken = triggered and arrival.fault
        if triggered and not broken and arrival.lost:
            began = timer()
            for frame_id in arrival.lost:
                yield bench.lost(frame_id, frame)
            # Each had its record written, and this frame has waited for it.
            frame = replace(frame, queue_ms=frame.queue_ms + (timer() - began) * 1000)
        lost_before = 0 if triggered else len(arrival.lost)
        in_order = not triggered or (arrival.in_order and not broken)
        try:
            inspection = bench.inspect(frame, arrival.frozen, in_order)
        except Exception:
            yield replace(bench.crashed(frame), lost_before=lost_before)
            raise
        yield replace(inspection, lost_before=lost_before)
        if broken:
            raise InputError(arrival.fault)


@dataclass(frozen=True, slots=True)
class _Bench:
    """All that judging one frame takes."""

    detector: Detector
    recipe: Recipe
    product: str | None
    limits: FrameLimits
    deadline_ms: float | None
    clock: Callable[[], datetime]
    timer: Callable[[], float]
    new_id: Callable[[], str]

    def lost(self, frame_id: int, seen_by: Frame) -> Inspection:
        """A part that nobody saw; its time is that of the frame that gave the loss away."""
        frame = Frame(frame_id, None, seen_by.grabbed_at, 0.0, seen_by.camera)
        return self._fault(frame, Reason.LOST_FRAME, {})

    def crashed(self, frame: Frame) -> Inspection:
        return self._fault(frame, Reason.INTERNAL_ERROR, _waited(frame))

    def inspect(self, frame: Frame, frozen: bool, in_order: bool) -> Inspection:
        start = self.timer()
        reason = check_frame(frame, self.limits, frozen=frozen)
        if reason is None and not in_order:
            reason = Reason.OUT_OF_ORDER
        stages = {**_waited(frame), "check": self._ms_since(start)}
        if reason is not None:
            return self._fault(frame, reason, stages)
        return self._in_time(self._ask_model(frame, stages), start)

    def _ask_model(self, frame: Frame, stages: Mapping[str, float]) -> Inspection:
        product = frame.product or self.product
        if product is None:
            return self._fault(frame, Reason.UNKNOWN_PRODUCT, stages)
        assert frame.image is not None  # check_frame saw to it
        try:
            threshold = self.recipe.threshold(product)
            prediction = self.detector.detect(frame.image, product)
        except tuple(REASON_OF) as error:
            reason = next(r for kind, r in REASON_OF.items() if isinstance(error, kind))
            return self._fault(frame, reason, stages)
        return self._judge(frame, prediction, threshold, stages)

    def _judge(
        self,
        frame: Frame,
        prediction: Prediction,
        threshold: Threshold,
        stages: Mapping[str, float],
    ) -> Inspection:
        start = self.timer()
        judgement = judge(prediction, threshold)
        stages_ms = {**stages, **prediction.stages_ms, "judge": self._ms_since(start)}
        prediction = replace(prediction, score=judgement.score_of(prediction))
        return Inspection(
            id=self.new_id(),
            frame=frame,
            verdict=judgement.verdict,
            reason=judgement.reason,
            product=prediction.product,
            inspected_at=self.clock(),
            prediction=prediction,
            threshold=threshold.score,
            map_threshold=threshold.map,
            regions=judgement.regions,
            stages_ms=stages_ms,
        )

    def _in_time(self, inspection: Inspection, start: float) -> Inspection:
        """What the model said of a part that has gone by keeps its score, and is no verdict."""
        if inspection.prediction is None:
            return inspection
        hung_ms = HUNG_AFTER_S * 1000
        most_ms = hung_ms if self.deadline_ms is None else self.deadline_ms
        late = sum(inspection.stages_ms.values()) > most_ms
        if not late and self._ms_since(start) <= hung_ms:
            return inspection
        return replace(inspection, verdict=Verdict.FAULT, reason=Reason.LATE_RESULT, regions=())

    def _fault(self, frame: Frame, reason: Reason, stages: Mapping[str, float]) -> Inspection:
        return Inspection(
            id=self.new_id(),
            frame=frame,
            verdict=Verdict.FAULT,
            reason=reason,
            product=frame.product or self.product,
            inspected_at=self.clock(),
            stages_ms=stages,
        )

    def _ms_since(self, start: float) -> float:
        return (self.timer() - start) * 1000


def _waited(frame: Frame) -> dict[str, float]:
    """What had passed of the deadline before the station took the frame."""
    waited = {"grab": frame.grab_ms, "queue": frame.queue_ms}
    return {stage: ms for stage, ms in waited.items() if ms or stage == "grab"}
