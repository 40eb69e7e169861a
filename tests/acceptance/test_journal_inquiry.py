"""What a running gateway lets others hold its journal against."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
from pathlib import Path

from support.gateway import HAZGATE, Gateway, gateway, reading, site_file
from support.servers import Heard, Mosquitto
from support.sink import Sink
from support.sites import sensor
from support.wait import eventually

from adapters.codecs.chain import Head, read_head
from adapters.journal_tail import RESERVED
from adapters.signing import trusted, verified

READINGS = "hazgate/v1/north/rtu-1/readings"
STATUS = "hazgate/v1/gateways/north-01/status"


def signed(text: object, folder: Path) -> Head:
    """The head that the text gives; fails unless this gateway's key signed it."""
    head = read_head(str(text))
    assert verified(trusted(folder / "journal.key")[head.key], head.message("north-01"), head.signature)
    return head


async def stands(north: Gateway, alarm: str) -> bool:
    """Whether this alarm is not normal."""
    return alarm in await north.alarms()


async def test_a_gateway_gives_its_signed_head_away_when_it_goes_and_when_it_is_back(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-1"))) as north:
        await north.start()
        await broker.publish(READINGS, reading("GT-1", 60))
        await eventually(lambda: stands(north, "GT-1.high_high"))
        assert await north.stop() == 0
        async with broker.listening(STATUS) as heard:
            gone = await eventually(lambda: said(heard, online=False))
            head = signed(gone["journal_head"], tmp_path)
            assert head.sequence >= 2, "both limits are in it"
            await north.start()
            back = signed((await eventually(lambda: said(heard, online=True)))["journal_head"], tmp_path)
            assert back.sequence >= head.sequence
            assert signed((await north.get("health"))["journal_head"], tmp_path).sequence >= back.sequence
            assert f"the journal's head: {back.text}" in north.log
        metrics = (await north.client.get("/metrics")).text
        assert f"hazgate_journal_sealed_row {back.sequence}" in metrics


def said(heard: list[Heard], *, online: bool) -> dict[str, object]:
    """The newest status of that kind; fails without one."""
    found = [message.json for message in heard if message.json["online"] is online and "journal_head" in message.json]
    assert found
    return found[-1]


async def test_a_key_that_cannot_be_made_is_a_wrong_configuration(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-1")), journal={"key": "nowhere/journal.key"}) as north:
        await north.start(ready=False)
        assert await north.wait() == 2
        assert "name a place outside data_dir that the gateway may write" in north.log
        assert not (tmp_path / "data").exists()


async def command(north: Gateway, verb: str, *words: str) -> tuple[int, str]:
    """Run `hazgate journal` beside the gateway; its status and what it said."""
    process = await asyncio.create_subprocess_exec(
        HAZGATE, "journal", verb, "--config", str(north.config), *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_a_journal_is_verified_and_exported_beside_a_running_gateway_and_after_it_was_killed(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-1"))) as north:
        await north.start()
        await broker.publish(READINGS, reading("GT-1", 60))
        await eventually(lambda: stands(north, "GT-1.high_high"))
        status, said = await command(north, "verify")
        assert (status, "the journal holds" in said) == (0, True), said
        status, said = await command(north, "salvage")
        assert (status, "is in use by process" in said) == (3, True), said
        assert "RED GT-1.high_high raise | normal -> active_unacknowledged" in (await command(north, "export", "--format", "timeline"))[1]
        numbers = [alarm["sequence"] for alarm in (await north.get("sites/north/alarms"))["alarms"]]
        await north.kill()
        status, said = await command(north, "verify")
        assert (status, "the journal holds" in said) == (0, True), said
        await north.start()
        head = signed((await north.get("health"))["journal_head"], tmp_path)
        await broker.publish(READINGS, reading("GT-1", 61))
        await eventually(lambda: numbered(north, max(numbers)))
        status, said = await command(north, "verify", "--head", head.text)
        assert (status, "the journal holds" in said) == (0, True), said


async def numbered(north: Gateway, above: int) -> bool:
    """Whether rows were written after a crash, and their numbers passed over those held in reserve."""
    found = re.search(r"^hazgate_journal_row (\S+)$", (await north.client.get("/metrics")).text, re.MULTILINE)
    assert found
    return float(found[1]) > above + RESERVED // 2


async def test_a_damaged_journal_is_refused_with_what_to_do_and_after_a_salvage_the_alarm_still_stands(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    async with gateway(tmp_path, broker, sink, site_file(sensor("GT-1"))) as north:
        await north.start()
        await broker.publish(READINGS, reading("GT-1", 60))
        await eventually(lambda: stands(north, "GT-1.high_high"))
        await north.stop()
        with contextlib.closing(sqlite3.connect(tmp_path / "data" / "journal.db")) as db:
            db.execute("DELETE FROM heads")
            db.execute("UPDATE journal SET at = at + 1 WHERE alarm = 'GT-1.high_high'")
            db.commit()
        await north.start(ready=False)
        assert await north.wait() == 4
        assert "let `hazgate journal salvage` keep what is sound of it" in north.log
        status, said = await command(north, "salvage")
        assert (status, "the old files are in" in said) == (0, True), said
        await north.start()
        assert (await north.alarms())["GT-1.high_high"] == "active_unacknowledged"
        status, said = await command(north, "verify")
        assert (status, "says that damage was cut out" in said) == (0, True), said
