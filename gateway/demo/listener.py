"""Hears a site's alarm events as any other client of the broker, and notes when each came.

`python -m gateway.demo.listener BROKER PREFIX SITE` writes a line when it is subscribed and one for each event:
`{"received": ns, "event": {…}}`. It is a process of its own so that drawing the screen does not delay its clock.

How the demo measures: the simulator stamps a reading with the whole millisecond in which it is due and then publishes
it; an event that a reading causes carries that stamp as `at`. `received` minus `at` is thus the whole way from device
to broker to gateway, through the journal's commit, and over the broker to this process, together with the simulator's
own delay and up to 1 ms of rounding: it is never too short. All processes read the clock of one machine.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

from adapters.clock import SystemClock
from adapters.mqtt import BrokerSettings, Handlers, Link, LinkState, Presence

SUBSCRIBED: Final = "subscribed"


async def main(broker: str, prefix: str, site: str) -> None:
    """Listen until terminated."""
    clock = SystemClock()

    def message(name: str, payload: bytes, _retained: bool, token: int) -> None:
        received = clock.now()
        if name == topic:  # amqtt also gives a new connection the retained messages of topics that others have subscribed to
            sys.stdout.write(f'{{"received":{received},"event":{payload.decode()}}}\n')
            sys.stdout.flush()
        link.ack([token])

    def state(state: LinkState, reason: str) -> None:
        sys.stdout.write(f"{SUBSCRIBED if state is LinkState.UP else f'{state}: {reason}'}\n")
        sys.stdout.flush()

    topic = f"{prefix}/{site}/alarm-events"
    settings = BrokerSettings(url=broker, prefix=prefix)
    link = Link(settings, Presence("hazgate-demo-listener", {topic: 1}), Handlers(message, state))
    await link.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
