"""The spool at its limit: what goes first, what goes last, what never goes, and that all of it is counted and named."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import astuple
from pathlib import Path

import pytest
from support.recording import readings
from support.sites import T0, register, sensor
from support.wait import eventually

from adapters import spool_file, spool_thin
from adapters.codecs.frames import Names
from adapters.spool import Spool
from adapters.spool_file import Report
from adapters.spool_reader import Lost, SpoolReader
from adapters.spool_thin import Thinning
from alerts.balance import Balance, Counts
from alerts.evidence import OPEN, Evidence
from alerts.reading import MILLISECOND, SECOND

NOTHING = Evidence(())
GT_1 = Evidence([("north", "GT-1", 0, OPEN)])


class Clock:
    """Stands still."""

    def now(self) -> int:
        """`T0`."""
        return T0


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Spool]:
    """A started spool of GT-1 and GT-2."""
    spool = Spool.open(folder / "spool.db", register(sensor("GT-1"), sensor("GT-2")), Clock())
    await spool.start()
    try:
        yield spool
    finally:
        await spool.stop()


async def fill(spool: Spool, *numbers: int) -> None:
    """A frame for each number, committed: of that second one reading of GT-1, with the number as its value, and 200 of GT-2."""
    for number in numbers:
        given = readings((0, number, number), *((1, number + n / 1000, number) for n in range(200)))
        assert spool.append(given, [], [], Counts(201)) == number
        await eventually(lambda: spool.committing_since is None)


async def carried_out(spool: Spool, size: int, through: int, evidence: Evidence, after: int = 0) -> None:
    """Give an order and wait until it was carried out."""
    spool.thin(Thinning(size, after, through, evidence))
    await eventually(lambda: spool.thinning is None)


def held(spool: Spool) -> dict[int, int]:
    """By frame, how many readings it holds."""
    return {frame.number: len(frame.readings) for frame in spool.frames_after(0)}


def lost(folder: Path, after: int = 0, through: int = 99) -> list[Lost]:
    """What was given up."""
    reader = SpoolReader(folder / "spool.db", Names().find)
    found = reader.lost(after, through)
    reader.close()
    return found


async def test_the_oldest_telemetry_goes_no_more_than_needed_and_the_evidence_in_the_same_frames_stays(tmp_path: Path) -> None:
    async with running(tmp_path) as spool:
        await fill(spool, *range(1, 9))
        spool.release(6)
        await carried_out(spool, spool.file.filled - 6_000, 6, GT_1)
        assert held(spool) == {1: 1, 2: 1} | dict.fromkeys(range(3, 9), 201)
        assert [frame.readings.value.tolist() for frame in spool.frames_after(0)][:2] == [[1.0], [2.0]]
        assert spool.balance() == Balance(1608, 0, 1208, 0, 0, 0, 400)
        assert spool.file.losses == 400
    assert [astuple(each) for each in lost(tmp_path)] == [("north", "GT-2", T0 + SECOND, T0 + 2 * SECOND + 199 * MILLISECOND, 400, 0)]


async def test_what_no_checkpoint_covers_stays_whatever_the_limit_is(tmp_path: Path) -> None:
    async with running(tmp_path) as spool:
        await fill(spool, *range(1, 9))
        spool.release(5)
        await carried_out(spool, 0, 5, NOTHING)
        assert list(held(spool)) == [6, 7, 8]
        assert spool.file.exhausted
        assert spool.balance() == Balance(1608, 0, 603, 0, 0, 0, 1005)


async def test_evidence_goes_when_nothing_else_is_left_and_not_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_thin, "AT_ONCE", 1)
    async with running(tmp_path) as spool:
        await fill(spool, *range(1, 13))
        spool.release(12)
        orders = 0
        while "GT-1" not in [each.sensor for each in lost(tmp_path)]:
            orders += 1
            await carried_out(spool, spool.file.filled - 1, 12, GT_1)
        assert orders > 3, "most of the room comes from telemetry"
        assert {each.sensor: (each.rows, each.evidence) for each in lost(tmp_path)}["GT-2"] == (2400, 0)
        assert len(held(spool)) == 12 - lost(tmp_path)[0].evidence
        assert spool.balance().closes


async def test_what_will_soon_be_judged_is_waited_for_before_evidence_goes(tmp_path: Path) -> None:
    async with running(tmp_path) as spool:
        await fill(spool, *range(1, 21))
        spool.release(10)
        await carried_out(spool, spool.file.filled * 2 // 5, 10, GT_1)
        assert spool.file.exhausted
        assert held(spool) == dict.fromkeys(range(1, 11), 1) | dict.fromkeys(range(11, 21), 201)
        spool.release(20)
        await carried_out(spool, spool.file.filled * 3 // 4, 20, GT_1)
        assert [each.sensor for each in lost(tmp_path)] == ["GT-2"]


async def test_a_frame_that_has_nothing_left_is_gone_and_the_ones_around_it_drain(tmp_path: Path) -> None:
    async with running(tmp_path) as spool:
        await fill(spool, *range(1, 6))
        spool.release(5)
        window = Evidence([("north", "GT-1", T0 + 304 * SECOND, OPEN)])
        await carried_out(spool, 33_000, 5, window)
        assert held(spool) == {4: 1, 5: 1}
        spool.stored(Report(0, 5, 2, 2))
        await eventually(lambda: spool.balance() == Balance(1005, 2, 0, 0, 0, 0, 1003))
        await eventually(lambda: not held(spool))


async def test_what_the_recorder_had_in_hand_when_it_was_given_up_counts_as_stored(tmp_path: Path) -> None:
    async with running(tmp_path) as spool:
        await fill(spool, *range(1, 6))
        spool.release(5)
        await carried_out(spool, 0, 3, NOTHING)
        assert spool.balance() == Balance(1005, 0, 402, 0, 0, 0, 603)
        # it had read frames 1 and 2 before they went, and 4 as it is
        spool.stored(Report(0, 4, 603, 600, 3))
        await eventually(lambda: spool.balance() == Balance(1005, 600, 201, 0, 0, 3, 201))


async def test_frames_that_the_store_has_or_may_have_in_hand_are_left_alone(tmp_path: Path) -> None:
    async with running(tmp_path) as spool:
        await fill(spool, *range(1, 9))
        spool.release(7)
        spool.stored(Report(0, 2, 402, 402))
        await eventually(lambda: list(held(spool)) == [3, 4, 5, 6, 7, 8])
        await carried_out(spool, 0, 7, NOTHING, after=4)
        assert list(held(spool)) == [3, 4, 8]
        assert spool.balance() == Balance(1608, 402, 603, 0, 0, 0, 603)


async def test_a_frame_that_cannot_be_read_is_no_endless_task(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(tmp_path) as spool:
        await fill(spool, 1, 2)
        with contextlib.closing(sqlite3.connect(tmp_path / "spool.db")) as db, db:
            db.execute("UPDATE frames SET body = zeroblob(60) WHERE number = 1")
        spool.release(2)
        await carried_out(spool, 0, 2, NOTHING)
        assert held(spool) == {}
        assert spool.balance() == Balance(402, 0, 0, 0, 0, 0, 402)
    assert {(each.site, each.sensor): each.rows for each in lost(tmp_path)} == {("", ""): 201, ("north", "GT-1"): 1, ("north", "GT-2"): 200}
    assert "frame 1 of the spool cannot be read" in caplog.text


async def test_losses_are_told_round_by_round_and_each_once(tmp_path: Path) -> None:
    async with running(tmp_path) as spool:
        await fill(spool, *range(1, 9))
        spool.release(8)
        await carried_out(spool, 0, 2, NOTHING)
        spool.next_round()
        await eventually(lambda: spool.file.totals.round == 2)
        await carried_out(spool, 0, 4, NOTHING)
        assert [(each.sensor, each.rows) for each in lost(tmp_path, 0, 1)] == [("GT-1", 2), ("GT-2", 400)]
        spool.told(1)
        await eventually(lambda: spool.file.losses == 402)
        assert [(each.since - T0) // SECOND for each in lost(tmp_path)] == [3, 3]
    async with running(tmp_path) as again:
        assert (again.file.totals.round, again.file.losses, again.file.totals.thinned) == (2, 402, 4)
        assert [each.rows for each in lost(tmp_path, 1, 2)] == [2, 400]


async def test_room_that_the_file_no_longer_needs_goes_back_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_file, "SPARE", 2**18)
    monkeypatch.setattr("adapters.spool.SPARE", 2**18)
    async with running(tmp_path) as spool:
        many = readings(*((0, n / 1000, n) for n in range(20_000)))
        for _ in range(5):
            spool.append(many, [], [], Counts(20_000))
            await eventually(lambda: spool.committing_since is None)
        large = spool.file.size
        spool.stored(Report(0, 5, 100_000, 100_000))
        spool.release(5)
        for token in range(1000):
            spool.append(None, [], [token], Counts())
            await eventually(lambda: spool.committing_since is None)
            if spool.file.spare <= 2**18:
                break
        assert spool.file.spare <= 2**18 < large
    assert (tmp_path / "spool.db").stat().st_size < large / 2
