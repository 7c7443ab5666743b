from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any

import numpy as np
import pytest

from engine.types import InferenceError, InputError, MissingError, Prediction, UnknownProductError
from inspector.camera.base import Frame, FrameFault
from inspector.pipeline.arrivals import MOST_LOST
from inspector.pipeline.frame_checks import FrameLimits
from inspector.pipeline.inspection import Inspection, Reason, Verdict
from inspector.pipeline.loop import inspect
from tests.inspector.pipeline_parts import (
    NOON,
    RECIPE,
    ScriptedDetector,
    frame,
    numbered_ids,
    picture,
    prediction,
)


def noon() -> datetime:
    return NOON


def ticking(step_s: float = 0.001) -> Callable[[], float]:
    ticks = count()
    return lambda: next(ticks) * step_s


def go(
    frames: Iterable[Frame],
    answers: Iterable[Prediction | Exception] = (),
    *,
    triggered: bool = True,
    **options: Any,
) -> list[Inspection]:
    detector = ScriptedDetector(iter(answers))
    steady = {"clock": noon, "timer": ticking(), "new_id": numbered_ids()}
    return list(inspect(frames, detector, RECIPE, triggered=triggered, **(steady | options)))


def faults(inspections: Iterable[Inspection]) -> list[Reason | None]:
    return [each.reason for each in inspections if each.verdict is Verdict.FAULT]


def test_one_verdict_a_trigger_with_all_that_led_to_it() -> None:
    good, bad = go([frame(0), frame(1)], [prediction(0.2), prediction(0.9, [(5, 5)])])

    assert (good.verdict, good.reason, good.regions) == (Verdict.OK, None, ())
    assert (bad.verdict, bad.reason, len(bad.regions)) == (Verdict.NG, Reason.DEFECT, 1)
    assert (bad.threshold, bad.map_threshold) == (0.5, 0.5)
    assert bad.inspected_at == NOON
    assert bad.id > good.id
    assert bad.stages_ms == pytest.approx(
        {"grab": 2, "check": 1, "pre": 1, "infer": 3, "post": 1, "judge": 1}
    )


def test_each_frame_lost_by_a_triggered_camera_is_a_fault_of_its_own() -> None:
    inspections = go([frame(0), frame(3)], [prediction(0.2)] * 2)

    assert [each.frame.frame_id for each in inspections] == [0, 1, 2, 3]
    assert faults(inspections) == [Reason.LOST_FRAME] * 2
    assert [each.lost_before for each in inspections] == [0, 0, 0, 0]


def test_a_triggered_camera_whose_count_broke_ends_the_run_after_its_frame_has_a_fault() -> None:
    judged: list[Inspection] = []
    detector = ScriptedDetector(iter([prediction(0.1)]))
    frames = [frame(0), frame(MOST_LOST + 2)]
    with pytest.raises(InputError, match="its frame counter is broken"):
        judged.extend(inspect(frames, detector, RECIPE, triggered=True, new_id=numbered_ids()))
    assert [one.reason for one in judged] == [None, Reason.OUT_OF_ORDER]


def test_a_free_running_camera_may_have_run_on_for_long() -> None:
    answers = [prediction(0.1), prediction(0.1)]
    first, after = go([frame(0), frame(MOST_LOST + 2)], answers, triggered=False)
    assert (first.lost_before, after.lost_before) == (0, MOST_LOST + 1)
    assert after.verdict is Verdict.OK


def test_frames_lost_by_a_free_running_camera_are_counted() -> None:
    inspections = go([frame(0), frame(3)], [prediction(0.2)] * 2, triggered=False)

    assert [each.lost_before for each in inspections] == [0, 2]
    assert faults(inspections) == []


def test_a_frame_out_of_order_is_nobodys_part() -> None:
    inspections = go([frame(0), frame(1), frame(1, picture(9))], [prediction(0.2)] * 2)

    assert faults(inspections) == [Reason.OUT_OF_ORDER]


def test_a_free_running_camera_may_begin_anew() -> None:
    frames = [frame(0), frame(1), frame(0, picture(9))]

    assert faults(go(frames, [prediction(0.2)] * 3, triggered=False)) == []


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (frame(1, fault=FrameFault.INCOMPLETE), Reason.INCOMPLETE_FRAME),
        (frame(1, np.zeros((40, 60, 3), np.uint8)), Reason.BLACK_FRAME),
        (frame(1, picture(0)), Reason.FROZEN_FRAME),
        (frame(1, grab_ms=900), Reason.LATE_FRAME),
    ],
)
def test_a_spoilt_frame_is_a_fault_and_the_model_is_not_asked(
    spoilt: Frame, reason: Reason
) -> None:
    limits = FrameLimits(grab_deadline_ms=100)
    inspections = go([frame(0), spoilt], [prediction(0.2)], limits=limits)

    assert faults(inspections) == [reason]
    assert inspections[1].prediction is None
    assert inspections[1].frame is spoilt


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InferenceError("no number"), Reason.INFERENCE_ERROR),
        (UnknownProductError("disc", ["fabric"]), Reason.UNKNOWN_PRODUCT),
        (InputError("too small"), Reason.WRONG_FORMAT),
    ],
)
def test_what_the_detector_refuses_is_a_fault_and_the_line_goes_on(
    error: Exception, reason: Reason
) -> None:
    inspections = go([frame(0), frame(1)], [error, prediction(0.2)])

    assert faults(inspections) == [reason]
    assert inspections[1].verdict is Verdict.OK


def test_no_number_is_a_fault() -> None:
    assert faults(go([frame(0)], [prediction(float("nan"))])) == [Reason.INVALID_SCORE]


@pytest.mark.parametrize("product", [None, "gear"])
def test_a_product_nobody_named_or_taught_is_a_fault(product: str | None) -> None:
    inspections = go([frame(0, product=product)])

    assert faults(inspections) == [Reason.UNKNOWN_PRODUCT]
    assert inspections[0].product == product


def test_the_frames_product_goes_before_the_stations() -> None:
    detector = ScriptedDetector(iter([prediction(0.2)] * 2))
    frames = [frame(0, product=None), frame(1, product="gear")]
    made = list(
        inspect(frames, detector, RECIPE, triggered=True, product="disc", new_id=numbered_ids())
    )

    assert detector.asked == ["disc"]
    assert [each.product for each in made] == ["disc", "gear"]


@pytest.mark.parametrize(("deadline_ms", "found"), [(9.1, []), (8.9, [Reason.LATE_RESULT])])
def test_a_verdict_after_the_deadline_is_a_fault(deadline_ms: float, found: list[Reason]) -> None:
    inspections = go([frame(0)], [prediction(0.2)], deadline_ms=deadline_ms)

    assert faults(inspections) == found


@pytest.mark.parametrize(("step_s", "found"), [(7, []), (8, [Reason.LATE_RESULT])])
def test_a_part_that_hung_is_no_ok_though_there_is_no_deadline(
    step_s: float, found: list[Reason]
) -> None:
    (inspection,) = go([frame(0)], [prediction(0.2)], timer=ticking(step_s))  # four steps a part

    assert faults([inspection]) == found
    assert inspection.prediction is not None
    assert inspection.prediction.score == 0.2  # kept: somebody will ask what it was


@pytest.mark.parametrize("error", [ZeroDivisionError("ours"), MissingError("the runtime is gone")])
def test_what_is_not_one_frames_fault_ends_the_run_after_its_record(error: Exception) -> None:
    made = inspect(
        [frame(0), frame(1)],
        ScriptedDetector(iter([error, prediction(0.2)])),
        RECIPE,
        triggered=True,
        new_id=numbered_ids(),
    )

    assert faults([next(made)]) == [Reason.INTERNAL_ERROR]
    with pytest.raises(type(error)):
        next(made)


def test_the_wait_of_a_finished_picture_counts_against_the_deadline() -> None:
    waiting = replace(frame(0), queue_ms=100.0)

    inspections = go([waiting, frame(1)], [prediction(0.2)] * 2, deadline_ms=50)

    assert faults(inspections) == [Reason.LATE_RESULT]
    assert inspections[0].stages_ms["queue"] == 100.0


def test_writing_the_records_of_lost_frames_counts_against_the_next_ones_deadline() -> None:
    # Ten rows before it, of a millisecond each by the timer that the sinks would move.
    clock = ticking()
    made = inspect(
        [frame(0), frame(11)],
        ScriptedDetector(iter([prediction(0.2)] * 2)),
        RECIPE,
        triggered=True,
        new_id=numbered_ids(),
        deadline_ms=20,
        timer=clock,
    )
    reasons = []
    for inspection in made:
        reasons.append(inspection.reason)
        clock(), clock()  # what writing it took

    assert reasons == [None, *[Reason.LOST_FRAME] * 10, Reason.LATE_RESULT]


def test_leaving_the_loop_stops_drawing_frames() -> None:
    drawn: list[int] = []

    def camera() -> Iterable[Frame]:
        for i in count():
            drawn.append(i)
            yield frame(i)

    detector = ScriptedDetector(iter([prediction(0.2)] * 3))
    for each in inspect(camera(), detector, RECIPE, triggered=True, new_id=numbered_ids()):
        if each.frame.frame_id == 1:
            break

    assert drawn == [0, 1]
