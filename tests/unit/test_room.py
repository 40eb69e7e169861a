"""Room on the disk: what is told of it, when the reserve goes and comes back, and what what is bounded says it gave up."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.sites import T0
from support.wait import eventually

from adapters import disk
from adapters.disk import RESERVE, Reserve
from adapters.journal import Entry, Journal
from alerts.alarm import Condition
from alerts.command import Numbers
from alerts.edge import Edge
from alerts.reading import SECOND
from gateway import room
from gateway.bounded import EVERY, Bounded
from gateway.core import Core
from gateway.losses import Losses
from gateway.room import ENOUGH, KEPT, LEAST, Room, prepare
from gateway.selfwatch import SelfWatch
from gateway.settings import Gateway

MIB = 2**20
LIMIT = 1000 * MIB


class Wall:
    """A clock that is set."""

    at = T0

    def now(self) -> int:
        """See `alerts.ports.Clock`."""
        return self.at


class House:
    """A room over a spool of made-up figures; `told` has what was raised, as (condition, kind, value, under)."""

    def __init__(self, folder: Path) -> None:
        self.file = SimpleNamespace(filled=0, spare=0, held=(0, 0), displaced=Counter())
        self.spool = SimpleNamespace(file=self.file, committing_since=None, writer=SimpleNamespace(keep_free=0, on_trouble=None))
        self.clock = Wall()
        self.edges: list[Edge] = []
        self.watch = SelfWatch("north", "gw-1", self.clock, self.edges.append)
        self.reserve = Reserve(folder)
        settings = cast("Gateway", SimpleNamespace(data_dir=folder, spool=SimpleNamespace(limit=LIMIT)))
        parts: Any = (self.spool, SimpleNamespace(on_trouble=None), self.watch)
        self.room = Room(self.reserve, settings, parts, cast("Losses", None), ())
        self.room._clock = cast("Any", self.clock)

    def told(self) -> list[tuple[str, str, float | None, str | None]]:
        """What was raised since the last call."""
        told = [(str(edge.condition), str(edge.kind), edge.value, edge.under) for edge in self.edges]
        self.edges.clear()
        return told

    def fill(self, per_cent: float, left: int = 10**12) -> list[tuple[str, str, float | None, str | None]]:
        """The spool takes so much of its limit."""
        self.file.filled = round(LIMIT * per_cent / 100)
        self.room._fill(left)
        return self.told()


def test_a_filling_spool_is_told_at_70_and_90_per_cent_follows_in_steps_and_ends_below_65(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert house.fill(69.9) == []
    assert house.fill(70) == [("spool_filling", "true", 70.0, None)]
    assert house.fill(74) == []
    assert house.fill(76) == [("spool_filling", "true", 76.0, None)]
    assert house.fill(90) == [("spool_filling", "true", 90.0, None)]
    assert house.fill(66) == [("spool_filling", "true", 66.0, None)]
    assert house.fill(64.9) == [("spool_filling", "false", None, None)]
    assert house.fill(69) == []


def test_while_the_store_is_away_it_is_listed_under_that_until_it_is_worse_than_that(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.watch.broken(Condition.STORE_UNREACHABLE, grace=0)
    house.told()
    assert house.fill(72) == [("spool_filling", "true", 72.0, "gw-1.store_unreachable")]
    assert house.fill(91) == [("spool_filling", "true", 91.0, None)]
    assert house.fill(80) == [("spool_filling", "true", 80.0, "gw-1.store_unreachable")]
    house.watch.works(Condition.STORE_UNREACHABLE)
    house.told()
    assert house.fill(80) == [("spool_filling", "true", 80.0, None)], "and on its own when that is over"


def test_a_disk_that_is_smaller_than_the_limit_counts_as_the_limit(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert house.fill(10, left=30 * MIB) == [("spool_filling", "true", 76.9, None)]
    house.file.spare = 300 * MIB
    assert house.fill(10, left=30 * MIB) == [("spool_filling", "false", None, None)], "free pages are room too"


def test_a_spool_that_has_not_committed_for_long_is_full_whatever_the_reason(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.spool.committing_since = house.clock.at - 4 * SECOND
    assert house.fill(1) == []
    house.clock.at += SECOND
    assert house.fill(1) == [("spool_filling", "true", 100.0, None)]
    house.spool.committing_since = None
    assert house.fill(1) == [("spool_filling", "false", None, None)]


def test_what_stood_at_the_last_stop_ends_if_it_is_over(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.watch.adopt([Condition.SPOOL_FILLING, Condition.QUARANTINE_FILLING])
    assert house.fill(10) == [("spool_filling", "false", None, None)]
    house.room._quarantine()
    assert house.told() == [("quarantine_filling", "false", None, None)]


def test_a_crowded_quarantine_is_told_and_ends_when_it_is_not(tmp_path: Path) -> None:
    house = House(tmp_path)
    seen = []
    for held in ((7_999, 0), (8_000, 0), (8_100, 0), (10_000, 0), (0, 60 * MIB), (6_999, 0)):
        house.file.held = held
        house.room._quarantine()
        seen.append([(kind, value) for _, kind, value, _ in house.told()])
    assert seen == [[], [("true", 80.0)], [], [("true", 100.0)], [("true", 93.8)], [("false", None)]]


async def test_the_reserve_goes_when_the_disk_is_full_and_comes_back_when_there_is_plenty(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.reserve.build()
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= RESERVE
    assert await house.room._hold(LEAST) == LEAST
    assert house.spool.writer.keep_free == 0
    assert await house.room._hold(LEAST - 1) == RESERVE + LEAST - 1 - KEPT
    assert not (tmp_path / "reserve").exists()
    assert house.told() == [("disk_low", "true", None, None)]
    assert await house.room._hold(ENOUGH - 1) == ENOUGH - 1 - KEPT
    assert house.spool.writer.keep_free == KEPT, "what is left is not for what comes"
    assert await house.room._hold(ENOUGH) == ENOUGH - RESERVE
    assert house.reserve.held
    assert house.spool.writer.keep_free == 0


async def test_a_quota_that_does_not_show_in_what_is_left_gives_the_reserve_up_too(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.reserve.build()
    house.room._trouble("disk I/O error")
    await house.room._hold(10**12)
    assert house.reserve.held
    house.room._trouble("database or disk is full")
    await house.room._hold(10**12)
    assert not house.reserve.held


async def test_a_refused_commit_is_looked_at_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "EVERY", 60.0)
    house = House(tmp_path)
    looks: list[Path] = []

    def free(folder: Path) -> int:
        looks.append(folder)
        return 10**12

    monkeypatch.setattr(disk, "free", free)
    task = asyncio.create_task(house.room._watch_the_disk(), name="room")
    await eventually(lambda: looks)
    house.room._trouble("disk I/O error")
    await eventually(lambda: len(looks) > 1)
    assert set(looks) == {tmp_path}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(("there", "left", "after"), [(False, ENOUGH, True), (False, ENOUGH - 1, False), (True, LEAST, True), (True, LEAST - 1, False)])
def test_a_gateway_that_starts_takes_the_reserve_if_it_can_and_gives_it_up_if_it_must(
    there: bool, left: int, after: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if there:
        Reserve(tmp_path).build()
    monkeypatch.setattr(disk, "free", lambda _folder: left)
    assert (prepare(tmp_path).held, (tmp_path / "reserve").exists()) == (after, after)


def test_what_is_given_up_is_noted_at_once_and_then_now_and_then() -> None:
    given_up: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []

    class Paper:
        def commit(self, entry: Entry) -> None:
            rows.extend({"alarm": row.alarm, "sequence": row.sequence} | json.loads(row.body) for row in entry.rows)

    core = cast("Core", SimpleNamespace(gateway="gw-1", home="north", numbers=Numbers(41)))
    bounded = Bounded(core, cast("Journal", Paper()), Condition.QUARANTINE_FILLING, lambda: given_up)
    bounded.look(T0)
    given_up["unreadable"] += 3
    bounded.look(T0)
    given_up.update({"unreadable": 2, "unknown_sensor": 1})
    bounded.look(T0 + EVERY - 1)
    assert rows == [{"alarm": "gw-1.quarantine_filling", "sequence": 42, "given_up": {"unreadable": 3}}]
    bounded.look(T0 + EVERY)
    bounded.look(T0 + 3 * EVERY)
    assert [row["given_up"] for row in rows[1:]] == [{"unreadable": 2, "unknown_sensor": 1}]
