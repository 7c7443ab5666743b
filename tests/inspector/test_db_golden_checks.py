"""Golden checks of real plans become rows, passed or failed, and `db check` tells the last one."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from engine.build import build
from engine.detector import Detector
from engine.golden import GOLDEN, Golden, write_golden
from engine.parity import cloud_pictures, ranges_of
from engine.plan import read_plan
from engine.runtimes.base import Answers, Codes, Images
from engine.runtimes.fake import FakeRuntime, fake_plan
from engine.sealed import seal
from engine.types import BundleError
from inspector.cli import app
from inspector.db.golden_checks import GoldenCheck, last_golden_check, verify_and_keep
from inspector.db.log import InspectionLog
from inspector.db.run_info import RunInfo
from inspector.db.writer import Writer
from tests.engine.tiny import make_tiny_bundle
from tests.inspector.db_parts import run_info
from tests.inspector.pipeline_parts import NOON

NUDGE = np.float32(8e-4)
"""Share of a score's range; a thousandth is too much."""


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
        verify_and_keep(detector, {}, [], writer, about(detector), lambda: NOON)


class NoNumbers(FakeRuntime):
    """A model that fails worst."""

    def infer(self, image: Images, product: Codes) -> Answers:
        maps, scores = super().infer(image, product)
        return maps, np.full_like(scores, np.nan)


def fake(runtime: type[FakeRuntime] = FakeRuntime, nudged: int = 0) -> Detector:
    """A detector that expects of itself what a FakeRuntime says of four clouds; of so many of them
    a score that is a little lower, within what rounding may do."""
    plan = fake_plan(("disc",))
    image = cloud_pictures(plan.input, 4, np.random.default_rng(0))
    codes = np.zeros(4, np.int64)
    maps, scores = FakeRuntime(plan.map).infer(image, codes)
    golden = Golden(image, codes, np.zeros(4, bool), maps, scores)
    lower = np.where(np.arange(4) < nudged, NUDGE * ranges_of(golden).score, np.float32(0))
    return Detector(runtime(plan.map), plan, "", lambda: replace(golden, score=scores - lower))


def check_flipped(writer: Writer, at: datetime) -> None:
    """The first cloud's limit lies between what was expected of it and what was found."""
    with fake(nudged=1) as detector:
        golden = detector._golden()
        assert golden is not None
        limit = float(golden.score[0] + NUDGE / 2 * ranges_of(golden).score[0])
        with pytest.raises(BundleError, match="verdict differs on golden picture 0"):
            verify_and_keep(detector, {"disc": limit}, [], writer, run_info(), lambda: at)


def check(writer: Writer, at: datetime) -> None:
    with fake() as detector:
        verify_and_keep(detector, {}, ["disc"], writer, run_info(), lambda: at)


def last(path: Path) -> GoldenCheck:
    found = last_golden_check(path)
    assert found is not None
    return found


def test_a_check_that_passed_is_a_row_and_makes_way_for_its_run(
    path: Path, writer: Writer, plan: Path
) -> None:
    verify(plan, writer)
    found = last(path)

    assert (found.at, found.station, found.outcome) == (NOON, "press 4", "PASSED")
    assert found.plan_sha256 == read_plan(plan).sha256
    assert found.pictures >= 4
    assert (found.details["run"], found.details["fault"]) == (run_info().id, "")
    assert 0 <= found.details["score"] < 1e-3
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
    check_flipped(writer, NOON + timedelta(hours=1))
    check(writer, NOON)  # a clock that was set back: the later time counts

    assert (last(path).at, last(path).outcome) == (NOON + timedelta(hours=1), "FAILED")
    assert last(path).details["flips"] == [0]
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT outcome, pictures, failed FROM golden_check ORDER BY at"
        assert connection.execute(query).fetchall() == [("PASSED", 4, 0), ("FAILED", 4, 1)]


def test_a_model_that_gives_no_numbers_has_failed(path: Path, writer: Writer) -> None:
    with fake(NoNumbers) as detector, pytest.raises(BundleError, match="scores differ by nan"):
        verify_and_keep(detector, {}, [], writer, run_info())

    assert (last(path).outcome, last(path).details["score"]) == ("FAILED", None)


def test_db_check_tells_the_last_golden_check(path: Path, writer: Writer) -> None:
    assert last_golden_check(path) is None
    check(writer, NOON)
    said = CliRunner().invoke(app, ["db", "check", str(path)])

    assert said.exit_code == 0
    assert said.stdout == (
        f"Golden check of press 4, {NOON:%Y-%m-%d %H:%M:%S} UTC: PASSED, 4 pictures, "
        f"scores within 0.0e+00 of their range (plan pppppppppppp).\n{path}: sound.\n"
    )


def test_db_check_tells_why_it_failed(path: Path, writer: Writer) -> None:
    check_flipped(writer, NOON)
    said = CliRunner().invoke(app, ["db", "check", str(path)])

    assert said.exit_code == 0
    assert "FAILED, 4 pictures, its verdict differs on golden picture 0 (plan" in said.stdout
