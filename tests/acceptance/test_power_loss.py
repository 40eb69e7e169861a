"""Power lost at any moment: whatever was acknowledged or told is in what the disk had confirmed by then.

A killed process loses nothing that it has written, so only this shows that it waits for the disk.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.gateway import gateway, reading, site_file
from support.power import Disk, strace
from support.recording import everything
from support.servers import Mosquitto
from support.sink import Sink
from support.sites import sensor
from support.wait import eventually

from adapters.journal import Journal
from gateway.archive import Archive

READINGS = "hazgate/v1/north/rtu-1/readings"
MANY = 30
PEAK = 12
"""The number of the one reading that raises an alarm."""


def recorded(data: Path) -> set[float]:
    """The values that spool and store have."""
    archive = Archive(data, {"kind": "duckdb"})
    found = {value for stretch in archive.history(everything()) for value in stretch.readings.value.tolist()}
    archive.close()
    return found


def told(data: Path) -> int:
    """Messages to people that the outbox knows of, sent or not."""
    journal = Journal(data / "journal.db")
    found = journal._connection.execute("SELECT count(*) FROM outbox WHERE kind != 'publish'").fetchone()[0]
    journal._connection.close()
    return int(found)


def look(trace: Path, data: Path, scratch: Path) -> dict[str, int]:
    """The disk at every PUBACK and every call of a webhook; how many there were. Leaves in `scratch` what was there at the end."""
    # what the gateway sends to itself when it connects is acknowledged too, before any reading
    own = sum(moment == "puback" for moment in Disk(trace, data).moments()) - MANY
    disk = Disk(trace, data)
    seen = {"puback": -own, "post": 0}
    for moment in disk.moments():
        seen[moment] += 1
        shutil.rmtree(scratch, ignore_errors=True)
        disk.save(scratch)
        if moment == "puback":
            assert recorded(scratch) >= {value(n) for n in range(disk.acknowledged - own)}
        else:
            assert told(scratch) >= seen["post"]
    shutil.rmtree(scratch, ignore_errors=True)
    disk.save(scratch)
    return seen | {"own": own}


def value(number: int) -> float:
    """Of the reading of that number: each has its own."""
    return 60.0 if number == PEAK else number / 10


@pytest.mark.timeout(240)
async def test_what_was_acknowledged_and_told_was_on_the_disk_and_a_gateway_goes_on_from_there(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    trace, data, scratch = tmp_path / "trace", tmp_path / "data", tmp_path / "scratch"
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-001"))) as north:
        await north.start(prefix=strace(trace))
        for n in range(MANY):
            await broker.publish(READINGS, reading("GT-001", value(n), seq=n))

        async def settled() -> bool:
            balance = await north.get("balance")
            return bool(balance["received"] == MANY and balance["pending"] == 0 and balance["stored"] > PEAK)

        await eventually(settled, within=30)
        await eventually(lambda: [r for r in sink.requests if r.json["alarm"] == "GT-001.high_high"], within=10)
        await north.kill()
        seen = await asyncio.to_thread(look, trace, data, scratch)
        assert seen["puback"] == MANY
        assert seen["own"] <= 1
        assert seen["post"] > 2

        shutil.rmtree(data)
        shutil.move(scratch, data)
        await north.start()
        await eventually(lambda: stored(north), within=30)
        assert "GT-001.high_high" in await north.alarms()
        await north.stop()
    assert recorded(data) == {value(n) for n in range(MANY)}


async def stored(north: Any) -> bool:
    """Whether everything is accounted for, and in the store."""
    balance = await north.get("balance")
    return bool(balance["closes"] and balance["spooled"] == 0 and balance["stored"] == MANY)
