"""Modbus TCP where the PLC polls us: our registers are served, and each request is a word of it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from engine.types import InputError
from inspector.line.exchange import Exchange
from inspector.line.registers import PLC_COUNT, SIZE, STATION_COUNT, STATION_FIRST
from inspector.settings import ModbusSettings

LOOK_S: Final = 0.1
BIT_REQUESTS: Final = frozenset({1, 2, 5, 15})  # function codes whose addresses count bits


class Bank:
    """What pymodbus asks before it reads or writes: the handshake moves with each request.

    So no edge is lost, however short, and what is read is what holds now.
    """

    def __init__(self, exchange: Exchange, base: int) -> None:
        self._exchange, self._base = exchange, base

    def device(self) -> SimDevice:
        """One block for all function codes and all unit ids; bits are 16 to a register."""
        cells = SimData(self._base, count=SIZE, values=0, datatype=DataType.REGISTERS)
        return SimDevice(0, [cells], use_bit_addressing=True, action=self.access)

    async def access(
        self,
        function_code: int,
        start_address: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """pymodbus's hook. A write outside the PLC's own block is refused as an illegal address."""
        plc = registers[:PLC_COUNT]
        if values is not None:
            bits = function_code in BIT_REQUESTS
            first = address - start_address * (16 if bits else 1)
            if first < 0 or first + len(values) > PLC_COUNT * (16 if bits else 1):
                return ExcCodes.ILLEGAL_ADDRESS
            plc = _with_bits(plc, first, values) if bits else _with_words(plc, first, values)
        registers[STATION_FIRST : STATION_FIRST + STATION_COUNT] = self._exchange.heard(plc)
        return None


@asynccontextmanager
async def served(settings: ModbusSettings, exchange: Exchange) -> AsyncIterator[ModbusTcpServer]:
    """Listen; :class:`InputError` where the address cannot be had."""
    _require_free(settings.host, settings.port)
    device = Bank(exchange, settings.base).device()
    server = ModbusTcpServer(device, address=(settings.host, settings.port))
    try:
        await server.serve_forever(background=True)
        yield server
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


async def serve(
    settings: ModbusSettings, exchange: Exchange, opened: Callable[[], None], stop: asyncio.Event
) -> None:
    """Listen until ``stop``. When the PLC goes silent its connections are closed, which may be
    open on our side alone: it makes new ones."""
    async with served(settings, exchange) as server:
        opened()
        was_up = False
        while not stop.is_set():
            await asyncio.sleep(LOOK_S)
            if was_up and not exchange.up:
                for connection in list(server.active_connections.values()):
                    connection.close()
            was_up = exchange.up


def _require_free(host: str, port: int) -> None:
    """pymodbus does not say why it could not listen; this does."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise InputError(
            f"Modbus cannot listen on {host}:{port} ({error.strerror}): "
            "name an address of this machine and a port that is free and allowed."
        ) from error


def _with_words(plc: list[int], first: int, values: list[int] | list[bool]) -> list[int]:
    return [*plc[:first], *(int(value) for value in values), *plc[first + len(values) :]]


def _with_bits(plc: list[int], first: int, values: list[int] | list[bool]) -> list[int]:
    changed = list(plc)
    for bit, value in enumerate(values, start=first):
        mask = 1 << bit % 16
        changed[bit // 16] = changed[bit // 16] | mask if value else changed[bit // 16] & ~mask
    return changed
