"""Reading from the broker's socket when it has something, a burst at a time, and not while reading pauses."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Final

from adapters.client import Client

_log = logging.getLogger(__name__)
_BURST: Final = 32  # messages read before the loop's other work gets its turn


class Reader:
    """Reads for one client after another. On the loop's thread. failed(): what came could not be handled, only a new connection helps."""

    def __init__(self, failed: Callable[[], None]) -> None:
        self._failed = failed
        self._soon: asyncio.Handle | None = None
        self.paused = False
        self.settled = False
        """Whether the connection is up: only then does a pause hold, for without an answer none comes up."""
        self.heard_at = 0.0
        """When something came last, by the loop's clock."""

    def begin(self, client: Client, sock: socket.socket) -> None:
        """Read what comes over that socket, for that client."""
        self._client = client
        self._loop = asyncio.get_running_loop()
        self.settled = False
        self.heard_at = self._loop.time()
        self._loop.add_reader(sock.fileno(), self._readable)

    def pause(self) -> None:
        """Read no more, except what it takes to get a new connection up."""
        self.paused = True

    def resume(self) -> None:
        """Read again."""
        if not self.paused:
            return
        self.paused = False
        sock = self._client.socket()
        if sock is not None:
            self.heard_at = self._loop.time()
            with contextlib.suppress(RuntimeError):  # uvloop takes no socket that was reset; the next write ends the conversation
                self._loop.add_reader(sock.fileno(), self._readable)
            self._go_on_soon()

    def _readable(self) -> None:
        client, sock = self._client, self._client.socket()
        if not isinstance(sock, socket.socket):
            return
        if self.paused and self.settled:
            self._loop.remove_reader(sock.fileno())
            return
        try:
            for _ in range(_BURST):
                client.loop_read()
                if not client.unread or self.paused:
                    break
        except Exception:  # noqa: BLE001  a callback's outermost edge: paho keeps the packet it failed on, so only a new connection helps
            _log.exception("what the broker sent could not be handled")
            self._failed()
            return
        self.heard_at = self._loop.time()
        if sock.fileno() >= 0:
            # a broker without set_tcp_nodelay waits for this ACK, which the kernel would put off by 40 ms
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            if client.unread or (isinstance(sock, ssl.SSLSocket) and sock.pending()):  # taken already: the socket need not become readable again
                self._go_on_soon()

    def _go_on_soon(self) -> None:
        """Read on after the loop's other work, once however often this is called."""
        if self._soon is None:
            self._soon = self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._soon = None
        self._readable()
