"""The whole schema: a database of the first version comes through with all its rows."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, event, exc

from inspector.camera.base import PartIdentity
from inspector.db.connect import writing_engine
from inspector.db.history import EVERYTHING, History, HistoryFilter
from inspector.db.log import InspectionLog
from inspector.db.migrate import SHIPPED, newest_revision
from inspector.db.run_info import in_effect_text
from inspector.db.writer import Writer
from inspector.pipeline.inspection import Alarm, Reason, Verdict
from tests.inspector.db_parts import inspection, run_info
from tests.inspector.pipeline_parts import NOON, frame

OLD_RUN = """
INSERT INTO run (id, started_at, ended_at, station, camera, bundle_sha256, plan_sha256,
    recipe_sha256, settings_sha256, runtime, precision, steps, program_version)
VALUES ('{id}', '2026-11-2{day} 06:00:00.000000', NULL, 'press 4', 'sim:disc', 'b1', 'p{day}',
    'r1', 's1', 'openvino', 'f32', 10, '0.1.0')
"""
OLD_PART = """
INSERT INTO inspection (id, run_id, sequence, frame_id, lost_before, source, product, verdict,
    reason, score, threshold, grabbed_at, inspected_at, stages_ms)
VALUES ('{run}-{n}', '{run}', {n}, {n}, 0, '', {product}, '{verdict}', {reason}, 0.7, 0.5,
    '2026-11-21 06:00:0{n}.000000', '2026-11-21 06:00:0{n}.000000', '{{"grab": 2.0}}')
"""
OLD_DEFECT = "INSERT INTO defect VALUES ('run-1-2', 0, 5, 6, 4, 4, 16, 0.9, '[[5, 6]]')"
PARTS = (
    (1, "'disc'", "OK", "NULL"),
    (2, "'disc'", "NG", "'defect'"),
    (3, "NULL", "FAULT", "'no_frame'"),
)


def first_schema(engine: Engine) -> None:
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", SHIPPED)
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for day, run in ((1, "run-1"), (2, "run-2")):
            connection.exec_driver_sql(OLD_RUN.format(id=run, day=day))
            for n, product, verdict, reason in PARTS:
                row = {"product": product, "verdict": verdict, "reason": reason}
                connection.exec_driver_sql(OLD_PART.format(run=run, n=n, **row))
        connection.exec_driver_sql(OLD_DEFECT)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Two runs of three parts each, as the first version of the program wrote them."""
    path = tmp_path / "station.sqlite"
    engine = writing_engine(path)
    first_schema(engine)
    engine.dispose()
    return path


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


COUNTS = (
    "SELECT (SELECT count(*) FROM run), (SELECT count(*) FROM inspection), count(*) FROM defect"
)


def test_all_rows_come_through_the_migration(old: Path) -> None:
    before = rows(old, "SELECT * FROM inspection ORDER BY id")
    with Writer(old):
        pass

    assert rows(old, "SELECT version_num FROM alembic_version") == [(newest_revision(),)]
    assert rows(old, COUNTS) == [(2, 6, 1)]
    after = rows(old, "SELECT * FROM inspection ORDER BY id")
    assert after == [(*row, None, None, None) for row in before]
    assert rows(old, "SELECT DISTINCT camera_spec, camera_in_effect FROM run") == [(None, None)]
    assert rows(old, "SELECT *, plan_path FROM defect, run WHERE run.id = 'run-2'")
    assert rows(old, "PRAGMA foreign_key_check") == []


def test_what_old_runs_rest_on_becomes_rows(old: Path) -> None:
    with Writer(old):
        pass

    began = "2026-11-21 06:00:00.000000"
    assert rows(old, "SELECT * FROM station") == [("press 4", began)]
    assert rows(old, "SELECT * FROM camera") == [("press 4", "sim:disc", began)]
    assert rows(old, "SELECT * FROM bundle") == [("b1", None, began)]
    assert rows(old, "SELECT sha256, bundle_sha256 FROM plan ORDER BY 1") == [
        ("p1", "b1"),
        ("p2", "b1"),
    ]
    assert rows(old, "SELECT * FROM recipe_version") == [("r1", None, began)]
    assert rows(old, "SELECT * FROM product") == [("disc", "2026-11-21 06:00:01.000000")]


def test_foreign_keys_hold_after_the_migration_too(old: Path) -> None:
    with Writer(old) as writer, pytest.raises(exc.IntegrityError, match="FOREIGN KEY"):
        writer.transact(lambda c: c.exec_driver_sql("UPDATE run SET plan_sha256 = 'nowhere'"))


def test_an_old_database_is_read_and_written_on(old: Path) -> None:
    named = replace(run_info(), id="run-3", bundle_sha256="b1", bundle_name="gears")
    with InspectionLog(old, named) as log:
        log.write(inspection(1))
    with History(old) as history:
        assert len(history.page(EVERYTHING)) == 7
        assert history.products() == ("disc",)

    assert rows(old, "SELECT name FROM bundle") == [("gears",)], "the name is filled in"


def test_the_run_keeps_what_a_replay_needs(tmp_path: Path) -> None:
    path = tmp_path / "station.sqlite"
    run = replace(
        run_info(),
        camera_spec="rtsp://10.0.0.2/line",
        camera_in_effect=in_effect_text({"Width": 64, "Gain": nan, "ReverseX": True}),
        plan_path="/plans/gears.plan",
        recipe='{"name": "gears"}',
        shift="early",
        lot="L7",
    )
    with InspectionLog(path, run) as log:
        log.write(inspection(1))

    query = (
        "SELECT camera_spec, camera_in_effect, plan_path, shift, run.lot, recipe,"
        " plan.bundle_sha256, inspection.lot"
        " FROM inspection JOIN run ON run.id = run_id"
        " JOIN plan ON plan.sha256 = run.plan_sha256"
        " JOIN recipe_version ON recipe_version.sha256 = recipe_sha256"
    )
    [(spec, in_effect, *others)] = rows(path, query)
    assert spec == "rtsp://10.0.0.2/line"
    assert json.loads(str(in_effect)) == {"Width": 64, "Gain": "nan", "ReverseX": True}
    assert others == ["/plans/gears.plan", "early", "L7", run.recipe, "b" * 64, "L7"]
    assert in_effect_text({}) is None


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """Ten parts of two lots with serials; the third has an alarm, one NG each lot."""
    path = tmp_path / "station.sqlite"
    with InspectionLog(path, run_info()) as log:
        for n in range(10):
            identity = PartIdentity(part="A-12", lot=f"L{n // 5}", serial=f"S{n}")
            seen = replace(frame(n), part=identity if n != 9 else PartIdentity())
            verdict = Verdict.NG if n in (1, 6) else Verdict.FAULT if n == 7 else Verdict.OK
            alarm = Alarm.PICTURE_NOT_SAVED if n == 2 else None
            log.write(inspection(n, verdict, frame=seen, alarm=alarm))
    return path


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (HistoryFilter(serial="S3"), [3]),
        (HistoryFilter(serial="S"), []),
        (HistoryFilter(lot="L1"), [8, 7, 6, 5]),
        (HistoryFilter(part="A-12", verdict=Verdict.NG), [6, 1]),
        (HistoryFilter(product="disc", verdict=Verdict.FAULT), [7]),
        (HistoryFilter(alarmed=True), [2]),
        (HistoryFilter(alarmed=False, lot="L0"), [4, 3, 1, 0]),
    ],
)
def test_a_part_is_found_by_what_it_is(
    parts: Path, wanted: HistoryFilter, found: list[int]
) -> None:
    with History(parts) as history:
        page = history.page(wanted)

    assert [record.frame_id for record in page] == found
    assert all(record.serial == f"S{record.frame_id}" for record in page)


def plan_of(history: History, wanted: HistoryFilter) -> str:
    """How SQLite goes about the second page, with the very statement and its parameters."""
    (newest,) = history.page(limit=1)
    asked: list[Any] = []
    event.listen(history._engine, "before_cursor_execute", lambda *args: asked.append(args[2:4]))
    history.page(wanted, before=newest.id)
    statement, parameters = next(each for each in asked if "LIMIT" in each[0])
    with history._engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return " ".join(row[3] for row in plan)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (HistoryFilter(serial="S3"), "inspection_by_serial"),
        (HistoryFilter(lot="L1"), "inspection_by_lot"),
        (HistoryFilter(part="A-12"), "inspection_by_part"),
        (HistoryFilter(serial="S3", product="disc", verdict=Verdict.NG), "inspection_by_serial"),
        (HistoryFilter(part="A-12", verdict=Verdict.NG), "inspection_by_part"),
        (HistoryFilter(alarmed=True), "inspection_by_alarm"),
        (HistoryFilter(reason=Reason.DEFECT), "inspection_by_reason"),
        (HistoryFilter(product="disc", verdict=Verdict.NG), "inspection_by_reject"),
        (HistoryFilter(verdict=Verdict.NG), "inspection_by_verdict"),
        (HistoryFilter(product="disc"), "inspection_by_product"),
        (EVERYTHING, "inspection_by_time"),
    ],
)
@pytest.mark.parametrize("ranged", [False, True])
def test_each_filter_is_read_off_its_index_without_sorting(
    parts: Path, wanted: HistoryFilter, index: str, ranged: bool
) -> None:
    if ranged:
        wanted = replace(wanted, since=NOON, until=NOON.replace(hour=13))
    with History(parts) as history:
        steps = plan_of(history, wanted)

    assert f"USING INDEX {index} " in steps
    assert "TEMP B-TREE" not in steps


@pytest.mark.parametrize("ranged", [False, True])
@pytest.mark.parametrize("verdict", [None, *Verdict])
@pytest.mark.parametrize("product", [None, "disc"])
def test_counts_are_read_off_indexes(
    parts: Path, verdict: Verdict | None, product: str | None, ranged: bool
) -> None:
    wanted = HistoryFilter(verdict=verdict, product=product)
    if ranged:
        wanted = replace(wanted, since=NOON, until=NOON.replace(hour=13))
    asked: list[Any] = []
    with History(parts) as history:
        event.listen(history._engine, "before_cursor_execute", lambda *a: asked.append(a[2:4]))
        counts, queries = history.counts(wanted), tuple(asked)
        page = history.page(wanted, limit=1000)
        with history._engine.connect() as connection:
            plans = [
                connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                for statement, parameters in queries
                if "count(" in statement
            ]

    assert counts == {each: sum(row.verdict is each for row in page) for each in Verdict}
    assert plans
    steps = [plan[0][3] for plan in plans]
    assert all("COVERING INDEX" in step or "inspection_by_reject" in step for step in steps)


def test_pareto_counts_rejects_but_not_those_a_person_has_called_ok(parts: Path) -> None:
    said = "INSERT INTO review VALUES ('{}', '{}', '2026-11-21 1{}:00:00.000000', 'Ada', '{}', '')"
    with Writer(parts) as writer:
        for n, hour, word in ((1, 3, "OK"), (6, 3, "OK"), (6, 4, "NG")):
            sql = said.format(f"{n}-{hour}", inspection(n).id, hour, word)
            writer.transact(lambda c, sql=sql: c.exec_driver_sql(sql))
    with History(parts) as history:
        bars = history.pareto(NOON, NOON.replace(hour=13))
        none = history.pareto(NOON.replace(hour=13), NOON.replace(hour=14))

    found = [(bar.product, bar.reason, bar.parts) for bar in bars]
    assert found == [("disc", Reason.BLACK_FRAME, 1), ("disc", Reason.DEFECT, 1)]
    assert none == ()


def test_pareto_reads_an_index_alone(parts: Path) -> None:
    asked: list[Any] = []
    with History(parts) as history:
        event.listen(history._engine, "before_cursor_execute", lambda *a: asked.append(a[2:4]))
        history.pareto(NOON, NOON.replace(hour=13))
        statement, parameters = next(each for each in asked if "GROUP BY" in each[0])
        with history._engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [row[3] for row in plan]

    assert any(
        "inspection USING COVERING INDEX inspection_by_reason (reason=? AND" in s for s in steps
    )
    assert any("review USING INDEX review_by_inspection" in step for step in steps)
