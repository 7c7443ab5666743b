"""A station from its settings to its rows, on real parts of the system."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.types import BundleError, InputError
from inspector.app import NoScreen, StationSession, run_headless
from inspector.cli import app
from inspector.db.history import History, HistoryFilter
from inspector.pipeline.inspection import Reason, Verdict
from tests.inspector.station_parts import make_recipe, make_station


def _history(session: StationSession, verdict: Verdict | None = None) -> list:
    with History(session.database) as history:
        return list(history.page(HistoryFilter(verdict=verdict), limit=1000))


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
    settings = make_station(tmp_path, "genicam:0@viky", product="disc")
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


def test_an_edited_plan_is_refused(tmp_path: Path) -> None:
    settings = make_station(tmp_path, "sim:disc?parts=1")
    with (settings.plan / "model.onnx").open("ab") as file:
        file.write(b"more")
    with pytest.raises(BundleError, match=r"model\.onnx"):
        StationSession(settings)


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
