"""docs/line.md says what the code does: every table and message of it is compared."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from pydantic import BaseModel

from inspector.line import registers as r
from inspector.line.mqtt_messages import event_message, read_part, result_message, state_message
from inspector.line.signals import LineCounts, StationSigns
from inspector.pipeline.events import EventCode, StationEvent
from inspector.settings import ModbusSettings, MqttSettings
from tests.inspector.pipeline_parts import NOON
from tests.inspector.test_line_mqtt_messages import bad

TEXT = (Path(__file__).parents[2] / "docs" / "line.md").read_text(encoding="utf-8")


def table(head: str, nth: int = 0) -> list[list[str]]:
    """The rows of the nth table whose first column is called so."""
    starts = [m.start() for m in re.finditer(rf"^\| {re.escape(head)} \|", TEXT, re.MULTILINE)]
    lines = TEXT[starts[nth] :].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def rows(entries: Iterable[r.Register]) -> list[list[str]]:
    return [
        [
            str(e.address) if e.address == e.last else f"{e.address}–{e.last}",
            e.name,
            e.kind.value,
            e.meaning,
        ]
        for e in entries
    ]


def test_the_registers() -> None:
    assert table("register", 0) == rows(r.PLC_REGISTERS)
    assert table("register", 1) == rows(r.STATION_REGISTERS)


@pytest.mark.parametrize(
    ("head", "bits"), [("bit of Control", r.ControlBit), ("bit of Status", r.StatusBit)]
)
def test_the_bits(head: str, bits: type[r.ControlBit] | type[r.StatusBit]) -> None:
    assert [row[:2] for row in table(head)] == [[str(int(bit)), bit.name] for bit in bits]


def test_the_coils_named_in_the_text() -> None:
    trigger = 16 * r.PLC_FIRST + r.ControlBit.TRIGGER
    ready = 16 * r.STATION_FIRST + r.StatusBit.TRIGGER_READY
    assert f"Trigger is coil {trigger}, TriggerReady coil {ready}" in TEXT


def test_the_codes() -> None:
    states = [["0", "any other"], *([str(code), name] for name, code in r.STATE_CODES.items())]
    assert table("State") == states
    reasons = [[str(code), f"`{reason.value}`"] for reason, code in r.REASON_CODES.items()]
    assert [row[:2] for row in table("Reason")] == [*reasons, [str(r.OTHER_REASON), "any other"]]
    meaning = next(e.meaning for e in r.STATION_REGISTERS if e.name == "Verdict")
    said = ", ".join(f"{code} {verdict.value}" for verdict, code in r.VERDICT_CODES.items())
    assert meaning == f"0 none, {said}"


@pytest.mark.parametrize(("nth", "model"), [(0, ModbusSettings), (1, MqttSettings)])
def test_the_settings(nth: int, model: type[BaseModel]) -> None:
    said = {row[0].strip("`"): row[1] for row in table("key", nth)}
    assert list(said) == list(model.model_fields)
    for name, field in model.model_fields.items():
        default = field.default
        if field.is_required():
            assert said[name] == ""
        elif isinstance(default, bool):
            assert said[name] == str(default).lower()
        elif isinstance(default, int | float):
            assert float(said[name]) == default


def keys(value: object) -> object:
    """The shape of a message: its keys, and those inside."""
    if isinstance(value, dict):
        return {name: keys(inner) for name, inner in value.items() if name not in FREE}
    if isinstance(value, list):
        return [keys(inner) for inner in value]
    return None


FREE = ("stages_ms", "details")  # their keys differ from message to message


def test_the_messages() -> None:
    result, state, event, part = (
        json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    )
    assert keys(result) == keys(json.loads(result_message("s", 1, bad())))
    signs = state_message(StationSigns(), LineCounts(), 0, NOON)
    assert keys(state) == keys(json.loads(signs))
    lost = StationEvent(EventCode.LINE_LOST, NOON, "", {"link": "modbus"})
    assert keys(event) == keys(json.loads(event_message(lost)))
    assert event["code"] == EventCode.LINE_LOST.value
    assert read_part(json.dumps(part).encode()).part == part["part"]
