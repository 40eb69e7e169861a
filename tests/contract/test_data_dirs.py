"""A data directory of every released version is taken up: alarms, messages, tokens, what was stored and what was not."""

from __future__ import annotations

import tarfile
from importlib.metadata import version
from pathlib import Path

import pytest
from support.apps import running, write
from support.recording import everything
from support.wait import eventually

from gateway.archive import Archive

FOLDER = Path(__file__).parent / "data_dirs"
RELEASED = sorted(FOLDER.glob("*.tar.xz"))


def test_there_is_one_of_this_version() -> None:
    assert FOLDER / f"{version('hazgate')}.tar.xz" in RELEASED


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.name.removesuffix(".tar.xz"))
async def test_a_gateway_goes_on_from_it(released: Path, tmp_path: Path) -> None:
    with tarfile.open(released) as packed:
        packed.extractall(tmp_path / "data", filter="data")
    async with running(write(tmp_path), "broker") as gateway:
        app = gateway.app
        alarms = await gateway.get("/sites/north/alarms")
        assert {alarm["alarm"]: alarm["state"] for alarm in alarms["alarms"]}["GT-1.high_high"] == "active_unacknowledged"
        assert app.spool.balance().closes
        before = app.spool.balance()
        assert (before.received, before.quarantined, before.spooled) == (7, 2, 5)
        assert len(app.journal.tokens()) == 2
        told = await app.journal.told("north", 99)
        assert {one.state for one in told} >= {"open"}
        gateway.reads(62.0)
        await eventually(lambda: app.spool.balance().spooled == 6)
    archive = Archive(tmp_path / "data", {"kind": "duckdb"})
    while archive.drain():
        pass
    values = sorted(value for stretch in archive.history(everything()) for value in stretch.readings.value.tolist())
    assert values == [5.0, 5.0, 10.0, 60.0, 61.0, 62.0]
    archive.close()
