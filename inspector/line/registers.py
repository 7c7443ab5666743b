"""The map of registers, the same in both roles: what docs/line.md shows and what the code reads.

All of it lies in holding registers, the PLC's part first, so that either side can be the one that
serves and one request carries a whole side. Where we serve, each bit is a coil as well, at
16 × register + bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final

from inspector.pipeline.inspection import Reason, Verdict


class Kind(StrEnum):
    """How a value lies in registers; the number of them is :data:`WIDTH`."""

    BITS = "bits"
    UINT16 = "uint16"
    UINT32 = "uint32"
    FLOAT32 = "float32"
    TEXT = "text, 32 bytes"


WIDTH: Final[Mapping[Kind, int]] = MappingProxyType(
    {Kind.BITS: 1, Kind.UINT16: 1, Kind.UINT32: 2, Kind.FLOAT32: 2, Kind.TEXT: 16}
)


@dataclass(frozen=True, slots=True)
class Register:
    """One value of the map; ``address`` counts from the settings' ``base``."""

    name: str
    address: int
    kind: Kind
    meaning: str

    @property
    def last(self) -> int:
        return self.address + WIDTH[self.kind] - 1


PLC_REGISTERS: Final = (
    Register("Control", 0, Kind.BITS, "the bits below"),
    Register("RecipeIndex", 1, Kind.UINT16, "0: the station's product; n: n-th of `products`"),
    Register("PlcLife", 2, Kind.UINT16, "a number that changes; read where `plc_life` is on"),
    Register("PartCounter", 3, Kind.UINT16, "the PLC's own number of the part"),
    Register("Part", 4, Kind.TEXT, "part number, NUL-padded; empty: not said"),
    Register("Lot", 20, Kind.TEXT, "lot, likewise"),
    Register("Serial", 36, Kind.TEXT, "serial number, likewise"),
)
STATION_REGISTERS: Final = (
    Register("Status", 64, Kind.BITS, "the bits below"),
    Register(
        "RecipeEcho",
        65,
        Kind.UINT16,
        "the index taken with the part in hand, or the one asked for now; 65535: unknown",
    ),
    Register("State", 66, Kind.UINT16, "the station's state, coded below"),
    Register("Reason", 67, Kind.UINT16, "why the result is not OK, coded below; 0: it is OK"),
    Register("ResultNumber", 68, Kind.UINT32, "number of the newest trigger the result covers"),
    Register("Verdict", 70, Kind.UINT16, "0 none, 1 OK, 2 NG, 3 FAULT"),
    Register("Regions", 71, Kind.UINT16, "defect regions found"),
    Register("Score", 72, Kind.FLOAT32, "the model's raw score; 0 where it was not asked"),
    Register("Threshold", 74, Kind.FLOAT32, "the score above which the part is NG"),
    Register("Triggers", 76, Kind.UINT32, "rising edges of Trigger seen"),
    Register("CountOK", 78, Kind.UINT32, "records with verdict OK"),
    Register("CountNG", 80, Kind.UINT32, "records with verdict NG"),
    Register("CountFAULT", 82, Kind.UINT32, "records with verdict FAULT"),
    Register("Refused", 84, Kind.UINT32, "triggers that came while TriggerReady was 0"),
    Register("MapVersion", 86, Kind.UINT16, "1: this table"),
    Register("PartEcho", 87, Kind.UINT16, "PartCounter as it was at the newest trigger"),
)

PLC_FIRST: Final = 0
PLC_COUNT: Final = 52
STATION_FIRST: Final = 64
STATION_COUNT: Final = 24
SIZE: Final = STATION_FIRST + STATION_COUNT
MAP_VERSION: Final = 1


class ControlBit(IntEnum):
    """What the PLC says in Control."""

    TRIGGER = 0
    RESULT_ACK = 1


class StatusBit(IntEnum):
    """What the station says in Status."""

    TRIGGER_READY = 0
    RESULT_READY = 1
    OK = 2
    NG = 3
    ERROR = 4
    HEARTBEAT = 5
    INSPECTING = 6


VERDICT_CODES: Final[Mapping[Verdict, int]] = MappingProxyType(
    {Verdict.OK: 1, Verdict.NG: 2, Verdict.FAULT: 3}
)
STATE_CODES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "Preoperational": 1,
        "Halted": 2,
        "Error": 3,
        "Initialized": 4,
        "Ready": 5,
        "SingleExecution": 6,
        "ContinuousExecution": 7,
    }
)
"""OPC 40100-1's names; 0 is any other."""
REASON_CODES: Final[Mapping[Reason, int]] = MappingProxyType(
    {
        Reason.DEFECT: 1,
        Reason.NO_FRAME: 10,
        Reason.LOST_FRAME: 11,
        Reason.OUT_OF_ORDER: 12,
        Reason.LATE_FRAME: 13,
        Reason.LATE_RESULT: 14,
        Reason.INCOMPLETE_FRAME: 20,
        Reason.NOT_A_PICTURE: 21,
        Reason.WRONG_FORMAT: 22,
        Reason.BLACK_FRAME: 23,
        Reason.SATURATED_FRAME: 24,
        Reason.FROZEN_FRAME: 25,
        Reason.NO_CODE: 26,
        Reason.UNKNOWN_PRODUCT: 30,
        Reason.INVALID_SCORE: 31,
        Reason.INFERENCE_ERROR: 32,
        Reason.INTERNAL_ERROR: 40,
        Reason.NOT_READY: 41,
    }
)
"""A code keeps its meaning for ever: PLC programs hold it."""
OTHER_REASON: Final = 99
