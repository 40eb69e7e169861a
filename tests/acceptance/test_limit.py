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

from adapters import journal_files

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
    found = journal_files.rows(folder / "data" / "journal.db", 0, 2**62)
    return [json.loads(row.body) for row in found if (row.alarm, row.event) == ("north-01.record_lost", "comment")]


class Stand:
    """A gateway whose store is out of reach, and what is asked of it."""

    def __init__(self, north: Gateway, broker: Mosquitto, sink: Sink, folder: Path) -> None:
        self.north, self.broker, self.sink, self.folder = north, broker, sink, folder
        self.telemetry = Telemetry(broker)

    async def alarm(self, name: str, state: str, within: float = 20) -> None:
        """Wait until an alarm of the gateway stands so."""

        async def look() -> bool:
            assert (await self.north.alarms()).get(f"north-01.{name}") == state
            return True

        await eventually(look, within=within, every=0.1)

    async def fill(self) -> None:
        """Telemetry up to 70 and 90 per cent of the limit, and past it."""
        await self.alarm("store_unreachable", "active_unacknowledged", within=30)
        await self.telemetry.send(26)
        await self.alarm("spool_filling", "active_acknowledged")
        found = await self.north.get("sites/north/alarms/north-01.spool_filling")
        assert (found["under"], found["tier"]) == (["north-01.store_unreachable"], "yellow"), "one cause, one message"
        assert told(self.sink, "spool_filling") == []
        await self.telemetry.send(6)
        await eventually(lambda: ("orange", "tier_raise", "li") in told(self.sink, "spool_filling"), within=15)

        async def lost() -> bool:
            await self.telemetry.send(1)
            return bool(notes(self.folder))

        await eventually(lost, within=90, every=0.3)
        await eventually(lambda: ("orange", "raise", "li") in told(self.sink, "record_lost"), within=15)
        balance = await self.north.get("balance")
        assert balance["closes"]
        assert balance["dropped"] > 0
        size = float((await self.north.client.get("/metrics")).text.split("\nhazgate_spool_bytes ")[1].split()[0])
        assert size < 1.3e6

    async def drained(self) -> dict[str, int]:
        """The balance when the store has everything."""

        async def look() -> dict[str, int]:
            found = cast("dict[str, int]", await self.north.get("balance"))
            assert found["spooled"] == found["pending"] == 0
            assert found["closes"]
            return found

        return await eventually(look, within=60, every=0.2)

    async def over(self) -> bool:
        """A checkpoint is written behind a frame, and what it covers leaves the spool."""
        await self.broker.publish(READINGS, reading("GT-1", 63.0))
        return (await self.north.alarms()).get("north-01.spool_filling") == "returned_unacknowledged"


@pytest.mark.timeout(240)
async def test_telemetry_goes_evidence_stays_and_both_are_told(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "readings").write_text("in the way of the store")
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-1"), sensor("GT-2")), spool={"limit": "1MB"}) as north:
        await north.start()
        stand = Stand(north, broker, sink, tmp_path)
        await broker.publish_lines(READINGS, [reading("GT-1", value) for value in (5.0, 60.0, 61.0, 62.0)])
        await stand.fill()

        (tmp_path / "data" / "readings").unlink()
        balance = await stand.drained()
        assert balance["received"] == 4 + stand.telemetry.sent
        assert await values(north, "GT-1") == [5.0, 60.0, 61.0, 62.0], "every reading of the sensor in alarm"
        assert len(await values(north, "GT-2")) == balance["stored"] - 4 == stand.telemetry.sent - balance["dropped"]
        await eventually(stand.over, within=20, every=0.5)
        await north.stop()

        await north.start()
        await eventually(lambda: sum(each["readings"] for each in notes(tmp_path)) == balance["dropped"], within=30)
    (lost,) = notes(tmp_path)[0]["lost"]
    assert (lost["site"], lost["sensor"], lost["evidence"], lost["since"]) == ("north", "GT-2", 0, "2023-11-14T22:13:20.000Z")
    bodies: list[dict[str, Any]] = [json.loads(request.body) for request in sink.requests]
    (place,) = {b["place"] for b in bodies if b["alarm"] == "north-01.record_lost" and b["event"] == "raise"}
    assert place.startswith("north/GT-2 2023-11-14T22:13:20.000Z to 2023-11-14T")
