"""From publish to alarm event at 500 messages a second, and again with the store stopped: figures, not limits."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.figures import children, machine
from support.gateway import Gateway, gateway, site_file
from support.load import Wire, percentile, wire
from support.servers import mosquitto
from support.sink import webhook_sink
from support.sites import sensor

SENSORS, RATE, SECONDS = 500, 500, 45
STEP = 0.002


@dataclass
class Clocked:
    """When each excursion was published and when its event came, by the value that names it."""

    sent: dict[float, int] = field(default_factory=dict)
    took: list[float] = field(default_factory=list)

    def heard(self, payload: bytes, now: int) -> None:
        """An alarm event."""
        event = json.loads(payload)
        if event["event"] in ("raise", "re_raise") and event["value"] in self.sent:
            self.took.append((now - self.sent.pop(event["value"])) / 1e6)


async def load(line: Wire, clocked: Clocked, seconds: float, start: int) -> None:
    """500 messages a second over all sensors; every twentieth is an excursion that the sensor's next reading ends."""
    loop = asyncio.get_running_loop()
    begin, sent = loop.time(), 0
    while loop.time() - begin < seconds:
        due = int((loop.time() - begin) * RATE)
        for n in range(sent, due):
            head = n % SENSORS
            high = (n // SENSORS + head) % 20 == 0
            value = 60 + (start + n) / 1e6 if high else 5.0
            payload = json.dumps({"sensor": f"PT-{head}", "value": value, "time": time.time_ns() // 1_000_000}).encode()
            clocked.sent[value] = time.perf_counter_ns()
            line.send([(f"hazgate/v1/north/rtu-{head % 25}/readings", payload)])
        sent = max(sent, due)
        await asyncio.sleep(STEP)


async def commit_p99(north: Gateway) -> float:
    """The journal's own p99, ms."""
    text = (await north.client.get("/metrics")).text
    found = re.search(r'hazgate_journal_commit_seconds\{quantile="0.99"\} (\S+)', text)
    assert found is not None
    return float(found[1]) * 1e3


@pytest.mark.benchmark
@pytest.mark.timeout(240)
async def test_publish_to_alarm_event_with_the_store_and_without(tmp_path: Path) -> None:
    changes = {"kind": "pressure", "unit": "kPa", "limits": {"high_high": 50}, "tiers": {}, "off_delay": "0s", "latch": False}
    changes["gas"] = None
    heads = [{k: v for k, v in sensor(f"PT-{n}", device=f"rtu-{n % 25}", **changes).items() if v is not None} for n in range(SENSORS)]
    async with (
        mosquitto(log="error", lines=["set_tcp_nodelay true"]) as broker,
        webhook_sink() as sink,
        gateway(tmp_path, broker, sink, site_file(*heads)) as north,
    ):
        await north.start()
        clocked = Clocked()
        line, ear = await wire(broker.port, "load"), await wire(broker.port, "ear", clocked.heard)
        await ear.subscribe("hazgate/v1/north/alarm-events")
        figures: dict[str, list[float]] = {}
        (recorder,) = children(north.pid)
        await load(line, clocked, 5, 0)
        for run, (name, number) in enumerate({"store running": signal.SIGCONT, "store stopped": signal.SIGSTOP}.items(), 1):
            os.kill(recorder, number)
            clocked.took, clocked.sent = [], {}
            await load(line, clocked, SECONDS, run * 1_000_000)
            await asyncio.sleep(1)
            figures[name] = clocked.took
        os.kill(recorder, signal.SIGCONT)
        journal = await commit_p99(north)
        line.transport.close()
        ear.transport.close()
    print(f"\n{machine()}\npublish -> alarm event, {RATE} messages/s QoS 1, {SENSORS} sensors, {SECONDS} s each; journal commit p99 {journal:.2f} ms")
    for name, took in figures.items():
        p50, p99 = percentile(took, 0.5), percentile(took, 0.99)
        print(f"  {name}: {len(took)} events, p50 {p50:.2f} ms, p99 {p99:.2f} ms (p99 - commit p99 = {p99 - journal:.2f} ms), max {max(took):.1f} ms")
    ratio = percentile(figures["store stopped"], 0.99) / percentile(figures["store running"], 0.99)
    print(f"  p99 stopped / running: {ratio:.2f}")
    assert all(len(took) > 1000 for took in figures.values())
