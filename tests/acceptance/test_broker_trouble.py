"""What happens to a broker happens to a gateway: it notices, says so where no broker is needed, and hears again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiomqtt
import pytest
from support.gateway import Gateway, gateway, reading, site_file
from support.servers import Mosquitto, mosquitto
from support.sink import Sink
from support.sites import sensor
from support.trouble import figure, health, stamp, stands, stored, told
from support.wait import eventually

READINGS = "hazgate/v1/north/rtu-1/readings"
KEEPALIVE, BUSY = 4.0, 2.0
"""Seconds: of the gateways whose patience is measured; and what a loaded machine adds."""


def patient(broker: Mosquitto) -> dict[str, object]:
    """A connection to this broker with the keepalive that is measured."""
    return {"url": broker.url, "keepalive": f"{KEEPALIVE:g}s"}


async def is_linked(north: Gateway) -> bool:
    return bool((await health(north))["link"] == "up")


async def is_deaf(north: Gateway) -> bool:
    return bool((await health(north))["link"] == "down")


async def seconds_until(look: Callable[[], Awaitable[bool]], within: float) -> float:
    """How long it takes until that answers true."""
    began = asyncio.get_running_loop().time()
    await eventually(look, within=within, every=0.05)
    return asyncio.get_running_loop().time() - began


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_broker_that_ends_is_told_and_when_it_is_back_readings_are_heard_within_two_keepalives(
    end: str, tmp_path: Path, broker: Mosquitto, sink: Sink
) -> None:
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-1")), broker=patient(broker)) as north:
        await north.start()
        await broker.publish(READINGS, reading("GT-1", 5, time=stamp()))
        await eventually(lambda: stored(north, 1), within=15)
        await (broker.stop() if end == "stop" else broker.kill())
        await eventually(lambda: told(sink, "north-01.broker_lost").count("raise") == 1, within=20)
        body = json.loads(next(r.body for r in sink.requests if b"broker_lost" in r.body))
        assert (body["tier"], body["state"]) == ("orange", "active_unacknowledged")
        await broker.start()
        assert await seconds_until(lambda: is_linked(north), within=30) <= 2 * KEEPALIVE + BUSY
        await broker.publish(READINGS, reading("GT-1", 60, time=stamp()))
        await eventually(lambda: told(sink, "GT-1.high_high").count("raise") == 1, within=15)
        await eventually(lambda: stored(north, 2), within=15)
        assert not await stands(north, "north-01.broker_lost")


async def test_a_broker_that_hangs_is_noticed_within_two_keepalives_and_told(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    """The connection stays open and takes what is sent: only missing answers tell."""
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-1")), broker=patient(broker)) as north:
        await north.start()
        broker.suspend()
        assert await seconds_until(lambda: is_deaf(north), within=30) <= 2 * KEEPALIVE + BUSY
        await eventually(lambda: told(sink, "north-01.broker_lost").count("raise") == 1, within=20)
        broker.proceed()
        await eventually(lambda: is_linked(north), within=20)
        await broker.publish(READINGS, reading("GT-1", 60, time=stamp()))
        await eventually(lambda: told(sink, "GT-1.high_high").count("raise") == 1, within=15)
        assert told(sink, "north-01.duplicate_gateway") == []


async def test_any_client_that_takes_over_our_id_is_seen_and_told_and_answered_without_a_storm(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-1"))) as north:
        await north.start()
        await eventually(lambda: figure(north, "connections_total"), within=15)

        async def impostor() -> None:
            while True:  # as a client that reconnects at once whenever it is thrown out
                try:
                    async with aiomqtt.Client("127.0.0.1", broker.port, identifier="hazgate-north-01", clean_session=False) as client:
                        async for _ in client.messages:
                            pass
                except aiomqtt.MqttError:
                    await asyncio.sleep(0.1)

        rival = asyncio.create_task(impostor(), name="impostor")
        try:
            await eventually(lambda: told(sink, "north-01.duplicate_gateway").count("raise") == 1, within=15)
            body = json.loads(next(r.body for r in sink.requests if b"duplicate_gateway" in r.body))
            assert body["tier"] == "orange"
            await eventually(lambda: "Staying away for 1" in north.log, within=15)
        finally:
            rival.cancel()
            await asyncio.gather(rival, return_exceptions=True)
        assert await figure(north, "connections_total") <= 4
        await eventually(lambda: is_linked(north), within=30)
        await broker.publish(READINGS, reading("GT-1", 60, time=stamp()))
        await eventually(lambda: told(sink, "GT-1.high_high").count("raise") == 1, within=15)


async def test_two_gateways_of_one_name_both_see_each_other_and_one_of_them_stays_away(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    site = site_file(sensor("GT-1"))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with gateway(tmp_path / "a", broker, sink, site) as one, gateway(tmp_path / "b", broker, sink, site) as other:
        await one.start()
        await other.start()
        await eventually(lambda: stands(one, "north-01.duplicate_gateway"), within=20)
        await eventually(lambda: stands(other, "north-01.duplicate_gateway"), within=20)
        await eventually(lambda: told(sink, "north-01.duplicate_gateway") == ["raise", "raise"], within=15)
        made = [await figure(each, "connections_total") for each in (one, other)]
        await eventually(lambda: broker.log.count("already connected, closing old connection") >= 2, within=5)
        assert sum(made) <= 8


async def test_the_same_data_directory_is_not_used_twice(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    site = site_file(sensor("GT-1"))
    async with gateway(tmp_path, broker, sink, site) as one:
        await one.start()
        two = Gateway(tmp_path, broker.url, [site], sink.url)
        await two.start(ready=False)
        assert await two.wait() == 3
        await two.client.aclose()
        assert await is_linked(one)


async def test_a_session_that_the_broker_lost_is_said_and_subscribed_anew(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-1"))) as north:
        await north.start()
        await broker.stop()
        broker.forget()
        await broker.start()
        await eventually(lambda: told(sink, "north-01.broker_dropping").count("raise") == 1, within=20)
        assert await figure(north, "sessions_lost_total") == 1
        await broker.publish(READINGS, reading("GT-1", 60, time=stamp()))
        await eventually(lambda: told(sink, "GT-1.high_high").count("raise") == 1, within=15)


async def test_a_session_that_was_lost_while_the_gateway_was_away_is_said_at_its_start(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-1"))) as north:
        await north.start()
        await north.stop()
        assert told(sink, "north-01.broker_dropping") == [], "a first start has no session to miss"
        await broker.stop()
        broker.forget()
        await broker.start()
        await north.start()
        await eventually(lambda: told(sink, "north-01.broker_dropping").count("raise") == 1, within=20)


async def test_retained_alarms_of_an_earlier_life_are_cleared_and_those_that_stand_put_back(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-1"))) as north:
        await broker.publish("hazgate/v1/north/alarms/GT-9.high_high", b'{"alarm": "GT-9.high_high", "sequence": 7}', retain=True)
        await broker.publish("hazgate/v1/gateways/north-01/alarms/north-01.disk_low", b"{}", retain=True)
        await broker.publish("hazgate/v1/south/alarms/GT-9.high_high", b"{}", retain=True)
        await broker.publish(READINGS, reading("GT-1", 60, time=stamp()), retain=True)
        await north.start()
        await eventually(lambda: "the broker retained 2 alarms that do not stand" in north.log, within=15)
        await broker.publish(READINGS, reading("GT-1", 30, time=stamp()))
        await eventually(lambda: stands(north, "GT-1.high"), within=15)
        assert "GT-1.high_high" not in await north.alarms(), "nobody knows for how long a retained reading lay there"
        await broker.stop()
        broker.forget()
        await broker.start()
        wanted = {"hazgate/v1/north/alarms/GT-1.high", "hazgate/v1/north/alarms/rtu-1.past_excursion"}
        async with broker.listening("hazgate/v1/+/alarms/+") as heard:
            await eventually(lambda: wanted <= {h.topic for h in heard if h.payload}, within=20)
            assert "hazgate/v1/north/alarms/GT-9.high_high" not in {h.topic for h in heard}


async def test_what_the_broker_drops_is_told_also_when_it_dropped_while_the_gateway_was_away(tmp_path: Path, sink: Sink) -> None:
    async with mosquitto(lines=["max_queued_messages 5", "sys_interval 1"]) as broker, gateway(tmp_path, broker, sink, site_file(sensor("GT-1"))) as north:
        await north.start()
        await eventually(lambda: sees_drops(north), within=15)
        await north.stop()
        await broker.publish_lines(READINGS, [reading("GT-1", 5, seq=n) for n in range(50)])
        await north.start()
        await eventually(lambda: told(sink, "north-01.broker_dropping").count("raise") == 1, within=20)
        body = json.loads(next(r.body for r in sink.requests if b"broker_dropping" in r.body))
        assert body["tier"] == "yellow"
        assert await figure(north, "broker_dropped_total") >= 20
        await broker.publish(READINGS, reading("GT-1", 5, seq=100))
        await eventually(lambda: figure(north, 'missing_seq_total{site="north",device="rtu-1"}'), within=15)


async def sees_drops(north: Gateway) -> bool:
    return bool((await health(north))["drops"] == "watched")


async def test_a_broker_that_does_not_let_us_read_its_counter_is_no_alarm_and_health_says_so(tmp_path: Path, sink: Sink) -> None:
    async with mosquitto(acl="topic readwrite hazgate/#\n") as broker, gateway(tmp_path, broker, sink, site_file(sensor("GT-1"))) as north:
        await north.start()
        await broker.publish(READINGS, reading("GT-1", 5, time=stamp()))
        await eventually(lambda: stored(north, 1), within=15)
        assert "access list" in (await health(north))["drops"]
        assert await north.alarms() == {}


async def test_a_flood_at_qos_0_neither_fills_memory_nor_delays_what_comes_at_qos_1(tmp_path: Path, sink: Sink) -> None:
    site = site_file(sensor("GT-1"), sensor("GT-2", device="rtu-2"))
    lines = tmp_path / "lines"
    lines.write_text("".join(reading("GT-2", 5, seq=n).decode() + "\n" for n in range(300_000)))
    async with mosquitto(log="error") as broker, gateway(tmp_path, broker, sink, site) as north:
        await north.start()
        before = resident(north)
        command = f"exec mosquitto_pub -p {broker.port} -t hazgate/v1/north/rtu-2/readings -q 0 -l < {lines}"
        flood = await asyncio.create_subprocess_shell(command)
        await eventually(lambda: received(north, 1000), within=20)
        await broker.publish(READINGS, reading("GT-1", 60, time=stamp()))
        await eventually(lambda: told(sink, "GT-1.high_high").count("raise") == 1, within=15)
        await asyncio.wait_for(flood.wait(), 60)
        await eventually(lambda: figure(north, "flood_passed_over_total"), within=15)
        assert resident(north) - before < 64 * 1024
        await eventually(lambda: "most of all on hazgate/v1/north/rtu-2/readings" in north.log, within=15)


async def received(north: Gateway, least: int) -> bool:
    return bool((await north.get("balance"))["received"] >= least)


def resident(north: Gateway) -> int:
    """KiB of memory that the gateway's process holds."""
    lines = Path(f"/proc/{north.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
