"""The PLC's side, on real pymodbus peers, and a station's side that judges by the serial number."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from pymodbus.client import ModbusTcpClient
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ConnectionException
from pymodbus.pdu import ModbusPDU
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from inspector.camera.base import Frame
from inspector.line.modbus import ModbusLine
from inspector.line.registers import PLC_REGISTERS, SIZE, STATION_REGISTERS, StatusBit
from inspector.line.signals import Trigger
from inspector.pipeline.control import Control
from inspector.pipeline.events import EventCode, StationEvent
from inspector.pipeline.inspection import Inspection, Reason, Verdict
from inspector.pipeline.sinks import run
from tests.inspector.pipeline_parts import NOON, prediction

ADDRESS = {entry.name: entry.address for entry in (*PLC_REGISTERS, *STATION_REGISTERS)}
PATIENCE_S = 10.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for(what: Callable[[], bool], seconds: float = PATIENCE_S) -> float:
    """How long it took until it held, in seconds."""
    start = time.monotonic()
    while not what():
        if time.monotonic() - start > seconds:
            raise AssertionError(f"did not happen within {seconds} s")
        time.sleep(0.005)
    return time.monotonic() - start


class Memory(Protocol):
    """A PLC's view of the map, wherever it lies."""

    def read(self, address: int, count: int = 1) -> list[int]: ...

    def write(self, address: int, values: Sequence[int]) -> None: ...


class PollingPlc:
    """A PLC that is the client: it reads and writes the station's registers."""

    def __init__(self, port: int) -> None:
        self._client = ModbusTcpClient("127.0.0.1", port=port, timeout=2)

    @property
    def client(self) -> ModbusTcpClient:
        assert self._client.connect()
        return self._client

    def read(self, address: int, count: int = 1) -> list[int]:
        answer = self._ask(lambda: self.client.read_holding_registers(address, count=count))
        return list(answer.registers)

    def write(self, address: int, values: Sequence[int]) -> None:
        self._ask(lambda: self.client.write_registers(address, list(values)))

    def _ask(self, request: Callable[[], ModbusPDU]) -> ModbusPDU:
        """As PLCs do: a connection that the station closed is made again, once."""
        try:
            answer = request()
        except (ConnectionException, OSError):
            self._client.close()
            answer = request()
        assert not answer.isError(), answer
        return answer

    def close(self) -> None:
        self._client.close()


class ServingPlc:
    """A PLC that is the server: its memory is polled by the station; it can be cut and started.
    While ``locked`` it lets itself be read, and refuses every write."""

    def __init__(self, port: int, *, locked: bool = False) -> None:
        self.locked = locked
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server: ModbusTcpServer | None = None
        self.start()

    def start(self) -> None:
        """With its memory cleared, as after power-on."""

        async def begin() -> ModbusTcpServer:
            cells = SimData(0, count=SIZE, values=0, datatype=DataType.REGISTERS)
            device = SimDevice(0, [cells], action=self._access)
            server = ModbusTcpServer(device, address=("127.0.0.1", self._port))
            await server.serve_forever(background=True)
            return server

        self._server = self._do(begin())

    def stop(self) -> None:
        if self._server is not None:
            self._do(self._server.shutdown())
            self._server = None

    def cut(self) -> None:
        """Close each connection under the station; the server goes on listening."""

        async def cut_all() -> None:
            assert self._server is not None
            for connection in list(self._server.active_connections.values()):
                connection.close()

        self._do(cut_all())

    async def _access(self, *request: object) -> ExcCodes | None:
        """pymodbus's hook; the last of it is what would be written, None where it is read."""
        refused = self.locked and request[-1] is not None
        return ExcCodes.ILLEGAL_ADDRESS if refused else None

    def read(self, address: int, count: int = 1) -> list[int]:
        assert self._server is not None
        return self._do(self._server.async_getValues(0, 3, address, count))  # type: ignore[return-value]

    def write(self, address: int, values: Sequence[int]) -> None:
        assert self._server is not None
        self._do(self._server.async_setValues(0, 16, address, list(values)))

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _do(self, work):  # type: ignore[no-untyped-def]
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(5)


@dataclass
class Answer:
    """What a PLC takes from one result."""

    number: int
    ok: bool
    ng: bool
    error: bool
    reason: int
    echo: int = 0


class Ladder:
    """The PLC's program: a four-phase handshake as docs/line.md has it."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def bit(self, bit: StatusBit) -> bool:
        return bool(self.memory.read(ADDRESS["Status"])[0] >> bit & 1)

    def say(self, *, trigger: bool = False, ack: bool = False) -> None:
        self.memory.write(ADDRESS["Control"], [trigger | ack << 1])

    def name(self, name: str, text: str) -> None:
        raw = text.encode().ljust(32, b"\0")
        words = [int.from_bytes(raw[i : i + 2], "big") for i in range(0, 32, 2)]
        self.memory.write(ADDRESS[name], words)

    def until(self, bit: StatusBit, high: bool = True) -> float:
        return wait_for(lambda: self.bit(bit) is high)

    def answer(self) -> Answer:
        """The result that stands, read in one request, so that it is of one piece."""
        words = self.memory.read(ADDRESS["Status"], 24)
        status, number = words[0], words[4] << 16 | words[5]
        high = [bool(status >> bit & 1) for bit in (StatusBit.OK, StatusBit.NG, StatusBit.ERROR)]
        return Answer(number, *high, reason=words[3], echo=words[23])

    def take(self) -> Answer:
        """Wait for the result, take it, acknowledge it, and see it withdrawn."""
        self.until(StatusBit.RESULT_READY)
        answer = self.answer()
        self.say(ack=True)
        self.until(StatusBit.RESULT_READY, high=False)
        self.say()
        return answer

    def part(self, serial: str) -> Answer:
        """One part through the station."""
        self.name("Serial", serial)
        self.until(StatusBit.TRIGGER_READY)
        self.say(trigger=True)
        self.until(StatusBit.TRIGGER_READY, high=False)
        self.say()
        return self.take()


@dataclass
class Station:
    """Inspects on a thread of its own: a serial that begins with "good" is OK, others are NG."""

    line: ModbusLine
    control: Control = field(default_factory=Control)
    records: list[Inspection] = field(default_factory=list)
    seen: list[Trigger] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)  # cleared: the model hangs
    on: threading.Event = field(default_factory=threading.Event)  # the run has begun

    def __post_init__(self) -> None:
        self.hold.set()
        self.control.start()
        self.thread = threading.Thread(target=self._inspect, daemon=True)
        self.thread.start()
        assert self.on.wait(PATIENCE_S)

    def stop(self) -> None:
        self.control.stop()
        self.hold.set()
        self.thread.join(5)
        assert not self.thread.is_alive()

    def _inspect(self) -> None:
        run(self._judged(), [_Book(self.records), self.line.sink()])

    def _judged(self) -> Iterator[Inspection]:
        self.on.set()  # each sink has been entered
        for trigger in self.line.triggers(self.control):
            self.seen.append(trigger)
            self.hold.wait(PATIENCE_S)
            yield judged(trigger)


class _Book:
    """Stands where the database does."""

    def __init__(self, records: list[Inspection]) -> None:
        self._records = records

    def __enter__(self) -> "_Book":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to let go of."""

    def write(self, inspection: Inspection) -> Inspection:
        self._records.append(inspection)
        return inspection


def judged(trigger: Trigger) -> Inspection:
    seen = Frame(trigger.frame_id, None, NOON, 1.0, "test", part=trigger.part)
    record = str(trigger.number)
    if trigger.refused is not None:
        return Inspection(record, seen, Verdict.FAULT, trigger.refused, None, NOON)
    if (trigger.part.serial or "").startswith("good"):
        return Inspection(record, seen, Verdict.OK, None, "disc", NOON, prediction(0.25), 0.5)
    return Inspection(record, seen, Verdict.NG, Reason.DEFECT, "disc", NOON, prediction(0.75), 0.5)


@dataclass
class Events:
    """Hears what the line says, with the time it was said."""

    heard: list[tuple[float, StationEvent]] = field(default_factory=list)

    def __call__(self, event: StationEvent) -> None:
        self.heard.append((time.monotonic(), event))

    def codes(self) -> list[EventCode]:
        return [event.code for _, event in self.heard]


@contextmanager
def stationed(line: ModbusLine) -> Iterator[Station]:
    station = Station(line)
    try:
        yield station
    finally:
        station.stop()
