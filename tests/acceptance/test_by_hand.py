"""The main job by hand: mosquitto_pub raises an alarm, foreign eyes see it, officers answer it, it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

from support.gateway import gateway, reading, site_file
from support.servers import Heard, Mosquitto
from support.sink import Answer, Sink
from support.sites import sensor
from support.wait import eventually

READINGS = "hazgate/v1/north/rtu-1/readings"


def states(heard: list[Heard], alarm: str) -> list[str]:
    """The states a foreign subscriber saw of an alarm's retained topic; empty payloads read `gone`."""
    topic = f"hazgate/v1/north/alarms/{alarm}"
    return [str(json.loads(h.payload)["state"]) if h.payload else "gone" for h in heard if h.topic == topic]


def told(sink: Sink, *kinds: str) -> list[tuple[str, str, str]]:
    """(alarm, person, kind) of every message the webhook got, of these kinds or all."""
    bodies = [json.loads(request.body) for request in sink.requests]
    found = [(b["alarm"], b["notification"]["person"], b["notification"]["kind"]) for b in bodies]
    return [each for each in found if not kinds or each[2] in kinds]


def seen(heard: list[Heard], alarm: str, *wanted: str) -> Callable[[], bool]:
    """Whether the alarm's retained topic has gone through these states, in this order."""

    def look() -> bool:
        left = list(wanted)
        for state in states(heard, alarm):
            if left and state == left[0]:
                left.pop(0)
        return not left

    return look


async def test_an_alarm_is_raised_acknowledged_returns_latches_is_reset_and_ends(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    site = site_file(sensor("GT-101", off_delay="1s"))
    async with gateway(tmp_path, broker, sink, site) as north, broker.listening("hazgate/v1/+/alarms/#") as heard:
        await north.start()
        await broker.publish(READINGS, reading("GT-101", 5))
        await broker.publish(READINGS, reading("GT-101", 60, unit="%LEL"))
        await eventually(seen(heard, "GT-101.high_high", "active_unacknowledged"))
        await eventually(lambda: ("GT-101.high_high", "li", "raise") in told(sink))
        li = await north.token("li")
        assert (await north.post("sites/north/alarms/GT-101.high_high/acknowledge", li, {"comment": "on my way"})).status_code == 200
        await eventually(seen(heard, "GT-101.high_high", "active_unacknowledged", "active_acknowledged"))
        refused = await north.post("sites/north/alarms/GT-101.high_high/reset", li)
        assert (refused.status_code, refused.json()["reason"]) == (409, "still_active")

        async def quiet() -> bool:
            await broker.publish(READINGS, reading("GT-101", 5))
            return seen(heard, "GT-101.high_high", "latched_acknowledged")()

        await eventually(quiet, every=0.1)
        assert (await north.post("sites/north/alarms/GT-101.high_high/reset", li)).status_code == 200
        await eventually(seen(heard, "GT-101.high_high", "latched_acknowledged", "gone"))
        await eventually(seen(heard, "GT-101.high", "gone"))
        assert await north.alarms() == {}


async def test_commands_over_mqtt_are_off_by_default_and_bound_to_the_topic_with_acl(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    site = site_file(sensor("GT-101"))
    command = "hazgate/v1/north/commands/li/acknowledge"
    body = json.dumps({"id": "c-1", "alarm": "GT-101.high"}).encode()
    async with broker.listening("hazgate/v1/north/replies/#") as replies:
        async with gateway(tmp_path, broker, sink, site) as north:
            await north.start()
            await broker.publish(READINGS, reading("GT-101", 30))
            await broker.publish(command, body)
            await eventually(lambda: [reply.json for reply in replies] == [{"id": "c-1", "ok": False, "reason": "off"}])
        async with gateway(tmp_path, broker, sink, site, commands={"mqtt": "acl"}) as north:
            await north.start()
            assert await north.alarms() == {"GT-101.high": "active_unacknowledged", "north-01.monitoring_gap": "active_unacknowledged"}
            await broker.publish(command, body)
            await eventually(lambda: len(replies) > 1 and replies[-1].json == {"id": "c-1", "ok": True})
            assert (await north.alarms())["GT-101.high"] == "active_acknowledged"


async def test_signed_commands_need_the_token_of_the_person_in_the_topic(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    site = site_file(sensor("GT-101"))
    async with (
        gateway(tmp_path, broker, sink, site, commands={"mqtt": "signed"}) as north,
        broker.listening("hazgate/v1/north/replies/#") as replies,
    ):
        await north.start()
        li = await north.token("li")
        await broker.publish(READINGS, reading("GT-101", 30))
        for identity, user, token in (("a", "li", "nonsense"), ("b", "wang", li), ("c", "li", li)):
            body = {"id": identity, "alarm": "GT-101.high", "token": token}
            await broker.publish(f"hazgate/v1/north/commands/{user}/acknowledge", json.dumps(body).encode())
        await eventually(lambda: len(replies) == 3)
        assert {str(r.json["id"]): r.json.get("reason", "done") for r in replies} == {"a": "unknown_person", "b": "unknown_person", "c": "done"}


async def test_an_alarm_nobody_acknowledges_climbs_the_chain_and_an_answer_stops_it(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    chain = {
        "inform": [{"after": "0s", "tell": ["leader"]}],
        "steps": [{"after": "0s", "tell": ["officer"]}, {"after": "1s", "tell": ["leader"]}],
        "repeat": "1s",
    }
    tiers = {"red": chain, "orange": chain, "yellow": {"steps": [{"after": "0s", "tell": ["officer"]}]}, "blue": {}}
    site = site_file(sensor("GT-101"), escalation=tiers)
    async with gateway(tmp_path, broker, sink, site) as north:
        await north.start()
        await broker.publish(READINGS, reading("GT-101", 60))
        lead = "GT-101.high_high"
        await eventually(lambda: {(lead, "li", "raise"), (lead, "wang", "inform"), (lead, "wang", "escalate")} <= set(told(sink)))
        await eventually(lambda: {(lead, "li", "repeat"), (lead, "wang", "repeat")} <= set(told(sink)))
        assert "north-01.escalation_exhausted" in await north.alarms()
        li = await north.token("li")
        await north.post(f"sites/north/alarms/{lead}/acknowledge", li)
        before = len(told(sink, "repeat"))
        await eventually(lambda: (lead, "wang", "inform") in told(sink, "inform"))
        await broker.publish(READINGS, reading("GT-101", 61))
        assert len(told(sink, "repeat")) - before <= 2, "at most the round that was under way"


async def test_a_failed_message_is_tried_again_with_the_same_key(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    site = site_file(sensor("GT-101"))
    sink.answers.extend([Answer(503)] * 4)
    async with gateway(tmp_path, broker, sink, site) as north:
        await north.start()
        await broker.publish(READINGS, reading("GT-101", 30))
        await eventually(lambda: len([r for r in sink.requests if r.path == "/desk"]) >= 2)
        keys = {r.headers["idempotency-key"] for r in sink.requests if r.path == "/desk" and json.loads(r.body)["notification"]["person"] == "li"}
        assert len(keys) == 1


async def test_a_sensor_in_commissioning_is_recorded_and_judged_and_annunciates_nothing(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    fresh = sensor("GT-102")
    del fresh["commissioned"]
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-101"), fresh)) as north:
        await north.start()
        await broker.publish(READINGS, reading("GT-102", 60))
        await broker.publish(READINGS, reading("GT-101", 30))
        await eventually(lambda: told(sink))
        assert {alarm for alarm, _, _ in told(sink)} == {"GT-101.high"}
        alarm = await north.get("sites/north/alarms/GT-102.high_high")
        assert (alarm["mode"], [s["kind"] for s in alarm["suppression"]]) == ("commissioning", ["commissioning"])
        await eventually(lambda: north.get("balance"))
        assert (await north.get("balance"))["received"] == 2


async def test_the_state_topic_shows_the_worst_color_and_until_when_to_believe_it(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-101"))) as north, broker.listening("hazgate/v1/north/state") as heard:
        await north.start()
        await eventually(lambda: heard and heard[-1].json["color"] == "grey")
        await broker.publish(READINGS, reading("GT-101", 60))
        await eventually(lambda: heard[-1].json["color"] == "red")
        state = heard[-1].json
        assert state["zones"] == {"pumps": {"color": "red", "in_service": 1, "of": 1}}
        assert (state["active"], state["unacknowledged"]) == (2, 2)
        assert str(state["valid_until"]) > str(state["at"])


async def test_the_gateways_status_is_its_will_too(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with broker.listening("hazgate/v1/gateways/+/status") as heard:

        def said() -> list[bool]:
            """Each change of what it says; it says the same again when a head of the journal was signed."""
            return [bool(online) for online, _ in groupby(status.json["online"] for status in heard)]

        async with gateway(tmp_path, broker, sink, site_file(sensor("GT-101"))) as north:
            await north.start()
            await eventually(lambda: said() == [True])
            await north.kill()
            await eventually(lambda: said() == [True, False])
            await north.start()
            await eventually(lambda: said() == [True, False, True])
        await eventually(lambda: said() == [True, False, True, False])
        assert heard[-1].json["online"] is False
