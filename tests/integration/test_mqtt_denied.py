"""Publications that the access list of a real mosquitto denies."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from support.links import Witness, linked
from support.servers import mosquitto
from support.wait import eventually

from adapters.mqtt import Publication


async def test_a_publication_the_broker_does_not_permit_is_refused_and_holds_up_nothing() -> None:
    async with mosquitto(acl="topic read t/#\ntopic write t/#\ntopic write out/#\n") as broker, linked(broker.url) as witness:
        refusals: list[str] = []
        done: list[str] = []
        witness.link.publish(Publication("forbidden/x", b"1", done=lambda: done.append("forbidden"), refused=refusals.append))
        await witness.publish("out/x", b"2")
        assert refusals == ["Not authorized"]
        assert done == []
        assert (witness.link.counters.published, witness.link.counters.refused) == (1, 1)


@pytest.mark.parametrize("qos", [1, 0])
async def test_publications_denied_behind_one_another_do_not_keep_the_link_down(qos: int) -> None:
    """Mosquitto 2.0 ends the connection at each, and what it says of those behind is lost with it."""
    async with mosquitto(acl="topic read t/#\ntopic write t/#\ntopic write out/#\n") as broker, linked(broker.url) as witness:
        refusals: list[str] = []
        for number in range(4):
            witness.link.publish(Publication(f"forbidden/{number}", b"1", retain=True, refused=refusals.append, qos=qos))
        done = asyncio.Event()
        witness.link.publish(Publication("out/x", b"2", done=done.set))
        await asyncio.wait_for(done.wait(), 30)
        await broker.publish("t/x", b"heard")
        await eventually(lambda: witness.payloads == [b"heard"])
        assert len(refusals) == (4 if qos else 0), "what was sent at QoS 0 went down with the first connection"


def more_connections(witness: Witness, before: int) -> bool:
    """Whether there has been another connection."""
    return witness.link.counters.connections > before


async def test_a_request_at_qos_0_that_ends_every_connection_counts_as_refused() -> None:
    async with mosquitto(acl="topic read t/#\ntopic write t/#\n") as broker, linked(broker.url) as witness:
        refusals: list[str] = []
        while not refusals:
            before = witness.link.counters.connections
            witness.link.publish(Publication("forbidden/x", b"1", refused=refusals.append, qos=0))
            await eventually(partial(more_connections, witness, before))
        assert witness.link.counters.connections <= 5
        assert refusals == ["the broker ends the connection for it"]
