"""The strip's items: the state in its own word, what the camera has lost, the links as they are."""

import time
from contextlib import closing
from pathlib import Path

import pytest

from inspector.camera.keeper import CameraHealth, Link
from inspector.pipeline.latched import ErrorCode, LatchedError
from inspector.pipeline.readiness import Check, Precondition
from inspector.pipeline.state import State
from inspector.pipeline.station_state import Owner, Standing
from inspector.station import StationSession
from inspector.status import camera_item, database_item, state_item
from inspector.ui.session import Health, StatusItem
from tests.inspector.line_parts import PollingPlc, free_port, wait_for
from tests.inspector.mqtt_parts import MOSQUITTO, Broker
from tests.inspector.station_parts import make_station
from tests.inspector.test_ui_hold import LATER, NOON, camera_lost
from tests.inspector.ui_parts import WELL, standing

FULL = Check(Precondition.DISK, False, "The disk is full: free some space.")


def item(session: StationSession, name: str) -> StatusItem:
    (found,) = [item for item in session.status() if item.name == name]
    return found


@pytest.mark.parametrize(
    ("stands", "text", "health"),
    [
        (WELL, "ContinuousExecution", Health.GOOD),
        (standing(State.PREOPERATIONAL), "Preoperational", Health.UNKNOWN),
        (standing(State.ERROR, camera_lost()), "Error", Health.BAD),
        (standing(State.INITIALIZED, missing=[FULL]), "Initialized", Health.WARNING),
        (
            Standing(State.CONTINUOUS_EXECUTION, True, Owner.PERSON, (), ()),
            "ContinuousExecution PAUSED",
            Health.UNKNOWN,
        ),
    ],
)
def test_the_state_has_the_word_of_the_standard(
    stands: Standing, text: str, health: Health
) -> None:
    shown = state_item(stands, shared=False)
    assert (shown.text, shown.health) == (text, health)


def test_what_holds_the_state_is_in_its_tooltip() -> None:
    held = standing(State.ERROR, camera_lost(), missing=[FULL], owner=Owner.PLC)
    shown = state_item(held, shared=True)
    assert shown.text == "Error, PLC"
    assert shown.detail.splitlines() == ["The PLC owns the line.", "No camera.", FULL.sentence]


def test_a_camera_s_losses_are_counted_in_its_tooltip() -> None:
    health = CameraHealth(Link.LOST, "No camera.", frames=40, incomplete=2, lost=3, losses=1)
    shown = camera_item("sim:disc?size=64", health, 0.1)
    assert shown.health is Health.BAD
    assert shown.detail == "No camera.\n40 frames, 3 lost, 2 incomplete; camera lost 1 times"


def test_a_database_that_refused_is_not_well_because_its_file_is_there(tmp_path: Path) -> None:
    path = tmp_path / "inspections.sqlite"
    path.touch()
    refused = LatchedError(ErrorCode.DATABASE_REFUSED, "The disk is full.", NOON, LATER)
    assert database_item(path, WELL).health is Health.GOOD
    shown = database_item(path, standing(State.ERROR, refused))
    assert (shown.text, shown.health) == ("refused", Health.BAD)
    assert "The disk is full." in shown.detail


def test_a_plc_that_falls_silent_is_lost(tmp_path: Path) -> None:
    port = free_port()
    modbus = {"role": "server", "host": "127.0.0.1", "port": port, "timeout_s": 1.0}
    session = StationSession(make_station(tmp_path, "sim:disc?size=64", modbus=modbus))
    assert item(session, "PLC").text == "closed"
    with session:
        with closing(PollingPlc(port)) as plc:
            for _ in range(15):  # longer than the silence that would be a loss
                plc.read(0)
                time.sleep(0.1)
            assert (item(session, "PLC").text, item(session, "PLC").health) == ("open", Health.GOOD)
            assert item(session, "State").text == "Preoperational, PLC"
        wait_for(lambda: item(session, "PLC").health is Health.BAD)
        assert item(session, "PLC").text == "lost"


def test_a_broker_that_is_away_is_a_warning(tmp_path: Path) -> None:
    mqtt = {"host": "127.0.0.1", "port": free_port()}
    session = StationSession(make_station(tmp_path, "sim:disc?size=64", mqtt=mqtt))
    assert item(session, "MQTT").text == "closed"
    with session:
        assert item(session, "MQTT").health is Health.WARNING
        assert "0 messages dropped" in item(session, "MQTT").detail


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_a_broker_that_is_there_is_said(tmp_path: Path) -> None:
    broker = Broker(tmp_path, free_port())
    try:
        mqtt = {"host": "127.0.0.1", "port": broker.port}
        with StationSession(make_station(tmp_path, "sim:disc?size=64", mqtt=mqtt)) as session:
            wait_for(lambda: item(session, "MQTT").health is Health.GOOD)
    finally:
        broker.stop()


def test_a_station_without_lines_has_no_items_for_them(tmp_path: Path) -> None:
    session = StationSession(make_station(tmp_path, "sim:disc?size=64"))
    names = [item.name for item in session.status()]
    assert names == ["State", "Camera", "Model", "Database", "Disk"]
