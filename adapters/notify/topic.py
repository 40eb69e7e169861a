"""Messages to people over the gateway's own broker: one topic for each channel, delivered when the broker confirms."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal
from urllib.parse import quote

from pydantic import Field

from alerts.ports import Delivery, Permanent, Receipt
from alerts.site import Model, Rate, Spell
from alerts.units import duration

Publish = Callable[[str, bytes, Callable[[], None], Callable[[str], None]], None]
"""topic, payload, done(), refused(reason): publishes at QoS 1, not retained."""


class TopicSettings(Model):
    """A channel `kind: mqtt`. The topic gets the person's `to`, if there is one, as its last level, percent-encoded: `+` means something in a topic."""

    kind: Literal["mqtt"]
    topic: str = Field(pattern=r"^[^#+\s]+$", description="where messages are published, without wildcards")
    timeout: Spell = duration("5s")
    deadline: Spell = duration("10m")
    limit: Rate | None = Field(None, description="messages over time, such as 60/m")


class Topic:
    """The notifier of a `mqtt` channel. It needs the broker: give nobody this channel alone."""

    def __init__(self, settings: TopicSettings, publish: Publish) -> None:
        self._topic = settings.topic
        self._publish = publish

    async def send(self, delivery: Delivery) -> Receipt:
        """Publish; returns on the broker's PUBACK. Raises Permanent if the broker refuses the topic."""
        done: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

        def settle(refusal: str | None) -> None:
            if not done.done():
                done.set_result(refusal)

        to = delivery.notice.to
        topic = f"{self._topic}/{quote(to, safe='')}" if to else self._topic
        self._publish(topic, delivery.body, lambda: settle(None), settle)
        refusal = await done
        if refusal is not None:
            raise Permanent(f"the broker refused {topic}: {refusal}")
        return Receipt("confirmed by the broker")

    async def close(self) -> None:
        """Nothing to give up: the connection is the gateway's."""
