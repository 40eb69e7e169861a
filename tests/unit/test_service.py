"""What the service manager is told, and when it is not told that the gateway lives."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.manager import Manager, manager
from support.wait import eventually

from adapters.systemd import Systemd
from gateway.service import HUNG, Service

WATCHDOG = "60000"
"""Microseconds; a sign of life is due every third of it."""


class Parts:
    """The gateway's parts, as the service sees them."""

    def __init__(self) -> None:
        self.words = "guarding north (sensors: 6)"
        self.under_way = {"spool": 0.0, "journal": 0.0}

    def service(self, **environment: str) -> Service:
        """A service that watches them."""
        committing = {"spool": lambda: self.under_way["spool"], "journal": lambda: self.under_way["journal"]}
        return Service(Systemd(environment), lambda: self.words, committing)


@contextlib.asynccontextmanager
async def running(folder: Path, parts: Parts, **environment: str) -> AsyncIterator[Manager]:
    with manager(folder) as ear:
        service = parts.service(NOTIFY_SOCKET=ear.address, **environment)
        await service.start()
        try:
            yield ear
        finally:
            await service.stop()


async def test_it_is_ready_when_started_gives_signs_of_life_from_then_on(tmp_path: Path) -> None:
    async with running(tmp_path, Parts(), WATCHDOG_USEC=WATCHDOG) as ear:
        assert ear.hear() == [{"READY": "1", "STATUS": "guarding north (sensors: 6)"}]
        await eventually(lambda: len(ear.said("WATCHDOG")) >= 3)
        assert len(ear.said("READY")) == 1
        assert ear.said("STOPPING") == []


async def test_that_it_stops_is_the_last_word(tmp_path: Path) -> None:
    with manager(tmp_path) as ear:
        service = Parts().service(NOTIFY_SOCKET=ear.address, WATCHDOG_USEC=WATCHDOG)
        await service.start()
        await service.stop()
        assert ear.hear()[-1] == {"STOPPING": "1", "STATUS": "stopping"}


async def test_a_hung_loop_gives_no_sign_of_life_until_it_turns_again(tmp_path: Path) -> None:
    async with running(tmp_path, Parts(), WATCHDOG_USEC=WATCHDOG) as ear:
        await eventually(lambda: ear.said("WATCHDOG"))
        ear.hear()
        time.sleep(0.2)  # noqa: ASYNC251 (a loop that hangs is what this is about)
        assert ear.hear() == []
        await eventually(lambda: "WATCHDOG" in str(ear.hear()))


@pytest.mark.parametrize("part", ["spool", "journal"])
async def test_a_commit_that_does_not_come_back_ends_the_signs_of_life_and_is_named(tmp_path: Path, part: str) -> None:
    parts = Parts()
    async with running(tmp_path, parts, WATCHDOG_USEC=WATCHDOG) as ear:
        await eventually(lambda: ear.said("WATCHDOG"))
        parts.under_way[part] = HUNG - 0.1
        before = len(ear.said("WATCHDOG"))
        await eventually(lambda: len(ear.said("WATCHDOG")) > before)
        parts.under_way[part] = HUNG + 0.1
        await eventually(lambda: ear.said("STATUS")[-1] == f"a commit of the {part} does not come back")
        signs = len(ear.said("WATCHDOG"))
        parts.words = "one more look"
        parts.under_way = {"spool": HUNG + 1, "journal": HUNG + 1}
        await eventually(lambda: ear.said("STATUS")[-1] == "a commit of the spool and the journal does not come back")
        assert len(ear.said("WATCHDOG")) == signs
        parts.under_way = {"spool": 0.0, "journal": 0.0}
        await eventually(lambda: len(ear.said("WATCHDOG")) > signs and ear.said("STATUS")[-1] == "one more look")


async def test_without_a_watchdog_the_state_is_told_and_no_sign_of_life(tmp_path: Path) -> None:
    async with running(tmp_path, Parts()) as ear:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert ear.said("WATCHDOG") == []
        assert ear.said("STATUS") == ["guarding north (sensors: 6)"]


async def test_without_a_service_manager_there_is_nothing_to_say_and_nothing_to_remark_on(caplog: pytest.LogCaptureFixture) -> None:
    service = Parts().service()
    await service.start()
    await service.stop()
    assert caplog.records == []
