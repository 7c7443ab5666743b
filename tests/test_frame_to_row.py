"""The promise, end to end: one trigger, one verdict, one record, and no fault comes out as OK.

Hand-made frames go through the real loop into a real database with real pictures; only the model
is scripted.
"""

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.types import InferenceError, Prediction
from inspector.camera.base import Frame, FrameFault, GroundTruth
from inspector.db.history import History, HistoryFilter, Record
from inspector.db.log import InspectionLog
from inspector.pipeline.counters import Counters, Counts
from inspector.pipeline.frame_checks import FrameLimits
from inspector.pipeline.ids import uuid7_ids
from inspector.pipeline.inspection import Alarm, Reason, Verdict
from inspector.pipeline.loop import inspect
from inspector.pipeline.pictures import PictureSink
from inspector.pipeline.sinks import run
from tests.inspector.db_parts import run_info
from tests.inspector.pipeline_parts import RECIPE, ScriptedDetector, frame, picture, prediction

DATABASE = "station.sqlite"
GOOD, BAD = prediction(0.2), prediction(0.9, [(20, 10)])
SCRATCHED = GroundTruth("scratch", "a disc with a scratch")


def inspect_into(
    folder: Path,
    frames: Iterable[Frame],
    answers: Iterable[Prediction | Exception],
    pictures: PictureSink | None = None,
) -> Counts:
    """A station in miniature: frames → loop → pictures → database → counters."""
    inspections = inspect(
        frames,
        ScriptedDetector(iter(answers)),
        RECIPE,
        triggered=True,
        limits=FrameLimits(grab_deadline_ms=100),
        new_id=uuid7_ids(),
    )
    counters, log = Counters(), InspectionLog(folder / DATABASE, run_info())
    run(inspections, [pictures or PictureSink(folder), log, counters])
    return counters.counts()


def records(folder: Path, wanted: HistoryFilter = HistoryFilter()) -> list[Record]:  # noqa: B008
    """All rows, oldest first."""
    with History(folder / DATABASE) as history:
        return list(reversed(history.page(wanted, limit=1000)))


def test_good_and_bad_parts_become_rows_with_their_pictures(tmp_path: Path) -> None:
    frames = [frame(0), frame(1, truth=SCRATCHED), frame(2)]
    counts = inspect_into(tmp_path, frames, [GOOD, BAD, GOOD])
    rows = records(tmp_path)

    assert [row.verdict for row in rows] == [Verdict.OK, Verdict.NG, Verdict.OK]
    assert [row.sequence for row in rows] == [1, 2, 3]
    assert (rows[1].score, rows[1].truth_defect, len(rows[1].regions)) == (0.9, "scratch", 1)
    assert set(rows[1].pictures) == {"overlay", "crop", "picture"}
    assert all((tmp_path / path).is_file() for path in rows[1].pictures.values())
    kept = {"grab", "check", "pre", "infer", "post", "judge", "draw", "save"}
    assert kept == set(rows[1].stages_ms)
    assert (counts.total.triggers, counts.total.missed) == (3, 0)
    assert "commit" in counts.latency_ms


def test_every_kind_of_fault_is_a_row_of_its_own_and_none_is_ok(tmp_path: Path) -> None:
    frames = [
        frame(0),
        frame(1, fault=FrameFault.INCOMPLETE),
        frame(2, fault=FrameFault.NOT_A_PICTURE),
        frame(3, fault=FrameFault.WRONG_FORMAT),
        replace(frame(4), image=None),
        frame(5, np.zeros((40, 60), np.uint8)),
        frame(6, np.zeros((40, 60, 3), np.uint8)),
        frame(7, np.full((40, 60, 3), 255, np.uint8)),
        frame(8, picture(8)),
        frame(9, picture(8)),
        frame(10, grab_ms=101),
        frame(11, product="gear"),
        frame(12),
        frame(13),
        # 14 and 15 never come
        frame(16),
        frame(3, picture(17)),
    ]
    answers = [GOOD, GOOD, InferenceError("no number"), prediction(float("nan")), GOOD]
    counts = inspect_into(tmp_path, frames, answers)
    rows = records(tmp_path)

    assert [(row.frame_id, row.reason) for row in rows if row.verdict is Verdict.FAULT] == [
        (1, Reason.INCOMPLETE_FRAME),
        (2, Reason.NOT_A_PICTURE),
        (3, Reason.WRONG_FORMAT),
        (4, Reason.NOT_A_PICTURE),
        (5, Reason.WRONG_FORMAT),
        (6, Reason.BLACK_FRAME),
        (7, Reason.SATURATED_FRAME),
        (9, Reason.FROZEN_FRAME),
        (10, Reason.LATE_FRAME),
        (11, Reason.UNKNOWN_PRODUCT),
        (12, Reason.INFERENCE_ERROR),
        (13, Reason.INVALID_SCORE),
        (14, Reason.LOST_FRAME),
        (15, Reason.LOST_FRAME),
        (3, Reason.OUT_OF_ORDER),
    ]
    assert [row.frame_id for row in rows if row.verdict is Verdict.OK] == [0, 8, 16]
    assert len(rows) == counts.total.triggers == 18


def test_rows_equal_triggers_over_a_long_mixed_run(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    ids = np.flatnonzero(rng.random(200) > 0.1).tolist()  # a tenth of the frames is lost
    answers = [BAD if rng.random() < 0.3 else GOOD for _ in ids]
    counts = inspect_into(tmp_path, map(frame, ids), answers)
    rows = records(tmp_path)

    assert len(rows) == counts.total.triggers == ids[-1] + 1
    assert [row.frame_id for row in rows] == list(range(ids[-1] + 1))
    with History(tmp_path / DATABASE) as history:
        assert dict(history.counts()) == {
            Verdict.OK: counts.total.ok,
            Verdict.NG: counts.total.ng,
            Verdict.FAULT: ids[-1] + 1 - len(ids),
        }


def test_every_ng_row_has_its_overlay_on_disk(tmp_path: Path) -> None:
    inspect_into(tmp_path, map(frame, range(20)), [BAD, GOOD] * 10)
    rejects = records(tmp_path, HistoryFilter(verdict=Verdict.NG))

    assert len(rejects) == 10
    assert len({row.pictures["overlay"] for row in rejects}) == 10
    assert all((tmp_path / row.pictures["overlay"]).stat().st_size > 0 for row in rejects)


def test_a_full_disk_costs_pictures_never_rows(tmp_path: Path) -> None:
    full = PictureSink(tmp_path, free=lambda folder: 0, every_ok=1)
    inspect_into(tmp_path, map(frame, range(2)), [BAD, GOOD], full)
    rows = records(tmp_path)

    assert [row.verdict for row in rows] == [Verdict.NG, Verdict.OK]
    assert [row.alarm for row in rows] == [Alarm.PICTURE_NOT_SAVED] * 2
    assert [row.pictures for row in rows] == [{}, {}]


KILLED = """
import os, sys
from pathlib import Path
from inspector.db.log import InspectionLog
from inspector.pipeline.pictures import PictureSink
from tests import test_frame_to_row as house

class Killer(PictureSink):
    def write(self, inspection):
        written = super().write(inspection)
        if inspection.frame.frame_id == 3:
            os._exit(9)  # nothing is closed, flushed or rolled back
        return written

folder = Path(sys.argv[1])
house.inspect_into(folder, map(house.frame, range(10)), [house.BAD] * 10, Killer(folder))
"""


def test_a_kill_between_picture_and_commit_leaves_no_row_that_points_at_nothing(
    tmp_path: Path,
) -> None:
    root = Path(__file__).parents[1]
    died = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=root, check=False)
    rows = records(tmp_path)

    assert died.returncode == 9
    assert [row.frame_id for row in rows] == [0, 1, 2]
    named = {tmp_path / path for row in rows for path in row.pictures.values()}
    on_disk = set((tmp_path / "pictures").rglob("*.*"))
    assert named < on_disk
    assert len(on_disk - named) == 3  # the fourth part's pictures, which no row names


def test_the_next_run_goes_on_after_a_kill(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=root, check=False)
    log = InspectionLog(tmp_path / DATABASE, run_info("run-2"))
    inspections = inspect(
        [frame(0)], ScriptedDetector(iter([GOOD])), RECIPE, triggered=True, new_id=uuid7_ids()
    )
    run(inspections, [log])

    assert [row.run_id for row in records(tmp_path)] == ["run-1"] * 3 + ["run-2"]


def test_our_own_bug_crashes_once_its_part_has_its_row(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        inspect_into(tmp_path, map(frame, range(3)), [GOOD, ZeroDivisionError(), GOOD])

    rows = [(row.verdict, row.reason) for row in records(tmp_path)]
    assert rows == [(Verdict.OK, None), (Verdict.FAULT, Reason.INTERNAL_ERROR)]
