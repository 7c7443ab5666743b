"""`inspector pictures`: shows, and deletes only when told to."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from engine.types import InputError
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


@pytest.fixture
def station(folder: Path) -> Path:
    """The settings of the station that has this folder."""
    path = folder / "station.toml"
    path.write_text(
        'name = "a"\ncamera = "sim:disc"\nplan = "p"\nrecipe = "r"\nout = "."\n', "utf-8"
    )
    return path


def files(folder: Path) -> int:
    return len(list(folder.rglob("*.png")))


def test_a_dry_run_is_the_default_and_deletes_nothing(folder: Path) -> None:
    said = CliRunner().invoke(app, [str(folder)])

    assert said.exit_code == 0
    ok, ng, _ = said.output.splitlines()
    by = "days by the defaults"
    assert ok == f"OK, kept for 30 {by}: 2 files, 0.0 MB, of 2026-10-12 to 2026-10-21."
    assert ng == f"NG, kept for 180 {by}: 1 files, 0.0 MB, of 2026-05-05 to 2026-05-05."
    assert files(folder) == 6


def test_apply_deletes_what_the_dry_run_showed(folder: Path, station: Path) -> None:
    shown = json.loads(CliRunner().invoke(app, [str(station), "--json"]).output)
    done = json.loads(CliRunner().invoke(app, [str(station), "--json", "--apply"]).output)
    left = json.loads(CliRunner().invoke(app, [str(station), "--json"]).output)

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


def test_the_rules_are_those_of_the_stations_file(station: Path) -> None:
    with station.open("a", encoding="utf-8") as file:
        file.write("[pictures]\nkeep_ok_days = 35\nkeep_ng_days = 300\n")
    told = json.loads(CliRunner().invoke(app, [str(station), "--json"]).output)

    assert (told["tiers"]["ok"]["files"], told["tiers"]["ng"]["files"]) == (1, 0)
    assert told["rules"] == str(station)


def test_a_folder_is_only_looked_at_and_by_the_defaults(folder: Path, station: Path) -> None:
    """Its station may keep pictures for longer, and only the station's file says so."""
    with station.open("a", encoding="utf-8") as file:
        file.write("[pictures]\nkeep_ok_days = 35\nkeep_ng_days = 300\n")
    looked = json.loads(CliRunner().invoke(app, [str(folder), "--json"]).output)
    refused = CliRunner().invoke(app, [str(folder), "--apply"])

    assert looked["rules"] == "the defaults"
    assert isinstance(refused.exception, InputError)
    assert str(folder) in str(refused.exception)
    assert "TOML" in str(refused.exception)
    assert files(folder) == 6


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, [str(tmp_path)])

    assert str(tmp_path) in str(said.exception)
