"""Golden checks of real plans become rows, passed or failed, and `db check` tells the last one."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from engine.build import build
from engine.detector import Detector
from engine.golden import GOLDEN, write_golden
from engine.parity import Parity
from engine.plan import read_plan
from engine.sealed import seal
from engine.types import BundleError
from inspector.cli import app
from inspector.db.golden_checks import GoldenCheck, keep_golden_check, last_golden_check
from inspector.db.log import InspectionLog
from inspector.db.run_info import RunInfo
from inspector.db.writer import Writer
from tests.engine.tiny import make_tiny_bundle
from tests.inspector.db_parts import run_info
from tests.inspector.pipeline_parts import NOON

FLAWLESS = Parity(pictures=6, score=1e-6, map=2e-6, place=3e-6, auroc=0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "station.sqlite"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    with Writer(path) as writer:
        yield writer


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    return build(make_tiny_bundle(tmp_path / "bundle"), tmp_path / "plan", runtime="onnxruntime")


def about(detector: Detector) -> RunInfo:
    said = detector.plan
    return replace(
        run_info(), plan_sha256=detector.plan_sha256, bundle_sha256=said.bundle_sha256, recipe="{}"
    )


def verify(plan: Path, writer: Writer) -> None:
    """As a station does at its start."""
    with Detector.open(plan) as detector:
        run, precision = about(detector), detector.plan.precision
        detector.verify(told=lambda found: keep_golden_check(writer, run, precision, found, NOON))


def last(path: Path) -> GoldenCheck:
    check = last_golden_check(path)
    assert check is not None
    return check


def test_a_check_that_passed_is_a_row_and_makes_way_for_its_run(
    path: Path, writer: Writer, plan: Path
) -> None:
    verify(plan, writer)
    check = last(path)

    assert (check.at, check.station, check.outcome) == (NOON, "press 4", "PASSED")
    assert check.plan_sha256 == read_plan(plan).sha256
    assert check.pictures >= 4
    assert check.details["run"] == run_info().id
    assert check.details["fault"] == ""
    assert 0 <= check.details["score"] < 1e-3
    with Detector.open(plan) as detector, InspectionLog(path, about(detector), writer=writer):
        pass  # station, plan and recipe are there already: the run's row rests on the same
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT failed, who FROM golden_check").fetchall() == [(0, None)]
        assert connection.execute("SELECT name FROM camera").fetchall() == [("sim:disc",)]


def test_a_check_that_failed_is_a_row_though_its_run_has_none(
    path: Path, writer: Writer, plan: Path
) -> None:
    golden = read_plan(plan).golden
    assert golden is not None
    (plan / GOLDEN).unlink()
    write_golden(replace(golden, map=golden.map * np.float32(1.01)), plan)
    seal(plan)
    with pytest.raises(BundleError, match="maps differ by"):
        verify(plan, writer)

    assert last(path).outcome == "FAILED"
    assert "its maps differ by" in last(path).details["fault"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT failed FROM golden_check").fetchall() == [(1,)]
        assert connection.execute("SELECT count(*) FROM run").fetchall() == [(0,)]


def test_the_last_one_counts(path: Path, writer: Writer) -> None:
    flipped = replace(FLAWLESS, flips=(0, 3))
    for hours, parity in ((1, flipped), (0, FLAWLESS)):
        at = NOON + timedelta(hours=hours)
        keep_golden_check(writer, run_info(), "f32", parity, at)

    assert (last(path).at, last(path).outcome) == (NOON + timedelta(hours=1), "FAILED")
    assert last(path).details["flips"] == [0, 3]
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT pictures, failed FROM golden_check ORDER BY at"
        assert connection.execute(query).fetchall() == [(6, 0), (6, 2)]


def test_a_model_that_gives_no_numbers_has_failed(path: Path, writer: Writer) -> None:
    broken = replace(FLAWLESS, score=float("nan"), map=float("inf"))
    keep_golden_check(writer, run_info(), "f32", broken, NOON)

    assert last(path).outcome == "FAILED"
    assert (last(path).details["score"], last(path).details["map"]) == (None, None)


def test_db_check_tells_the_last_golden_check(path: Path, writer: Writer) -> None:
    assert last_golden_check(path) is None
    keep_golden_check(writer, run_info(), "f32", FLAWLESS, NOON)
    said = CliRunner().invoke(app, ["db", "check", str(path)])

    assert said.exit_code == 0
    assert said.stdout == (
        f"Golden check of press 4, {NOON:%Y-%m-%d %H:%M:%S} UTC: PASSED, 6 pictures, "
        f"scores within 1.0e-06 of their range (plan pppppppppppp).\n{path}: sound.\n"
    )


def test_db_check_tells_why_it_failed(path: Path, writer: Writer) -> None:
    keep_golden_check(writer, run_info(), "f32", replace(FLAWLESS, flips=(3,)), NOON)
    said = CliRunner().invoke(app, ["db", "check", str(path)])

    assert said.exit_code == 0
    assert "FAILED, 6 pictures, its verdict differs on golden picture 3 (plan" in said.stdout
