"""A real gateway under a service manager's variables: what it says of itself from start to stop."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest
from support.gateway import HAZGATE, Gateway, gateway, site_file
from support.manager import Manager, manager
from support.servers import free_port, mosquitto
from support.sink import webhook_sink
from support.sites import sensor
from support.wait import eventually

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
WATCHDOG = "600000"
"""Microseconds."""


def watched(ear: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have processes that are started from now on report to that manager."""
    monkeypatch.setenv("NOTIFY_SOCKET", ear.address)
    monkeypatch.setenv("WATCHDOG_USEC", WATCHDOG)


def state(pid: int) -> str:
    """A process's state in a letter, T for stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def heard_within_a_watchdogs_time(ear: Manager) -> list[dict[str, str]]:
    loop = asyncio.get_running_loop()
    end, heard = loop.time() + int(WATCHDOG) / 1e6, list[dict[str, str]]()
    while loop.time() < end:
        heard += ear.hear()
        await asyncio.sleep(0.02)
    return heard


async def test_a_gateway_says_that_it_is_ready_how_it_is_that_it_lives_and_that_it_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with manager() as ear:
        async with mosquitto() as broker, webhook_sink() as sink, gateway(tmp_path, broker, sink, site_file(sensor("GT-1"))) as north:
            watched(ear, monkeypatch)  # after the broker was started: mosquitto would report as well
            await north.start()
            assert ear.said("READY") == ["1"]
            await eventually(lambda: ear.said("STATUS")[-1] == "guarding north (sensors: 1)")
            await eventually(lambda: len(ear.said("WATCHDOG")) > 3)
            os.kill(north.pid, signal.SIGSTOP)
            await eventually(lambda: state(north.pid) == "T")
            ear.hear()
            assert await heard_within_a_watchdogs_time(ear) == []
            os.kill(north.pid, signal.SIGCONT)
            signs = len(ear.said("WATCHDOG"))
            await eventually(lambda: len(ear.said("WATCHDOG")) > signs)
            await broker.stop()
            await eventually(lambda: "the broker is not connected" in ear.said("STATUS")[-1])
            assert await north.stop() == 0
            assert ear.said("STOPPING") == ["1"]
            assert ear.messages[-1]["STATUS"] == "stopping"


async def test_a_gateway_is_ready_without_its_broker_for_all_else_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with manager(tmp_path) as ear:
        watched(ear, monkeypatch)
        async with webhook_sink() as sink:
            north = Gateway(tmp_path, f"mqtt://127.0.0.1:{free_port()}", [site_file(sensor("GT-1"))], sink.url)
            try:
                await north.start(ready=False)
                await eventually(lambda: ear.said("READY") == ["1"])
                assert "the broker is not connected" in ear.said("STATUS")[0]
                await eventually(lambda: ear.said("WATCHDOG"))
            finally:
                await north.stop()
                await north.client.aclose()


async def test_systemd_takes_every_line_of_the_unit(tmp_path: Path) -> None:
    """`systemd-analyze verify` names unknown settings and bad values; the program is put where this test has one."""
    unit = (DEPLOY / "hazgate.service").read_text(encoding="utf-8").replace("/opt/hazgate/bin/hazgate", HAZGATE)
    (tmp_path / "hazgate.service").write_text(unit, encoding="utf-8")
    verify = await asyncio.create_subprocess_exec(
        "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(tmp_path / "hazgate.service"), stdout=PIPE, stderr=STDOUT
    )
    out, _ = await verify.communicate()
    assert (verify.returncode, out.decode()) == (0, "")
