"""A `Link` under test, with everything it said written down."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from support.wait import WITHIN, eventually

from adapters.mqtt import BrokerSettings, Handlers, Link, LinkState, Presence, Publication

WILL = ("hazgate/v1/gateways/g1/status", b'{"online": false}')


class Witness:
    """A link and what it told: messages as (topic, payload, retained), their tokens, and states with reasons. Not `kept`, it leaves no will."""

    def __init__(self, url: str, *, client_id: str = "hazgate-g1", kept: bool = True, known: bool = False, **settings: Any) -> None:
        filters: Sequence[str] = settings.pop("filters", ("t/#",))
        self.messages: list[tuple[str, bytes, bool]] = []
        self.tokens: list[int] = []
        self.states: list[tuple[LinkState, str]] = []
        self.acking = True
        made = BrokerSettings.model_validate({"url": url, "keepalive": "2s"} | settings)
        handlers = Handlers(self._message, self._state)
        presence = Presence(client_id, dict.fromkeys(filters, 1), WILL if kept else None, kept, known)
        self.link = Link(made, presence, handlers)

    def _message(self, topic: str, payload: bytes, retained: bool, token: int) -> None:
        self.messages.append((topic, payload, retained))
        self.tokens.append(token)
        if self.acking:
            self.link.ack([token])

    def _state(self, state: LinkState, reason: str) -> None:
        self.states.append((state, reason))

    @property
    def payloads(self) -> list[bytes]:
        """Of the messages, in order."""
        return [payload for _, payload, _ in self.messages]

    @property
    def reasons(self) -> list[str]:
        """Of the times it was down, in order."""
        return [reason for state, reason in self.states if state is LinkState.DOWN]

    async def is_up(self, within: float = WITHIN) -> None:
        """Wait until it is subscribed."""
        await eventually(lambda: self.link.state is LinkState.UP, within=within)

    async def is_down(self, within: float = WITHIN) -> None:
        """Wait until it has told that it is not connected."""
        await eventually(lambda: self.link.state is LinkState.DOWN, within=within)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish and wait until the broker has it."""
        has_it = asyncio.Event()
        self.link.publish(Publication(topic, payload, retain, done=has_it.set))
        async with asyncio.timeout(WITHIN):
            await has_it.wait()


@contextlib.asynccontextmanager
async def linked(url: str, *, wait: bool = True, **settings: Any) -> AsyncIterator[Witness]:
    """A started link (up, unless `wait` is false), stopped at the end."""
    witness = Witness(url, **settings)
    await witness.link.start()
    try:
        if wait:
            await witness.is_up()
        yield witness
    finally:
        await witness.link.stop()
