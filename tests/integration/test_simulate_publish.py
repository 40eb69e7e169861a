"""A virtual site on a real broker: what it counts as published is what a stranger hears, and the alarms it hears are judged."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from support.servers import Heard, Mosquitto, amqtt, mosquitto
from support.wait import eventually

from adapters.clock import SystemClock
from alerts.reading import SECOND
from simulators.links import Broker, Listener, Unreachable
from simulators.oracle import Ledger
from simulators.run import Live, Outcome, Progress, run_live
from simulators.scenario import Scenario, load

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "simulators/scenarios/demo.yaml"


def live(broker: Mosquitto, seconds: int, stop: asyncio.Event | None = None) -> Live:
    return Live(Broker.parse(broker.url), seed=1, duration=seconds * SECOND, now=SystemClock().now, stop=stop or asyncio.Event())


def readings(heard: list[Heard]) -> list[dict[str, Any]]:
    """Every reading that was heard, with its device."""
    messages = [message for message in heard if message.topic.endswith("/readings")]
    return [reading | {"device": message.topic.split("/")[3]} for message in messages for reading in json.loads(message.payload)]


@pytest.fixture(scope="module")
def demo() -> Scenario:
    return load(DEMO)


async def test_published_is_what_a_foreign_subscriber_receives(demo: Scenario) -> None:
    reported: list[Progress] = []
    async with mosquitto() as broker, broker.listening("hazgate/v1/#") as heard:
        outcome = await run_live(demo, live(broker, 4), reported.append)
        await eventually(lambda: len(readings(heard)) == outcome.published)
    received = readings(heard)
    assert outcome.published == 60 * 4
    assert outcome.unconfirmed == 0
    assert outcome.messages == sum(1 for message in heard if message.topic.endswith("/readings"))
    assert Counter(reading["sensor"] for reading in received) == {point.id: 4 for point in demo.place.sensors}
    assert {(reading["sensor"], reading["device"]) for reading in received} == {(point.id, point.device) for point in demo.place.sensors}
    for device in demo.place.devices:
        numbers = [reading["seq"] for reading in received if reading["device"] == device]
        assert numbers == list(range(len(numbers)))
    assert [progress.phase for progress in reported] == ["quiet"] * 5


async def test_readings_are_stamped_with_the_time_at_which_they_are_sent(demo: Scenario) -> None:
    clock = SystemClock()
    async with mosquitto() as broker, broker.listening("hazgate/v1/demo/mcc-2/readings") as heard:
        before = clock.now() // 1_000_000
        await run_live(demo, live(broker, 2), lambda _progress: None)
        after = clock.now() // 1_000_000
        many = 2 * sum(point.device == "mcc-2" for point in demo.place.sensors)
        await eventually(lambda: len(readings(heard)) == many)
    times = [reading["time"] for reading in readings(heard)]
    assert before <= min(times) <= max(times) <= after
    assert max(times) - min(times) == 1000


async def test_every_device_says_that_it_is_there_and_does_not_say_that_it_left(demo: Scenario) -> None:
    async with mosquitto() as broker:
        await run_live(demo, live(broker, 1), lambda _progress: None)
        async with broker.listening("hazgate/v1/demo/+/status") as heard:
            await eventually(lambda: len(heard) == len(demo.place.devices))
    assert all(message.json == {"online": True} and message.retained for message in heard)


async def test_a_broker_that_restarts_costs_no_reading(demo: Scenario) -> None:
    """Confirmed readings are all delivered to a subscriber that stays away and comes back, and none is given up."""
    async with mosquitto() as broker:
        run = asyncio.create_task(run_live(demo, live(broker, 6), lambda _progress: None))
        await eventually(lambda: "demo-mcc-2" in broker.log)
        await broker.restart()
        async with broker.listening("hazgate/v1/demo/+/readings") as heard:
            outcome = await run
            last = {reading["sensor"]: reading for reading in readings(heard)}
    assert outcome.published == 60 * 6
    assert outcome.unconfirmed == 0
    assert last.keys() == {point.id for point in demo.place.sensors}
    assert any("the connection to the broker was lost" in difference for difference in outcome.differences)


async def test_stopping_ends_publishing_and_waits_for_confirmations(demo: Scenario) -> None:
    stop = asyncio.Event()
    async with mosquitto() as broker, broker.listening("hazgate/v1/demo/+/readings") as heard:
        run = asyncio.create_task(run_live(demo, live(broker, 0, stop), lambda _progress: None))
        await eventually(lambda: len(readings(heard)) > 60)
        stop.set()
        outcome = await run
        await eventually(lambda: len(readings(heard)) == outcome.published)
    assert outcome.unconfirmed == 0


async def test_alarm_events_on_the_broker_are_compared_with_the_oracle(demo: Scenario) -> None:
    def event(alarm: str, tier: str) -> bytes:
        return json.dumps({"alarm": alarm, "event": "raise", "tier": tier, "mode": "real"}).encode()

    async def play(broker: Mosquitto) -> Outcome:
        run = asyncio.create_task(run_live(demo, live(broker, 3), lambda _progress: None))
        await eventually(lambda: "demo-mcc-2" in broker.log)
        async with broker.listening("hazgate/v1/demo/mcc-2/readings") as heard:
            await eventually(lambda: bool(heard))
        for payload in (event("GT-101.high", "orange"), event("GT-201.high", "orange"), b"nonsense"):
            await broker.publish("hazgate/v1/demo/alarm-events", payload)
        return await run

    async with mosquitto() as broker:
        outcome = await play(broker)
    assert [sighting.alarm for sighting in outcome.sightings] == ["GT-101.high", "GT-201.high"]
    assert not any(difference.startswith("GT-101.high: raise") for difference in outcome.differences)
    assert any(difference.startswith("GT-201.high: raise (orange) at ") for difference in outcome.differences)
    assert "1 alarm events could not be read, first b'nonsense'" in outcome.differences


async def test_a_broker_that_sends_more_than_was_asked_for_adds_no_alarm_event() -> None:
    """So does amqtt: it gives every new connection the retained messages of all topics that anybody has subscribed to."""
    ledger = Ledger()
    async with amqtt() as port, aiomqtt.Client("127.0.0.1", port) as gateway:
        await gateway.subscribe("hazgate/v1/#", qos=1)
        await gateway.publish("hazgate/v1/demo/rtu-1/status", b'{"online": true}', qos=1, retain=True)
        listener = Listener(Broker.parse(f"mqtt://127.0.0.1:{port}"), "demo", ledger, lambda: 0)
        listening = asyncio.create_task(listener.run(), name="listener")
        await asyncio.wait_for(listener.ready.wait(), 20)
        await gateway.publish("hazgate/v1/demo/alarm-events", b'{"alarm": "GT-101.high", "event": "raise", "tier": "orange", "mode": "real"}', qos=1)
        await eventually(lambda: ledger.events == 1)
        listening.cancel()
        await asyncio.wait([listening])
    assert (listener.unreadable, listener.riddle) == (0, None)


async def test_a_broker_that_refuses_the_login_is_told_in_one_sentence(demo: Scenario) -> None:
    async with mosquitto(users={"rtu": "hush"}) as broker:
        with pytest.raises(Unreachable, match=rf"the broker {broker.url} cannot be used: .*(?i:not authorized)"):
            await run_live(demo, live(broker, 1), lambda _progress: None)


async def test_the_command_prints_its_object_when_it_is_terminated(demo: Scenario) -> None:
    async with mosquitto() as broker, broker.listening("hazgate/v1/demo/+/readings") as heard:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway.cli.main", "simulate", str(DEMO), "--broker", broker.url, "--seconds", "0", "--json"),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        await eventually(lambda: len(readings(heard)) > 60)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            out, err = await process.communicate()
        summary = json.loads(out.splitlines()[-1])
        await eventually(lambda: len(readings(heard)) == summary["published"])
    assert process.returncode == 1
    assert summary["unconfirmed"] == 0
    assert not summary["ok"]
    assert "GT-101.high: raise (orange) was due by 12.0 s, but the run was stopped at" in err.decode()
