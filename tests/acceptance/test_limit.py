"""A spool at its limit: people are told before and when readings are given up, evidence stays, and the figures are exact."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any, cast

import pytest
from support.gateway import HAZGATE, Gateway, gateway, reading, site_file
from support.servers import Mosquitto
from support.sink import Sink
from support.sites import sensor
from support.wait import eventually

from adapters import journal

READINGS = "hazgate/v1/north/rtu-1/readings"
RUN = 1_000
"""Readings in a message of telemetry: about 29 KB in the spool."""


class Telemetry:
    """Readings of GT-2 that nobody needs to know of, a run of them with each message."""

    def __init__(self, broker: Mosquitto) -> None:
        self._broker = broker
        self.sent = 0

    async def send(self, messages: int) -> None:
        """So many messages, each reading one millisecond after the last."""
        payloads = []
        for _ in range(messages):
            times = list(range(1_700_000_000_000 + self.sent, 1_700_000_000_000 + self.sent + RUN))
            payloads.append(json.dumps({"sensor": "GT-2", "time": times, "value": [5 + n % 7 / 10 for n in range(RUN)], "historical": True}).encode())
            self.sent += RUN
        await self._broker.publish_lines(READINGS, payloads)


async def values(north: Gateway, name: str) -> list[float]:
    """What the store and the spool have of a sensor, in order of time."""
    command = (HAZGATE, "export", "readings", "--config", str(north.config), "--since", "2020-01-01T00:00:00Z", "--until", "2100-01-01T00:00:00Z")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0
    return [float(row["value"]) for row in csv.DictReader(io.StringIO(said.decode())) if row["sensor"] == name]


def told(sink: Sink, alarm: str) -> list[tuple[str, str, str]]:
    """Tier, event and person of every message about an alarm of the gateway."""
    bodies: list[dict[str, Any]] = [json.loads(request.body) for request in sink.requests]
    return [(b["tier"], b["event"], b["notification"]["person"]) for b in bodies if b["alarm"] == f"north-01.{alarm}"]


def notes(folder: Path) -> list[dict[str, Any]]:
    """What the journal says was given up, note by note."""
    found = journal.rows(folder / "data" / "journal.db", 0, 2**62)
    return [json.loads(cast("bytes", body)) for _, _, alarm, event, _, _, body in found if (alarm, event) == ("north-01.record_lost", "comment")]


@pytest.mark.timeout(240)
async def test_telemetry_goes_evidence_stays_and_both_are_told(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    site = site_file(sensor("GT-1"), sensor("GT-2"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "readings").write_text("in the way of the store")
    async with gateway(tmp_path, broker, sink, site, spool={"limit": "1MB"}) as north:
        await north.start()
        telemetry = Telemetry(broker)
        await broker.publish_lines(READINGS, [reading("GT-1", value) for value in (5.0, 60.0, 61.0, 62.0)])

        async def alarm(name: str, state: str) -> bool:
            found = (await north.alarms()).get(f"north-01.{name}")
            assert found == state
            return True

        await eventually(lambda: alarm("store_unreachable", "active_unacknowledged"), within=30)
        await telemetry.send(26)
        await eventually(lambda: alarm("spool_filling", "active_acknowledged"), within=15)
        found = await north.get("sites/north/alarms/north-01.spool_filling")
        assert (found["under"], found["tier"]) == (["north-01.store_unreachable"], "yellow"), "one cause, one message"
        assert told(sink, "spool_filling") == []

        await telemetry.send(6)
        await eventually(lambda: ("orange", "tier_raise", "li") in told(sink, "spool_filling"), within=15)

        async def lost() -> bool:
            await telemetry.send(1)
            return bool(await north.get("balance") and notes(tmp_path))

        await eventually(lost, within=90, every=0.3)
        await eventually(lambda: ("orange", "raise", "li") in told(sink, "record_lost"), within=15)
        balance = await north.get("balance")
        assert balance["closes"]
        assert balance["dropped"] > 0
        size = float((await north.client.get("/metrics")).text.split("\nhazgate_spool_bytes ")[1].split()[0])
        assert size < 1.3e6

        (tmp_path / "data" / "readings").unlink()

        async def drained() -> dict[str, int]:
            figures = await north.get("balance")
            assert figures["spooled"] == figures["pending"] == 0
            return cast("dict[str, int]", figures)

        balance = await eventually(drained, within=60, every=0.2)
        assert balance["closes"]
        assert balance["received"] == 4 + telemetry.sent
        assert await values(north, "GT-1") == [5.0, 60.0, 61.0, 62.0], "every reading of the sensor in alarm"
        left = await values(north, "GT-2")
        assert len(left) == balance["stored"] - 4 == telemetry.sent - balance["dropped"]

        async def over() -> bool:
            await broker.publish(READINGS, reading("GT-1", 63.0))  # a checkpoint is written behind a frame
            return await alarm("spool_filling", "returned_unacknowledged")

        await eventually(over, within=20, every=0.5)
        await north.stop()

        await north.start()
        await eventually(lambda: sum(each["readings"] for each in notes(tmp_path)) == balance["dropped"], within=30)
    first = notes(tmp_path)[0]
    assert [(each["site"], each["sensor"], each["evidence"]) for each in first["lost"]] == [("north", "GT-2", 0)]
    assert first["lost"][0]["since"] == "2023-11-14T22:13:20.000Z"
    bodies: list[dict[str, Any]] = [json.loads(request.body) for request in sink.requests]
    (alarm_text,) = {b["place"] for b in bodies if b["alarm"] == "north-01.record_lost" and b["event"] == "raise"}
    assert alarm_text.startswith("north/GT-2 2023-11-14T22:13:20.000Z to 2023-11-14T")
