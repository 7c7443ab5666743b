"""That a camera is there is known only from its own answer; how it is, from its registers."""

from types import SimpleNamespace

import pytest
from genicam.genapi import GenericException
from genicam.gentl import NotAvailableException

from inspector.camera.features import by_name, read
from inspector.camera.vitals import Pulse, link_counts, temperatures
from tests.inspector.genicam_parts import PICTURE, described, number


def test_a_pulse_asks_the_camera_each_time_and_not_genapis_memory() -> None:
    nodes, port = described(*PICTURE)
    features = by_name(nodes)
    read(features, "Width")
    port.reads.clear()
    for _ in range(3):
        read(features, "Width")
    assert not port.reads, "GenApi remembers: this is no sign of life"
    pulse = Pulse(features)
    for _ in range(3):
        pulse.feel()
    assert port.reads == [0x010] * 3
    port.gone = True
    with pytest.raises(GenericException, match="no answer"):
        pulse.feel()


def test_a_camera_without_a_size_is_asked_for_its_format() -> None:
    nodes, port = described(PICTURE[1])
    Pulse(by_name(nodes)).feel()
    assert port.reads == [0x014]
    Pulse({}).feel()


def test_the_temperature_of_every_place_and_the_selector_left_as_it_was() -> None:
    nodes, port = described(*PICTURE)
    features = by_name(nodes)
    port.memory[0x280], port.memory[0x290] = 41, 37
    features["DeviceTemperatureSelector"].value = "Mainboard"
    assert temperatures(features, "7") == {"temperature_Sensor": 41, "temperature_Mainboard": 37}
    assert read(features, "DeviceTemperatureSelector") == "Mainboard"
    port.memory[0x280] = 45
    assert temperatures(features, "7")["temperature_Sensor"] == 45, "not what it was before"


def test_a_camera_with_one_thermometer_or_none() -> None:
    nodes, port = described(number("DeviceTemperature", 0x280, 0, 200))
    port.memory[0x280] = 50
    assert temperatures(by_name(nodes), "7") == {"temperature": 50}
    assert temperatures({}, "7") == {}


class Stream:
    """A stream whose producer counts what GenTL asks for in part, and something of its own."""

    num_delivered = 12

    def __init__(self) -> None:
        self.node_map, self.port = described(number("StreamLostFrameCount", 0x20, 0, 1e6))

    @property
    def num_underrun(self) -> int:
        raise NotAvailableException("not counted")


def test_what_the_link_counts() -> None:
    stream = Stream()
    stream.port.memory[0x20] = 3
    assert link_counts(stream) == {"delivered": 12, "StreamLostFrameCount": 3}
    bare = SimpleNamespace(num_delivered=1, num_underrun=0)
    assert link_counts(bare) == {"delivered": 1, "underrun": 0}
