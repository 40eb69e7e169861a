"""The devices: one persistent client at QoS 1 that keeps sending, and sends again what the broker has not confirmed."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable, Sequence

from soak.ledger import HIGH, NORMAL, Ledger
from support.load import PUBACK, Wire, publish_packet
from support.wait import eventually

from adapters.clock import SystemClock
from alerts.reading import MILLISECOND

STEP = 0.005
AGAIN = 0.1
"""Seconds until the next try to connect."""
CONNECT_WITHIN = 5.0
ROOM = 60_000
"""Messages on their way at most: MQTT has 65,535 packet ids. A device that has no more room for what it measured measures later."""


class Line(Wire):
    """One connection of the publisher's session."""

    def __init__(self, acknowledged: Callable[[int], None]) -> None:
        super().__init__("soak", clean=False)
        self._told = acknowledged
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def packet(self, kind: int, body: bytes, now: int) -> None:
        """PUBACKs name their message."""
        super().packet(kind, body, now)
        if kind == PUBACK:
            self._told(int(struct.unpack_from("!H", body)[0]))

    def connection_lost(self, _error: Exception | None) -> None:
        """The broker went away."""
        if not self.lost.done():
            self.lost.set_result(None)


class Publisher:
    """Publishes readings of the first `load` sensors of the ledger in turn, `rate` a second, and those of the others on demand: `trip`."""

    def __init__(self, port: int, ledger: Ledger, topics: Sequence[str], load: int) -> None:
        self.ledger = ledger
        self.rate = 0.0
        self.confirmed = 0
        self._port = port
        self._topics = topics
        self._load = load
        self._next_trip = load
        self._line: Line | None = None
        self._open: dict[int, tuple[int, str, bytes]] = {}
        self._packet = 0
        self._clock = SystemClock()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def unacknowledged(self) -> int:
        """Messages that the broker has not confirmed."""
        return len(self._open)

    async def start(self) -> None:
        """Connect, and keep connected and publishing."""
        self._tasks = [asyncio.create_task(self._stay(), name="soak-line"), asyncio.create_task(self._measure(), name="soak-load")]
        await eventually(lambda: self._line, within=CONNECT_WITHIN)

    async def stop(self) -> None:
        """End it."""
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._line is not None:
            self._line.transport.close()
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def settled(self, within: float = 60.0) -> None:
        """Wait until the broker has confirmed everything; call it while nothing is published."""
        await eventually(lambda: not self._open, within=within)

    async def trip(self) -> str:
        """One reading above the limit and one below it, of a sensor that has had no trip, both confirmed; the sensor."""
        place, now = self._next_trip, self._clock.now() // MILLISECOND
        self._next_trip += 1
        first, payload = self.ledger.enter(place, now, HIGH)
        second, after = self.ledger.enter(place, now, NORMAL)
        self._send([(first, self._topics[place], payload), (second, self._topics[place], after)])
        await eventually(lambda: self.ledger.acknowledged[first] and self.ledger.acknowledged[second], within=60, every=0.002)
        return self.ledger.names[place]

    async def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        owed, before = 0.0, loop.time()
        while True:
            await asyncio.sleep(STEP)
            owed, before = owed + (loop.time() - before) * self.rate, loop.time()
            many = min(int(owed), ROOM - len(self._open))
            owed -= int(owed)
            now, start = self._clock.now() // MILLISECOND, len(self.ledger)
            places = [n % self._load for n in range(start, start + many)]
            entered = [self.ledger.enter(place, now, NORMAL) for place in places]
            self._send([(serial, self._topics[place], payload) for place, (serial, payload) in zip(places, entered, strict=True)])

    def _send(self, messages: Sequence[tuple[int, str, bytes]]) -> None:
        packets = []
        for message in messages:
            identifier = self._free()
            self._open[identifier] = message
            packets.append(publish_packet(message[1], message[2], identifier))
        # what a line that is just breaking does not take is sent by the next one
        if self._line is not None and packets and not self._line.transport.is_closing():
            self._line.transport.write(b"".join(packets))

    def _free(self) -> int:
        while True:
            self._packet = self._packet % 65_535 + 1
            if self._packet not in self._open:
                return self._packet

    def _acknowledged(self, identifier: int) -> None:
        message = self._open.pop(identifier, None)
        if message is not None:
            self.confirmed += 1
            self.ledger.acknowledged[message[0]] = asyncio.get_running_loop().time()

    async def _stay(self) -> None:
        """Connect again whenever the broker went away; what it has not confirmed goes out again, in order, before anything new."""
        loop = asyncio.get_running_loop()
        while True:
            line = None
            with contextlib.suppress(OSError, TimeoutError):
                _, line = await loop.create_connection(lambda: Line(self._acknowledged), "127.0.0.1", self._port)
                async with asyncio.timeout(CONNECT_WITHIN):
                    await asyncio.wait([line.ready, line.lost], return_when=asyncio.FIRST_COMPLETED)
            if line is not None and line.ready.done():
                line.transport.write(b"".join(publish_packet(topic, payload, identifier, again=True) for identifier, (_, topic, payload) in self._open.items()))
                self._line = line
                await line.lost
                self._line = None
            elif line is not None:
                line.transport.close()
            await asyncio.sleep(AGAIN)
