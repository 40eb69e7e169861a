"""Devices in the field: each publishes to its topic at its own pace, as long as the test needs them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiomqtt
from support.servers import ANONYMOUS, Login
from support.sparkplug import parsed, payload

from adapters.clock import SystemClock
from alerts.reading import MILLISECOND


@dataclass(frozen=True)
class Talker:
    """What goes to `topic` every `period` seconds: `says(n, ms)` is the n-th message, and ms the moment it is due, since 1970."""

    topic: str
    says: Callable[[int, int], bytes]
    period: float = 0.5
    retain: bool = False


def reads(device: str, period: float = 0.5, off: float = 0.0, site: str = "north", **sensors: float | dict[str, Any]) -> Talker:
    """A device of our own format: a reading in %LEL of each sensor (`_` for `-`), stamped by a clock that is `off` seconds ahead; a mapping replaces keys.

    A unit of None is left out.
    """

    def says(_number: int, now: int) -> bytes:
        stamp = now + round(off * 1000)
        given = {name.replace("_", "-"): what if isinstance(what, dict) else {"value": what} for name, what in sensors.items()}
        made = [{"sensor": name, "time": stamp, "unit": "%LEL"} | what for name, what in given.items()]
        return json.dumps([{key: value for key, value in each.items() if key != "unit" or value} for each in made]).encode()

    return Talker(f"hazgate/v1/{site}/{device}/readings", says, period)


@contextlib.asynccontextmanager
async def talking(port: int, *talkers: Talker, login: Login = ANONYMOUS) -> AsyncIterator[dict[str, int]]:
    """All of them publish at QoS 1 until the end; yields how many messages went to each topic so far."""
    sent: dict[str, int] = {}
    async with aiomqtt.Client("127.0.0.1", port, username=login.username, password=login.password) as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(_talk(client, talker, sent), name=talker.topic) for talker in talkers]
        yield sent
        for task in tasks:
            task.cancel()


async def _talk(client: aiomqtt.Client, talker: Talker, sent: dict[str, int]) -> None:
    loop, begun = asyncio.get_running_loop(), SystemClock().now() // MILLISECOND
    start, number = loop.time(), 0
    while True:
        # by the clock and not by sleeping a period each, so that a busy machine does not slow the device down
        await asyncio.sleep(max(0.0, start + number * talker.period - loop.time()))
        payload = talker.says(number, begun + round(number * talker.period * 1000))
        await client.publish(talker.topic, payload, qos=1, retain=talker.retain)
        number += 1
        sent[talker.topic] = number


@contextlib.asynccontextmanager
async def edge(port: int, *, answers: bool = True, period: float = 0.5) -> AsyncIterator[None]:
    """The Sparkplug edge plant/edge-1 whose device rtu-3 sends Gas/CH4 by its alias; it tells its births only when it is asked, if it `answers`."""
    async with aiomqtt.Client("127.0.0.1", port) as client, asyncio.TaskGroup() as group:
        await client.subscribe("spBv1.0/plant/NCMD/edge-1")
        sequence = iter(range(1, 1 << 30))
        tasks = [group.create_task(_data(client, period, sequence.__next__), name="data")]
        if answers:
            tasks.append(group.create_task(_births(client), name="births"))
        yield
        for task in tasks:
            task.cancel()


async def _data(client: aiomqtt.Client, period: float, following: Callable[[], int]) -> None:
    while True:
        now = SystemClock().now() // MILLISECOND
        await client.publish("spBv1.0/plant/DDATA/edge-1/rtu-3", payload({"alias": 1, "float_value": 5.0}, time=now, seq=following() % 256))
        await asyncio.sleep(period)


async def _births(client: aiomqtt.Client) -> None:
    async for message in client.messages:
        assert isinstance(message.payload, bytes)
        assert parsed(message.payload).metrics[0].name == "Node Control/Rebirth"
        now = SystemClock().now() // MILLISECOND
        await client.publish("spBv1.0/plant/NBIRTH/edge-1", payload({"name": "bdSeq", "datatype": 4, "long_value": 0}, time=now, seq=0))
        birth = payload({"name": "Gas/CH4", "alias": 1, "datatype": 9, "float_value": 5.0}, time=now, seq=1)
        await client.publish("spBv1.0/plant/DBIRTH/edge-1/rtu-3", birth)
