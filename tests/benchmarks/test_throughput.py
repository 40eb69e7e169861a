"""5,000 single-reading messages a second with the gateway and its recorder on one core, 1,000 sensors: stored, balanced, resident."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from support.figures import children, machine, resident, used
from support.gateway import gateway, site_file
from support.load import Wire, wire
from support.servers import mosquitto
from support.sink import webhook_sink
from support.sites import sensor
from support.wait import eventually

SENSORS, RATE, SECONDS = 1000, 5000, 60
STEP = 0.005


async def load(line: Wire, topics: list[str]) -> int:
    """The load; how many messages were published."""
    loop = asyncio.get_running_loop()
    begin, sent = loop.time(), 0
    while sent < RATE * SECONDS:
        due = min(int((loop.time() - begin) * RATE), RATE * SECONDS)
        now = time.time_ns() // 1_000_000
        batch = range(sent, due)
        # the same sensor comes again after 200 ms, so stamps differ
        line.send((topics[n % SENSORS], b'{"sensor":"GT-%d","value":%.2f,"time":%d,"seq":%d}' % (n % SENSORS, 5 + n % 100 / 50, now, n)) for n in batch)
        sent = due
        await asyncio.sleep(STEP)
    return sent


@pytest.mark.benchmark
@pytest.mark.timeout(300)
async def test_five_thousand_messages_a_second_on_one_core(tmp_path: Path) -> None:
    heads = [sensor(f"GT-{n}", device=f"rtu-{n % 50}") for n in range(SENSORS)]
    topics = [f"hazgate/v1/north/rtu-{n % 50}/readings" for n in range(SENSORS)]
    pin = ["taskset", "-c", "1"]
    quiet = mosquitto(log="error", lines=["set_tcp_nodelay true"])
    async with quiet as broker, webhook_sink() as sink, gateway(tmp_path, broker, sink, site_file(*heads)) as north:
        await north.start(prefix=pin)
        pids = [north.pid, *children(north.pid)]
        line = await wire(broker.port, "load")
        before, began = used(pids), time.perf_counter()
        memory = [sum(map(resident, pids))]
        task = asyncio.create_task(load(line, topics), name="load")
        while not task.done():
            await asyncio.wait([task], timeout=5)
            memory.append(sum(map(resident, pids)))
        sent = task.result()
        elapsed = time.perf_counter() - began
        await eventually(lambda: line.acknowledged == sent, within=30)

        async def drained() -> bool:
            balance = await north.get("balance")
            return bool(balance["received"] == sent and balance["stored"] == sent and balance["closes"])

        await eventually(drained, within=60, every=0.2)
        took = time.perf_counter() - began
        core = (used(pids) - before) / took
        line.transport.close()
    print(f"\n{machine()}\n{RATE} single-reading QoS 1 messages/s for {SECONDS} s, {SENSORS} sensors, gateway and recorder on one core")
    print(f"  published {sent} in {elapsed:.1f} s; stored {sent}, balance closed, {took - elapsed:.1f} s after the last; {100 * core:.0f} % of the core")
    print(f"  resident, gateway + recorder, MiB every 5 s: {' '.join(f'{each:.0f}' for each in memory)}")
    assert line.acknowledged == sent
