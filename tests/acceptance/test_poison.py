"""Half of all payloads are poison, for us or for the store: the other half is stored, every one of it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path

import pytest
from support.gateway import HAZGATE, Gateway, gateway, reading, site_file
from support.servers import Mosquitto
from support.sink import Sink
from support.sites import sensor
from support.stores import influxd
from support.wait import eventually

from adapters.clock import SystemClock
from alerts.reading import MILLISECOND

READINGS = "hazgate/v1/north/rtu-1/readings"
HALF = 3_000
POISON = [
    b"\xff\xfe",
    b"[",
    b"[" * 5_000,
    b"{}",
    b"null",
    b'{"sensor":"GT-1"}',
    b'{"sensor":"GT-1","value":1e999}',
    b'{"sensor":"GT-1","value":"5"}',
    b'{"sensor":"GT-1","value":5,"time":"yesterday"}',
    b'{"sensor":"GT-1","value":5,"unit":"kPa"}',
    b'{"sensor":"GT-9","value":5}',
    b'{"sensor":"\\ud800","value":5}',
    b'{"sensor":"GT-1","value":[1,2],"time":[1]}',
    b"x" * 20_000,
]


async def exported(north: Gateway, what: str) -> list[dict[str, str]]:
    """The rows that `hazgate export` prints of the last ten days."""
    command = (HAZGATE, "export", what, "--config", str(north.config), "--since", "-10d", "--until", "2100-01-01T00:00:00Z")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0
    return list(csv.DictReader(io.StringIO(said.decode())))


async def balanced(north: Gateway, **wanted: int) -> bool:
    """Whether the balance closes with these figures."""
    found = await north.get("balance")
    assert {key: found[key] for key in wanted} == wanted
    return bool(found["closes"])


async def test_every_other_payload_is_poison_and_every_other_is_stored(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-1"), sensor("GT-2"))) as north:
        await north.start()
        payloads = [payload for n in range(HALF) for payload in (POISON[n % len(POISON)], reading(f"GT-{1 + n % 2}", n / 1000, seq=n))]
        await broker.publish_lines(READINGS, payloads)
        await eventually(lambda: balanced(north, received=2 * HALF, quarantined=HALF, stored=HALF), within=60, every=0.1)
        rows = await exported(north, "readings")
        assert sorted(int(row["seq"]) for row in rows) == list(range(HALF))
        assert len(await exported(north, "quarantine")) == HALF


@pytest.mark.parametrize("refused", [1, 2_500])
async def test_what_the_store_refuses_keeps_none_of_the_rest_out(refused: int, tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    """Of 5,000 readings in one frame, an InfluxDB that keeps a day takes all but those of last week."""
    with influxd() as server:
        store = {"kind": "influxdb", "version": 1, "url": server.url, "database": server.create(retention="24h")}
        async with gateway(tmp_path, broker, sink, site_file(sensor("GT-1"), sensor("GT-2")), store=store) as north:
            await north.start()
            now = SystemClock().now() // MILLISECOND
            every = 5_000 // refused
            times = [now - 7_200_000 + n - (7 * 86_400_000 if n % every == every // 2 else 0) for n in range(5_000)]
            run = {"sensor": "GT-1", "time": times, "value": [n / 1000 for n in range(5_000)], "historical": True}
            await broker.publish_lines(READINGS, [json.dumps(run).encode()])
            await eventually(lambda: balanced(north, received=5_000, stored=5_000 - refused, quarantined=refused), within=60, every=0.1)
            aside = await exported(north, "quarantine")
            assert [row["reason"] for row in aside] == ["rejected_by_store"] * refused
            assert all("retention policy" in row["detail"] for row in aside)
            assert len(await exported(north, "readings")) == 5_000 - refused
