"""A link whose session is not kept: it hears while it is there, and leaves nothing at the broker."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
from support.doors import door
from support.links import linked
from support.servers import Mosquitto, mosquitto
from support.wait import eventually

from adapters.mqtt import LinkState


@pytest.fixture
async def broker() -> AsyncIterator[Mosquitto]:
    async with mosquitto() as running:
        yield running


@contextlib.asynccontextmanager
async def entrance(broker: Mosquitto, version: str) -> AsyncIterator[str]:
    """The address at which the broker speaks that version of MQTT."""
    if version == "5":
        yield broker.url
        return
    async with door(broker.port, "connack 3.1.1") as at:
        yield at.url


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_nothing_is_kept_for_it_while_it_is_away(version: str, broker: Mosquitto) -> None:
    async with entrance(broker, version) as url:
        async with linked(url, kept=False) as guest:
            assert guest.link.protocol == version
            await broker.publish("t/x", b"there")
            await eventually(lambda: guest.payloads == [b"there"])
        await broker.publish("t/x", b"away")
        async with linked(url, kept=False) as guest:
            await broker.publish("t/x", b"back")
            assert await eventually(lambda: guest.payloads == [b"back"])


async def test_a_session_that_an_earlier_client_of_its_name_left_is_thrown_away(broker: Mosquitto) -> None:
    async with linked(broker.url):
        pass
    await broker.publish("t/x", b"kept for the other")
    async with linked(broker.url, kept=False) as guest:
        await broker.publish("t/x", b"new")
        assert await eventually(lambda: guest.payloads == [b"new"])


async def test_it_is_subscribed_again_when_the_broker_is_back_and_misses_no_session(broker: Mosquitto) -> None:
    async with linked(broker.url, kept=False) as guest:
        await broker.restart()
        await eventually(lambda: guest.link.counters.connections == 2)
        await broker.publish("t/x", b"again")
        await eventually(lambda: guest.payloads == [b"again"])
        assert guest.states[-1] == (LinkState.UP, "")
        assert guest.link.counters.sessions_lost == 0


async def test_its_end_is_told_to_nobody(broker: Mosquitto) -> None:
    async with broker.listening("hazgate/#") as heard:
        async with linked(broker.url, kept=False) as guest:
            await guest.publish("hazgate/marker", b"1")
        await broker.publish("hazgate/marker", b"2")
        assert await eventually(lambda: [message.payload for message in heard] == [b"1", b"2"])
