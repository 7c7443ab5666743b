"""What a camera lacks is found by reading alone, and said with what it offers."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inspector.camera.features import by_name
from inspector.camera.requests import Lacking, lacking, list_features
from inspector.camera.trigger import FREE, TriggerSettings
from inspector.cli import app
from tests.inspector.genicam_parts import PICTURE, TRIGGERS, Registers, choice, described, number

LINE = TriggerSettings("hardware", "Line1", "falling", delay_us=100, debounce_us=50)


@pytest.fixture
def camera() -> tuple[dict[str, Any], Registers]:
    gain = choice("GainAuto", 0x30, ("Off", "Once"), mode="RO")
    nodes, port = described(*TRIGGERS, *PICTURE, gain, number("Gain", 0x34, 0, 24))
    port.memory[0x010] = 128  # Width
    return by_name(nodes), port


@pytest.mark.parametrize(
    ("name", "asked", "offers"),
    [
        ("Width", "5000", "64 to 2048 in steps of 16"),
        ("Width", "100", "64 to 2048 in steps of 16"),
        ("Width", "wide", "64 to 2048 in steps of 16"),
        ("Gain", "24.5", "0.0 to 24.0 in steps of 1.0"),
        ("PixelFormat", "Mono12", "Mono8, RGB8"),
        ("Widht", "128", "no such feature: see Width"),
        ("Nothing", "1", "no such feature"),
        ("TriggerSoftware", "1", "a command, which cannot be set"),
        ("GainAuto", "Once", "Off, which cannot be set now"),
    ],
)
def test_an_unmet_request(
    name: str, asked: str, offers: str, camera: tuple[dict[str, Any], Registers]
) -> None:
    features, port = camera
    assert list(lacking(features, "7", FREE, {name: asked})) == [Lacking(name, asked, offers)]
    assert not port.writes


def test_what_the_camera_takes_is_not_lacking_and_nothing_is_written(
    camera: tuple[dict[str, Any], Registers],
) -> None:
    features, port = camera
    asked = {"Width": "144", "Gain": 24, "PixelFormat": "RGB8", "GainAuto": "Off"}
    assert not list(lacking(features, "7", LINE, asked))
    assert not port.writes


def test_each_part_of_a_trigger_is_compared(camera: tuple[dict[str, Any], Registers]) -> None:
    features, port = camera
    wanted = TriggerSettings("hardware", "Line9", "any", delay_us=2e6)
    assert [one.feature for one in lacking(features, "7", wanted, {})] == [
        "TriggerSource",
        "TriggerActivation",
        "TriggerDelay",
    ]
    assert not port.writes
    [without] = lacking({}, "7", wanted, {})
    assert (without.feature, without.asked) == ("trigger", "Line9")
    assert "no TriggerMode" in without.offers


def test_a_format_that_nobody_asked_for_is_compared_too() -> None:
    nodes, port = described(choice("PixelFormat", 0x14, ("Mono14p", "Mono8")))
    [format_now] = lacking(by_name(nodes), "7", FREE, {})
    assert (format_now.feature, format_now.offers) == ("PixelFormat", "Mono8")
    assert not list(lacking(by_name(nodes), "7", FREE, {"PixelFormat": "Mono8"}))
    assert not port.writes


def test_features_are_those_for_people(camera: tuple[dict[str, Any], Registers]) -> None:
    listed = {one.name: one for one in list_features(camera[0])}
    assert not [name for name in listed if name.endswith("Reg") or name.startswith("EnumEntry")]
    assert listed["TriggerDelay"].unit == "us"
    assert listed["TriggerDelay"].takes.startswith("0.0 to 1000000.0")
    assert listed["PixelFormat"].value == "Mono8"
    assert (listed["GainAuto"].access, listed["GainAuto"].takes) == ("read", "")
    assert listed["TriggerSoftware"].access == "write"
    assert [one.name for one in list_features(camera[0], "trigger*")] == [
        name for name in listed if name.startswith("Trigger")
    ]
    assert not camera[1].writes


def ask(*arguments: str) -> tuple[int, Any]:
    result = CliRunner().invoke(app, ["cameras", *arguments, "--json"])
    return result.exit_code, json.loads(result.stdout) if result.stdout else result.stderr


@pytest.mark.camera
def test_the_devices_of_a_producer() -> None:
    code, said = ask("--producer", "viky")
    assert code == 0
    [producer] = said["producers"]
    assert producer["file"].endswith("viky.cti")
    assert [(one["serial"], one["access"]) for one in producer["devices"]] == [
        ("0", "free"),
        ("1", "free"),
        ("2", "free"),
    ]


@pytest.mark.camera
def test_one_cameras_features() -> None:
    code, said = ask("--producer", "viky", "--camera", "1", "--features", "*Format")
    assert code == 0
    assert said["features"] == [
        {
            "name": "PixelFormat",
            "value": "RGBa8",
            "access": "read, write",
            "takes": "RGBa8, Mono8",
            "unit": "",
        }
    ]
    person = CliRunner().invoke(app, ["cameras", "--camera", "genicam:1@viky"])
    assert person.exit_code == 0
    assert "AcquisitionFrameRate" in person.stdout
    assert "The camera 1 has all that is asked of it." in person.stdout
    code, said = ask("--camera", "genicam:1@viky?buffers=64&Width=200")
    assert (code, said["lacking"]) == (0, []), "buffers are the station's, not the camera's"


@pytest.mark.camera
def test_what_a_station_asks_that_its_camera_lacks(tmp_path: Path) -> None:
    file = tmp_path / "station.toml"
    lines = ['name = "Line"', 'plan = "plan"', 'recipe = "recipe.toml"', 'out = "out"']
    spec = "genicam:2@viky?Width=5000&PixelFormat=Mono8&trigger=Line1"
    file.write_text("\n".join([*lines, f'camera = "{spec}"']))
    code, said = ask("--settings", str(file))
    assert code == 1
    assert [one["feature"] for one in said["lacking"]] == ["Width", "trigger"]
    assert said["lacking"][0]["offers"] == "100 to 800 in steps of 1"
    assert "features" not in said
    person = CliRunner().invoke(app, ["cameras", "--settings", str(file)])
    assert person.exit_code == 1
    assert "100 to 800 in steps of 1" in person.stdout
    assert ask("--settings", str(file), "--producer", "viky")[0] == 2


@pytest.mark.camera
def test_what_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENICAM_GENTL64_PATH", raising=False)
    assert ask("--camera", "sim:disc")[0] == 2
    code, told = ask()
    assert (code, "set GENICAM_GENTL64_PATH" in told) == (3, True)
    assert ask("--producer", "viky", "--camera", "9")[0] == 3
