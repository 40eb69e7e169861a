"""paho's client as a session needs it: what is said in CONNECT, and a socket that our loop watches in place of paho's thread."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, LogLevel
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from adapters.sieve import Sieve

MAX_PACKET: Final = 4 * 1024 * 1024
"""Bytes of the largest packet asked for; MQTT 3.1.1 has no way to ask, there the broker's own limit must do."""
_FOR_EVER: Final = 0xFFFFFFFF
_CHUNK: Final = 64 * 1024
_CHUNKS: Final = 16
"""Chunks that may hold nothing to be read before the loop's other work gets its turn."""


class Version(Enum):
    """The MQTT version to speak."""

    V5 = "5"
    V311 = "3.1.1"


@dataclass(frozen=True, slots=True)
class Presence:
    """As whom we are at the broker.

    filters: topic filters with their QoS, at least one, subscribed to on every connection. will: topic and payload that
    the broker publishes, retained, if we vanish; None for nothing. kept: the broker keeps the session, with what is
    published meanwhile, however long we are away; else it forgets both when we go. known: it should still have a session of
    ours from an earlier run.
    """

    client_id: str
    filters: Mapping[str, int]
    will: tuple[str, bytes] | None = None
    kept: bool = True
    known: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """What we say in CONNECT and SUBSCRIBE. keepalive: seconds."""

    presence: Presence
    keepalive: int
    receive_maximum: int
    username: str | None


class Client(paho.Client):
    """paho with four things it has no public way for: a socket dialed elsewhere, large reads, a ping, an end without a farewell."""

    dialed: socket.socket | None = None
    complaint: str = ""
    sieve: Sieve
    _ready: bytes = b""
    _taken: int = 0

    def _create_socket(self) -> paho.SocketLike:
        assert self.dialed is not None
        return self.dialed

    def _easy_log(self, level: LogLevel, fmt: str, *args: Any) -> None:
        # In place of paho's log, which looks at a line for every message: only what it says before giving up is kept.
        if level == paho.MQTT_LOG_ERR:
            self.complaint = fmt % args

    def _sock_recv(self, bufsize: int) -> bytes:
        # paho asks for a byte, another, and the rest, each from the kernel; here it is given them out of whole packets
        if self._taken == len(self._ready) and not self._fill():
            return b""
        start = self._taken
        self._taken = min(start + bufsize, len(self._ready))
        return self._ready[start : self._taken]

    def _fill(self) -> bool:
        """Read until there is a packet. False at the end of the stream; raises BlockingIOError when nothing is there."""
        now = asyncio.get_running_loop().time()
        for _ in range(_CHUNKS):
            try:
                data = super()._sock_recv(_CHUNK)
            except BlockingIOError:
                self.sieve.drained()
                raise
            if not data:
                return False
            self._ready, self._taken = self.sieve.feed(data, now), 0
            if self._ready:
                return True
        raise BlockingIOError

    @property
    def unread(self) -> int:
        """Bytes that were taken from the socket and not read: it need not become readable again for them."""
        return len(self._ready) - self._taken

    def ping(self) -> None:
        """Ask for a sign of life. paho's own loop_misc would give the broker up while reading pauses."""
        self._send_pingreq()

    def drop(self) -> None:
        """Close the socket, if there is one."""
        self._sock_close()

    def greet(self, identity: Identity, sock: socket.socket, password: str | None) -> None:
        """Queue CONNECT for that socket."""
        self.dialed, self.complaint = sock, ""
        self.sieve.begin()
        self.username_pw_set(identity.username, password)
        if self.protocol != paho.MQTTv5:
            self.connect("dialed", keepalive=identity.keepalive)
            return
        kept = identity.presence.kept
        expiry = _FOR_EVER if kept else 0
        wishes = packet_properties(PacketTypes.CONNECT, SessionExpiryInterval=expiry, ReceiveMaximum=identity.receive_maximum, MaximumPacketSize=MAX_PACKET)
        self.connect("dialed", keepalive=identity.keepalive, clean_start=not kept, properties=wishes)


def new_client(identity: Identity, version: Version, sieve: Sieve) -> Client:
    """A client that speaks this version, has a will to leave if there is one, and is read (through `sieve`) and written by the running loop."""
    v5, presence = version is Version.V5, identity.presence
    # paho's own reconnecting answers a refused 3.1.1 by dialing again at once, on the loop's thread.
    wishes: dict[str, Any] = {"clean_session": None if v5 else not presence.kept, "reconnect_on_failure": False, "manual_ack": True}
    client = Client(CallbackAPIVersion.VERSION2, presence.client_id, protocol=paho.MQTTv5 if v5 else paho.MQTTv311, **wishes)
    client.sieve = sieve
    # The window is ours: paho's own queue drops what finds its packet id in use, and is walked through for each message.
    client.max_inflight_messages_set(0)
    if presence.will is not None:
        client.will_set(*presence.will, qos=1, retain=True)
    client.on_socket_register_write = _on_full
    client.on_socket_unregister_write = _on_flushed
    client.on_socket_close = _on_close
    return client


def _on_full(client: paho.Client, _: object, sock: paho.SocketLike) -> None:
    loop = asyncio.get_running_loop()
    try:
        loop.add_writer(sock.fileno(), client.loop_write)
    except RuntimeError:
        # uvloop gives up a socket that was reset, though there may be more to read, and takes it no more; writing finds out what is wrong with it
        loop.call_soon(client.loop_write)


def _on_flushed(_client: paho.Client, _: object, sock: paho.SocketLike) -> None:
    asyncio.get_running_loop().remove_writer(sock.fileno())


def _on_close(_client: paho.Client, _: object, sock: paho.SocketLike) -> None:
    asyncio.get_running_loop().remove_reader(sock.fileno())


def packet_properties(packet: int, **values: object) -> Properties:
    """Properties of a packet of MQTT 5, such as `PacketTypes.CONNECT`, by paho's names for them."""
    made = Properties(packet)  # type: ignore[no-untyped-call]  # paho leaves this one constructor without annotations
    for name, value in values.items():
        setattr(made, name, value)
    return made
