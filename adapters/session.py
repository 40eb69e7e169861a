"""One MQTT session on paho-mqtt, on our loop: from a connected socket until the conversation is over, again and again.

paho has no thread here: the loop calls it when the socket is ready. Nothing in its callbacks may call its loop_write: it holds a lock that it takes again.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

import paho.mqtt.client as paho
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from adapters.client import Identity, Version, new_client
from adapters.line import SOON, Barred, Counters, Line, Publication
from adapters.reader import Reader
from adapters.sieve import ALL, Sieve

_log = logging.getLogger(__name__)

WINDOW: Final = 256
"""Publications on their way at once, if the broker takes as many: wide, so that alarms go out while reading pauses."""
PATIENCE: Final = {Version.V5: 3.0, Version.V311: 10.0}
"""Seconds for the broker to answer CONNECT and SUBSCRIBE. A slow broker is reached with 3.1.1 at the latest."""
TAKEN_OVER: Final = 0x8E
"""What MQTT 5 has a broker say to whom it ends the connection for, because another client came with its id. mosquitto 2.0 does not say it."""


class Ending(Enum):
    """How a conversation ended.

    LOST: we gave it up. CLOSED: the far side did, without a word. DENIED: it did so while something we had just sent was
    unanswered, which may be why. DISMISSED: it said why. TAKEN: it said that another client has our id. UNANSWERED:
    CONNECT was not answered, or not in that version; an older one may please it.
    """

    LOST = auto()
    CLOSED = auto()
    DENIED = auto()
    DISMISSED = auto()
    TAKEN = auto()
    UNANSWERED = auto()


@dataclass(slots=True)
class Asked:
    """Subscriptions that the broker has not answered for, by packet id: their filters, and who is told which of them were refused."""

    waiting: dict[int | None, tuple[list[str], Callable[[list[str]], None]]] = field(default_factory=dict)

    def ask(self, client: paho.Client, filters: Mapping[str, int], answered: Callable[[list[str]], None]) -> None:
        """Ask for these topic filters, each with its QoS."""
        v5 = client.protocol == paho.MQTTv5
        _, mid = client.subscribe([(name, SubscribeOptions(qos=qos)) for name, qos in filters.items()] if v5 else list(filters.items()))
        self.waiting[mid] = (list(filters), answered)

    def settle(self, mid: int, codes: Sequence[ReasonCode]) -> None:
        """The broker has answered for a packet id."""
        found = self.waiting.pop(mid, None)
        if found is not None:
            names, answered = found
            answered([name for name, code in zip(names, codes, strict=False) if code.is_failure])


class Session:
    """The session, and the conversation about it if one is going on.

    message(topic, payload, retained, token): called for each message. risen(remark): called when subscribed; the
    remark says what is amiss nevertheless, and is empty otherwise. barred: see `Line`. denied: filters that we were
    not let subscribe to when it was up last.
    """

    def __init__(self, identity: Identity, message: Callable[[str, bytes, bool, int], None], risen: Callable[[str], None], barred: Barred) -> None:
        self._identity = identity
        self._presence = identity.presence
        self._message = message
        self._risen = risen
        self._generation = 1
        self._window = WINDOW
        self._keepalive = float(identity.keepalive)
        self._known = identity.presence.known
        self._answered = False
        self._asked = Asked()
        self._remarks: list[str] = []
        self._leaving = False
        self.reader = Reader(lambda: self._end(Ending.LOST, "what the broker sent could not be handled"))
        self.current: paho.MQTTMessage | None = None
        self.denied: tuple[str, ...] = ()
        self.counters = Counters()
        self.sieve = Sieve(ALL if identity.presence.kept else None)
        self.line = Line(self.counters, barred)
        self._outliving: asyncio.TimerHandle | None = None
        self.speak(Version.V5)

    @property
    def up(self) -> bool:
        """Whether we are connected and subscribed."""
        return self.reader.settled

    def speak(self, version: Version) -> None:
        """Begin anew with that version. Not while a conversation is going on."""
        self.version = version
        client = new_client(self._identity, version, self.sieve)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        self._client = client

    async def converse(self, sock: socket.socket, password: str | None) -> tuple[Ending, str]:
        """Talk over a connected socket until the conversation is over; closes it. Answers how it ended and why, in words."""
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[tuple[Ending, str]] = self._loop.create_future()
        self._answered = False
        self._remarks.clear()
        self._asked.waiting.clear()
        # paho would send what was on its way at once: more than the broker may take now, and before anything is subscribed
        self.speak(self.version)
        try:
            self._client.greet(self._identity, sock, password)
            self.reader.begin(self._client, sock)
            await self._watch()
        finally:
            self._end(Ending.LOST, "the connection was given up")
            self.line.lost(self._loop.time())
            self._client.drop()
            sock.close()
        return self._over.result()

    def ack(self, tokens: Sequence[int]) -> None:
        """PUBACK these; those of an older connection are passed over, for the broker has forgotten their packet ids."""
        client, generation = self._client, self._generation
        for token in tokens:
            if token >> 16 == generation:
                client.ack(token & 0xFFFF, 1)

    def publish(self, item: Publication) -> None:
        """Send it as soon as there is a connection and room."""
        self.line.put(item)
        if self.up:
            self._send()

    def subscribe(self, filters: Mapping[str, int], answered: Callable[[list[str]], None]) -> None:
        """Ask for these (topic filter and QoS) as well, until the connection ends. `answered` is told which the broker refuses. Only while it is up."""
        if self.up:
            self._asked.ask(self._client, filters, answered)

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """Hear these no more."""
        if self.up:
            self._client.unsubscribe(list(filters))

    def _send(self) -> None:
        self.line.send(self._client, self._window, self._loop.time())
        if self.line.doubtful and self._outliving is None:
            self._outliving = self._loop.call_later(SOON, self._outlived)
        if self._leaving and not self.line:
            self._client.disconnect()

    def _outlived(self) -> None:
        self._outliving = None
        if self.up:
            self.line.outlived(self._loop.time())
            self._send()

    def leave(self) -> None:
        """Say goodbye once everything is published."""
        self._leaving = True
        if self.up:
            self._send()

    async def _watch(self) -> None:
        """Ping, and notice a broker that says nothing: after 1.5 keepalives, seen at most half a keepalive later."""
        begun = self._loop.time()
        patience = PATIENCE[self.version]
        while not self._over.done():
            await asyncio.wait([self._over], timeout=min(self._keepalive / 2, patience))
            now = self._loop.time()
            if not self.up:
                if now - begun >= patience:
                    self._end(Ending.LOST if self._answered else Ending.UNANSWERED, f"the broker does not answer within {patience:g} s")
            elif not self.reader.paused and now - self.reader.heard_at >= 1.5 * self._keepalive:
                self._end(Ending.LOST, f"the broker has said nothing for {now - self.reader.heard_at:.1f} s")
            else:
                self._client.ping()

    def _end(self, ending: Ending, reason: str) -> None:
        if not self._over.done():
            self._over.set_result((ending, reason))
            self._generation += 1
            self.reader.settled = False

    def _on_message(self, _client: paho.Client, _: object, message: paho.MQTTMessage) -> None:
        self.counters.received += 1
        self.current = message
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "\ufffd"
        try:
            self._message(topic, bytes(message.payload), message.retain, self._generation << 16 | message.mid if message.qos else 0)
        except Exception:  # noqa: BLE001  the handler's fault must not become paho's, which would hand the same message over for ever
            self.counters.faults += 1
            _log.exception("a message on %s could not be handled; it stays unacknowledged", topic)

    def _on_connect(self, _client: paho.Client, _: object, flags: paho.ConnectFlags, code: ReasonCode, properties: Properties | None) -> None:
        if code.is_failure:
            unknown = code.getName() == "Unsupported protocol version"
            self._end(Ending.UNANSWERED if unknown else Ending.LOST, f"the broker refuses the connection: {code.getName().lower()}")
            return
        self._answered = True
        if self._known and self._presence.kept and not flags.session_present:
            self.counters.sessions_lost += 1
            self._remarks.append("the broker had forgotten the session: what was published meanwhile is lost")
        self._known = True
        self._keepalive = float(getattr(properties, "ServerKeepAlive", self._identity.keepalive))
        self._window = min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))
        self._asked.ask(self._client, self._presence.filters, self._on_subscribed)

    def _on_subscribe(self, _client: paho.Client, _: object, mid: int, codes: list[ReasonCode], _properties: Properties | None) -> None:
        self._asked.settle(mid, codes)

    def _on_subscribed(self, refused: list[str]) -> None:
        """The broker has answered for what we always ask for."""
        self.denied = tuple(refused)
        if self.denied:
            self._remarks.append(f"the broker refuses the subscription to {', '.join(self.denied)}")
        self.reader.settled = True
        self.counters.connections += 1
        self._risen("; ".join(self._remarks))
        self._send()

    def _on_publish(self, _client: paho.Client, _: object, mid: int, code: ReasonCode, _properties: Properties) -> None:
        self.line.settle(mid, str(code) if code.is_failure else None)
        self._send()

    def _on_disconnect(self, _client: paho.Client, _: object, flags: paho.DisconnectFlags, code: ReasonCode, _properties: Properties | None) -> None:
        complaint = f" ({self._client.complaint})" if self._client.complaint else ""
        if flags.is_disconnect_packet_from_server and code.value == TAKEN_OVER:
            self._end(Ending.TAKEN, f"another client has taken over the session of {self._presence.client_id}")
        elif flags.is_disconnect_packet_from_server:
            self._end(Ending.DISMISSED, f"the broker ended the connection: {code.getName().lower()}")
        elif self._answered:
            self._end(Ending.DENIED if self.line.suspect(self._loop.time()) else Ending.CLOSED, f"the connection was lost{complaint}")
        else:
            self._end(Ending.UNANSWERED, f"the broker closed the connection without an answer{complaint}")
