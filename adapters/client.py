"""paho's client as a session needs it: what is said in CONNECT, and a socket that our loop watches in place of paho's thread."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, LogLevel
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

MAX_PACKET: Final = 4 * 1024 * 1024
"""Bytes of the largest packet asked for; MQTT 3.1.1 has no way to ask, there the broker's own limit must do."""
_FOR_EVER: Final = 0xFFFFFFFF


class Version(Enum):
    """The MQTT version to speak."""

    V5 = "5"
    V311 = "3.1.1"


@dataclass(frozen=True, slots=True)
class Identity:
    """What we say in CONNECT and SUBSCRIBE.

    keepalive: seconds. filters: topic filter and QoS. will: topic and payload, retained, QoS 1. kept: the broker shall
    keep the session, with what is published meanwhile, however long we are away; else it forgets both when we go.
    """

    client_id: str
    filters: tuple[tuple[str, int], ...]
    will: tuple[str, bytes] | None
    keepalive: int
    receive_maximum: int
    username: str | None
    kept: bool


class Client(paho.Client):
    """paho with three things it has no public way for: a socket dialed elsewhere, a ping, an end without a farewell."""

    dialed: socket.socket | None = None
    complaint: str = ""

    def _create_socket(self) -> paho.SocketLike:
        assert self.dialed is not None
        return self.dialed

    def _easy_log(self, level: LogLevel, fmt: str, *args: Any) -> None:
        # In place of paho's log, which looks at a line for every message: only what it says before giving up is kept.
        if level == paho.MQTT_LOG_ERR:
            self.complaint = fmt % args

    def ping(self) -> None:
        """Ask for a sign of life. paho's own loop_misc would give the broker up while reading pauses."""
        self._send_pingreq()

    def drop(self) -> None:
        """Close the socket, if there is one."""
        self._sock_close()

    def greet(self, identity: Identity, sock: socket.socket, password: str | None) -> None:
        """Queue CONNECT for that socket."""
        self.dialed, self.complaint = sock, ""
        self.username_pw_set(identity.username, password)
        if self.protocol != paho.MQTTv5:
            self.connect("dialed", keepalive=identity.keepalive)
            return
        expiry = _FOR_EVER if identity.kept else 0
        wishes = packet_properties(PacketTypes.CONNECT, SessionExpiryInterval=expiry, ReceiveMaximum=identity.receive_maximum, MaximumPacketSize=MAX_PACKET)
        self.connect("dialed", keepalive=identity.keepalive, clean_start=not identity.kept, properties=wishes)


def new_client(identity: Identity, version: Version) -> Client:
    """A client that speaks this version, has a will to leave if there is one, and is read and written by the running loop."""
    v5 = version is Version.V5
    # paho's own reconnecting answers a refused 3.1.1 by dialing again at once, on the loop's thread.
    wishes: dict[str, Any] = {"clean_session": None if v5 else not identity.kept, "reconnect_on_failure": False, "manual_ack": True}
    client = Client(CallbackAPIVersion.VERSION2, identity.client_id, protocol=paho.MQTTv5 if v5 else paho.MQTTv311, **wishes)
    # The window is ours: paho's own queue drops what finds its packet id in use, and is walked through for each message.
    client.max_inflight_messages_set(0)
    if identity.will is not None:
        client.will_set(*identity.will, qos=1, retain=True)
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
