"""A real disk that is full: nothing is acknowledged that is not on it, alarms go out all the same, and it passes by itself."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.gateway import Gateway, gateway, reading, site_file
from support.servers import Mosquitto
from support.sink import Sink
from support.sites import sensor
from support.small_disk import SmallDisk, small_disk
from support.wait import eventually

from adapters import journal_files
from adapters.disk import RESERVE

READINGS = "hazgate/v1/north/rtu-1/readings"
HEADS = [f"GT-{n}" for n in range(1, 5)]


def told(sink: Sink, alarm: str) -> list[dict[str, Any]]:
    """What li was told of an alarm, oldest first."""
    bodies: list[dict[str, Any]] = [json.loads(request.body) for request in sink.requests]
    return [b for b in bodies if b["alarm"] == alarm and b["notification"]["person"] == "li"]


async def balance(north: Gateway, **wanted: int) -> bool:
    """Whether it closes, with these figures."""
    found = await north.get("balance")
    assert found["closes"], found
    assert {key: found[key] for key in wanted} == wanted, found
    return True


def reserve(disk: SmallDisk) -> bool:
    """Whether the reserve is there, whole."""
    path = disk.seen / "reserve"
    return path.exists() and path.stat().st_blocks * 512 >= RESERVE


def started(folder: Path, broker: Mosquitto, sink: Sink) -> Any:
    """A gateway of four gas heads on that folder."""
    return gateway(folder, broker, sink, site_file(*map(sensor, HEADS)))


@pytest.mark.timeout(240)
async def test_alarms_go_out_while_the_disk_is_full_and_what_was_not_acknowledged_comes_when_it_is_not(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    (tmp_path / "data").mkdir()
    with small_disk(tmp_path / "data") as disk:
        async with started(tmp_path, broker, sink) as north:
            north.data = disk.seen
            await north.start(prefix=disk.prefix)
            assert reserve(disk)
            await broker.publish_lines(READINGS, [reading("GT-1", 5, seq=n) for n in range(100)])
            await eventually(lambda: balance(north, received=100, stored=100), within=20)

            disk.fill()
            await eventually(lambda: not reserve(disk), within=10)
            await eventually(lambda: told(sink, "north-01.disk_low"), within=10)
            await broker.publish(READINGS, reading("GT-1", 60, seq=100))
            await eventually(lambda: told(sink, "GT-1.high_high"), within=10)
            assert told(sink, "GT-1.high_high")[0]["journaled"], "the reserve is for that"

            disk.fill("more")
            await broker.publish_lines(READINGS, [reading("GT-2", 5, seq=n) for n in range(1000, 1500)])
            for n, head in enumerate(HEADS[1:]):
                await broker.publish(READINGS, reading(head, 60, seq=2000 + n))
                await eventually(partial(told, sink, f"{head}.high_high"), within=10)
            await eventually(lambda: told(sink, "north-01.journal_failed"), within=10)
            assert not all(told(sink, f"{head}.high_high")[0]["journaled"] for head in HEADS), "and says of itself that it is not journaled"
            await eventually(lambda: "orange" in [each["tier"] for each in told(sink, "north-01.spool_filling")], within=15)
            health = (await north.client.get("/api/v1/health")).json()
            assert not health["ingesting"]
            found = await north.get("balance")
            assert found["pending"] > 0, "nothing of it is acknowledged"
            assert found["closes"]

            disk.empty("ballast", "more")
            await eventually(lambda: balance(north, received=604, pending=0), within=30)
            await eventually(lambda: reserve(disk), within=10)
            await eventually(lambda: balance(north, stored=604, duplicate=0), within=40)

            async def passed() -> bool:
                alarms = await north.alarms()
                assert alarms["north-01.journal_failed"] == alarms["north-01.spool_filling"] == "returned_unacknowledged", alarms
                return bool((await north.get("health"))["ingesting"])

            await eventually(passed, within=30, every=0.2)
            assert await north.stop() == 0
            shutil.copy(disk.seen / "journal.db", tmp_path)  # SQLite takes the way by which it is seen for another
            written = [json.loads(row.body) for row in journal_files.rows(tmp_path / "journal.db", 0, 2**62)]
        raised = {body["alarm"]: body for body in written if body.get("event") == "raise"}
        assert {f"{head}.high_high" for head in HEADS} <= raised.keys()
        for head in HEADS:
            assert raised[f"{head}.high_high"]["journaled"] == told(sink, f"{head}.high_high")[0]["journaled"], "the row says so too"


@pytest.mark.timeout(180)
async def test_a_gateway_killed_on_a_full_disk_starts_on_it_and_goes_on(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    (tmp_path / "data").mkdir()
    with small_disk(tmp_path / "data") as disk:
        async with started(tmp_path, broker, sink) as north:
            north.data = disk.seen
            await north.start(prefix=disk.prefix)
            await broker.publish_lines(READINGS, [reading("GT-1", 5, seq=n) for n in range(100)])
            await eventually(lambda: balance(north, received=100, pending=0), within=20)
            await north.kill()
            disk.fill()
            await north.start(prefix=disk.prefix)
            assert not reserve(disk)
            await broker.publish(READINGS, reading("GT-2", 60, seq=100))
            await eventually(lambda: told(sink, "GT-2.high_high"), within=10)
            await eventually(lambda: balance(north, received=101, pending=0), within=20)
            disk.empty()
            await eventually(lambda: reserve(disk), within=10)
            await eventually(lambda: balance(north, stored=101), within=40)
