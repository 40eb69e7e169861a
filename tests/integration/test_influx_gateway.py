"""A gateway whose store is a real InfluxDB: killed and restarted, refusing single points, exported from."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from support.gateway import HAZGATE, Gateway, gateway, reading, site_file
from support.servers import Mosquitto, mosquitto
from support.sink import webhook_sink
from support.sites import sensor
from support.stores import Influxd, influxd
from support.wait import eventually

from adapters.clock import SystemClock
from alerts.reading import MILLISECOND

READINGS = "hazgate/v1/north/rtu-1/readings"


async def exported(north: Gateway, what: str) -> list[dict[str, str]]:
    """The rows that `hazgate export` prints of the last ten days."""
    command = (HAZGATE, "export", what, "--config", str(north.config), "--since", "-10d", "--until", "2100-01-01T00:00:00Z")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0
    return list(csv.DictReader(io.StringIO(said.decode())))


class Stand:
    """A gateway and what it talks to; `sent` counts readings."""

    def __init__(self, north: Gateway, broker: Mosquitto, server: Influxd, database: str) -> None:
        self.north, self.broker, self.server, self.database = north, broker, server, database
        self.sent = 0

    async def send(self, many: int) -> None:
        """Publish readings of two sensors, each with a value of its own."""
        payloads = [reading(f"GT-{1 + n % 2}", n / 1000, seq=n) for n in range(self.sent, self.sent + many)]
        await self.broker.publish_lines(READINGS, payloads)
        self.sent += many

    async def balance(self, **wanted: int) -> None:
        """Wait until the balance closes with these figures."""

        async def looks_right() -> bool:
            found = await self.north.get("balance")
            assert {key: found[key] for key in wanted} == wanted
            return bool(found["closes"])

        await eventually(looks_right, within=25, every=0.1)

    async def alarm(self, state: str | None) -> None:
        """Wait until the gateway's alarm about its store stands so."""

        async def looks_right() -> bool:
            found = (await self.north.alarms()).get("north-01.store_unreachable")
            assert found == state
            return True

        await eventually(looks_right, within=25, every=0.1)

    async def events(self, alarm: str, wanted: set[str]) -> None:
        """Wait until the store has these events of an alarm."""

        def look() -> bool:
            series = self.server.ask(self.database, f"SELECT sequence, event FROM alarms WHERE alarm = '{alarm}'")
            return bool(series) and {row[2] for row in series[0]["values"]} == wanted

        await eventually(lambda: asyncio.to_thread(look), every=0.1)

    def stored(self) -> list[tuple[Any, ...]]:
        """(zone, device, sensor, kind, value) of every point there is, by seq."""
        (series,) = self.server.ask(self.database, 'SELECT seq, zone, device, sensor, "kind", value FROM readings')
        return [tuple(row[2:]) for row in sorted(series["values"], key=lambda row: row[1])]


@pytest.mark.timeout(180)
async def test_nothing_is_lost_while_influxdb_is_killed_and_one_refused_point_is_set_aside(tmp_path: Path) -> None:
    with influxd() as server:
        database = server.create(retention="24h")
        store = {"kind": "influxdb", "version": 1, "url": server.url, "database": database, "timeout": "2s"}
        async with (
            mosquitto() as broker,
            webhook_sink() as sink,
            gateway(tmp_path, broker, sink, site_file(sensor("GT-1"), sensor("GT-2")), store=store) as north,
        ):
            await north.start()
            stand = Stand(north, broker, server, database)
            await stand.send(50)
            await stand.balance(received=50, stored=50)

            server.kill()
            await stand.send(200)
            await stand.alarm("active_unacknowledged")
            await stand.balance(received=250, stored=50, spooled=200)
            await asyncio.to_thread(server.start)
            await stand.balance(received=250, stored=250, spooled=0, duplicate=0)
            await stand.alarm("returned_unacknowledged")

            before = SystemClock().now() // MILLISECOND - 3 * 86_400_000
            old = {"sensor": "GT-1", "value": 7.0, "time": before, "historical": True, "seq": 900}
            await broker.publish_lines(READINGS, [reading("GT-1", 1.0, seq=901), json.dumps(old).encode(), reading("GT-2", 2.0, seq=902)])
            await stand.balance(received=253, stored=252, quarantined=1)
            (aside,) = await exported(north, "quarantine")
            assert (aside["reason"], json.loads(aside["payload"])["value"]) == ("rejected_by_store", 7.0)
            assert "retention policy" in aside["detail"]

            await stand.events("north-01.store_unreachable", {"raise", "return"})
            points = await asyncio.to_thread(stand.stored)
            wanted = [("pumps", "rtu-1", f"GT-{1 + n % 2}", "combustible_gas", n / 1000) for n in range(250)]
            assert points[:250] == wanted
            assert len(points) == 252
            rows = await exported(north, "readings")
            assert [row["seq"] for row in sorted(rows, key=lambda row: int(row["seq"]))] == [str(n) for n in [*range(250), 901, 902]]

            server.kill()
            await stand.send(10)
            await stand.balance(stored=252, spooled=10)
            await north.stop()
            await asyncio.to_thread(server.start)
            later = await exported(north, "readings")
            assert (later[:252], len(later)) == (rows, 262), "what is still in the spool is part of history"
