import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import exc

from engine.types import DatabaseError
from inspector.camera.base import GroundTruth
from inspector.db.log import InspectionLog
from inspector.pipeline.inspection import Alarm, Reason, Verdict
from tests.inspector.db_parts import inspection, run_info
from tests.inspector.pipeline_parts import NOON, frame, prediction


def query(path: Path, text: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(text).fetchall()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "line #4, 50 % é" / "station.sqlite"  # special in a URI


@pytest.fixture
def log(path: Path) -> Iterator[InspectionLog]:
    with InspectionLog(path, run_info(), clock=lambda: NOON) as log:
        yield log


def test_the_row_is_committed_when_write_returns(path: Path, log: InspectionLog) -> None:
    log.write(inspection(1, Verdict.NG))

    assert query(path, "SELECT id, verdict, reason FROM inspection") == [
        ("00000000-0000-7000-8000-000000000001", "NG", "defect")
    ]
    assert query(path, "SELECT rank, x, area_px, peak, contour FROM defect") == [
        (0, 5, 16, 0.9, "[[5, 6], [8, 6], [8, 9], [5, 9]]")
    ]


def test_all_that_a_replay_needs_is_in_the_row(path: Path, log: InspectionLog) -> None:
    scratched = frame(7, truth=GroundTruth("scratch", "a disc with a scratch"))
    log.write(
        inspection(7, Verdict.NG, frame=scratched, lost_before=2, alarm=Alarm.PICTURE_NOT_SAVED)
    )

    (row,) = query(
        path,
        "SELECT run_id, sequence, frame_id, lost_before, source, product, alarm, score, threshold,"
        " map_threshold, grabbed_at, inspected_at, stages_ms, overlay, crop, truth_defect"
        " FROM inspection",
    )
    assert row == (
        *("run-1", 1, 7, 2, "7.png", "disc", "picture_not_saved", 0.9, 0.5, 0.5),
        *("2026-11-21 12:00:00.000000", "2026-11-21 12:00:07.000000"),
        *('{"grab": 2.0, "infer": 3.5}', "pictures/a-overlay.png", None, "scratch"),
    )


def test_the_run_says_when_it_began_and_ended(path: Path) -> None:
    hours = count(8)

    def clock() -> datetime:
        return NOON.replace(hour=next(hours))

    with InspectionLog(path, run_info(), clock=clock):
        assert query(path, "SELECT ended_at FROM run") == [(None,)]
    assert query(path, "SELECT started_at, ended_at, steps FROM run") == [
        ("2026-11-21 08:00:00.000000", "2026-11-21 09:00:00.000000", 10)
    ]


def test_the_next_run_goes_into_the_same_database(path: Path) -> None:
    for number, run in enumerate(("run-1", "run-2")):
        with InspectionLog(path, run_info(run)) as log:
            log.write(inspection(number))

    assert query(path, "SELECT run_id, sequence FROM inspection ORDER BY id") == [
        ("run-1", 1),
        ("run-2", 1),
    ]


def test_no_number_is_null_and_a_fault(path: Path, log: InspectionLog) -> None:
    spoilt = inspection(1, Verdict.FAULT, reason=Reason.INVALID_SCORE)
    log.write(replace(spoilt, prediction=prediction(math.nan), threshold=0.5))

    assert query(path, "SELECT score, threshold FROM inspection") == [(None, 0.5)]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"reason": Reason.DEFECT}, "ok_alone_has_no_reason"),
        ({"verdict": Verdict.NG}, "ok_alone_has_no_reason"),
        ({"verdict": "MAYBE", "reason": Reason.DEFECT}, "verdict_is_known"),
        ({"prediction": None}, "judged_has_score"),
        ({"lost_before": -1}, "lost_is_a_count"),
        ({"id": inspection(0).id}, "UNIQUE"),
    ],
)
def test_the_database_refuses_nonsense_and_keeps_none_of_it(
    path: Path, log: InspectionLog, changes: dict[str, Any], rule: str
) -> None:
    log.write(inspection(0))

    with pytest.raises(exc.IntegrityError, match=rule):
        log.write(replace(inspection(1), **changes))
    log.write(inspection(2))

    assert query(path, "SELECT sequence, frame_id FROM inspection") == [(1, 0), (2, 2)]


def test_a_defect_that_is_refused_takes_its_inspection_along(
    path: Path, log: InspectionLog
) -> None:
    nameless = replace(inspection(1, Verdict.NG).regions[0], peak=math.nan)

    with pytest.raises(exc.IntegrityError, match=r"defect\.peak"):
        log.write(inspection(1, Verdict.NG, regions=(nameless,)))

    assert query(path, "SELECT count(*) FROM inspection") == [(0,)]


def test_a_time_without_zone_is_refused(log: InspectionLog) -> None:
    with pytest.raises(exc.StatementError, match="has no time zone"):
        log.write(inspection(1, inspected_at=NOON.replace(tzinfo=None)))


def test_a_lock_while_running_is_said_in_one_sentence(path: Path) -> None:
    with (
        InspectionLog(path, run_info(), busy_ms=20) as log,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match=r"station\.sqlite is locked by another program"):
            log.write(inspection(1))
        other.execute("ROLLBACK")
        log.write(inspection(2))

    assert query(path, "SELECT sequence, frame_id FROM inspection") == [(1, 2)]


def test_the_time_of_the_commit_is_a_stage(log: InspectionLog) -> None:
    assert log.write(inspection(1)).stages_ms["commit"] > 0
