"""`inspector pictures`: shows, and deletes only when told to."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from inspector import pictures as command
from tests.inspector.test_pipeline_retention import NOW, keep

app = typer.Typer()
app.command()(command.pictures)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(command, "utc_now", lambda: NOW)
    for days_ago in (0, 1, 2, 31, 40):
        keep(tmp_path, days_ago, ok=True)
    keep(tmp_path, 200)
    return tmp_path


def files(folder: Path) -> int:
    return len(list(folder.rglob("*.png")))


def test_a_dry_run_is_the_default_and_deletes_nothing(folder: Path) -> None:
    said = CliRunner().invoke(app, [str(folder)])

    assert said.exit_code == 0
    assert "OK, kept for 30 days: 2 files, 0.0 MB, of 2026-10-12 to 2026-10-21." in said.output
    assert "NG, kept for 180 days: 1 files, 0.0 MB, of 2026-05-05 to 2026-05-05." in said.output
    assert files(folder) == 6


def test_apply_deletes_what_the_dry_run_showed(folder: Path) -> None:
    shown = json.loads(CliRunner().invoke(app, [str(folder), "--json"]).output)
    done = json.loads(CliRunner().invoke(app, [str(folder), "--json", "--apply"]).output)
    left = json.loads(CliRunner().invoke(app, [str(folder), "--json"]).output)

    assert shown["tiers"] == done["tiers"]
    assert shown["tiers"]["ok"] == {
        "files": 2,
        "bytes": 20,
        "oldest": "2026-10-12",
        "newest": "2026-10-21",
        "keep_days": 30,
    }
    assert (shown["applied"], shown["deleted"]) == (False, None)
    assert done["deleted"] == {"files": 3, "stuck": 0}
    assert files(folder) == 3
    assert left["tiers"]["ok"]["files"] == left["tiers"]["ng"]["files"] == 0


def test_the_rules_are_those_of_the_stations_file(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text(
        'name = "a"\ncamera = "sim:disc"\nplan = "p"\nrecipe = "r"\nout = "."\n'
        "[pictures]\nkeep_ok_days = 35\nkeep_ng_days = 300\n"
    )
    told = json.loads(CliRunner().invoke(app, [str(path), "--json"]).output)

    assert (told["tiers"]["ok"]["files"], told["tiers"]["ng"]["files"]) == (1, 0)


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, [str(tmp_path)])

    assert str(tmp_path) in str(said.exception)
