"""Being judged outranks being recorded: while the spool cannot commit, the second connection keeps the alarm path seeing."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

import aiomqtt
from support.gateway import Gateway, gateway, reading, site_file
from support.servers import Mosquitto
from support.sink import Sink
from support.sites import sensor
from support.trouble import health, nothing_is_committed, stamp, stored, told
from support.wait import eventually

READINGS = "hazgate/v1/north/rtu-1/readings"


async def test_an_excursion_behind_a_full_window_is_told_and_everything_is_stored_once_it_can_be(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    window = 64
    site = site_file(sensor("GT-1"), sensor("GT-2"), sensor("GT-3"))
    settings = {"broker": {"url": broker.url, "keepalive": "2s", "receive_maximum": window}}
    async with gateway(tmp_path, broker, sink, site, **settings) as north:
        await north.start()
        await broker.publish(READINGS, reading("GT-2", 60, time=stamp()))
        await eventually(lambda: told(sink, "GT-2.high_high").count("raise") == 1, within=15)
        sent = 1
        async with nothing_is_committed(tmp_path / "data" / "spool.db"):
            now = stamp()
            await broker.publish_lines(READINGS, [reading("GT-1", 5 + n / 1000, time=now + n, seq=n) for n in range(2 * window)])
            sent += 2 * window
            await eventually(lambda: is_feeding(north), within=15)
            await broker.publish(READINGS, reading("GT-1", 60, time=stamp()))
            await broker.publish(READINGS, reading("GT-2", 5, time=stamp()))
            await broker.publish(READINGS, reading("GT-3", 60))
            sent += 3
            await eventually(lambda: told(sink, "GT-1.high_high").count("raise") == 1 and told(sink, "GT-3.high_high").count("raise") == 1, within=15)
            states = await north.alarms()
            assert states["GT-1.high_high"] == "active_unacknowledged"
            await eventually(lambda: is_stuck(north), within=15)
            balance = await north.get("balance")
            assert (balance["closes"], balance["received"]) == (True, 1 + window), "what the second connection brought is not received yet"
        await eventually(lambda: stored(north, sent), within=30)
        await eventually(lambda: stands_by(north), within=30)
        assert [told(sink, f"{head}.high_high").count("raise") for head in ("GT-1", "GT-2", "GT-3")] == [1, 1, 1]
        states = await north.alarms()
        assert not any("past_excursion" in alarm for alarm in states), "what was seen when it came is no news when it is recorded"
        await broker.publish(READINGS, reading("GT-1", 5, time=stamp()))
        await eventually(lambda: stored(north, sent + 1), within=30)


async def is_feeding(north: Gateway) -> bool:
    return str((await health(north))["watch"]).startswith("judging ahead of the record")


async def is_stuck(north: Gateway) -> bool:
    return "spool" in dict[str, str]((await north.client.get("/api/v1/health")).json()["obstacles"])


async def stands_by(north: Gateway) -> bool:
    return bool((await health(north))["watch"] == "standing by")


async def test_a_hang_in_mid_operation_neither_loses_nor_doubles_nor_delays_an_alarm(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    """Forty heads speak five times a second in turn, each with one excursion somewhere: before the hang, in it, at its ends, after it."""
    heads = [f"GT-{n:02}" for n in range(40)]
    settings = {"broker": {"url": broker.url, "keepalive": "2s", "receive_maximum": 128}}
    site = site_file(*(sensor(head, latch=False, off_delay="0s", tiers={}) for head in heads))
    async with gateway(tmp_path, broker, sink, site, **settings) as north, broker.listening("hazgate/v1/north/alarm-events") as heard:
        await north.start()
        took: dict[str, int] = {}
        sent = 0

        async def speak(client: aiomqtt.Client, seconds: float) -> None:
            nonlocal sent
            end = asyncio.get_running_loop().time() + seconds
            while asyncio.get_running_loop().time() < end:
                head, turn = heads[sent % len(heads)], sent // len(heads)
                high = turn == 2 + heads.index(head)
                if high:
                    took[head] = stamp()
                await client.publish(READINGS, reading(head, 60 if high else 5, time=stamp(), seq=sent), qos=1)
                sent += 1
                await asyncio.sleep(0.005)

        async with aiomqtt.Client("127.0.0.1", broker.port, identifier="rtu-1") as client:
            await speak(client, 2)
            async with nothing_is_committed(tmp_path / "data" / "spool.db"):
                await speak(client, 6)
                assert await is_feeding(north)
            while len(took) < len(heads):
                await speak(client, 1)
        await eventually(lambda: stored(north, sent), within=30)
        raised = [event for event in (h.json for h in heard) if event["event"] in ("raise", "re_raise") and event["condition"] == "high_high"]
        assert sorted(str(event["sensor"]) for event in raised) == heads
        assert not any(h.json["condition"] == "past_excursion" for h in heard)
        late = [(head, lag) for event in raised if (lag := moment(event["recorded_at"]) - took[head := str(event["sensor"])]) > 3000]
        assert late == [], "told within seconds of being published, hang or not"


def moment(text: object) -> int:
    """A time of the gateway in ms since 1970."""
    return round(datetime.fromisoformat(str(text)).timestamp() * 1000)


async def test_an_alarm_told_during_a_hang_outlives_a_crash_and_what_the_broker_kept_is_stored(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    site = site_file(sensor("GT-1"), sensor("GT-2"))
    settings = {"broker": {"url": broker.url, "keepalive": "2s", "receive_maximum": 32}}
    async with gateway(tmp_path, broker, sink, site, **settings) as north, broker.listening("hazgate/v1/north/alarm-events") as heard:
        await north.start()
        async with nothing_is_committed(tmp_path / "data" / "spool.db"):
            await broker.publish_lines(READINGS, [reading("GT-2", 5, time=stamp() + n, seq=n) for n in range(64)])
            await eventually(lambda: is_feeding(north), within=15)
            await broker.publish(READINGS, reading("GT-1", 60, time=stamp(), seq=64))
            await eventually(lambda: told(sink, "GT-1.high_high").count("raise") == 1, within=15)
            await north.kill()
        await north.start()
        await eventually(lambda: stored(north, 65), within=30)
        states = await north.alarms()
        assert states["GT-1.high_high"] == "active_unacknowledged"
        assert len({h.json["sequence"] for h in heard if (h.json["alarm"], h.json["event"]) == ("GT-1.high_high", "raise")}) == 1
