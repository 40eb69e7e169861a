"""One MQTT session on paho-mqtt, on our loop: from a connected socket until the conversation is over, again and again.

paho has no thread here: the loop calls it when the socket is ready. Nothing in its callbacks may call its loop_write: it holds a lock that it takes again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final

import paho.mqtt.client as paho
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from adapters.client import Identity, Version, new_client
from adapters.line import SOON, Barred, Counters, Line, Publication

_log = logging.getLogger(__name__)

WINDOW: Final = 256
"""Publications on their way at once, if the broker takes as many: wide, so that alarms go out while reading pauses."""
_BURST: Final = 32  # messages read before the loop's other work gets its turn
PATIENCE: Final = {Version.V5: 3.0, Version.V311: 10.0}
"""Seconds for the broker to answer CONNECT and SUBSCRIBE. A slow broker is reached with 3.1.1 at the latest."""


class Ending(Enum):
    """How a conversation ended. UNANSWERED: CONNECT was not answered, or not in that version; an older one may please it."""

    LOST = auto()
    UNANSWERED = auto()


class Session:
    """The session, and the conversation about it if one is going on.

    message(topic, payload, retained, token): called for each message. risen(remark): called when subscribed; the
    remark says what is amiss nevertheless, and is empty otherwise. barred: see `Line`. denied: filters that we were
    not let subscribe to when it was up last.
    """

    def __init__(self, identity: Identity, message: Callable[[str, bytes, bool, int], None], risen: Callable[[str], None], barred: Barred) -> None:
        self._identity = identity
        self._message = message
        self._risen = risen
        self._generation = 1
        self._window = WINDOW
        self._keepalive = float(identity.keepalive)
        self._heard_at = 0.0
        self._known = False
        self._answered = False
        self._remarks: list[str] = []
        self._leaving = False
        self._paused = False
        self.up = False
        self.current: paho.MQTTMessage | None = None
        self.denied: tuple[str, ...] = ()
        self.counters = Counters()
        self.line = Line(self.counters, barred)
        self._outliving: asyncio.TimerHandle | None = None
        self.speak(Version.V5)

    def speak(self, version: Version) -> None:
        """Begin anew with that version. Not while a conversation is going on."""
        self.version = version
        client = new_client(self._identity, version)
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
        # paho would send what was on its way at once: more than the broker may take now, and before anything is subscribed
        self.speak(self.version)
        try:
            self._client.greet(self._identity, sock, password)
            self._loop.add_reader(sock.fileno(), self._readable)
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

    def pause(self) -> None:
        """Read no more, except what it takes to get a new connection up. Pings and publications still go out."""
        self._paused = True

    def resume(self) -> None:
        """Read again."""
        if self._paused:
            self._paused = False
            if (sock := self._client.socket()) is not None:
                self._heard_at = self._loop.time()
                with contextlib.suppress(RuntimeError):  # uvloop takes no socket that was reset; the next write ends the conversation
                    self._loop.add_reader(sock.fileno(), self._readable)
                self._loop.call_soon(self._readable)

    async def _watch(self) -> None:
        """Ping, and notice a broker that says nothing: after 1.5 keepalives, seen at most half a keepalive later."""
        begun = self._heard_at = self._loop.time()
        patience = PATIENCE[self.version]
        while not self._over.done():
            await asyncio.wait([self._over], timeout=min(self._keepalive / 2, patience))
            now = self._loop.time()
            if not self.up:
                if now - begun >= patience:
                    self._end(Ending.LOST if self._answered else Ending.UNANSWERED, f"the broker does not answer within {patience:g} s")
            elif not self._paused and now - self._heard_at >= 1.5 * self._keepalive:
                self._end(Ending.LOST, f"the broker has said nothing for {now - self._heard_at:.1f} s")
            else:
                self._client.ping()

    def _end(self, ending: Ending, reason: str) -> None:
        if not self._over.done():
            self._over.set_result((ending, reason))
            self._generation += 1
            self.up = False

    def _readable(self) -> None:
        client, counters, sock = self._client, self.counters, self._client.socket()
        if not isinstance(sock, socket.socket):
            return
        if self._paused and self.up:
            self._loop.remove_reader(sock.fileno())
            return
        try:
            for _ in range(_BURST):
                before = counters.received
                client.loop_read()
                if counters.received == before or self._paused:
                    break
        except Exception:  # noqa: BLE001  a callback's outermost edge: paho keeps the packet it failed on, so only a new connection helps
            _log.exception("what the broker sent could not be handled")
            self._end(Ending.LOST, "what the broker sent could not be handled")
            return
        self._heard_at = self._loop.time()
        if sock.fileno() >= 0:
            # a broker without set_tcp_nodelay waits for this ACK, which the kernel would put off by 40 ms
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            if isinstance(sock, ssl.SSLSocket) and sock.pending():  # decrypted already: the socket need not become readable again
                self._loop.call_soon(self._readable)

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

    def _on_connect(self, client: paho.Client, _: object, flags: paho.ConnectFlags, code: ReasonCode, properties: Properties | None) -> None:
        if code.is_failure:
            unknown = code.getName() == "Unsupported protocol version"
            self._end(Ending.UNANSWERED if unknown else Ending.LOST, f"the broker refuses the connection: {code.getName().lower()}")
            return
        self._answered = True
        if self._known and self._identity.kept and not flags.session_present:
            self.counters.sessions_lost += 1
            self._remarks.append("the broker had forgotten the session: what was published meanwhile is lost")
        self._known = True
        self._keepalive = float(getattr(properties, "ServerKeepAlive", self._identity.keepalive))
        self._window = min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))
        if self.version is Version.V5:
            client.subscribe([(name, SubscribeOptions(qos=qos)) for name, qos in self._identity.filters])
        else:
            client.subscribe(list(self._identity.filters))

    def _on_subscribe(self, _client: paho.Client, _: object, _mid: int, codes: list[ReasonCode], _properties: Properties | None) -> None:
        self.denied = tuple(name for (name, _), code in zip(self._identity.filters, codes, strict=False) if code.is_failure)
        if self.denied:
            self._remarks.append(f"the broker refuses the subscription to {', '.join(self.denied)}")
        self.up = True
        self.counters.connections += 1
        self._risen("; ".join(self._remarks))
        self._send()

    def _on_publish(self, _client: paho.Client, _: object, mid: int, code: ReasonCode, _properties: Properties) -> None:
        self.line.settle(mid, str(code) if code.is_failure else None)
        self._send()

    def _on_disconnect(self, _client: paho.Client, _: object, flags: paho.DisconnectFlags, code: ReasonCode, _properties: Properties | None) -> None:
        complaint = f" ({self._client.complaint})" if self._client.complaint else ""
        how = f"the broker ended the connection: {code.getName().lower()}" if flags.is_disconnect_packet_from_server else f"the connection was lost{complaint}"
        if self._answered or flags.is_disconnect_packet_from_server:
            self._end(Ending.LOST, how)
        else:
            self._end(Ending.UNANSWERED, f"the broker closed the connection without an answer{complaint}")
