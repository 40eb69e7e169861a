"""What was acknowledged is decided, whatever dies in between; and nothing is acknowledged before it is on the disk."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from support.gateway import Gateway, gateway, reading, site_file
from support.servers import Heard, Mosquitto
from support.sink import Sink
from support.sites import sensor
from support.wait import eventually

from adapters.journal_tail import RESERVED

HEADS = [f"GT-{n:03}" for n in range(1, 21)]
READINGS = "hazgate/v1/north/rtu-1/readings"


def bodies(sink: Sink, condition: str) -> list[dict[str, Any]]:
    """Every message about alarms of this condition."""
    return [b for b in (json.loads(request.body) for request in sink.requests) if b["condition"] == condition]


def raised(sink: Sink, condition: str) -> Counter[str]:
    """How often li was first told of each alarm of this condition."""
    told = [(json.loads(request.body), request.path) for request in sink.requests]
    mine = [
        (b["alarm"], path) for b, path in told if b["condition"] == condition and (b["notification"]["person"], b["notification"]["kind"]) == ("li", "raise")
    ]
    return Counter(f"{alarm} over {path}" for alarm, path in mine)


async def excursions_then_kill(north: Gateway, broker: Mosquitto) -> None:
    """One reading above high-high among readings below it, of each head, acknowledged but not judged; then SIGKILL."""
    await north.start(fault="detect")
    stamp = 1_000
    for head in HEADS:
        payloads = [reading(head, value, seq=stamp + n) for n, value in enumerate([5, 6, 60, 6, 5])]
        await broker.publish_lines(READINGS, payloads)
        stamp += 10
    await eventually(lambda: acknowledged(north, 100))
    assert await north.alarms() == {}
    await north.kill()


async def acknowledged(north: Gateway, readings: int) -> bool:
    """Whether the gateway holds so many readings on its disk: they were acknowledged."""
    balance = await north.get("balance")
    return bool(balance["received"] == readings and balance["pending"] == 0 and balance["closes"])


def gone(folder: Path) -> bool:
    """Take the folder away; whether that is done."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


async def test_an_excursion_acknowledged_before_a_crash_and_not_decided_is_told_after_it_once(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    site = site_file(*(sensor(head) for head in HEADS))
    async with gateway(tmp_path, broker, sink, site) as north:
        await excursions_then_kill(north, broker)
        shutil.copytree(tmp_path / "data", tmp_path / "before", ignore=shutil.ignore_patterns("*.sock", "lock"))

        await north.start(fault="rejudge")
        await eventually(lambda: "resumed: 0 readings judged again" in north.log)
        assert [alarm for alarm in await north.alarms() if alarm.startswith("GT")] == [], "without judging again, twenty excursions are gone"
        await north.kill()
        sink.requests.clear()

        await eventually(lambda: gone(tmp_path / "data"))  # its recorder may write for a moment longer
        shutil.move(tmp_path / "before", tmp_path / "data")
        await north.start()
        wanted = {f"{head}.high_high over {path}": 1 for head in HEADS for path in ("/desk", "/phone")}
        await eventually(lambda: raised(sink, "high_high") == wanted)
        states = await north.alarms()
        assert {states[f"{head}.high_high"] for head in HEADS} == {"active_unacknowledged"}

        await eventually(lambda: [b["notification"]["kind"] for b in bodies(sink, "high_high")].count("inform") == 40)
        before = len(sink.requests)
        await north.kill()
        await north.start()
        await eventually(lambda: nothing_open(north))
        again = [json.loads(r.body) for r in sink.requests[before:]]
        assert all(b["notification"]["may_repeat"] for b in again if b["condition"] == "high_high"), "a repeat says that it may be one"


async def nothing_open(north: Gateway) -> bool:
    """Whether every message of the outbox has gone out."""
    page = await north.get("sites/north/notifications?limit=200")
    return all(each["state"] != "open" for each in page["notifications"])


async def test_a_killed_gateway_goes_on_where_it_was_and_doubles_nothing(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    site = site_file(sensor("GT-001"), sensor("GT-002"))
    async with gateway(tmp_path, broker, sink, site) as north, broker.listening("hazgate/v1/north/alarm-events") as heard:
        await north.start()
        await broker.publish(READINGS, reading("GT-001", 60, seq=1))
        await eventually(lambda: ("GT-001.high_high", "raise") in events(heard))
        li = await north.token("li")
        await north.post("sites/north/alarms/GT-001.high_high/acknowledge", li)
        await north.kill()
        await broker.publish(READINGS, reading("GT-002", 60, seq=2))
        await north.start()
        await eventually(lambda: ("GT-002.high_high", "raise") in events(heard))
        states = await north.alarms()
        assert (states["GT-001.high_high"], states["GT-002.high_high"]) == ("active_acknowledged", "active_unacknowledged")
        assert states["north-01.monitoring_gap"] == "active_unacknowledged"
        sequences = [int(str(h.json["sequence"])) for h in heard]
        distinct = {(h.json["sequence"], h.json["alarm"], h.json["event"]) for h in heard}
        assert len({sequence for sequence, _, _ in distinct}) == len(distinct), "one number, one event, over the restart"
        for run in ([n for n in set(sequences) if n <= RESERVED], [n for n in set(sequences) if n > RESERVED]):
            assert sorted(run) == list(range(min(run), max(run) + 1)), "only the journal's note of the first configuration is no event"
        assert await acknowledged(north, 2)


def events(heard: list[Heard]) -> list[tuple[object, object]]:
    """(alarm, event) of everything a foreign subscriber heard."""
    return [(h.json["alarm"], h.json["event"]) for h in heard]


async def test_the_spool_is_synced_before_each_puback_and_the_journal_before_each_first_send(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    trace = tmp_path / "trace"
    strace = ["strace", "-f", "-ttt", "-y", "-s", "64", "-e", "trace=fdatasync,fsync,sendto,sendmsg,send,write,writev", "-o", str(trace)]
    site = site_file(sensor("GT-001"))
    async with gateway(tmp_path, broker, sink, site) as north:
        await north.start(prefix=strace)
        for n in range(10):
            await broker.publish(READINGS, reading("GT-001", 60 if n == 5 else 5, seq=n))
        await eventually(lambda: raised(sink, "high_high"))
        await eventually(lambda: acknowledged(north, 10))
        await north.stop()
    lines = trace.read_text(errors="replace").splitlines()
    pubacks = [n for n, line in enumerate(lines) if re.search(r"(send\w*|write)\(\d+<(TCP|socket)[^>]*>, \"@\\", line)]
    assert pubacks, "no PUBACK (0x40) was seen"
    synced = [n for n, line in enumerate(lines) if "sync(" in line and "spool.db" in line]
    frames = [n for n, line in enumerate(lines) if "sync(" in line and "journal.db" in line]
    for puback in pubacks:
        assert any(n < puback for n in synced), lines[puback]
    first_send = next(n for n, line in enumerate(lines) if "POST /desk" in line)
    assert any(n < first_send for n in frames)
