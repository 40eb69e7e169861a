"""How fast a backlog drains while readings go on coming in: the rate against the live one, in one run, for each kind of store."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

import pytest
from support.figures import children, machine
from support.gateway import Gateway, gateway, site_file
from support.load import Wire, wire
from support.servers import mosquitto
from support.sink import webhook_sink
from support.sites import sensor
from support.stores import influxd

SENSORS, RATE, AWAY = 500, 2_000, 30
STEP = 0.005
WANTED = 5.0
"""Times the live rate."""


async def load(line: Wire) -> None:
    """The live rate, until it is canceled."""
    loop = asyncio.get_running_loop()
    begin, sent = loop.time(), 0
    topics = [f"hazgate/v1/north/rtu-{n % 50}/readings" for n in range(SENSORS)]
    while True:
        due, now = int((loop.time() - begin) * RATE), time.time_ns() // 1_000_000
        line.send(
            (topics[n % SENSORS], b'{"sensor":"GT-%d","value":%.2f,"time":%d,"seq":%d}' % (n % SENSORS, 5 + n % 100 / 50, now, n)) for n in range(sent, due)
        )
        sent = due
        await asyncio.sleep(STEP)


async def caught_up(north: Gateway) -> tuple[int, int, float]:
    """Readings stored and received while the backlog drained, and the seconds that took."""
    before, began = await north.get("balance"), time.perf_counter()
    while True:
        await asyncio.sleep(0.05)
        balance = await north.get("balance")
        assert balance["closes"]
        if balance["spooled"] < RATE:
            took = time.perf_counter() - began
            return balance["stored"] - before["stored"], balance["received"] - before["received"], took


@pytest.mark.benchmark
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["duckdb", "influxdb 1.6"])
async def test_a_backlog_drains_at_many_times_the_live_rate_beside_it(kind: str, tmp_path: Path) -> None:
    heads = [sensor(f"GT-{n}", device=f"rtu-{n % 50}") for n in range(SENSORS)]
    with contextlib.ExitStack() as stack:
        store: dict[str, object] = {"kind": "duckdb"}
        if kind != "duckdb":
            server = stack.enter_context(influxd())
            store = {"kind": "influxdb", "version": 1, "url": server.url, "database": server.create()}
        quiet = mosquitto(log="error", lines=["set_tcp_nodelay true"])
        async with quiet as broker, webhook_sink() as sink, gateway(tmp_path, broker, sink, site_file(*heads), store=store) as north:
            await north.start()
            line = await wire(broker.port, "load")
            task = asyncio.create_task(load(line), name="load")
            await asyncio.sleep(5)
            (recorder,) = children(north.pid)
            os.kill(recorder, signal.SIGSTOP)
            await asyncio.sleep(AWAY)
            backlog = (await north.get("balance"))["spooled"]
            os.kill(recorder, signal.SIGCONT)
            stored, received, took = await caught_up(north)
            task.cancel()
            line.transport.close()
    live, drained = received / took, stored / took
    print(f"\n{machine()}\n{kind}: a backlog of {backlog} readings beside {live:.0f} readings/s in single messages at QoS 1, {SENSORS} sensors")
    print(f"  drained in {took:.1f} s at {drained:.0f} readings/s: {drained / live:.1f} times the live rate")
    assert drained >= WANTED * live
