"""Devices that speak in their own way, on a real broker with the real gateway: each raises its alarm, and what does not fit is set aside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cbor2
import pytest
from support.gateway import Gateway, gateway, reading, site_file
from support.servers import Mosquitto, mosquitto
from support.sink import webhook_sink
from support.sites import sensor
from support.sparkplug import parsed, payload
from support.wait import eventually

from adapters.clock import SystemClock
from alerts.reading import MILLISECOND, SECOND

VENDOR = {
    "kind": "mapped",
    "topic": "acme/{sensor}/up",
    "paths": {"value": "$.d.v", "quality": "$.d.q"},
    "names": {"head-1": "GT-1", "head-9": "GT-1"},
}
SENML = {"kind": "senml", "topic": "senml/rtu-2", "names": {"urn:dev:2/gas": "GT-2"}}
SPARKPLUG = {"kind": "sparkplug", "topic": "spBv1.0/plant/+/edge-1/rtu-3", "names": {"Gas/CH4": "GT-3"}}
DEVICES = [{"id": f"rtu-{n}", "codec": codec} for n, codec in enumerate((VENDOR, SENML, SPARKPLUG), 1)]
NODE = "spBv1.0/plant/{}/edge-1"
DEVICE = "spBv1.0/plant/{}/edge-1/rtu-3"


@pytest.fixture
async def broker() -> AsyncIterator[Mosquitto]:
    async with mosquitto() as server:
        yield server


@pytest.fixture
async def north(tmp_path: Path, broker: Mosquitto) -> AsyncIterator[Gateway]:
    """A running gateway whose three devices each have a codec of their own, and a fourth that has none."""
    heads = [sensor(f"GT-{n}", device=f"rtu-{n}") for n in (1, 2, 3, 4)]
    async with webhook_sink() as sink, gateway(tmp_path, broker, sink, site_file(*heads, devices=DEVICES)) as made:
        await made.start()
        yield made


async def raised(north: Gateway, alarm: str) -> bool:
    return alarm in await north.alarms()


async def balance(north: Gateway, **wanted: int) -> bool:
    found: dict[str, Any] = await north.get("balance")
    return all(found[key] == value for key, value in wanted.items())


async def test_a_vendors_own_payload_raises_an_alarm_and_what_does_not_fit_is_counted(north: Gateway, broker: Mosquitto) -> None:
    await broker.publish("acme/head-1/up", b'{"d": {"v": "61.5", "q": "good"}}')
    await eventually(lambda: raised(north, "GT-1.high_high"))
    await broker.publish("acme/head-1/up", b'{"d": {"w": 1}}')
    await broker.publish("acme/head-7/up", b'{"d": {"v": 99}}')
    await broker.publish("hazgate/v1/north/rtu-4/readings", reading("GT-4", 60))
    await eventually(lambda: raised(north, "GT-4.high_high"))
    await eventually(lambda: balance(north, received=4, quarantined=2))
    assert set(await north.alarms()) >= {"GT-1.high", "GT-1.high_high", "GT-4.high_high"}


async def test_a_senml_pack_in_cbor_raises_an_alarm(north: Gateway, broker: Mosquitto) -> None:
    await broker.publish(
        "senml/rtu-2", cbor2.dumps([{-2: "urn:dev:2/", -3: SystemClock().now() / SECOND, 0: "gas", 1: "%LEL", 2: 61.5}, {0: "log", 3: "warm-up over"}])
    )
    await eventually(lambda: raised(north, "GT-2.high_high"))
    figures = (await north.client.get("/metrics")).text
    assert "hazgate_ignored_total 1" in figures


async def test_a_sparkplug_edge_is_asked_for_its_birth_alarms_by_alias_and_dies(north: Gateway, broker: Mosquitto) -> None:
    now = SystemClock().now() // MILLISECOND
    async with broker.listening(NODE.format("NCMD")) as asked:
        await broker.publish(DEVICE.format("DDATA"), payload({"alias": 1, "float_value": 70.0}, time=now, seq=40), qos=0)
        # the gateway asked when it connected; it asks one edge at most every 10 s
        await broker.publish(NODE.format("NBIRTH"), payload({"name": "bdSeq", "datatype": 4, "long_value": 0}, time=now, seq=0), qos=0)
        await broker.publish(DEVICE.format("DBIRTH"), payload({"name": "Gas/CH4", "alias": 1, "datatype": 9, "float_value": 1.0}, time=now, seq=1), qos=0)
        await eventually(lambda: balance(north, received=2, quarantined=1))
        await broker.publish(DEVICE.format("DDATA"), payload({"alias": 1, "float_value": 61.5}, time=now + 500, seq=2), qos=0)
        await eventually(lambda: raised(north, "GT-3.high_high"))
        assert asked == []
        await broker.publish(DEVICE.format("DDATA"), payload({"alias": 1, "float_value": 62.5}, time=now + 600, seq=4), qos=0)
        await eventually(lambda: asked)
    (metric,) = parsed(asked[0].payload).metrics
    assert (metric.name, metric.boolean_value, asked[0].retained) == ("Node Control/Rebirth", True, False)

    async def gone() -> bool:
        await broker.publish(NODE.format("NDEATH"), payload({"name": "bdSeq", "datatype": 4, "long_value": 0}))
        return "rtu-3.offline" in await north.alarms()

    await eventually(gone, every=0.3)


async def test_a_gateway_that_starts_asks_every_edge_for_its_births(north: Gateway, broker: Mosquitto) -> None:
    """Births are not retained: whoever comes later knows no alias."""
    await north.stop()
    async with broker.listening(NODE.format("NCMD")) as asked:
        await north.start()
        await eventually(lambda: asked)
    assert {message.topic for message in asked} == {NODE.format("NCMD")}
