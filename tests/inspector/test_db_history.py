from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from engine.types import DatabaseError
from inspector.camera.base import PartIdentity
from inspector.db.history import EVERYTHING, History, HistoryFilter
from inspector.db.log import InspectionLog
from inspector.pipeline.inspection import Alarm, Reason, Verdict
from tests.inspector.db_parts import SCRATCH, inspection, run_info
from tests.inspector.pipeline_parts import NOON, frame

CYCLE = (Verdict.OK, Verdict.NG, Verdict.FAULT)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Thirty parts, a second apart: OK, NG, FAULT in turn; every fifth one a label."""
    path = tmp_path / "station.sqlite"
    with InspectionLog(path, run_info()) as log:
        for number in range(30):
            product = "label" if number % 5 == 0 else "disc"
            log.write(inspection(number, CYCLE[number % 3], product=product))
    return path


def numbers(path: Path, wanted: HistoryFilter, limit: int = 100) -> list[int]:
    with History(path) as history:
        return [record.frame_id for record in history.page(wanted, limit=limit)]


def second(number: int) -> timedelta:
    return timedelta(seconds=number)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (EVERYTHING, range(30)),
        (HistoryFilter(verdict=Verdict.NG), range(1, 30, 3)),
        (HistoryFilter(product="label"), range(0, 30, 5)),
        (HistoryFilter(reason=Reason.BLACK_FRAME), range(2, 30, 3)),
        (HistoryFilter(since=NOON + second(10), until=NOON + second(12)), range(10, 12)),
        (HistoryFilter(verdict=Verdict.OK, product="label"), range(0, 30, 15)),
        (HistoryFilter(product="gear"), range(0)),
    ],
)
def test_filters(path: Path, wanted: HistoryFilter, found: range) -> None:
    assert numbers(path, wanted) == list(reversed(found))
    with History(path) as history:
        assert sum(history.counts(wanted).values()) == len(found)


def test_parts_of_one_name_are_counted_up_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.db.history.MOST_COUNTED", 4)
    path = tmp_path / "named.sqlite"
    with InspectionLog(path, run_info()) as log:
        for n, verdict in enumerate([Verdict.NG] * 3 + [Verdict.OK] * 3):
            named = replace(frame(n), part=PartIdentity(part="A-12"))
            log.write(inspection(n, verdict, frame=named))
    with History(path) as history:
        newest = {Verdict.OK: 3, Verdict.NG: 1, Verdict.FAULT: 0}
        assert history.counts(HistoryFilter(part="A-12")) == newest
        assert history.counts() == {**newest, Verdict.NG: 3}


def test_pages_join_without_gap_or_overlap_while_the_station_writes(path: Path) -> None:
    seen: list[int] = []
    with History(path) as history, InspectionLog(path, run_info("run-2")) as log:
        page = history.page(limit=7)
        while page:
            seen += [record.frame_id for record in page]
            log.write(inspection(1000 + len(seen)))
            page = history.page(before=page[-1].id, limit=7)

    assert seen == list(reversed(range(30)))


def test_parts_of_the_same_moment_page_by_id(path: Path) -> None:
    with InspectionLog(path, run_info("run-2")) as log:
        for number in range(100, 105):
            log.write(inspection(number, inspected_at=NOON + second(3600)))
    with History(path) as history:
        first = history.page(limit=2)
        rest = history.page(before=first[-1].id, limit=3)

    assert [record.frame_id for record in first + rest] == [104, 103, 102, 101, 100]


def test_a_record_says_what_was_written(path: Path) -> None:
    with History(path) as history:
        fault, ng = history.page(limit=2)

    assert (fault.verdict, fault.reason, fault.score) == (Verdict.FAULT, Reason.BLACK_FRAME, None)
    assert (fault.pictures, fault.regions, fault.alarm) == ({}, (), None)
    assert ng.regions == (SCRATCH,)
    assert ng.pictures == {"overlay": Path("pictures", "a-overlay.png")}
    assert (ng.inspected_at, ng.grabbed_at) == (NOON + second(28), NOON)
    assert ng.stages_ms == {"grab": 2.0, "infer": 3.5}


def test_an_alarm_is_read_back(path: Path) -> None:
    with InspectionLog(path, run_info("run-2")) as log:
        log.write(inspection(50, alarm=Alarm.PICTURE_NOT_SAVED))
    with History(path) as history:
        assert history.page(limit=1)[0].alarm is Alarm.PICTURE_NOT_SAVED


def test_counts_name_every_verdict(path: Path) -> None:
    with History(path) as history:
        assert history.counts() == {Verdict.OK: 10, Verdict.NG: 10, Verdict.FAULT: 10}
        assert history.counts(HistoryFilter(product="gear")) == dict.fromkeys(Verdict, 0)


def test_products_are_the_filters_choices(path: Path) -> None:
    with InspectionLog(path, run_info("run-2")) as log:
        log.write(inspection(40, Verdict.FAULT, product=None))
    with History(path) as history:
        assert history.products() == ("disc", "label")


def test_threads_may_share_a_history(path: Path) -> None:
    with History(path) as history, ThreadPoolExecutor(4) as threads:
        pages = list(threads.map(lambda _: history.page(limit=10), range(20)))

    assert {page[0].frame_id for page in pages} == {29}


def test_no_database_is_said_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="There is no database"):
        History(tmp_path / "none.sqlite").__enter__()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("1", "inspection_by_time"),
        ("verdict = 'NG'", "inspection_by_verdict"),
        ("product = 'disc'", "inspection_by_product"),
        ("reason = 'defect'", "inspection_by_reason"),
    ],
)
def test_a_page_is_read_off_an_index_without_sorting(
    path: Path, condition: str, index: str
) -> None:
    with History(path) as history, Session(history._engine) as session:
        plan = session.connection().exec_driver_sql(
            f"EXPLAIN QUERY PLAN SELECT * FROM inspection WHERE {condition}"
            " AND (inspected_at, id) < ('2026-11-21 12:00:09.000000', 'x')"
            " ORDER BY inspected_at DESC, id DESC LIMIT 50"
        )
        steps = " ".join(row[3] for row in plan)

    assert f"USING INDEX {index}" in steps
    assert "TEMP B-TREE" not in steps
