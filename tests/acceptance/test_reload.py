"""Changed files under load: taken up without losing a reading or doubling an alarm, or kept out with a reason."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx
from support.gateway import HAZGATE, Gateway, gateway, reading, site_file
from support.servers import Mosquitto
from support.sink import Sink
from support.sites import sensor
from support.wait import eventually

READINGS = "hazgate/v1/north/rtu-1/readings"
HEADS = (sensor("GT-1"), sensor("GT-2"), sensor("GT-3"))


async def reload(north: Gateway) -> tuple[int, str]:
    """`hazgate reload`: its exit status and what it said."""
    process = await asyncio.create_subprocess_exec(HAZGATE, "reload", "--config", str(north.config), stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    return process.returncode or 0, said.decode()


def change(north: Gateway, *sensors: dict[str, Any], **changes: Any) -> None:
    """Write another site file."""
    (north.folder / "north.yaml").write_text(json.dumps(site_file(*sensors, **changes), ensure_ascii=False))


def starts(north: Gateway) -> int:
    """How often it has begun to guard."""
    return north.log.count("guarding north")


def told(sink: Sink, alarm: str) -> list[tuple[str, str, bool]]:
    """Kind, person and whether it may be a repeat, of every message about an alarm."""
    bodies = [json.loads(request.body) for request in sink.requests]
    return [(b["notification"]["kind"], b["notification"]["person"], b["notification"]["may_repeat"]) for b in bodies if b["alarm"] == alarm]


async def test_a_change_under_load_loses_no_reading_and_doubles_no_alarm(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(*HEADS)) as north:
        await north.start()
        pid = north.pid
        await broker.publish_lines(READINGS, [reading("GT-2", 60.0, seq=1)])
        await eventually(lambda: len([kind for kind, person, _ in told(sink, "GT-2.high_high") if (kind, person) == ("raise", "li")]) == 2)
        before = told(sink, "GT-2.high_high")
        change(north, sensor("GT-1", limits={"high": 10, "high_high": 50}), *HEADS[1:])
        sent = 0
        for turn in range(40):
            if turn == 5:
                os.kill(north.pid, signal.SIGHUP)
            await broker.publish_lines(READINGS, [reading("GT-1", (sent + n) % 9 / 10, seq=sent + n + 1) for n in range(100)])
            sent += 100
        await eventually(lambda: starts(north) == 2)
        await broker.publish_lines(READINGS, [reading("GT-1", 12.0, seq=sent + 1)])
        await eventually(lambda: raised(north, "GT-1.high"))
        await eventually(lambda: balanced(north, sent + 2))
        assert north.pid == pid
        again = [each for each in told(sink, "GT-2.high_high") if each not in before or told(sink, "GT-2.high_high").count(each) > before.count(each)]
        assert [each for each in again if each[0] == "raise" and not each[2]] == []
        states = await north.alarms()
        assert states["GT-2.high_high"] == "active_unacknowledged"
        assert await north.stop() == 0


async def raised(north: Gateway, alarm: str) -> bool:
    """Whether the alarm stands; not while the interface is between two gateways."""
    with contextlib.suppress(httpx.HTTPError):
        return alarm in await north.alarms()
    return False


async def balanced(north: Gateway, received: int) -> bool:
    """Whether every one of so many readings was received once and stored, over the restart."""
    balance = await north.get("balance")
    # a message whose confirmation was cut off comes again, and is counted as the duplicate that it is
    whole = balance["received"] - balance["duplicate"] == received
    return bool(whole and balance["stored"] == received and balance["closes"])


async def test_what_is_not_fit_keeps_the_old_configuration_and_says_why(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(*HEADS)) as north:
        assert await reload(north) == (1, f"no gateway runs on {tmp_path / 'data'}\n")
        await north.start()
        await broker.publish_lines(READINGS, [reading("GT-2", 60.0)])
        await eventually(lambda: raised(north, "GT-2.high_high"))

        change(north, HEADS[0])
        status, said = await reload(north)
        assert (status, "sensor GT-2 cannot be taken out while its alarm GT-2.high_high is not normal" in said) == (2, True), said
        change(north, HEADS[0], sensor("GT-2", unit="vol%", range=[0, 2.1], limits={"high": 0.5, "high_high": 1}, deadband=0.05))
        status, said = await reload(north)
        assert (status, "GT-2" in said) == (2, True), said
        (tmp_path / "north.yaml").write_text("site: [")
        os.kill(north.pid, signal.SIGHUP)
        await eventually(lambda: "the old configuration stays" in north.log)
        assert starts(north) == 1
        assert (await north.get("health"))["ingesting"]

        change(north, *HEADS[:2], change={"by": "wang", "reason": "GT-3 left"})
        assert await reload(north) == (0, "")
        await eventually(lambda: raised(north, "north-01.config_changed"))
        assert len((await north.get("sites/north/sensors"))["sensors"]) == 2
