"""Talking to a broker as the hardware would: one connection a device, and one listener for the alarms.

Devices publish at QoS 1 and keep what the broker has not confirmed, without bound, until it has; a lost connection is
taken up again. Neither raises for a broker that goes away: that is for the gateway to notice.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

import aiomqtt

from alerts.alarm import EventKind, Mode, Tier
from simulators.oracle import Ledger, Sighting

PREFIX: Final = "hazgate/v1"
RETRY: Final = 1.0
"""Pause before connecting again, s."""


class Unreachable(Exception):
    """The broker does not answer, or refuses. The text is one sentence."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and who we are to it. `password` is in no text made of it."""

    host: str
    port: int
    tls: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Broker:
        """Read `mqtt://[user:password@]host[:port]`, or `mqtts://` for TLS with the system's authorities.

        Raises:
            ValueError: it is neither, in one sentence.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError("a broker is written mqtt://host:port or mqtts://host:port")
        tls = parts.scheme == "mqtts"
        username, password = parts.username and unquote(parts.username), parts.password and unquote(parts.password)
        return cls(parts.hostname, parts.port or (8883 if tls else 1883), tls, username, password)

    @property
    def shown(self) -> str:
        """The address without credentials."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"

    def client(self, identifier: str | None = None, will: aiomqtt.Will | None = None) -> aiomqtt.Client:
        """A client that connects when it is entered; without `identifier` the broker chooses one."""
        return aiomqtt.Client(
            self.host,
            self.port,
            username=self.username,
            password=self.password,
            identifier=identifier,
            will=will,
            keepalive=10,
            tls_context=ssl.create_default_context() if self.tls else None,
        )

    async def probe(self) -> None:
        """Connect once. Raises Unreachable if that fails."""
        try:
            async with self.client():
                return
        except aiomqtt.MqttError as error:
            raise Unreachable(f"the broker {self.shown} cannot be used: {_plain(error)}") from None


def _plain(error: aiomqtt.MqttError) -> str:
    return str(error) or type(error).__name__


async def _until_lost(client: aiomqtt.Client) -> None:
    async for _ in client.messages:
        pass


class DeviceLink:
    """One virtual device. `messages` and `published` count what the broker has confirmed: messages and readings."""

    def __init__(self, broker: Broker, site: str, device: str) -> None:
        self.device = device
        self.messages = 0
        self.published = 0
        self.ready = asyncio.Event()
        self.trouble = ""
        self._broker = broker
        self._site = site
        self._pending: deque[tuple[bytes, int]] = deque()
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def unconfirmed(self) -> int:
        """Readings handed over that the broker has not confirmed."""
        return sum(readings for _, readings in self._pending)

    def send(self, payload: bytes, readings: int) -> None:
        """Queue one message of `readings` readings; returns at once."""
        self._pending.append((payload, readings))
        self._changed.set()

    def close(self) -> None:
        """Nothing more will be sent: `run` ends when all is confirmed."""
        self._closed = True
        self._changed.set()

    async def run(self) -> None:
        """Connect, say that the device is there, publish; again after each loss, until closed and empty.

        It leaves without a word: neither its will nor an `online: false` is sent, because the scenario is over and no
        device has failed. What the gateway makes of the silence is not part of the scenario.
        """
        while not (self._closed and not self._pending):
            try:
                async with self._broker.client(f"{self._site}-{self.device}", self._will()) as client:
                    await client.publish(self._topic("status"), b'{"online": true}', qos=1, retain=True)
                    self.ready.set()
                    await self._publish(client)
            except aiomqtt.MqttError as error:
                self.trouble = _plain(error)
                await asyncio.sleep(RETRY)

    async def _publish(self, client: aiomqtt.Client) -> None:
        """Publish until closed and empty. A lost connection is raised at once; aiomqtt alone would wait 10 s for a confirmation that cannot come."""
        drained = asyncio.create_task(self._drain(client), name=f"{self.device} publishes")
        lost = asyncio.create_task(_until_lost(client), name=f"{self.device} is connected")
        try:
            await asyncio.wait((drained, lost), return_when=asyncio.FIRST_COMPLETED)
            (drained if drained.done() else lost).result()
        finally:
            for task in (drained, lost):
                task.cancel()
            await asyncio.gather(drained, lost, return_exceptions=True)

    async def _drain(self, client: aiomqtt.Client) -> None:
        while True:
            while self._pending:
                payload, readings = self._pending[0]
                await client.publish(self._topic("readings"), payload, qos=1)
                self._pending.popleft()
                self.messages += 1
                self.published += readings
            if self._closed:
                return
            self._changed.clear()
            await self._changed.wait()

    def _topic(self, leaf: str) -> str:
        return f"{PREFIX}/{self._site}/{self.device}/{leaf}"

    def _will(self) -> aiomqtt.Will:
        return aiomqtt.Will(self._topic("status"), b'{"online": false}', qos=1, retain=True)


class Listener:
    """Hears a site's alarm events and enters them in a ledger.

    Whatever else a broker sends is passed over: amqtt gives every new connection the retained messages of all topics that
    anybody has subscribed to.

    `elapsed` tells the time since the scenario began, ns, or None before it: what is heard then belongs to something
    else. `unreadable` counts events that are no alarm event of the contract, `riddle` is the first of them; `losses`
    counts broken connections.
    """

    def __init__(self, broker: Broker, site: str, ledger: Ledger, elapsed: Callable[[], int | None]) -> None:
        self.ready = asyncio.Event()
        self.trouble = ""
        self.unreadable = 0
        self.riddle: object = None
        self.losses = 0
        self._broker = broker
        self._topic = f"{PREFIX}/{site}/alarm-events"
        self._ledger = ledger
        self._elapsed = elapsed

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                async with self._broker.client() as client:
                    await client.subscribe(self._topic, qos=1)
                    self.ready.set()
                    async for message in client.messages:
                        if message.topic.value == self._topic:
                            self._hear(message.payload)
            except aiomqtt.MqttError as error:
                self.trouble = _plain(error)
                self.losses += 1
                await asyncio.sleep(RETRY)

    def _hear(self, payload: object) -> None:
        at = self._elapsed()
        if at is None:
            return
        try:
            sighting = sighted(payload, at)
        except (ValueError, KeyError, TypeError):
            self.unreadable += 1
            self.riddle = self.riddle or payload
            return
        if sighting is not None:
            self._ledger.add(sighting)


def sighted(payload: object, at: int) -> Sighting | None:
    """An alarm event as a sighting; None for what is not real (drill, test, commissioning).

    Raises:
        ValueError, KeyError, TypeError: it is no alarm event.
    """
    if not isinstance(payload, bytes):
        raise TypeError("an alarm event is JSON text")
    event = json.loads(payload)
    if Mode(event["mode"]) is not Mode.REAL:
        return None
    return Sighting(str(event["alarm"]), EventKind(event["event"]), Tier(event["tier"]), at)
