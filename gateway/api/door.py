"""Connections as the interface takes them: a bounded number, and none that keeps us waiting.

uvicorn waits for ever for a client that opened a connection and says nothing. A few hundred of them would use up the
process's file descriptors, which the alarm path needs to reach people.
"""

from __future__ import annotations

import asyncio
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

AT_ONCE: Final = 100
"""Connections at a time; what comes beyond is closed unread."""
LOOK_EVERY: Final = 5.0
"""Seconds between two looks at a connection. One that owes us the rest of a request at two looks is closed."""


class Door(H11Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it so
        """A client connected."""
        super().connection_made(transport)
        self._owes = False
        self._look: asyncio.TimerHandle | None = None
        if len(self.connections) > AT_ONCE:
            transport.abort()
        else:
            self._look = self.loop.call_later(LOOK_EVERY, self._look_again)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def _look_again(self) -> None:
        owes = self.conn.their_state in (h11.IDLE, h11.SEND_BODY) and self.timeout_keep_alive_task is None
        if owes and self._owes:
            self.transport.abort()
            return
        self._owes = owes
        self._look = self.loop.call_later(LOOK_EVERY, self._look_again)
