"""The canary crosses the whole path to a person and leaves no trace on the site that people guard."""

from __future__ import annotations

import json
import re
from pathlib import Path

from support.gateway import Gateway, gateway, reading, site_file
from support.servers import Mosquitto
from support.sink import Answer, Sink
from support.sites import sensor
from support.wait import eventually

CANARY = {"site": "north", "every": "1s", "tell": ["wang"]}


def told(sink: Sink, condition: str) -> list[dict[str, object]]:
    """What was sent about alarms of that condition."""
    return [body for request in sink.requests if (body := json.loads(request.body))["condition"] == condition]


async def flight(north: Gateway) -> float | None:
    """`hazgate_canary_seconds`, once there is one."""
    found = re.search(r"^hazgate_canary_seconds (\S+)$", (await north.client.get("/metrics")).text, re.MULTILINE)
    return None if found is None else float(found[1])


async def test_it_is_told_on_every_channel_again_and_again_and_no_site_knows_of_it(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-101")), canary=CANARY) as north:
        await north.start()
        await broker.publish("hazgate/v1/north/rtu-1/readings", reading("GT-101", 1))
        await eventually(lambda: len(told(sink, "high")) >= 6, within=30)
        sent = told(sink, "high")
        assert {(body["alarm"], body["mode"], body["site"]) for body in sent} == {("canary.high", "test", "canary")}
        assert {request.path for request in sink.requests} == {"/phone", "/desk"}, "every way to wang is tried"
        assert 0 < (await flight(north) or 0) < 20
        assert len({body["occurrence"] for body in sent}) >= 3, "each flight is over before the next begins"
        assert await north.alarms() == {}
        assert [site["site"] for site in await north.get("sites")] == ["north"]
        assert (await north.client.get("/api/v1/sites/canary")).status_code == 404
        balance = await north.get("balance")
        assert balance["received"] > 3, "its readings are recorded like any other's"
        assert balance["closes"]


async def test_a_gateway_that_judges_nothing_raises_canary_failed(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-101")), canary=CANARY) as north:
        await north.start(fault="detect")
        await eventually(lambda: bool(told(sink, "canary_failed")), within=30)
        assert "its reading raised nothing" in str(told(sink, "canary_failed")[0]["place"])


async def test_a_closed_way_raises_canary_failed_naming_it_and_an_open_one_ends_it(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    sink.otherwise = Answer(status=503)
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-101")), canary=CANARY) as north:
        await north.start()
        own = "north-01.canary_failed"

        async def failed() -> bool:
            return own in await north.alarms()

        await eventually(failed, within=30)
        alarm = await north.get(f"sites/north/alarms/{own}")
        assert alarm["tier"] == "orange"
        assert "wang was not told over phone" in alarm["place"]
        sink.otherwise = Answer()

        async def over() -> bool:
            return (await north.alarms())[own] == "returned_unacknowledged"

        await eventually(over, within=30)
        assert await flight(north) is not None
        assert "north-01.notification_failed" not in await north.alarms(), "one alarm says it"
        assert "north-01.escalation_exhausted" not in await north.alarms()
