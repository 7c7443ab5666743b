"""The tables [modbus] and [mqtt] of a station's settings."""

from pathlib import Path

import pytest

from engine.types import InputError
from inspector.settings import (
    ModbusSettings,
    StationSettings,
    read_settings,
    settings_sha256,
)
from tests.inspector.test_settings import GOOD, write

MODBUS = GOOD + '\n[modbus]\nrole = "server"\nhost = "0.0.0.0"\n'
MQTT = GOOD + '\n[mqtt]\nhost = "broker"\n'


def test_a_station_without_a_line_has_none(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path, GOOD))
    assert (settings.modbus, settings.mqtt) == (None, None)


def test_both_tables_are_read_and_their_paths_start_at_the_files_folder(tmp_path: Path) -> None:
    text = MODBUS + 'products = ["disc", "gear"]\n\n[mqtt]\nhost = "broker"\nusername = "press4"\n'
    settings = read_settings(write(tmp_path, text + 'password_file = "secret"\nca = "ca.pem"\n'))
    assert settings.modbus is not None
    assert settings.mqtt is not None
    assert (settings.modbus.port, settings.mqtt.port) == (502, 1883)
    assert settings.mqtt.password_file == tmp_path.resolve() / "secret"
    assert settings.mqtt.ca == tmp_path.resolve() / "ca.pem"
    assert settings.mqtt.cert is None


def test_an_index_names_a_product() -> None:
    modbus = ModbusSettings(role="client", host="plc", products=("disc", "gear"))
    assert [modbus.product(i) for i in range(4)] == [None, "disc", "gear", None]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MODBUS + "hots = 1", r"modbus\.hots: there is no such key"),
        (MODBUS.replace("server", "slave"), r"modbus\.role"),
        (MODBUS.replace('host = "0.0.0.0"', ""), r"modbus\.host: Field required"),
        (MODBUS + "port = 65536", r"modbus\.port"),
        (MODBUS + "timeout_s = 0", r"modbus\.timeout_s"),
        (MODBUS + "timeout_s = nan", r"modbus\.timeout_s"),
        (MODBUS + "poll_ms = 0", r"modbus\.poll_ms"),
        (MODBUS + "base = 65500", r"modbus\.base"),
        (MODBUS + 'products = [""]', r"modbus\.products"),
        (MQTT + 'password = "correct horse"', r"mqtt\.password: there is no such key"),
        (MQTT + 'password_env = "P"', "a password needs a username"),
        (MQTT + 'username = "u"\npassword_env = "P"\npassword_file = "f"', "name one"),
        (MQTT + 'cert = "c"', "cert and key go together"),
        (MQTT + 'cert = "c"\nkey = "k"', "need ca"),
        (MQTT + 'prefix = "a/#"', r"mqtt\.prefix"),
        (MQTT + 'prefix = "/a"', r"mqtt\.prefix"),
        (MQTT + "most_waiting = 0", r"mqtt\.most_waiting"),
        (MQTT + "keepalive_s = 0", r"mqtt\.keepalive_s"),
    ],
)
def test_nonsense_is_refused_and_named_and_no_secret_is_said(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read_settings(write(tmp_path, text))
    assert "correct horse" not in str(caught.value)


def test_the_fingerprint_covers_the_line() -> None:
    common = {"name": "a", "camera": "sim:", "plan": "p", "recipe": "r", "out": "o"}
    line = {"modbus": {"role": "server", "host": "0.0.0.0"}}
    with_line = StationSettings.model_validate(common | line)
    assert settings_sha256(with_line) != settings_sha256(StationSettings.model_validate(common))
