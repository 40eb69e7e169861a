"""A load generator that costs next to nothing: MQTT 3.1.1 packets written straight to a socket, PUBACKs and events timed."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable, Iterable
from typing import cast

CLEAN_SESSION = 0x02
PUBLISH_QOS1, DUP, PUBACK, SUBSCRIBE = 0x32, 0x08, 0x40, 0x82


def _text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("!H", len(raw)) + raw


def _length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, digit = divmod(size, 128)
        out.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(out)


def publish_packet(topic: str, payload: bytes, identifier: int, *, again: bool = False) -> bytes:
    """One PUBLISH at QoS 1; `again` marks it as sent before."""
    body = _text(topic) + struct.pack("!H", identifier) + payload
    return bytes([PUBLISH_QOS1 | (DUP if again else 0)]) + _length(len(body)) + body


class Wire(asyncio.Protocol):
    """One raw MQTT connection: counts PUBACKs, hands incoming publications to `on_publish(payload, nanoseconds)`."""

    def __init__(self, client_id: str, on_publish: Callable[[bytes, int], None] | None = None, *, clean: bool = True) -> None:
        """Without `clean` the broker keeps the session."""
        self.acknowledged = 0
        self._clean = clean
        self._client_id = client_id
        self._on_publish = on_publish
        self._buffer = bytearray()
        self._next = 0
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who we are."""
        self.transport = cast("asyncio.Transport", transport)
        body = _text("MQTT") + bytes([4, CLEAN_SESSION if self._clean else 0]) + struct.pack("!H", 0) + _text(self._client_id)
        self.transport.write(bytes([0x10]) + _length(len(body)) + body)

    def data_received(self, data: bytes) -> None:
        """Take whole packets out of the stream."""
        now = time.perf_counter_ns()
        self._buffer += data
        buffer, start = self._buffer, 0
        while len(buffer) - start >= 2:
            size, shift, head = 0, 0, start + 1
            while head < len(buffer) and buffer[head] & 0x80:
                size |= (buffer[head] & 0x7F) << shift
                shift, head = shift + 7, head + 1
            if head >= len(buffer):
                break
            size |= buffer[head] << shift
            if len(buffer) - head - 1 < size:
                break
            self.packet(buffer[start] & 0xF0, bytes(buffer[head + 1 : head + 1 + size]), now)
            start = head + 1 + size
        del buffer[:start]

    def packet(self, kind: int, body: bytes, now: int) -> None:
        """One whole packet, without its head, at that moment (ns)."""
        if kind == PUBACK:
            self.acknowledged += 1
        elif kind == 0x30 and self._on_publish is not None:
            (topic,) = struct.unpack_from("!H", body)
            self._on_publish(body[2 + topic :], now)
        elif kind in (0x20, 0x90) and not self.ready.done():
            self.ready.set_result(None)

    def send(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Publish these at QoS 1 with one write."""
        packets = []
        for topic, payload in messages:
            self._next = self._next % 65_535 + 1
            packets.append(publish_packet(topic, payload, self._next))
        self.transport.write(b"".join(packets))

    async def subscribe(self, topic: str) -> None:
        """Subscribe at QoS 0 and wait for the answer."""
        self.ready = asyncio.get_running_loop().create_future()
        body = struct.pack("!H", 1) + _text(topic) + b"\x00"
        self.transport.write(bytes([SUBSCRIBE]) + _length(len(body)) + body)
        await self.ready


async def wire(port: int, client_id: str, on_publish: Callable[[bytes, int], None] | None = None) -> Wire:
    """A connected one."""
    loop = asyncio.get_running_loop()
    _, made = await loop.create_connection(lambda: Wire(client_id, on_publish), "127.0.0.1", port)
    await asyncio.wait_for(made.ready, 20)
    return made


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of `values` lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]
