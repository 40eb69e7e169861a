"""The gateway tells somebody elsewhere that it lives, and says itself when readings are unaccounted for."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from pathlib import Path

import pytest
from support.apps import gateway_file, running, write
from support.sink import Answer, Sink
from support.wait import eventually


def beating(folder: Path, url: str) -> Path:
    """Files of a gateway whose heart beats five times a second."""
    return write(folder, gateway=gateway_file(heartbeat={"url": url, "every": "200ms"}))


def miscount(folder: Path, by: int) -> None:
    """Make the spool of a gateway that is down remember more readings than it received."""
    spool = sqlite3.connect(folder / "data" / "spool.db")
    with spool:
        spool.execute("UPDATE totals SET received = received + ?", (by,))
    spool.close()


async def test_each_beat_says_what_health_says_and_they_end_with_the_gateway(tmp_path: Path, sink: Sink) -> None:
    async with running(beating(tmp_path, f"{sink.url}/beat"), "broker") as gateway:
        await eventually(lambda: len(sink.requests) >= 3)
        health = (await gateway.client.get("/api/v1/health")).json()
        assert 'hazgate_heartbeats_total{fate="taken"}' in (await gateway.client.get("/metrics")).text
    beat = sink.requests[2].json
    assert {key: beat[key] for key in ("gateway", "boot", "since", "ingesting", "obstacles")} == {
        key: health[key] for key in ("gateway", "boot", "since", "ingesting", "obstacles")
    }
    assert beat["ingesting"] is False, "it has no broker, and says so"
    assert (sink.requests[2].method, sink.requests[2].path) == ("POST", "/beat")
    ended = len(sink.requests)
    await asyncio.sleep(0.5)  # not for a state: beats would be seen within it
    assert len(sink.requests) == ended


async def test_a_beat_nobody_takes_is_logged_once_and_the_next_one_comes_all_the_same(tmp_path: Path, sink: Sink, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hazgate.heartbeat")
    sink.answers.extend([Answer(status=503)] * 3 + [Answer(silent=True)])
    async with running(beating(tmp_path, sink.url), "broker") as gateway:
        await eventually(lambda: gateway.app.view.heartbeats["taken"] >= 2, within=20)
        assert gateway.app.view.heartbeats["failed"] == 4
    told = [record.getMessage() for record in caplog.records if record.name == "hazgate.heartbeat"]
    assert told == [
        "the heartbeat is not taken: answered 503; whoever listens to it takes this gateway for dead",
        "the heartbeat is taken again",
    ]


async def test_a_balance_that_does_not_close_raises_an_alarm_with_its_figures_and_ends_when_it_closes(tmp_path: Path) -> None:
    config = write(tmp_path)
    async with running(config, "broker") as gateway:
        gateway.reads(1, 2, 3)
        await eventually(lambda: gateway.app.spool.balance().spooled == 3)
    miscount(tmp_path, 7)
    async with running(config, "broker") as gateway:
        book = gateway.app.core.books["north"]
        await eventually(lambda: "north-01.balance_open" in book.alarms(), within=20)
        alarm = book.alarms()["north-01.balance_open"]
        assert {"received 10", "spooled 3", "stored 0"} <= set(alarm.members)
        assert alarm.tier == "yellow"
    miscount(tmp_path, -7)
    async with running(config, "broker") as gateway:
        book = gateway.app.core.books["north"]
        await eventually(lambda: not book.alarms()["north-01.balance_open"].state.active, within=20)
