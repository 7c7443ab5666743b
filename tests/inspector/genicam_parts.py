"""A camera of registers, described in XML as a real one is: GenApi itself answers for it.

The producer that the genicam wheel ships knows no triggers. What is asked of a camera that does is
tried on this description: its ranges, access modes, entries and selectors are GenApi's own work.
"""

import re
from collections.abc import Sequence
from typing import Any

from genicam.genapi import AbstractPort, EAccessMode, NodeMap
from genicam.genapi import RuntimeException as GenApiRuntimeError

SCHEMA = "http://www.genicam.org/GenApi/Version_1_1"
HEAD = (
    f'<RegisterDescription ModelName="Registers" VendorName="Tests" StandardNameSpace="None" '
    'SchemaMajorVersion="1" SchemaMinorVersion="1" SchemaSubMinorVersion="0" MajorVersion="1" '
    'MinorVersion="0" SubMinorVersion="0" ToolTip="" '
    'ProductGuid="00000000-0000-0000-0000-000000000001" '
    'VersionGuid="00000000-0000-0000-0000-000000000002" '
    f'xmlns="{SCHEMA}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    f'xsi:schemaLocation="{SCHEMA} http://www.genicam.org/GenApi/GenApiSchema_Version_1_1.xsd">'
)


def _address(at: int, selector: str) -> str:
    """Sixteen bytes further for each step of the selector."""
    index = f'<pIndex Offset="16">{selector}</pIndex>' if selector else ""
    return f"<Address>{at}</Address>{index}"


def _register(name: str, at: int, selector: str, mode: str, cached: bool = True) -> str:
    caching = "" if cached else "<Cachable>NoCache</Cachable>"
    return (
        f'<IntReg Name="{name}">{_address(at, selector)}<Length>4</Length>'
        f"<AccessMode>{mode}</AccessMode><pPort>Device</pPort>{caching}"
        "<Sign>Unsigned</Sign><Endianess>LittleEndian</Endianess></IntReg>"
    )


def choice(
    name: str,
    at: int,
    entries: Sequence[str],
    *,
    selector: str = "",
    mode: str = "RW",
    more: str = "",
) -> str:
    """An enumeration; `more` is XML of its own, such as pIsLocked."""
    listed = "".join(
        f'<EnumEntry Name="{entry}"><Value>{value}</Value></EnumEntry>'
        for value, entry in enumerate(entries)
    )
    chosen = f"{name}Reg"
    return (
        f'<Enumeration Name="{name}">{more}{listed}<pValue>{chosen}</pValue></Enumeration>'
        + _register(chosen, at, f"{selector}Reg" if selector else "", mode)
    )


def number(
    name: str, at: int, least: float, most: float, *, selector: str = "", step: int = 0
) -> str:
    """A float in whole units of a register, or an integer where it has a step."""
    kind = "Integer" if step else "Float"
    inc = f"<Inc>{step}</Inc>" if step else ""
    return (
        f'<{kind} Name="{name}"><pValue>{name}Reg</pValue>'
        f"<Min>{least:g}</Min><Max>{most:g}</Max>{inc}{'' if step else '<Unit>us</Unit>'}</{kind}>"
        + _register(f"{name}Reg", at, f"{selector}Reg" if selector else "", "RW")
    )


TRIGGERS = (
    choice("TriggerSelector", 0x000, ("AcquisitionStart", "FrameStart", "LineStart")),
    choice("TriggerMode", 0x100, ("Off", "On"), selector="TriggerSelector"),
    choice("TriggerSource", 0x140, ("Software", "Line1", "Line2"), selector="TriggerSelector"),
    choice("TriggerActivation", 0x180, ("RisingEdge", "FallingEdge"), selector="TriggerSelector"),
    number("TriggerDelay", 0x1C0, 0, 1e6, selector="TriggerSelector"),
    choice("LineSelector", 0x004, ("Line0", "Line1", "Line2")),
    choice("LineMode", 0x200, ("Output", "Input"), selector="LineSelector"),
    number("LineDebouncerTime", 0x240, 0, 20000, selector="LineSelector"),
    '<Command Name="TriggerSoftware"><pValue>TriggerSoftwareReg</pValue>'
    "<CommandValue>1</CommandValue></Command>",
    _register("TriggerSoftwareReg", 0x008, "", "WO"),
)
PICTURE = (
    number("Width", 0x010, 64, 2048, step=16),
    choice("PixelFormat", 0x014, ("Mono8", "RGB8")),
    choice("DeviceTemperatureSelector", 0x018, ("Sensor", "Mainboard")),
    '<Float Name="DeviceTemperature"><pValue>DeviceTemperatureReg</pValue><Unit>C</Unit></Float>',
    _register("DeviceTemperatureReg", 0x280, "DeviceTemperatureSelectorReg", "RO", cached=False),
)


class Registers(AbstractPort):
    """Memory behind a node map; `gone` is a cable pulled out, `reads` and `writes` are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = bytearray(0x1000)
        self.nodes: Any = None
        self.gone = False
        self.reads: list[int] = []
        self.writes: list[tuple[int, int]] = []

    def get_access_mode(self) -> int:
        return int(EAccessMode.RW)

    def read(self, address: int, length: int) -> bytes:
        self._answer()
        self.reads.append(address)
        return bytes(self.memory[address : address + length])

    def write(self, address: int, data: bytes) -> None:
        self._answer()
        self.writes.append((address, int.from_bytes(data, "little")))
        self.memory[address : address + len(data)] = data

    def _answer(self) -> None:
        if self.gone:
            raise GenApiRuntimeError("no answer from the device")


def described(*parts: str) -> tuple[Any, Registers]:
    """The node map of a camera that consists of `parts`, and its registers."""
    port = Registers()
    xml = "".join(parts)
    features = re.findall(r'<(?:Enumeration|Integer|Float|Command) Name="(\w+)"', xml)
    root = "".join(f"<pFeature>{name}</pFeature>" for name in features)
    nodes = NodeMap()
    nodes.load_xml_from_string(
        f'{HEAD}<Category Name="Root">{root}</Category>{xml}<Port Name="Device"/>'
        "</RegisterDescription>"
    )
    nodes.connect(port, "Device")
    port.nodes = nodes  # features do not keep their node map alive
    return nodes, port
