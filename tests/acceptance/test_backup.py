"""A backup of a gateway under load, restored: nothing acknowledged before it began is missing, and nothing is there twice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from support.gateway import HAZGATE, Gateway, gateway, reading, site_file
from support.recording import everything
from support.servers import Mosquitto
from support.sink import Sink
from support.sites import sensor
from support.wait import eventually

from gateway.archive import Archive
from gateway.backup import MANIFEST

READINGS = "hazgate/v1/north/rtu-1/readings"
BATCH = 200
SCALE = 10_000
"""Readings are numbered by their values, which stay below every limit."""


async def hazgate(*words: object) -> tuple[int, str]:
    """Run the command line; its exit status and what it said."""
    process = await asyncio.create_subprocess_exec(HAZGATE, *map(str, words), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


class Load:
    """Publishes readings with rising values, in order, until it is told to stop."""

    def __init__(self, broker: Mosquitto) -> None:
        self._broker = broker
        self.sent = 0
        self._stop = asyncio.Event()
        self.task = asyncio.create_task(self._run(), name="load")

    async def _run(self) -> None:
        while not self._stop.is_set():
            given = range(self.sent, self.sent + BATCH)
            await self._broker.publish_lines(READINGS, [reading("GT-1", n / SCALE, seq=n + 1) for n in given])
            self.sent += BATCH

    async def stop(self) -> int:
        """How many readings were published in all."""
        self._stop.set()
        await self.task
        return self.sent


def values(data_dir: Path) -> list[int]:
    """The number of each reading of GT-1 in store and spool, once the spool is drained; the store's own count agrees."""
    archive = Archive(data_dir, {"kind": "duckdb"})
    while archive.drain():
        pass
    found = [round(value * SCALE) for stretch in archive.history(everything()) for value in stretch.readings.value.tolist() if value < 25]
    total = archive.count()
    archive.close()
    assert total == len(found) + 1, "one reading is the alarm's"
    return found


async def held(north: Gateway) -> int:
    """How many readings are acknowledged."""
    balance = await north.get("balance")
    return int(balance["received"] - balance["pending"])


@pytest.mark.timeout(300)  # a dozen commands, each of which starts an interpreter
async def test_what_was_acknowledged_before_a_backup_is_there_after_a_restore(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    site = site_file(sensor("GT-1"), sensor("GT-2"))
    async with gateway(tmp_path, broker, sink, site) as north:
        await north.start()
        await broker.publish_lines(READINGS, [reading("GT-2", 60.0)])
        await eventually(lambda: standing(north))
        load = Load(broker)
        await eventually(lambda: several(north, 1000), within=30)
        acknowledged = await held(north) - 1
        status, said = await hazgate("backup", "--config", north.config, tmp_path / "backup")
        assert (status, said.startswith("backed up")) == (0, True), said
        await eventually(lambda: several(north, acknowledged + 3000), within=30)
        published = await load.stop()
        assert published > acknowledged
        status, said = await hazgate("restore", "--config", north.config, tmp_path / "backup")
        assert (status, "in use by process" in said) == (3, True), said
        await north.stop()
        (tmp_path / "data").rename(tmp_path / "lost")
        status, said = await hazgate("restore", "--config", north.config, tmp_path / "backup")
        assert (status, said.startswith("restored")) == (0, True), said
        found = values(tmp_path / "data")
        assert len(found) == len(set(found))
        assert set(range(acknowledged)) <= set(found)

        sink.requests.clear()
        await north.start()
        assert (await north.alarms())["GT-2.high_high"] == "active_unacknowledged"
        await broker.publish_lines(READINGS, [reading("GT-1", n / SCALE) for n in range(190_000, 190_100)])
        await eventually(lambda: drained(north))
        await north.stop()
        assert set(values(tmp_path / "data")) >= {*found, *range(190_000, 190_100)}
        again = [json.loads(request.body) for request in sink.requests]
        assert [b for b in again if b["alarm"] == "GT-2.high_high" and b["notification"]["kind"] == "raise" and not b["notification"]["may_repeat"]] == []


async def standing(north: Gateway) -> bool:
    """Whether the alarm of GT-2 stands."""
    return "GT-2.high_high" in await north.alarms()


async def several(north: Gateway, many: int) -> bool:
    """Whether that many are acknowledged."""
    return await held(north) >= many


async def drained(north: Gateway) -> bool:
    """Whether the store has all that came."""
    balance = await north.get("balance")
    return bool(balance["pending"] == balance["spooled"] == 0)


@pytest.mark.timeout(300)  # likewise
async def test_a_backup_without_a_gateway_and_what_is_refused(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-1"))) as north:
        status, said = await hazgate("backup", "--config", north.config, tmp_path / "backup")
        assert (status, "nothing in" in said) == (2, True), said
        await north.start()
        await broker.publish_lines(READINGS, [reading("GT-1", n / 10) for n in range(50)])
        await eventually(lambda: several(north, 50))
        await north.stop()
        whole = tmp_path / "backup"
        assert (await hazgate("backup", "--config", north.config, whole))[0] == 0
        status, said = await hazgate("backup", "--config", north.config, whole)
        assert (status, "is not empty" in said) == (2, True), said
        status, said = await hazgate("restore", "--config", north.config, whole)
        assert (status, "move what it holds away first" in said) == (2, True), said

        (tmp_path / "data").rename(tmp_path / "moved")
        manifest = (whole / MANIFEST).read_text()
        foreign = manifest.replace("north-01", "south-01")
        for broken, words in ((None, "holds no finished backup"), ("{", "cannot be read"), (foreign, "of the gateway south-01")):
            (whole / MANIFEST).unlink()
            if broken is not None:
                (whole / MANIFEST).write_text(broken)
            status, said = await hazgate("restore", "--config", north.config, whole)
            assert (status, words in said) == (2, True), said
            (whole / MANIFEST).write_text(manifest)
        newer = json.loads(manifest) | {"schema": 2}
        (whole / MANIFEST).write_text(json.dumps(newer))
        status, said = await hazgate("restore", "--config", north.config, whole)
        assert (status, "newer version" in said) == (2, True), said
        (whole / MANIFEST).write_text(manifest)

        with (whole / "spool.db").open("ab") as file:
            file.write(b"\0")
        status, said = await hazgate("restore", "--config", north.config, whole)
        assert (status, "is not what the backup wrote" in said) == (1, True), said
        await north.start(ready=False)
        assert await north.wait() == 4
        assert "a restore into" in north.log
