"""Between signals and registers. A register is a number from 0 to 65535."""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from inspector.camera.base import PartIdentity
from inspector.line import registers as r
from inspector.line.registers import ControlBit, Kind, Register, StatusBit
from inspector.line.signals import Outputs, PlcSignals

Words: TypeAlias = tuple[int, ...]
Value: TypeAlias = int | float | str

PLC: Final[Mapping[str, Register]] = {entry.name: entry for entry in r.PLC_REGISTERS}
MOST_16: Final = 0xFFFF
MOST_32: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Order:
    """How a PLC lays out what is wider than a register; by default the high part comes first."""

    low_word_first: bool = False
    low_byte_first: bool = False  # in texts only


def read_plc(words: Sequence[int], order: Order) -> PlcSignals:
    """What the PLC's block of :data:`PLC_COUNT` registers says."""

    def text(name: str) -> str | None:
        entry = PLC[name]
        return _text(words[entry.address : entry.last + 1], order)

    control = words[PLC["Control"].address]
    return PlcSignals(
        trigger=_bit(control, ControlBit.TRIGGER),
        ack=_bit(control, ControlBit.RESULT_ACK),
        recipe_index=words[PLC["RecipeIndex"].address],
        life=words[PLC["PlcLife"].address],
        counter=words[PLC["PartCounter"].address],
        part=PartIdentity(text("Part"), text("Lot"), text("Serial")),
    )


def write_station(outputs: Outputs, order: Order) -> Words:
    """The station's block of :data:`STATION_COUNT` registers."""
    values = _values(outputs)
    words = [0] * r.STATION_COUNT
    for entry in r.STATION_REGISTERS:
        start = entry.address - r.STATION_FIRST
        laid = _lay(values[entry.name], entry.kind, order)
        words[start : start + len(laid)] = laid
    return tuple(words)


def _values(outputs: Outputs) -> Mapping[str, Value]:
    result, counts = outputs.result, outputs.counts
    answered = result.number > 0
    return {
        "Status": status_word(outputs),
        "RecipeEcho": outputs.recipe_echo,
        "State": r.STATE_CODES.get(outputs.state, 0),
        "Reason": 0 if result.reason is None else r.REASON_CODES.get(result.reason, r.OTHER_REASON),
        "ResultNumber": result.number,
        "Verdict": r.VERDICT_CODES.get(result.verdict, 3) if answered else 0,
        "Regions": result.regions,
        "Score": result.score,
        "Threshold": result.threshold,
        "Triggers": counts.triggers,
        "CountOK": counts.ok,
        "CountNG": counts.ng,
        "CountFAULT": counts.fault,
        "Refused": counts.refused,
        "MapVersion": r.MAP_VERSION,
        "PartEcho": outputs.part_echo,
    }


def status_word(outputs: Outputs) -> int:
    raised = {
        StatusBit.TRIGGER_READY: outputs.trigger_ready,
        StatusBit.RESULT_READY: outputs.result_ready,
        StatusBit.OK: outputs.ok,
        StatusBit.NG: outputs.ng,
        StatusBit.ERROR: outputs.error,
        StatusBit.HEARTBEAT: outputs.heartbeat,
        StatusBit.INSPECTING: outputs.inspecting,
    }
    return sum(1 << bit for bit, high in raised.items() if high)


def _lay(value: Value, kind: Kind, order: Order) -> list[int]:
    if kind is Kind.FLOAT32:
        return _pair(_float_bits(float(value)), order)
    assert isinstance(value, int)  # no text goes out
    return _pair(value & MOST_32, order) if kind is Kind.UINT32 else [value & MOST_16]


def _float_bits(value: float) -> int:
    """A score beyond single precision is sent as infinity, which a PLC can tell."""
    try:
        packed = struct.pack(">f", value)
    except OverflowError:
        packed = struct.pack(">f", math.copysign(math.inf, value))
    return int.from_bytes(packed, "big")


def _pair(value: int, order: Order) -> list[int]:
    words = [value >> 16, value & MOST_16]
    return words[::-1] if order.low_word_first else words


def _text(words: Sequence[int], order: Order) -> str | None:
    """Up to the first NUL; what is not UTF-8 is marked, not dropped. None where nothing is said."""
    raw = b"".join(word.to_bytes(2, "little" if order.low_byte_first else "big") for word in words)
    said = raw.partition(b"\0")[0].decode("utf-8", "replace").strip()
    return said or None


def _bit(word: int, bit: int) -> bool:
    return bool(word >> bit & 1)
