"""A gateway that starts on another configuration journals what changed and says so, by who approved it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.apps import running, site_file, write
from support.sites import sensor

from adapters import journal_files
from gateway.config import Config, effective_hash, load

LOOSER = sensor("GT-1", limits={"high": 25, "high_high": 55, "override_reason": "a test"})
APPROVED = {"by": "wang", "approved": "2026-01-15", "reason": "test"}
CHANGED = "north-01.config_changed"


def rows(folder: Path, wanted: str) -> list[dict[str, Any]]:
    """What the journal says of changed configurations in events of that kind, oldest first."""
    found = journal_files.rows(folder / "data" / "journal.db", 0, 2**62)
    return [json.loads(row.body) for row in found if (row.alarm, row.event) == (CHANGED, wanted)]


async def start(config: Path) -> None:
    """Start a gateway on these files, and stop it."""
    async with running(config, "broker") as gateway:
        gateway.app.pipeline.turn()


@pytest.mark.parametrize(
    ("site", "tier"),
    [
        (site_file(sensor("GT-1", on_delay="0s", off_delay="7s"), sensor("GT-2")), "yellow"),
        (site_file(LOOSER, sensor("GT-2")), "orange"),
        (site_file(sensor("GT-2")), "orange"),
        (site_file(LOOSER, sensor("GT-2"), change=APPROVED), "blue"),
    ],
    ids=["unapproved", "loosens red", "removes a red sensor", "approved"],
)
async def test_a_change_is_journaled_and_raised_once(tmp_path: Path, site: dict[str, Any], tier: str) -> None:
    await start(write(tmp_path))
    assert rows(tmp_path, "raise") == []
    config = write(tmp_path, site)
    await start(config)
    await start(config)
    assert [told["tier"] for told in rows(tmp_path, "raise")] == [tier]
    first, second = rows(tmp_path, "configuration")
    loaded = load(config)
    assert isinstance(loaded, Config)
    assert first["changes"] == []
    assert (second["hash"], second["change"]["by"]) == (effective_hash(loaded), "wang")
    assert all(change["key"].startswith("sensors.GT-1") for change in second["changes"])


async def test_a_second_site_answers_for_its_own_change(tmp_path: Path) -> None:
    south = site_file(sensor("ST-1", device="rtu-9"), site="south")
    two = json.loads(write(tmp_path).read_text()) | {"sites": ["north.yaml", "south.yaml"]}
    for limits in ({"high": 25, "high_high": 50}, {"high": 25, "high_high": 55, "override_reason": "a test"}):
        south["sensors"][0]["limits"] = limits
        (tmp_path / "south.yaml").write_text(json.dumps(south))
        config = write(tmp_path, site_file(change=APPROVED), two)
        async with running(config, "broker") as gateway:
            gateway.app.pipeline.turn()
            found = {name: {alarm.id: alarm.tier.value for alarm in book.alarms().values()} for name, book in gateway.app.core.books.items()}
    assert CHANGED not in found["north"]
    assert found["south"]["south.config_changed"] == "orange"
