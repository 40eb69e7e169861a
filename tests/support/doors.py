"""Doors in front of a broker: TCP relays that refuse what the broker behind would take."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Literal

REFUSED_V311 = b"\x20\x02\x00\x01"
"""CONNACK of a broker from before MQTT 5: unacceptable protocol version."""
REFUSED_V5 = b"\x20\x03\x00\x84\x00"
"""CONNACK of MQTT 5: unsupported protocol version."""

Manner = Literal["connack 3.1.1", "connack 5", "close"]


class Door:
    """A relay to the broker on `behind` that lets only MQTT 3.1.1 pass. levels: the protocol levels that knocked, in order."""

    def __init__(self, behind: int, manner: Manner) -> None:
        self.levels: list[int] = []
        self.port = 0
        self._behind = behind
        self._manner = manner

    @property
    def url(self) -> str:
        """Its address."""
        return f"mqtt://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            connect = await reader.readuntil(b"\x00\x04MQTT") + await reader.readexactly(1)
            self.levels.append(connect[-1])
            if connect[-1] == 4:
                await self._relay(connect, reader, writer)
            elif self._manner != "close":
                writer.write(REFUSED_V311 if self._manner == "connack 3.1.1" else REFUSED_V5)
                await writer.drain()

    async def _relay(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._behind)
        with contextlib.closing(back):
            back.write(first)
            both = [asyncio.create_task(_pump(reader, back), name="door-in"), asyncio.create_task(_pump(there, writer), name="door-out")]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in both:
                    task.cancel()
                await asyncio.gather(*both, return_exceptions=True)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()


@contextlib.asynccontextmanager
async def door(behind: int, manner: Manner) -> AsyncIterator[Door]:
    """A running door on a free port."""
    made = Door(behind, manner)
    passing: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(made.serve(reader, writer), name="door")
        passing.add(task)
        task.add_done_callback(passing.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in tuple(passing):
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)
        await server.wait_closed()
