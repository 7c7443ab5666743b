"""Modbus TCP where we poll the PLC: its block is read, ours is written when it changed."""

import asyncio
from contextlib import suppress
from typing import Final

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from inspector.line.codec import Words
from inspector.line.exchange import Exchange
from inspector.line.registers import PLC_COUNT, PLC_FIRST, STATION_FIRST
from inspector.settings import ModbusSettings

FIRST_WAIT_S: Final = 0.1
MOST_WAIT_S: Final = 2.0
MOST_ANSWER_S: Final = 1.0
"""With the longest wait this keeps a reconnect within 5 s."""
REWRITE_S: Final = 1.0
"""A PLC may lose what it holds and keep its connection: what stays the same is said again."""


class RefusedError(Exception):
    """The PLC answered with an exception of Modbus: as bad as silence. Says what it refused."""


async def poll(
    settings: ModbusSettings, exchange: Exchange, news: asyncio.Event, stop: asyncio.Event
) -> None:
    """Poll until ``stop``, over a new connection after each failure; leave the outputs safe.

    Whoever sets ``stop`` sets ``news`` after it. A cancel would not do: before Python 3.12
    ``asyncio.wait_for``, by which pymodbus waits for answers, swallows one that meets an answer,
    and the heart would go on beating.
    """
    wait_s = FIRST_WAIT_S
    while not stop.is_set():
        if await _converse(settings, exchange, news, stop):
            wait_s = FIRST_WAIT_S
        await _until(stop, wait_s)
        wait_s = min(2 * wait_s, MOST_WAIT_S)


async def _converse(
    settings: ModbusSettings, exchange: Exchange, news: asyncio.Event, stop: asyncio.Event
) -> bool:
    """One connection, until it breaks or ``stop``; whether the PLC was heard of on it.

    A PLC is there once it has taken what it was told: one that only lets itself be read never
    hears a verdict.
    pymodbus's own reconnecting is off: it backs off to minutes, and not after every failure.
    """
    answer_s = min(settings.timeout_s / 2, MOST_ANSWER_S)
    client = AsyncModbusTcpClient(
        settings.host, port=settings.port, timeout=answer_s, retries=0, reconnect_delay=0
    )
    peer = Peer(client, settings)
    heard, doubt = False, ""
    try:
        while not stop.is_set() and (client.connected or await client.connect()):
            await peer.write(exchange.read(await peer.read()))
            exchange.answered()
            heard = True
            await _until(news, settings.poll_ms / 1000)
            news.clear()
        await peer.leave(exchange.safe())
    except RefusedError as error:
        doubt = str(error)
    except (ModbusException, OSError):
        pass  # the watch over the link says so, if it lasts
    finally:
        client.close()
    exchange.doubt(doubt)
    return heard


class Peer:
    """A PLC's two blocks."""

    def __init__(self, client: AsyncModbusTcpClient, settings: ModbusSettings) -> None:
        self._client, self._settings = client, settings
        self._written: Words | None = None
        self._written_at = 0.0

    async def read(self) -> Words:
        s = self._settings
        first = s.base + PLC_FIRST
        answer = await self._client.read_holding_registers(first, count=PLC_COUNT, device_id=s.unit)
        if answer.isError() or len(answer.registers) != PLC_COUNT:
            raise RefusedError(f"refuses that {PLC_COUNT} registers are read from {first} on")
        return tuple(answer.registers)

    async def write(self, words: Words) -> None:
        """All of our block in one request, where it is not what the PLC was told just now."""
        now = asyncio.get_running_loop().time()
        if words == self._written and now - self._written_at < REWRITE_S:
            return
        s = self._settings
        address = s.base + STATION_FIRST
        answer = await self._client.write_registers(address, list(words), device_id=s.unit)
        if answer.isError():
            raise RefusedError(f"refuses that {len(words)} registers are written from {address} on")
        self._written, self._written_at = words, now

    async def leave(self, words: Words) -> None:
        """The last word, if it still can be said."""
        if not self._client.connected:
            return
        with suppress(ModbusException, OSError, RefusedError):
            await self.write(words)


async def _until(event: asyncio.Event, seconds: float) -> None:
    """Until the event is set, or the time is over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
