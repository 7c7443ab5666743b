import tracemalloc
from dataclasses import replace
from itertools import product as pairs

import pytest

from inspector.camera.base import GroundTruth
from inspector.pipeline.counters import Counters, Percentiles
from inspector.pipeline.inspection import Inspection, Reason, Verdict
from tests.inspector.pipeline_parts import NOON, frame, prediction

GOOD = GroundTruth("good", "a sound disc")
SCRATCHED = GroundTruth("scratch", "a disc with a scratch")


def inspection(
    verdict: Verdict, truth: GroundTruth | None = None, product: str | None = "disc"
) -> Inspection:
    judged = verdict is not Verdict.FAULT
    return Inspection(
        id="1",
        frame=frame(0, truth=truth),
        verdict=verdict,
        reason=None if verdict is Verdict.OK else Reason.DEFECT,
        product=product,
        inspected_at=NOON,
        prediction=prediction(0.1) if judged else None,
        stages_ms={"grab": 1.0, "infer": 2.0} if judged else {"grab": 900.0},
    )


def test_every_verdict_against_every_truth() -> None:
    counters = Counters()
    for verdict, truth in pairs(Verdict, (None, GOOD, SCRATCHED)):
        counters.write(inspection(verdict, truth))
    total = counters.counts().total

    assert (total.triggers, total.ok, total.ng, total.fault) == (9, 3, 3, 3)
    assert (total.true_good, total.true_defective) == (3, 3)
    assert (total.missed, total.false_rejects) == (1, 1)


def test_products_are_counted_apart_and_add_up() -> None:
    counters = Counters()
    for product in ("disc", "label", "disc", None):
        counters.write(inspection(Verdict.OK, product=product))
    counts = counters.counts()

    assert {name: tally.ok for name, tally in counts.products.items()} == {
        "disc": 2,
        "label": 1,
        "": 1,
    }
    assert counts.total.triggers == 4


def test_lost_frames_of_a_free_running_camera_are_no_triggers() -> None:
    counters = Counters()
    counters.write(replace(inspection(Verdict.OK), lost_before=3))
    total = counters.counts().total

    assert (total.triggers, total.lost) == (1, 3)


def test_latency_is_of_judged_parts_only_stage_by_stage() -> None:
    counters = Counters()
    counters.write(inspection(Verdict.OK))
    counters.write(inspection(Verdict.FAULT))

    assert counters.counts().latency_ms == {
        "grab": Percentiles(1.0, 1.0),
        "infer": Percentiles(2.0, 2.0),
        "total": Percentiles(3.0, 3.0),
    }


def test_percentiles_forget_what_is_older_than_the_window() -> None:
    counters = Counters(window=100)
    for ms in [1e6] * 5 + list(range(101)):
        counters.write(replace(inspection(Verdict.OK), stages_ms={"infer": float(ms)}))
    infer = counters.counts().latency_ms["infer"]

    assert infer.p50 == pytest.approx(50.5)
    assert infer.p99 == pytest.approx(99.01)


def test_all_memory_is_taken_with_the_first_part() -> None:
    counters = Counters(window=10_000)
    counters.write(inspection(Verdict.OK))
    tracemalloc.start()
    for ms in range(2_000):
        counters.write(replace(inspection(Verdict.OK), stages_ms={"infer": float(ms)}))
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert grown < 10_000  # 2,000 numbers of Python for two stages would be 130,000 bytes


def test_a_snapshot_does_not_move() -> None:
    counters = Counters()
    counters.write(inspection(Verdict.OK))
    before = counters.counts()
    counters.write(inspection(Verdict.NG))

    assert before.total.triggers == 1
    assert before.products["disc"].triggers == 1
