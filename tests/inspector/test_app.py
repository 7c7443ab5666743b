"""A station from its settings to its rows, on real parts of the system."""

import json
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from engine.build import build
from engine.bundle import read_bundle
from engine.golden import write_golden
from engine.plan import read_plan
from engine.sealed import seal
from engine.signature import make_keys
from engine.types import BundleError, DatabaseError, InputError, UnknownProductError
from inspector.app import NoScreen, run_headless, run_windowed
from inspector.cli import app
from inspector.db.connect import writing_engine
from inspector.db.history import History, HistoryFilter
from inspector.lock import alone_in
from inspector.pipeline.control import Control
from inspector.pipeline.inspection import Inspection, Reason, Verdict
from inspector.station import StationSession
from inspector.status import SILENT_S
from inspector.ui.session import Health
from tests.engine.tiny import make_tiny_bundle
from tests.inspector.station_parts import PRODUCTS, make_recipe, make_station, terminal
from tests.inspector.test_db_schema import first_schema


class Watcher(NoScreen):
    """A screen that does something at each part."""

    def __init__(self, at_part: Callable[[int], None]) -> None:
        self._at_part, self.parts = at_part, 0

    def write(self, inspection: Inspection) -> Inspection:
        self.parts += 1
        self._at_part(self.parts)
        return inspection


@pytest.fixture
def python_handles_ctrl_c() -> Iterator[None]:
    with terminal():
        yield


def _press_ctrl_c_at(part: int) -> Watcher:
    return Watcher(lambda seen: signal.raise_signal(signal.SIGINT) if seen == part else None)


def _runs(database: Path) -> list[sqlite3.Row]:
    connection = sqlite3.connect(database)
    connection.row_factory = sqlite3.Row
    try:
        return connection.execute("SELECT * FROM run").fetchall()
    finally:
        connection.close()


def _health(session: StationSession) -> dict[str, Health]:
    return {item.name: item.health for item in session.status()}


def _history(session: StationSession, verdict: Verdict | None = None) -> list:
    with History(session.database) as history:
        return list(history.page(HistoryFilter(verdict=verdict), limit=1000))


def _opens_a_window(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Instead of a window: how many parts its history has."""
    seen: list[int] = []

    def look(session: StationSession, history: History, **parts: object) -> int:
        assert set(parts) == {"pictures", "people"}
        seen.append(sum(history.counts().values()))
        return 0

    monkeypatch.setattr("inspector.ui.run.run_window", look)
    return seen


def test_a_window_makes_its_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = _opens_a_window(monkeypatch)
    session = StationSession(make_station(tmp_path, "sim:disc?parts=1&size=64"))
    run_windowed(session)
    assert seen == [0]
    with alone_in(session.settings.out):  # let go of, for the run
        pass


def test_a_window_beside_a_running_station_reads_its_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = _opens_a_window(monkeypatch)
    session = StationSession(make_station(tmp_path, "sim:disc?parts=3&size=64"))
    run_headless(session, NoScreen())
    with alone_in(session.settings.out):
        run_windowed(session)
    assert seen == [3]


def test_a_newer_window_does_not_migrate_under_a_running_station(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = _opens_a_window(monkeypatch)
    session = StationSession(make_station(tmp_path, "sim:disc?parts=1&size=64"))
    session.settings.out.mkdir()
    engine = writing_engine(session.database)
    first_schema(engine)
    engine.dispose()
    before = session.database.read_bytes()
    with alone_in(session.settings.out), pytest.raises(DatabaseError, match="older version"):
        run_windowed(session)
    assert session.database.read_bytes() == before
    run_windowed(session)
    assert len(seen) == 1


def test_every_simulated_part_is_a_row_and_every_ng_has_its_overlay(tmp_path: Path) -> None:
    session = StationSession(make_station(tmp_path, "sim:all?parts=12&size=96", limit=-1e6))
    run_headless(session, NoScreen())
    rows = _history(session)
    assert [row.frame_id for row in reversed(rows)] == list(range(12))
    assert {row.verdict for row in rows} == {Verdict.NG}
    assert all((session.settings.out / row.pictures["overlay"]).is_file() for row in rows)
    assert session.counters.counts().total.triggers == 12


def test_spoilt_frames_are_faults_never_ok(tmp_path: Path) -> None:
    spoil = "lost=0.1&late=0.1&incomplete=0.1&black=0.1&frozen=0.1"
    settings = make_station(tmp_path, f"sim:all?parts=80&size=64&{spoil}", grab_deadline_ms=1000)
    session = StationSession(settings)
    run_headless(session, NoScreen())
    reasons = {row.reason for row in _history(session, Verdict.FAULT)}
    assert reasons == {
        Reason.LOST_FRAME,
        Reason.LATE_FRAME,
        Reason.INCOMPLETE_FRAME,
        Reason.BLACK_FRAME,
        Reason.FROZEN_FRAME,
    }
    total = session.counters.counts().total
    assert total.triggers == total.ok + total.ng + total.fault == len(_history(session))


@pytest.mark.camera
def test_frames_of_a_genicam_camera_become_rows(tmp_path: Path) -> None:
    settings = make_station(tmp_path, "genicam:0@viky?AcquisitionFrameRate=200", product="disc")
    session = StationSession(settings, frames=500)
    run_headless(session, NoScreen())
    rows = _history(session)
    assert len(rows) == 500
    ids = [row.frame_id for row in reversed(rows)]
    lost = [row.lost_before for row in reversed(rows)]
    assert ids[0] == lost[0]
    assert all(b - a == 1 + n for a, b, n in zip(ids, ids[1:], lost[1:], strict=False))


def test_a_recipe_of_another_bundle_is_refused_before_anything_runs(tmp_path: Path) -> None:
    settings = make_station(tmp_path, "sim:disc?parts=1")
    make_recipe(settings.recipe, "f" * 64, 1.0)
    with pytest.raises(InputError, match="measured with another bundle"):
        StationSession(settings)
    assert not settings.out.exists()


def test_a_row_names_the_plan_that_ran_not_the_one_of_before(tmp_path: Path) -> None:
    settings = make_station(tmp_path, "sim:disc?parts=1&size=64")
    session = StationSession(settings)
    build(tmp_path / "bundle", settings.plan, runtime="onnxruntime", steps=3, overwrite=True)
    run_headless(session, NoScreen())
    (row,) = _runs(session.database)
    assert (row["plan_sha256"], row["steps"]) == (read_plan(settings.plan).sha256, 3)
    assert session.plan.steps == 3


def test_a_plan_of_another_bundle_is_refused_by_the_run_too(tmp_path: Path) -> None:
    settings = make_station(tmp_path, "sim:disc?parts=1&size=64")
    session = StationSession(settings)
    other = make_tiny_bundle(tmp_path / "other", (*PRODUCTS, "gear"))
    build(other, settings.plan, runtime="onnxruntime", overwrite=True)
    with pytest.raises(InputError, match="measured with another bundle"):
        run_headless(session, NoScreen())
    assert not settings.out.exists()


@pytest.mark.parametrize("product", ["dics", "gear"])
def test_a_product_that_model_or_recipe_lack_is_refused_at_birth(
    tmp_path: Path, product: str
) -> None:
    settings = make_station(tmp_path, "sim:disc?parts=1")
    gears = make_tiny_bundle(tmp_path / "gears", (*PRODUCTS, "gear"))
    build(gears, settings.plan, runtime="onnxruntime", overwrite=True)
    make_recipe(settings.recipe, read_plan(settings.plan).manifest.bundle_sha256, 1.0)
    with pytest.raises(UnknownProductError, match=product):
        StationSession(settings.model_copy(update={"product": product}))


@pytest.mark.usefixtures("python_handles_ctrl_c")
def test_ctrl_c_ends_between_two_parts_with_the_run_closed(tmp_path: Path) -> None:
    session = StationSession(make_station(tmp_path, "sim:disc?size=64"))
    screen = _press_ctrl_c_at(3)
    with pytest.raises(KeyboardInterrupt):
        run_headless(session, screen)
    (run,) = _runs(session.database)
    assert run["ended_at"] is not None
    assert len(_history(session)) == screen.parts == 3
    assert session.counters.counts().total.triggers == 3  # the part in hand went all its way
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("python_handles_ctrl_c")
def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    def press_twice(seen: int) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    session = StationSession(make_station(tmp_path, "sim:disc?size=64"))
    with pytest.raises(KeyboardInterrupt):
        run_headless(session, Watcher(press_twice))
    assert session.counters.counts().total.triggers == 0


@pytest.mark.usefixtures("python_handles_ctrl_c")
def test_the_station_command_says_what_it_did_and_exits_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_station(tmp_path, "sim:label?size=64")
    toml = tmp_path / "station.toml"
    lines = ('name = "T1"', 'camera = "sim:label?size=64"', 'plan = "plan"', 'out = "out"')
    toml.write_text("\n".join((*lines, 'recipe = "recipe.json"')), "utf-8")
    monkeypatch.setattr("inspector.app.NoScreen", lambda: _press_ctrl_c_at(2))
    result = CliRunner().invoke(app, ["station", str(toml), "--headless"])
    assert result.exit_code == 130
    assert result.stdout.strip() == "2 parts: 2 OK, 0 NG, 0 FAULT."


def test_the_status_is_what_is(tmp_path: Path) -> None:
    now = 0.0
    session = StationSession(
        make_station(tmp_path, "sim:disc?parts=3&size=64&lost=0"), clock=lambda: now
    )
    before, during = _health(session), []

    def look(part: int) -> None:
        nonlocal now
        during.append(_health(session))
        now += SILENT_S + 1
        during.append(_health(session))

    run_headless(session, Watcher(look))
    assert before == {
        "State": Health.UNKNOWN,
        "Camera": Health.UNKNOWN,
        "Model": Health.UNKNOWN,
        "Database": Health.BAD,
        "Disk": Health.BAD,
    }
    assert (during[0]["Camera"], during[1]["Camera"]) == (Health.GOOD, Health.UNKNOWN)
    assert {(seen["Model"], seen["Database"]) for seen in during} == {(Health.GOOD, Health.GOOD)}
    after = _health(session)
    assert (after["Camera"], after["Model"]) == (Health.UNKNOWN, Health.UNKNOWN)
    shutil.rmtree(session.settings.out)
    assert _health(session)["Database"] is Health.BAD


def test_a_failed_run_leaves_nothing_called_open(tmp_path: Path) -> None:
    def fail(part: int) -> None:
        raise RuntimeError("the screen broke")

    session = StationSession(make_station(tmp_path, "sim:disc?size=64"))
    with pytest.raises(RuntimeError, match="broke"):
        session.run(_started(), Watcher(fail))
    assert (_health(session)["Camera"], _health(session)["Model"]) == (Health.UNKNOWN,) * 2


def _started() -> Control:
    control = Control()
    control.start()
    return control


def test_an_edited_plan_is_refused(tmp_path: Path) -> None:
    settings = make_station(tmp_path, "sim:disc?parts=1")
    with (settings.plan / "model.onnx").open("ab") as file:
        file.write(b"more")
    with pytest.raises(BundleError, match=r"model\.onnx"):
        StationSession(settings)


def test_a_station_that_trusts_keys_takes_signed_bundles_only(tmp_path: Path) -> None:
    public = make_keys(tmp_path / "quality.pem")
    settings = make_station(tmp_path, "sim:disc?parts=1&size=64", trusted_keys=[public])
    with pytest.raises(BundleError, match="is not signed"):
        StationSession(settings)
    read_bundle(tmp_path / "bundle").sign(tmp_path / "quality.pem")
    build(tmp_path / "bundle", settings.plan, runtime="onnxruntime", overwrite=True)
    session = StationSession(settings)
    build(make_tiny_bundle(tmp_path / "x", PRODUCTS), settings.plan, overwrite=True)
    with pytest.raises(BundleError, match="is not signed"):  # built anew meanwhile, by somebody
        run_headless(session, NoScreen())
    assert not settings.out.exists()


def test_a_plan_that_answers_otherwise_takes_no_part(tmp_path: Path) -> None:
    settings = make_station(tmp_path, "sim:disc?parts=1&size=64")
    golden = read_plan(settings.plan).golden
    assert golden is not None
    write_golden(replace(golden, score=golden.score + np.float32(1)), settings.plan)
    seal(settings.plan)
    session = StationSession(settings)
    with pytest.raises(BundleError, match="answers otherwise than its bundle: its scores differ"):
        run_headless(session, NoScreen())
    with closing(sqlite3.connect(session.database)) as connection:
        assert connection.execute("SELECT outcome FROM golden_check").fetchall() == [("FAILED",)]
        assert connection.execute("SELECT * FROM run").fetchall() == []


def test_each_run_has_its_golden_check(tmp_path: Path) -> None:
    session = StationSession(make_station(tmp_path, "sim:disc?parts=1&size=64"))
    run_headless(session, NoScreen())
    with closing(sqlite3.connect(session.database)) as connection:
        (check,) = connection.execute("SELECT outcome, details FROM golden_check").fetchall()
        (run,) = connection.execute("SELECT id FROM run").fetchone()
    assert check[0] == "PASSED"
    assert json.loads(check[1])["run"] == run


def test_the_station_command_reads_its_settings_and_counts(tmp_path: Path) -> None:
    made = make_station(tmp_path, "sim:label?size=64")
    toml = tmp_path / "station.toml"
    lines = {"name": "T1", "camera": made.camera, "plan": "plan", "recipe": "recipe.json"}
    body = "".join(f'{key} = "{value}"\n' for key, value in lines.items())
    toml.write_text(body + 'out = "out"\n', "utf-8")
    result = CliRunner().invoke(app, ["station", str(toml), "--headless", "--frames", "3"])
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == "3 parts: 3 OK, 0 NG, 0 FAULT."

    toml.write_text(body + 'out = "out"\nspeed = 3\n', "utf-8")
    result = CliRunner().invoke(app, ["station", str(toml), "--headless"])
    assert result.exit_code == 2
    assert "speed" in result.stderr


def test_what_a_station_writes_lies_in_no_plan(tmp_path: Path) -> None:
    settings = make_station(tmp_path, "sim:disc?size=64")
    for out in (settings.plan, settings.plan / "out"):
        with pytest.raises(InputError, match="would lie in the plan itself"):
            StationSession(settings.model_copy(update={"out": out}))
