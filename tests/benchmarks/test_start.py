"""From the start of the process to the first judged reading, and `check` of a large site: figures beside their targets."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from support.figures import command, machine, used
from support.gateway import HAZGATE, Gateway, gateway
from support.large import A_DEVICE, as_text, large_site
from support.load import Wire, wire
from support.servers import Mosquitto, mosquitto
from support.sink import webhook_sink

CHECK_TARGET = 6.0
"""s, of 10,000 sensors."""
START_TARGETS = {1_000: 3.0, 10_000: 10.0}
"""s, by number of sensors."""
STEP = 0.01


async def first_effect(north: Gateway, broker: Mosquitto, n: int) -> tuple[float, float]:
    """Seconds from the start of the process until the first alarm event of sensor `S-{n}`, whose gas readings come without a break, and of processor time."""
    heard = asyncio.Event()
    ear: Wire = await wire(broker.port, "ear", lambda payload, _now: heard.set() if b'"sensor":"S-%d"' % n in payload.replace(b" ", b"") else None)
    line = await wire(broker.port, "device")
    await ear.subscribe("hazgate/v1/north/alarm-events")

    async def publish() -> None:
        while True:
            line.send([(f"hazgate/v1/north/rtu-{n // A_DEVICE}/readings", b'{"sensor":"S-%d","value":60.0,"time":%d}' % (n, time.time_ns() // 1_000_000))])
            await asyncio.sleep(STEP)

    sending = asyncio.create_task(publish(), name="device")
    began = time.perf_counter()
    try:
        await north.start(ready=False)
        async with asyncio.timeout(100):
            await heard.wait()
        return time.perf_counter() - began, used([north.pid])
    finally:
        sending.cancel()
        await asyncio.wait([sending])
        line.transport.close()
        ear.transport.close()


@pytest.mark.benchmark
@pytest.mark.timeout(300)
@pytest.mark.parametrize("sensors", START_TARGETS)
async def test_start_to_the_first_judged_reading(sensors: int, tmp_path: Path) -> None:
    site = large_site(sensors)
    kinds = [n for n, each in enumerate(site["sensors"]) if each["kind"] == "combustible_gas" and each["unit"] == "%LEL"]
    async with mosquitto(log="error", lines=["set_tcp_nodelay true"]) as broker, webhook_sink() as sink, gateway(tmp_path, broker, sink, site) as north:
        (tmp_path / "north.yaml").write_text(as_text(site), encoding="utf-8")
        took = []
        for n in kinds[:3]:
            took.append(await first_effect(north, broker, n))
            await north.stop()
    target = START_TARGETS[sensors]
    first, *again = (f"{seconds:.2f} s ({busy:.2f} s of processor time)" for seconds, busy in took)
    print(f"\n{machine()}\nstart of `hazgate run` to the first judged reading, {sensors} sensors: {first} on an empty data directory")
    print(f"  started again: {', '.join(again)} (target {target:.0f} s)")
    assert max(seconds for seconds, _ in took) < 5 * target


@pytest.mark.benchmark
@pytest.mark.timeout(300)
async def test_check_of_ten_thousand_sensors(tmp_path: Path) -> None:
    north = Gateway(tmp_path, "mqtt://127.0.0.1:1883", [large_site(10_000)], "http://127.0.0.1:9")
    (tmp_path / "north.yaml").write_text(as_text(large_site(10_000)), encoding="utf-8")
    took, busy = await command(HAZGATE, "check", north.config)
    await north.client.aclose()
    print(f"\n{machine()}\n`hazgate check` of 10,000 sensors: {took:.2f} s, {busy:.2f} s of processor time (target {CHECK_TARGET:.0f} s)")
    assert took < 5 * CHECK_TARGET
