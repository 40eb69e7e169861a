"""Whatever is sent to a gateway, it stays up, stays small, counts it, and judges the next good reading at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import resource
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from support.gateway import Gateway, gateway, reading, site_file
from support.servers import Mosquitto, mosquitto
from support.sink import Sink, webhook_sink
from support.sites import sensor
from support.wait import eventually

READINGS = "hazgate/v1/north/rtu-1/readings"
COMMANDS = "hazgate/v1/north/commands"
AT_ONCE = 5.0
"""Seconds: a few milliseconds on a machine that does nothing else."""
MORE_MEMORY = 128
"""MiB that a gateway may grow by, whatever comes: two messages of 65,536 elements at work, and two on their way to the disk."""
ONE = b'{"sensor":"GT-102","value":%s}'
UNREADABLE_NUMBERS = [ONE % number for number in (b"1e999", b"-1e999", b"9" * 400, b"9" * 5000, b"0x10", b"01", b"+1", b".5", b'"1"', b"null", b"{}")]
NO_NUMBERS = [ONE % number for number in (b"NaN", b"-Infinity")]
GOOD_NUMBERS = [ONE % number for number in (b"-0", b"-0.0", b"5e-324", b"false")]
TIMES = [
    b'{"sensor":"GT-102","value":1,"time":%s}' % time for time in (b'"0001-01-01T00:00:00Z"', b'"9999-12-31T23:59:59Z"', b"1.5", b"9" * 400, b"true", b"{}")
]
FAR_TIMES = [b'{"sensor":"GT-102","value":%d,"time":%d}' % (n, time) for n, time in enumerate((-1, 9_223_372_036_854, -9_223_372_036_854))]
APART = b'[{"sensor":"GT-102","value":1,"time":9223372036853},{"sensor":"GT-102","value":2,"time":-9223372036853}]'
DEEP = [b"[" * 100_000, b'{"a":' * 40_000, b"[" * 100_000 + b"]" * 100_000, b"[" * 100_000 + b"NaN" + b"]" * 100_000]
TEXT = [b"", b"\xff\xfe", b"null", b"[]", b'"x"', b"true", b'{"sensor":"\\ud800","value":1}', b'{"sensor":"GT-102","value":1,"unit":"\xff"}']
STRANGERS = [json.dumps({"sensor": name, "value": 1}).encode() for name in ("罐", "GT\u202e", "a" * 41, "", "GT-101\n", "../x", "nobody")]


@pytest.fixture
async def broker() -> AsyncIterator[Mosquitto]:
    async with mosquitto() as server:
        yield server


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with webhook_sink() as server:
        yield server


class Publisher:
    """A device that sends as fast as it can, with whatever it likes."""

    def __init__(self, port: int) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.max_inflight_messages_set(200)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    async def send(self, topic: str, payloads: Sequence[bytes], *, properties: Properties | None = None) -> None:
        """At QoS 1; returns when the broker has them all."""
        await asyncio.to_thread(self.push, [(topic, payload) for payload in payloads], properties)

    def push(self, messages: Sequence[tuple[str, bytes]], properties: Properties | None = None) -> None:
        """The same, waiting in the caller's thread."""
        for each in [self._client.publish(topic, payload, 1, properties=properties) for topic, payload in messages]:
            each.wait_for_publish(20)

    def close(self) -> None:
        """Say goodbye."""
        self._client.disconnect()
        self._client.loop_stop()


@contextlib.contextmanager
def publisher(broker: Mosquitto) -> Iterator[Publisher]:
    """A connected one."""
    made = Publisher(broker.port)
    try:
        yield made
    finally:
        made.close()


def resident(north: Gateway) -> int:
    """MiB, at most so far."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{north.pid}/status").read_text())
    assert found
    return int(found[1]) // 1024


async def judges(north: Gateway, broker: Mosquitto, value: float) -> None:
    """The next good reading is judged at once, and everything received is accounted for."""
    await broker.publish(READINGS, reading("GT-101", value))

    async def judged() -> bool:
        return bool((await north.get("sites/north/sensors/GT-101"))["value"] == value)

    await eventually(judged, within=AT_ONCE)
    assert (await north.get("balance"))["closes"]


async def settled(north: Gateway, received: int) -> dict[str, int]:
    """The balance, once that many were received and nothing is pending."""
    found: dict[str, int] = {}

    async def look() -> bool:
        found.update(await north.get("balance"))
        assert found["closes"]
        return found["received"] == received and found["pending"] == 0

    await eventually(look)
    return found


async def figure(north: Gateway, name: str) -> float:
    """One figure of /metrics."""
    found = re.search(rf"^hazgate_{name} (\S+)$", (await north.client.get("/metrics")).text, re.MULTILINE)
    assert found
    return float(found[1])


async def test_every_kind_of_poison_is_counted_and_set_aside_and_the_next_reading_is_judged(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    poison = [*UNREADABLE_NUMBERS, *TIMES, *DEEP, *TEXT, *STRANGERS, b"x" * 2**20, b"x" * (4 * 2**20 - 100)]
    fine = [*NO_NUMBERS, *GOOD_NUMBERS, *FAR_TIMES]
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-101"), sensor("GT-102"))) as north:
        await north.start()
        before = resident(north)
        with publisher(broker) as device:
            for payload, good in zip(poison, [*fine, *[b""] * len(poison)], strict=False):
                await device.send(READINGS, [payload, *([good] if good else [])])
            await device.send(READINGS, [APART])
            await device.send("hazgate/v1/north/rtu-1/status", [b"", b"[" * 2**20, b'{"online":1}', b'{"online":false}'])
        await judges(north, broker, 60)
        assert "GT-101.high_high" in await north.alarms()
        found = await settled(north, len(poison) + len(fine) + 2 + 3 + 1)
        assert found["quarantined"] == len(poison) + 3
        assert resident(north) - before <= MORE_MEMORY
        assert '"level": "error"' not in north.log


async def test_small_messages_do_not_grow_large_inside(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    """Arrays of elements that are no readings, and of readings that share one long word, once filled 16 GiB."""
    ones, run = b",".join([b"1"] * 65_536), b",".join([b"1"] * 20_000)
    payloads = [b"[%s]" % ones] * 4 + [b"[%s,1,1]" % ones, b'{"sensor":"GT-102","unit":"%s","value":[%s],"time":[%s]}' % (b"u" * 100_000, run, run)]
    strangers = b"[%s]" % b",".join([b'{"sensor":"a","value":1}'] * 9_000)
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-101"), sensor("GT-102"))) as north:
        await north.start()
        before = resident(north)
        with publisher(broker) as device:
            await device.send(READINGS, payloads)
            await device.send(f"hazgate/v1/north/{'d' * 60_000}/readings", [strangers])
        found = await settled(north, 4 * 65_536 + 1 + 1 + 9_000)
        assert found["quarantined"] == found["received"]
        assert await figure(north, "quarantine_forgotten_total") == found["quarantined"] - 10_000, "it says what it dropped"
        await judges(north, broker, 7)
        assert resident(north) - before <= MORE_MEMORY
        assert (tmp_path / "data" / "spool.db").stat().st_size < 100 * 2**20


async def test_twenty_thousand_topics_half_of_them_poison_take_no_memory(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-101"), sensor("GT-102"))) as north:
        await north.start()
        before = resident(north)
        with publisher(broker) as device:
            messages = [(f"hazgate/v1/north/设备-{n}/readings", b"\xff" if n % 2 else reading("GT-102", n)) for n in range(20_000)]
            flood = asyncio.create_task(asyncio.to_thread(device.push, messages), name="flood")
            await judges(north, broker, 8)
            await flood
            await settled(north, 20_001)
        assert resident(north) - before <= MORE_MEMORY


async def test_commands_full_of_nonsense_change_nothing_and_their_answers_reach_no_other_topic(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    bodies = [
        b"",
        b"[]",
        b"\xff",
        b"[" * 60_000,
        b'{"id":"../x"}',
        b'{"id":"a","alarm":1}',
        b'{"id":"b","sequence":%s}' % (b"9" * 400),
        b'{"id":"c","until":"9999-12-31T23:59:59Z"}',
    ]
    places = ["hazgate/v1/north/alarms/GT-101.high", READINGS, "hazgate/v1/gateways/north-01/status", "hazgate/v1/south/replies/x", "$SYS/x", "$share/a/b"]
    async with (
        gateway(tmp_path, broker, sink, site_file(sensor("GT-101")), commands={"mqtt": "acl"}) as north,
        broker.listening("hazgate/v1/+/alarms/#", "hazgate/v1/south/#", "hazgate/v1/gateways/#") as heard,
    ):
        await north.start()
        await judges(north, broker, 60)
        with publisher(broker) as person:
            for user, verb in (("nobody", "acknowledge"), ("a" * 30_000, "nonsense"), ("\u202e", "罐"), ("li", "reset")):
                await person.send(f"{COMMANDS}/{user}/{verb}", bodies)
            for place in places:
                wish = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves this one constructor without annotations
                wish.ResponseTopic = place
                await person.send(f"{COMMANDS}/li/shelve", [b'{"id":"d","alarm":"GT-101.high"}'], properties=wish)
            await person.send(f"{COMMANDS}/li/acknowledge", [b'{"id":"f"}'] * 2_000)

        async def up() -> bool:
            return (await north.client.get("/api/v1/health")).status_code == 200

        await eventually(up)
        await judges(north, broker, 61)
        assert await north.alarms() == {"GT-101.high": "active_unacknowledged", "GT-101.high_high": "active_unacknowledged"}
        assert [message.topic for message in heard if b'"ok"' in message.payload] == []


async def test_a_topic_that_the_broker_forbids_costs_a_few_connections_and_not_the_gateways_sight(tmp_path: Path, sink: Sink) -> None:
    """Mosquitto 2.0 ends an MQTT 5 connection at every publication that its access list forbids."""
    rules = "topic read hazgate/#\ntopic write hazgate/v1/+/rtu-1/#\ntopic write hazgate/v1/gateways/#\n"
    async with mosquitto(acl=rules) as broker, gateway(tmp_path, broker, sink, site_file(sensor("GT-101"))) as north:
        await north.start()

        async def judged_at_once() -> bool:
            await judges(north, broker, 9)
            return "hazgate/v1/north/state" in north.log

        await eventually(judged_at_once)
        ends = north.log.count("broker down")
        for value in range(10, 40):
            await judges(north, broker, value / 2)
        assert north.log.count("broker down") - ends <= 1


@pytest.mark.parametrize("name", ["control.sock", "history.sock"])
async def test_nonsense_on_a_socket_of_the_data_directory_ends_the_connection_and_nothing_else(
    name: str, tmp_path: Path, broker: Mosquitto, sink: Sink
) -> None:
    long = 10**30
    questions = [b"", b"\n", b"\xff\n", b"[" * 4_000 + b"\n", b"x" * 100_000, b"[]\n", b'{"ask":"count","x":%s}\n' % (b"9" * 5_000)]
    questions += [
        b'{"ask":"token_create","person":"li","for":%d}\n' % long,
        b'{"ask":"readings","since":-%d,"until":%d,"site":null,"sensor":null}\n' % (long, long),
    ]
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-101"))) as north:
        await north.start()
        await eventually((tmp_path / "data" / name).exists)
        for question in questions:
            asker, writer = await asyncio.open_unix_connection(tmp_path / "data" / name)
            with contextlib.suppress(ConnectionError):
                writer.write(question)
                writer.write_eof()
                await asyncio.wait_for(asker.read(), 20)
            writer.close()
        await judges(north, broker, 60)
        assert (await north.get("sites/north/alarms/GT-101.high_high"))["journaled"]
        assert '"level": "error"' not in north.log


async def test_http_clients_that_lie_or_say_nothing_are_turned_away(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-101"))) as north, contextlib.AsyncExitStack() as idle:
        await north.start()
        acknowledge = "/api/v1/sites/north/alarms/GT-101.high/acknowledge"
        assert (await north.client.get("/api/v1/sites", headers={"Host": "evil.example"})).status_code == 403
        assert (await north.client.get("/api/v1/../../etc/passwd")).status_code == 404
        assert (await north.client.get("/api/v1/sites/%2e%2e%2fnorth/alarms")).status_code == 404
        assert (await north.client.request("TRACE", "/api/v1/sites")).status_code in (401, 405)
        li = {"Authorization": f"Bearer {await north.token('li')}"}
        assert (await north.client.post(acknowledge, headers=li, content=b"x" * 70_000)).status_code == 413
        assert (await north.client.post(acknowledge, headers=li, content=b"[" * 60_000)).status_code == 422
        assert (await north.client.post(acknowledge.replace("acknowledge", "罐"), headers=li)).status_code == 422
        guesses = [north.client.post(acknowledge, headers={"Authorization": f"Bearer hzg_{n:08x}_guess"}) for n in range(40)]
        assert {answer.status_code for answer in await asyncio.gather(*guesses)} == {401}
        for _ in range(300):
            held = idle.enter_context(socket.create_connection(("127.0.0.1", north.port)))
            with contextlib.suppress(OSError):
                held.send(b"POST /api/v1/sites HTTP/1.1\r\nHost: localhost\r\n")
        await broker.publish(READINGS, reading("GT-101", 60))
        await eventually(lambda: [request.json["alarm"] for request in sink.requests], within=AT_ONCE)


async def test_a_reload_and_a_stop_in_the_middle_of_a_flood_lose_nothing(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-101"))) as north:
        await north.start()
        os.kill(north.pid, signal.SIGHUP)
        await eventually(lambda: north.log.count("guarding") == 2)
        await eventually(north._ready)
        await judges(north, broker, 5)
        with publisher(broker) as device:
            flood = asyncio.create_task(device.send(READINGS, [reading("GT-101", n % 10, seq=n) for n in range(5_000)]), name="flood")
            await eventually(lambda: arrived(north, 500))
            assert await north.stop() == 0
            await flood
        await north.start()
        found = await settled(north, 5_001)
        assert found["duplicate"] == 0, "an orderly stop leaves nothing to be sent twice"


async def arrived(north: Gateway, received: int) -> bool:
    """Whether that many were received."""
    return bool((await north.get("balance"))["received"] >= received)


@pytest.mark.parametrize("crash", [False, True])
async def test_a_disk_that_takes_no_more_stops_the_acknowledgements_is_said_and_passes(crash: bool, tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    """A limit on the size of the process's files stands for the end of the disk."""
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-101"))) as north, contextlib.AsyncExitStack() as stack:
        await north.start()
        await judges(north, broker, 5)
        await settled(north, 1)
        size = (tmp_path / "data" / "spool.db-wal").stat().st_size
        resource.prlimit(north.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        device = stack.enter_context(publisher(broker))
        await device.send(READINGS, [reading("GT-101", n % 10, seq=n) for n in range(20_000)])
        health: dict[str, Any] = {}

        async def said() -> bool:
            health.update((await north.client.get("/api/v1/health")).json())
            return "spool" in health["obstacles"]

        await eventually(said)
        assert not health["ingesting"]
        assert "to the spool" in north.log
        found = await north.get("balance")
        assert (found["stored"] + found["spooled"], found["closes"]) == (1, True), "nothing is held to be safe that is not"
        if crash:
            await north.kill()
            await north.start()
        else:
            resource.prlimit(north.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await settled(north, 20_001)
        await judges(north, broker, 60)


async def refusal(north: Gateway) -> tuple[int, str]:
    """Exit status and last words of a gateway that cannot start."""
    await north.start(ready=False)
    status = await north.wait()
    last = [line for line in north.log.splitlines() if '"critical"' in line]
    assert len(last) == 1, north.log
    assert "Traceback" not in north.log
    return status, str(json.loads(last[0])["message"])


async def test_a_second_gateway_on_the_same_directory_or_port_says_so_and_leaves(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    (tmp_path / "other").mkdir()
    site = site_file(sensor("GT-101"))
    async with gateway(tmp_path, broker, sink, site) as north, gateway(tmp_path / "other", broker, sink, site, data_dir=str(tmp_path / "data")) as same:
        await north.start()
        status, words = await refusal(same)
        assert (status, f"in use by process {north.pid}" in words) == (3, True)
        (tmp_path / "third").mkdir()
        listen = {"listen": f"127.0.0.1:{north.port}"}
        async with gateway(tmp_path / "third", broker, sink, site, api=listen) as third:
            assert await refusal(third) == (5, f"cannot listen on 127.0.0.1:{north.port}: Address already in use")
        await judges(north, broker, 5)


@pytest.mark.parametrize("name", ["journal.db", "spool.db"])
@pytest.mark.parametrize("damage", ["no database", "cut off", "a page overwritten"])
async def test_a_damaged_file_is_refused_with_one_sentence(name: str, damage: str, tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-101"))) as north:
        await north.start()
        await judges(north, broker, 60)
        await north.stop()
        path = tmp_path / "data" / name
        body = path.read_bytes()
        harmed = {"no database": b"x" * len(body), "cut off": body[: len(body) // 2], "a page overwritten": body[:4096] + b"\xaa" * (len(body) - 4096)}
        path.write_bytes(harmed[damage])
        status, words = await refusal(north)
        assert (status, str(path) in words and "damaged" in words) == (4, True)
