"""Triggers on a camera of registers: GenApi itself says what it has, takes and answers."""

from typing import Any

import pytest

from engine.types import InputError
from inspector.camera.arm import release_triggers, set_trigger
from inspector.camera.features import by_name, read, read_all, set_feature
from inspector.camera.trigger import FREE, TriggerSettings, trigger_features, trigger_of
from tests.inspector.genicam_parts import PICTURE, TRIGGERS, Registers, choice, described, number

HARDWARE = TriggerSettings("hardware", "Line1", "falling", delay_us=100, debounce_us=50)


@pytest.fixture
def camera() -> tuple[dict[str, Any], Registers]:
    nodes, port = described(*TRIGGERS, *PICTURE)
    return by_name(nodes), port


def of_trigger(features: dict[str, Any], name: str) -> Any:
    set_feature(features, "7", "TriggerSelector", name)
    return read(features, "TriggerMode")


def test_a_hardware_trigger_is_what_the_camera_then_says(
    camera: tuple[dict[str, Any], Registers],
) -> None:
    features, _ = camera
    release_triggers(features, "7")
    set_trigger(features, "7", HARDWARE)
    assert read_all(features, ("TriggerSelector", "TriggerMode", "TriggerSource")) == {
        "TriggerSelector": "FrameStart",
        "TriggerMode": "On",
        "TriggerSource": "Line1",
    }
    assert read(features, "TriggerActivation") == "FallingEdge"
    assert read(features, "TriggerDelay") == 100
    assert read(features, "LineSelector") == "Line1"
    assert read(features, "LineMode") == "Input"
    assert read(features, "LineDebouncerTime") == 50
    set_feature(features, "7", "LineSelector", "Line2")
    assert read(features, "LineDebouncerTime") == 0, "the other lines are left alone"


def test_a_software_trigger_is_one_command_a_picture(
    camera: tuple[dict[str, Any], Registers],
) -> None:
    features, port = camera
    set_trigger(features, "7", TriggerSettings("software"))
    assert read_all(features, ("TriggerMode", "TriggerSource")) == {
        "TriggerMode": "On",
        "TriggerSource": "Software",
    }
    port.writes.clear()
    features["TriggerSoftware"].execute()
    assert port.writes == [(0x008, 1)]


def test_free_run_switches_off_what_another_program_left_on(
    camera: tuple[dict[str, Any], Registers],
) -> None:
    features, _ = camera
    for name in ("AcquisitionStart", "LineStart", "FrameStart"):
        set_feature(features, "7", "TriggerSelector", name)
        set_feature(features, "7", "TriggerMode", "On")
    release_triggers(features, "7")
    set_trigger(features, "7", FREE)
    assert read(features, "TriggerSelector") == "FrameStart"
    kinds = ("AcquisitionStart", "FrameStart", "LineStart")
    assert [of_trigger(features, name) for name in kinds] == ["Off"] * 3


def test_a_camera_with_one_fixed_trigger_is_released_too() -> None:
    fixed = choice("TriggerSelector", 0x000, ("FrameStart",), mode="RO")
    nodes, port = described(fixed, choice("TriggerMode", 0x100, ("Off", "On")))
    port.memory[0x100] = 1
    features = by_name(nodes)
    assert read(features, "TriggerMode") == "On"
    release_triggers(features, "7")
    assert read(features, "TriggerMode") == "Off"
    release_triggers({}, "7")  # and one without any is left alone


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"line": "Line9"}, r"TriggerSource = Line9: it takes Software, Line1, Line2\."),
        ({"line": "Line1", "delay_us": 2e6}, r"TriggerDelay = .*: it takes 0\.0 to 1000000\.0"),
        ({"line": "Line1", "debounce_us": 3e4}, r"LineDebouncerTime = .* 0\.0 to 20000\.0"),
        ({"line": "Line1", "edge": "any"}, r"AnyEdge: it takes RisingEdge, FallingEdge\."),
    ],
)
def test_an_unmet_request_names_the_cameras_range(
    asked: dict[str, Any], said: str, camera: tuple[dict[str, Any], Registers]
) -> None:
    with pytest.raises(InputError, match=f"camera 7 .*{said}"):
        set_trigger(camera[0], "7", TriggerSettings("hardware", **asked))


def test_a_line_that_is_an_input_for_good_is_not_written() -> None:
    fixed = choice("LineMode", 0x200, ("Output", "Input"), selector="LineSelector", mode="RO")
    parts = [part for part in TRIGGERS if 'Enumeration Name="LineMode"' not in part]
    nodes, port = described(*parts, fixed)
    port.memory[0x210] = 1  # Line1's
    features = by_name(nodes)
    set_trigger(features, "7", HARDWARE)
    with pytest.raises(InputError, match="does not let LineMode be set"):
        set_trigger(features, "7", TriggerSettings("hardware", "Line2"))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("LineDebouncerTimeAbs",), [("LineDebouncerTimeAbs", 50)]),
        (("BslInputFilterTime",), [("BslInputFilterTime", 50)]),
        (
            ("LineFilterSelector", "LineFilterWidth"),
            [("LineFilterSelector", "Debounce"), ("LineFilterWidth", 50)],
        ),
        (
            ("mvLineDebounceTimeRisingEdge", "mvLineDebounceTimeFallingEdge"),
            [("mvLineDebounceTimeRisingEdge", 50), ("mvLineDebounceTimeFallingEdge", 50)],
        ),
    ],
)
def test_vendors_call_it_differently(
    names: tuple[str, ...], expected: list[tuple[str, float]]
) -> None:
    there = {"TriggerMode": ("Off", "On"), "LineSelector": ("Line1",), "TriggerDelayAbs": ()}
    there |= dict.fromkeys(names, ())
    assert trigger_features(HARDWARE, there, "7") == (
        ("LineSelector", "Line1"),
        *expected,
        ("TriggerSource", "Line1"),
        ("TriggerActivation", "FallingEdge"),
        ("TriggerMode", "On"),
        ("TriggerDelayAbs", 100),
    )


def test_what_the_camera_lacks_is_named() -> None:
    software, bounced = TriggerSettings("software", delay_us=1), HARDWARE
    with pytest.raises(InputError, match="camera 7 has no TriggerMode"):
        trigger_features(software, {}, "7")
    with pytest.raises(InputError, match="camera 7 takes no trigger from software: name a line"):
        trigger_features(software, {"TriggerMode": ()}, "7")
    with pytest.raises(InputError, match="camera 7 has no TriggerDelay"):
        trigger_features(software, {"TriggerMode": (), "TriggerSoftware": ()}, "7")
    with pytest.raises(InputError, match=r"camera 7 has none of LineDebouncerTime, .*LineFilterW"):
        trigger_features(bounced, {"TriggerMode": ()}, "7")
    plain = trigger_features(TriggerSettings("hardware", "Line1"), {"TriggerMode": ()}, "7")
    assert plain == (("TriggerSource", "Line1"), ("TriggerMode", "On"))


def test_a_trigger_in_a_spec() -> None:
    line = {"trigger": "Line1", "edge": "falling", "delay_us": "100", "debounce_us": "50"}
    assert trigger_of(line) == HARDWARE
    assert trigger_of({"trigger": "software"}) == TriggerSettings("software")
    assert trigger_of({"TriggerMode": "On"}) == trigger_of({"trigger": "free"}) == FREE


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"trigger": "Line1", "edge": "up"}, r"edge is rising, falling, any, not 'up'\."),
        ({"trigger": "Line1", "delay_us": "soon"}, r"delay_us is a number, not 'soon'\."),
        ({"trigger": "Line1", "delay_us": "-1"}, r"delay_us is 0 or more, not -1\.0\."),
        ({"trigger": "Line1", "debounce_us": "nan"}, r"debounce_us is 0 or more, not nan\."),
        ({"trigger": "software", "edge": "rising"}, "belong to a hardware trigger"),
        ({"debounce_us": "5"}, "belong to a hardware trigger"),
        ({"delay_us": "5"}, "runs freely has no delay_us"),
        ({"trigger": ""}, "names its line"),
        ({"trigger": "Line1", "TriggerMode": "On"}, "both trigger and TriggerMode"),
    ],
)
def test_a_trigger_that_cannot_be(options: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        trigger_of(options)


def test_increments_are_kept() -> None:
    nodes, _ = described(number("Width", 0x010, 64, 2048, step=16))
    with pytest.raises(InputError, match=r"Width = 100: it takes 64 to 2048 in steps of 16\."):
        set_feature(by_name(nodes), "7", "Width", 100)
