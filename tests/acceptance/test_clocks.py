"""Clocks that are wrong: the machine's own is set while a gateway runs, and a device comes back with two hours to tell."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import aiomqtt
import pytest
from support.gateway import gateway, reading, site_file
from support.servers import Mosquitto
from support.sink import Sink
from support.sites import ESCALATION, sensor
from support.trouble import stamp, stored, told
from support.wait import eventually

READINGS = "hazgate/v1/north/rtu-1/readings"
HOUR = 3600


class Setting:
    """A machine's clock that can be set, by libfaketime: UTC as a program sees it; the monotonic clock stays the kernel's."""

    def __init__(self, folder: Path) -> None:
        self._offset = folder / "offset"
        self.set(0)

    def set(self, seconds: int) -> None:
        """From now on UTC is off by this."""
        self._offset.write_text(f"{seconds:+d}")

    @property
    def prefix(self) -> Sequence[str]:
        """Of a command that is to see it."""
        (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
        names = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": self._offset,
            "FAKETIME_CACHE_DURATION": 1,
            "FAKETIME_DONT_FAKE_MONOTONIC": 1,
            "NO_FAKE_STAT": 1,
        }
        return ["env", *(f"{name}={value}" for name, value in names.items())]


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])
async def test_a_clock_that_is_set_moves_no_deadline_and_is_told(step: int, tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    steps = [{"after": "0s", "tell": ["officer"]}, {"after": "6s", "tell": ["leader"]}]
    chains = ESCALATION | {"red": {"steps": steps, "repeat": "120s"}}
    site = site_file(sensor("GT-1", on_delay="4s", stale="9s"), escalation=chains)
    machine = Setting(tmp_path)
    loop = asyncio.get_running_loop()
    patient = {name: {"kind": "webhook", "url": f"{sink.url}/{name}", "timeout": "20s"} for name in ("desk", "phone")}
    async with gateway(tmp_path, broker, sink, site, notify=patient) as north:
        await north.start(prefix=machine.prefix)
        began = loop.time()
        await broker.publish(READINGS, reading("GT-1", 60))
        machine.set(step)
        await eventually(lambda: "raise" in told(sink, "GT-1.high_high"), within=20)
        raised = loop.time()
        assert raised - began > 3.5, "its on-delay was not cut short"
        await eventually(lambda: "escalate" in told(sink, "GT-1.high_high", "wang"), within=25)
        assert loop.time() - raised > 5, "nor was the time to the next step"
        await eventually(lambda: told(sink, "north-01.gateway_clock").count("raise") == 1, within=25)
        body = json.loads(next(r.body for r in sink.requests if b"gateway_clock" in r.body))
        assert (body["tier"], round(body["value"])) == ("yellow", step)
        await eventually(lambda: "again" in told(sink, "GT-1.high_high"), within=30)
        assert loop.time() - began > 8.5, "nor was the silence longer than it was, after which the value counts as lost"


async def test_two_hours_of_backlog_beside_live_readings_hide_nothing_and_raise_nothing_twice(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    """The link to rtu-1 was down for two hours, in which gas came and went. Now it tells all of it, and goes on."""
    site = site_file(sensor("GT-1"), sensor("GT-2", device="rtu-2"))
    now, second = stamp(), 1000
    values = [60.0 + n / 10 if 1800 <= n < 1830 else 5.0 for n in range(2 * HOUR)]
    async with gateway(tmp_path, broker, sink, site) as north, broker.listening("hazgate/v1/north/alarm-events") as heard:
        await north.start()
        async with aiomqtt.Client("127.0.0.1", broker.port, identifier="rtu-1") as client:
            await client.publish(READINGS, reading("GT-1", 5, time=now, seq=0), qos=1)
            sent = 1
            for start in range(0, 2 * HOUR, 60):
                times = [now - (2 * HOUR - n) * second for n in range(start, start + 60)]
                run = {"sensor": "GT-1", "time": times, "value": values[start : start + 60]}
                await client.publish(READINGS, json.dumps(run).encode(), qos=1)
                sent += 60
                if start % 600 == 0:
                    await client.publish(READINGS, reading("GT-1", 6 + start / HOUR, time=stamp()), qos=1)
                    sent += 1
                if start == HOUR:
                    await broker.publish("hazgate/v1/north/rtu-2/readings", reading("GT-2", 60, time=stamp()))
                    await eventually(lambda: told(sink, "GT-2.high_high").count("raise") == 1, within=15)
                    sent += 1
        await eventually(lambda: stored(north, sent), within=30)
        past = [h.json for h in heard if h.json["condition"] == "past_excursion"]
        alarm = await north.get("sites/north/alarms/rtu-1.past_excursion")
        assert {event["alarm"] for event in past} == {"rtu-1.past_excursion"}
        assert [event["event"] for event in past].count("raise") == 1
        assert (alarm["peak"], alarm["late"], alarm["tier"]) == (values[1829], True, "orange")
        await eventually(lambda: told(sink, "rtu-1.past_excursion").count("raise") == 1, within=15)
        states = await north.alarms()
        assert not any(alarm.startswith("GT-1") for alarm in states), "what is over is not live"
        assert "rtu-1.clock_skew" not in states, "a catch-up is no wrong clock"
