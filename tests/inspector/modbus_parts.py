"""A station and its PLC over Modbus, in either role, built and taken down again."""

from contextlib import ExitStack, closing
from dataclasses import dataclass

from inspector.line.modbus import ModbusLine
from inspector.line.signals import StationSigns
from inspector.settings import ModbusSettings
from tests.inspector.line_parts import (
    Events,
    Ladder,
    PollingPlc,
    ServingPlc,
    Station,
    free_port,
    stationed,
)

WELL = StationSigns(ready=True, inspecting=True, state="ContinuousExecution")
TIMEOUT_S = 0.6


@dataclass
class Hall:
    """A station and its PLC, connected."""

    line: ModbusLine
    station: Station
    plc: PollingPlc | ServingPlc
    ladder: Ladder
    events: Events


def settings(role: str, port: int, **other: object) -> ModbusSettings:
    return ModbusSettings.model_validate(
        {
            "role": role,
            "host": "127.0.0.1",
            "port": port,
            "timeout_s": TIMEOUT_S,
            "beat_s": 0.1,
            "poll_ms": 5,
            "products": ("disc", "gear"),
            **other,
        }
    )


class Builder:
    """Builds halls and takes them down again."""

    def __init__(self, role: str, stack: ExitStack) -> None:
        self._role, self._stack = role, stack

    def __call__(self, signs: StationSigns = WELL, **other: object) -> Hall:
        port, events = free_port(), Events()
        plc: PollingPlc | ServingPlc
        if self._role == "client":
            plc = self._stack.enter_context(closing(ServingPlc(port)))
        line = ModbusLine(settings(self._role, port, **other), events)
        self._stack.enter_context(line)
        if self._role == "server":
            plc = self._stack.enter_context(closing(PollingPlc(port)))
        line.show(signs)
        station = self._stack.enter_context(stationed(line))
        return Hall(line, station, plc, Ladder(plc), events)
