"""A real mosquitto whose access list denies the gateway something: it says so, once, and goes on guarding."""

from __future__ import annotations

import json
from pathlib import Path

from support.gateway import Gateway, gateway, reading, site_file
from support.servers import Mosquitto, mosquitto
from support.sink import Sink
from support.sites import sensor
from support.wait import eventually

READINGS = "hazgate/v1/north/rtu-1/readings"
HEADS = [f"GT-{number}" for number in range(12)]
FAILED = "north-01.notification_failed"
DENIES_ALARMS = """
topic readwrite hazgate/v1/+/+/readings
topic readwrite hazgate/v1/+/+/status
topic readwrite hazgate/v1/+/alarm-events
topic readwrite hazgate/v1/+/state
topic readwrite hazgate/v1/gateways/#
"""


def connections(broker: Mosquitto) -> int:
    """How often the gateway has connected."""
    return broker.log.count(" as hazgate-north-01 (")


def told_of_failure(sink: Sink) -> list[str]:
    """Over which channels the last resort was told that something could not be told."""
    return [request.path for request in sink.requests if json.loads(request.body)["alarm"] == FAILED]


async def in_alarm(north: Gateway, value: float, broker: Mosquitto) -> None:
    """All heads go past their limits, and all alarms stand."""
    await broker.publish(READINGS, json.dumps([json.loads(reading(head, value)) for head in HEADS]).encode())
    await eventually(lambda: standing(north, f"{HEADS[-1]}.high_high"), within=20)


async def standing(north: Gateway, alarm: str) -> bool:
    """Whether an alarm stands."""
    return alarm in await north.alarms()


async def test_alarms_that_the_broker_does_not_take_are_one_message_and_no_loop_of_reconnects(tmp_path: Path, sink: Sink) -> None:
    """Each of 24 alarm topics is denied, and mosquitto 2.0 ends the connection for each publication there."""
    site = site_file(*(sensor(head, stale="5m") for head in HEADS))
    async with mosquitto(acl=DENIES_ALARMS) as broker, gateway(tmp_path, broker, sink, site) as north, broker.listening("hazgate/v1/+/alarm-events") as events:
        await north.start()
        await in_alarm(north, 60, broker)
        await eventually(lambda: standing(north, FAILED), within=20)
        alarm = await north.get(f"sites/north/alarms/{FAILED}")
        assert (alarm["tier"], alarm["place"]) == ("red", "hazgate/v1/north/alarms/+: Not authorized")
        await eventually(lambda: len(told_of_failure(sink)) == 2, within=20)
        assert connections(broker) <= 4

        await north.stop()
        before = connections(broker)
        await north.start()
        await in_alarm(north, 61, broker)
        await eventually(lambda: any(heard.json["alarm"] == "north-01.monitoring_gap" for heard in events), within=20)
        assert connections(broker) - before <= 4
        await broker.publish(READINGS, reading(HEADS[0], 5))
        await eventually(lambda: reads(north, HEADS[0], 5), within=20)
        assert sorted(told_of_failure(sink)) == ["/desk", "/phone"], "once, over both channels of the last resort"


async def reads(north: Gateway, head: str, value: float) -> bool:
    """Whether the gateway has that reading."""
    return bool((await north.get(f"sites/north/sensors/{head}"))["value"] == value)


async def test_a_channel_over_a_topic_that_is_denied_has_failed_and_ends_no_connection_again(tmp_path: Path, sink: Sink) -> None:
    people = [
        {"id": "li", "role": "officer", "reach": ["pager"]},
        {"id": "wang", "role": "leader", "reach": ["pager", "desk"]},
    ]
    site = site_file(*(sensor(head, stale="5m") for head in HEADS), people=people)
    notify = {"desk": {"kind": "webhook", "url": f"{sink.url}/desk"}, "pager": {"kind": "mqtt", "topic": "pager", "timeout": "2s"}}
    async with mosquitto(acl="topic readwrite hazgate/v1/#\n") as broker, gateway(tmp_path, broker, sink, site, notify=notify) as north:
        await north.start()
        await in_alarm(north, 60, broker)
        await eventually(lambda: told_of_failure(sink) == ["/desk"], within=30)
        alarm = await north.get(f"sites/north/alarms/{FAILED}")
        assert "li over pager: the broker refused pager: Not authorized" in alarm["place"]
        assert connections(broker) <= 4


async def test_a_subscription_that_is_granted_and_gives_nothing_is_one_message_that_says_where_to_look(tmp_path: Path, sink: Sink) -> None:
    """Mosquitto 2.0 grants what its access list denies, so only the silence of all devices can tell."""
    heads = [sensor(head, device=f"rtu-{number // 2}", stale="4s") for number, head in enumerate(HEADS)]
    async with mosquitto(acl="topic write hazgate/v1/#\n") as broker, gateway(tmp_path, broker, sink, site_file(*heads)) as north:
        await north.start()
        await broker.publish(READINGS, reading(HEADS[0], 5))
        await eventually(lambda: standing(north, "north-01.broker_lost"), within=30)
        await eventually(lambda: standing(north, "rtu-5.offline"), within=30)
        alarm = await north.get("sites/north/alarms/north-01.broker_lost")
        assert (alarm["tier"], "access list" in alarm["place"]) == ("orange", True)
        assert (await north.alarms())["rtu-5.offline"] == "active_acknowledged"
        await eventually(lambda: sink.requests, within=20)
        assert {json.loads(request.body)["alarm"] for request in sink.requests} == {"north-01.broker_lost"}
