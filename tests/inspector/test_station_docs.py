"""docs/station.md and README say what a station does: states, reasons, tables, settings."""

import json
import re
import tomllib
from importlib import metadata
from pathlib import Path

from pydantic import BaseModel

from calibration.area import Area
from calibration.recipe import read_recipe
from engine.bundle import read_bundle
from inspector.camera.keeper import PAUSES_S
from inspector.camera.open import split_spec
from inspector.camera.trigger import trigger_of
from inspector.cli import COMMANDS
from inspector.db import people_tables, side_tables, tables
from inspector.pipeline.inspection import Reason
from inspector.pipeline.latched import KINDS, ErrorCode
from inspector.pipeline.state import METHODS, TABLE, Event, State
from inspector.settings import (
    LogSettings,
    MonitorSettings,
    PartSettings,
    PictureSettings,
    SiteSettings,
    StationSettings,
    read_settings,
)

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "station.md").read_text(encoding="utf-8")
ROOMS = (tables, side_tables, people_tables)  # to import them is to know their tables


def rows(first_header: str) -> list[list[str]]:
    """The cells of the table whose first column is headed so."""
    start = TEXT.index(f"\n| {first_header} |") + 1
    lines = TEXT[start:].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_states() -> None:
    moves = {
        (State(state.strip("`")), Event(event)): State(after)
        for state, said in rows("in")
        for event, after in re.findall(r"`(\w+)` → (\w+)", said)
    }
    confirmed = {(state, Event.CONFIRM_ALL): state for state in State}

    assert moves | confirmed == TABLE


def test_who_may_send_which_event() -> None:
    said = {row[0].strip("`"): row[1] for row in rows("event")}

    assert list(said) == [event.value for event in Event]
    for event in Event:
        assert said[event].startswith("nobody") is (event not in METHODS)


def test_every_error_and_whether_it_heals() -> None:
    said = {row[0].strip("`"): row[1] for row in rows("error")}

    assert list(said) == [code.value for code in ErrorCode]
    for code in ErrorCode:
        assert said[code].startswith("by itself") is KINDS[code].heals


def test_every_reason_has_its_meaning_and_remedy() -> None:
    said = rows("reason")

    assert [row[0].strip("`") for row in said] == [reason.value for reason in Reason]
    assert [row[1] for row in said if row[0] == "`defect`"] == ["NG"]
    assert {row[1] for row in said if row[0] != "`defect`"} == {"FAULT"}
    assert all(len(row) == 4 and row[2] and row[3] for row in said)


def test_every_table_of_the_database() -> None:
    said = {name for row in rows("table") for name in re.findall(r"`(\w+)`", row[0])}

    assert said == {name for room in ROOMS for name in room.Base.metadata.tables}


def test_the_area_it_shows_is_one() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    area = Area.model_validate(json.loads("{" + shown + "}")["area"])

    assert area.has_mask
    assert area.min_area_px == 40


README = (ROOT / "README.md").read_text(encoding="utf-8")
STATION = next(b for b in re.findall(r"```toml\n(.*?)```", README, re.DOTALL) if "[pictures]" in b)
ELSEWHERE = ("modbus", "mqtt")  # docs/line.md has all their keys, and a test of its own


def test_the_station_in_the_readme_is_one(tmp_path: Path) -> None:
    path = tmp_path / "line3.toml"
    path.write_text(STATION, encoding="utf-8")
    settings = read_settings(path)
    scheme, _, options = split_spec(settings.camera)

    assert (scheme, trigger_of(options).kind) == ("genicam", "software")
    assert settings.out == tmp_path / "records"
    assert settings.modbus is not None
    assert settings.product in settings.modbus.products


def test_the_first_station_in_the_readme_runs_the_shipped_bundle(tmp_path: Path) -> None:
    text = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)[0]
    path = tmp_path / "first.toml"
    path.write_text(text, encoding="utf-8")
    settings = read_settings(path)
    recipe = read_recipe(ROOT / settings.recipe.relative_to(tmp_path.resolve()))

    assert recipe.bundle_sha256 == read_bundle(ROOT / "inspector" / "demo" / "bundle").sha256
    assert set(split_spec(settings.camera)[1].split(",")) == set(recipe.products)


def test_the_station_in_the_readme_has_every_key() -> None:
    shown = tomllib.loads(STATION)
    models: dict[str, type[BaseModel]] = {
        "pictures": PictureSettings,
        "part": PartSettings,
        "log": LogSettings,
        "monitor": MonitorSettings,
        "site": SiteSettings,
    }

    assert set(shown) == set(StationSettings.model_fields)
    for name, model in models.items():
        assert set(shown[name]) == set(model.model_fields)
    assert all(shown[name] for name in ELSEWHERE)


def test_what_the_readme_says_is_the_default_is_it() -> None:
    shown = tomllib.loads(STATION)

    assert PictureSettings.model_validate(shown["pictures"]) == PictureSettings(every_ok=100)
    assert LogSettings.model_validate(shown["log"]) == LogSettings()
    assert MonitorSettings.model_validate(shown["monitor"]) == MonitorSettings(port=9464)
    defaults = StationSettings.model_fields
    assert all(defaults[name].default is None for name in ("part", "monitor", "site", *ELSEWHERE))


def test_a_plc_waits_longer_than_the_station_takes() -> None:
    shown = tomllib.loads(STATION)
    deadlines_ms = shown["grab_deadline_ms"] + shown["deadline_ms"]

    assert shown["modbus"]["answer_s"] * 1000 > deadlines_ms


def test_the_needed_keys_come_first() -> None:
    needed = [name for name, field in StationSettings.model_fields.items() if field.is_required()]

    assert list(tomllib.loads(STATION))[: len(needed)] == needed
    assert f"The first {('one', 'two', 'three', 'four', 'five')[len(needed) - 1]} keys" in README


def test_the_commands_in_the_readme_are_commands() -> None:
    ours = {entry.name for entry in metadata.entry_points(group=COMMANDS)}
    named = re.findall(r"^inspector ([a-z-]+)", README, re.MULTILINE)

    assert set(named) <= ours


def test_how_soon_a_lost_camera_is_opened_again() -> None:
    pauses = [*PAUSES_S, PAUSES_S[-1]]

    assert f"after pauses of {', '.join(f'{pause:g}' for pause in pauses)} … s" in TEXT
    assert f"opened again after {pauses[0]:g} s to {pauses[-1]:g} s" in README
