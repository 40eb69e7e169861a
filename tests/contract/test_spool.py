"""What the spool promises: durable before acknowledged, released late enough, counted at every moment."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from support.recording import readings
from support.sites import T0, register, sensor
from support.wait import eventually

from adapters import spool_file
from adapters.codecs.frames import Names
from adapters.spool import Spool
from adapters.spool_file import Report
from adapters.spool_reader import SpoolReader
from alerts.alarm import Quarantine
from alerts.balance import Balance, Counts
from alerts.ports import Aside, Frame, Permanent

SENSORS = ("GT-1", "GT-2")


class Clock:
    """Stands still."""

    def now(self) -> int:
        """`T0`."""
        return T0


def _open(path: Path, sensors: Sequence[str] = SENSORS) -> Spool:
    return Spool.open(path, register(*map(sensor, sensors)), Clock())


def _aside(payload: bytes = b"?", arrival: int = T0) -> Aside:
    return Aside("hazgate/v1/north/rtu-1/readings", Quarantine.UNREADABLE, "not JSON", payload, len(payload), arrival)


def _values(frames: Sequence[Frame]) -> list[list[float]]:
    return [frame.readings.value.tolist() for frame in frames]


@contextlib.asynccontextmanager
async def running(path: Path) -> AsyncIterator[tuple[Spool, list[int]]]:
    """A started spool and the tokens it has let go, in order."""
    spool = _open(path)
    tokens: list[int] = []
    spool.on_committed = tokens.extend
    await spool.start()
    try:
        yield spool, tokens
    finally:
        await spool.stop()


async def _let_go(tokens: list[int], last: int) -> None:
    await eventually(lambda: tokens[-1:] == [last])


def _put(spool: Spool, token: int, *values: float) -> int:
    given = readings(*((0, float(token), value) for value in values))
    return spool.append(given, [], [token], Counts(len(values)))


async def test_tokens_come_back_in_order_once_their_frame_can_be_read_by_another(tmp_path: Path) -> None:
    async with running(tmp_path / "spool.db") as (spool, tokens):
        seen: list[list[list[float]]] = []
        keep = spool.on_committed

        def committed(done: Sequence[int]) -> None:
            reader = SpoolReader(tmp_path / "spool.db", Names().find)
            seen.append(_values(reader.frames(0)))
            reader.close()
            keep(done)

        spool.on_committed = committed
        _put(spool, 1, 5.0)
        _put(spool, 2, 6.0, 7.0)
        await eventually(lambda: len(tokens) == 2)
    assert tokens == [1, 2]
    assert seen == [[[5.0, 6.0, 7.0]]]


async def test_what_arrives_while_a_commit_runs_is_one_next_frame(tmp_path: Path) -> None:
    async with running(tmp_path / "spool.db") as (spool, tokens):
        sealed: list[int] = []
        numbers: set[int] = set()

        def on_sealed(number: int) -> None:
            sealed.append(number)
            if number == 1:
                numbers.update(_put(spool, token, float(token)) for token in range(2, 12))

        spool.on_sealed = on_sealed
        assert _put(spool, 1, 1.0) == 1
        await _let_go(tokens, 11)
        assert (numbers, sealed) == ({2}, [1, 2])
        assert [len(frame.readings) for frame in spool.frames_after(0)] == [1, 10]


async def test_what_is_set_aside_takes_no_frame_number(tmp_path: Path) -> None:
    async with running(tmp_path / "spool.db") as (spool, tokens):
        spool.append(None, [_aside()], [1], Counts(1))
        await eventually(lambda: tokens)
        assert _put(spool, 2, 1.0) == 1
        await eventually(lambda: len(tokens) == 2)
        assert list(spool.frames_after(1)) == []


async def test_frames_go_when_both_the_store_and_a_checkpoint_have_them(tmp_path: Path) -> None:
    async with running(tmp_path / "spool.db") as (spool, tokens):
        for token in range(1, 6):
            _put(spool, token, float(token))
            await _let_go(tokens, token)

        def left() -> list[int]:
            return [frame.number for frame in spool.frames_after(0)]

        spool.release(4)
        spool.append(None, [], [6], Counts())
        await eventually(lambda: len(tokens) == 6)
        assert left() == [1, 2, 3, 4, 5], "covered, but not stored"
        spool.stored(Report(0, 2, 2, 2))
        await eventually(lambda: left() == [3, 4, 5])
        spool.stored(Report(2, 5, 3, 3))
        await eventually(lambda: left() == [5])
        spool.release(5)
        await eventually(lambda: left() == [])
        assert _put(spool, 7, 7.0) == 6


async def test_a_release_of_many_frames_takes_several_short_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_file, "RELEASE_AT_ONCE", 3)
    async with running(tmp_path / "spool.db") as (spool, tokens):
        for token in range(1, 11):
            _put(spool, token, 1.0)
            await _let_go(tokens, token)
        spool.stored(Report(0, 10, 10, 10))
        spool.release(10)
        await eventually(lambda: not list(spool.frames_after(0)))
        assert spool.balance() == Balance(10, 10, 0, 0, 0, 0, 0)


async def test_a_report_that_does_not_follow_on_the_last_is_ignored(tmp_path: Path) -> None:
    """A recorder that died after its report and one that repeats it count a frame once."""
    async with running(tmp_path / "spool.db") as (spool, tokens):
        _put(spool, 1, 1.0, 2.0)
        await eventually(lambda: tokens)
        spool.stored(Report(0, 1, 2, 2))
        spool.stored(Report(0, 1, 2, 2))
        await eventually(lambda: spool.balance().stored)
        assert spool.balance() == Balance(2, 2, 0, 0, 0, 0, 0)


async def test_a_recorder_that_stored_too_little_opens_the_balance(tmp_path: Path) -> None:
    async with running(tmp_path / "spool.db") as (spool, tokens):
        _put(spool, 1, 1.0, 2.0)
        await eventually(lambda: tokens)
        spool.stored(Report(0, 1, 2, 1))
        await eventually(lambda: spool.balance().stored)
        assert not spool.balance().closes


async def test_a_refused_reading_goes_to_quarantine(tmp_path: Path) -> None:
    async with running(tmp_path / "spool.db") as (spool, tokens):
        _put(spool, 1, 1.0, 2.0)
        await eventually(lambda: tokens)
        refused = Aside("north/GT-1", Quarantine.REJECTED_BY_STORE, "field type conflict", b"{}", 2, T0)
        spool.stored(Report(0, 1, 2, 1, rejected=(refused,)))
        await eventually(lambda: spool.balance().stored)
        assert spool.balance() == Balance(2, 1, 0, 0, 1, 0, 0)
    reader = SpoolReader(tmp_path / "spool.db", Names().find)
    assert list(reader.quarantine(0, T0 + 1)) == [refused]
    assert list(reader.quarantine(0, T0)) == []
    reader.close()


async def test_a_crash_loses_nothing_whose_token_was_let_go(tmp_path: Path) -> None:
    """The files as they are right after the PUBACK, opened elsewhere: frame, counters and quarantine are there."""
    async with running(tmp_path / "spool.db") as (spool, tokens):
        for token in range(1, 4):
            spool.append(readings((0, 1.0, 1.0)), [_aside()], [token], Counts(3, duplicate=1))
            await _let_go(tokens, token)
        after = tmp_path / "after the crash"
        after.mkdir()
        for file in (tmp_path / "spool.db", tmp_path / "spool.db-wal"):
            shutil.copy(file, after)
    again = _open(after / "spool.db")
    assert again.epoch == spool.epoch
    assert len(list(again.frames_after(0))) == 3
    assert again.balance() == Balance(9, 0, 3, 0, 3, 3, 0)
    assert _put(again, 1, 1.0) == 4
    await again.stop()


async def test_frames_survive_a_changed_register(tmp_path: Path) -> None:
    async with running(tmp_path / "spool.db") as (spool, _tokens):
        spool.append(readings((0, 1.0, 1.0), (1, 1.0, 2.0)), [], [], Counts(2))
    changed = _open(tmp_path / "spool.db", ("GT-9", "GT-2"))
    (frame,) = changed.frames_after(0)
    assert (frame.readings.sensor.tolist(), frame.readings.value.tolist()) == ([1], [2.0])
    await changed.stop()


async def test_the_quarantine_is_bounded_and_says_what_it_forgot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_file, "QUARANTINE_ROWS", 5)
    monkeypatch.setattr(spool_file, "QUARANTINE_BYTES", 100)
    async with running(tmp_path / "spool.db") as (spool, tokens):
        spool.append(None, [_aside(b"%d" % n, T0 + n) for n in range(8)], [1], Counts(8))
        await eventually(lambda: tokens)
        assert spool.file.totals.forgotten == 3
        spool.append(None, [_aside(b"x" * 98, T0 + 8)], [2], Counts(1))
        await eventually(lambda: len(tokens) == 2)
        assert spool.file.totals.forgotten == 6
        assert spool.balance() == Balance(9, 0, 0, 0, 9, 0, 0)
    reader = SpoolReader(tmp_path / "spool.db", Names().find)
    assert [aside.arrival - T0 for aside in reader.quarantine(0, 2 * T0)] == [6, 7, 8]
    reader.close()


async def test_a_spool_of_a_newer_version_is_refused_with_one_sentence(tmp_path: Path) -> None:
    await _open(tmp_path / "spool.db").stop()
    with contextlib.closing(sqlite3.connect(tmp_path / "spool.db")) as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(Permanent, match=r"spool\.db was written by a newer version"):
        _open(tmp_path / "spool.db")


def test_a_file_that_is_no_spool_is_refused_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "spool.db").write_bytes(b"not a database, but long enough to look at" * 50)
    with pytest.raises(Permanent, match="damaged"):
        _open(tmp_path / "spool.db")


async def test_a_failing_disk_keeps_everything_pending_and_acknowledges_nothing(tmp_path: Path) -> None:
    async with running(tmp_path / "spool.db") as (spool, tokens):
        with contextlib.closing(sqlite3.connect(tmp_path / "spool.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            spool.file._db.execute("PRAGMA busy_timeout=1")
            _put(spool, 1, 1.0)
            await eventually(lambda: spool.writer.failure)
            _put(spool, 2, 2.0)
            assert tokens == []
            assert spool.committing_since == T0
            assert spool.balance() == Balance(2, 0, 0, 2, 0, 0, 0)
            other.execute("ROLLBACK")
        await eventually(lambda: tokens == [1, 2])
        assert spool.writer.failure is None
        assert _values(list(spool.frames_after(0))) == [[1.0], [2.0]]


async def test_a_damaged_frame_is_passed_over_and_the_others_are_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(tmp_path / "spool.db") as (spool, tokens):
        for token in (1, 2):
            _put(spool, token, float(token))
            await _let_go(tokens, token)
    with contextlib.closing(sqlite3.connect(tmp_path / "spool.db")) as db, db:
        db.execute("UPDATE frames SET body = zeroblob(60) WHERE number = 1")
    reader = SpoolReader(tmp_path / "spool.db", Names().find)
    assert _values(reader.frames(0)) == [[], [2.0]]
    reader.close()
    assert "frame 1 of the spool cannot be read" in caplog.text


async def test_a_reader_takes_about_what_it_was_asked_for(tmp_path: Path) -> None:
    async with running(tmp_path / "spool.db") as (spool, tokens):
        for token in range(1, 6):
            _put(spool, token, 1.0, 2.0, 3.0)
            await _let_go(tokens, token)
    reader = SpoolReader(tmp_path / "spool.db", Names().find)
    assert [frame.number for frame in reader.frames(1, rows=4)] == [2, 3]
    assert [part.time.tolist() for part in reader.overlapping(1, T0 + 3 * 10**9, T0 + 4 * 10**9)] == [[T0 + 3 * 10**9] * 3]
    reader.close()


def test_the_balance_is_open_when_anything_is_missing() -> None:
    assert Balance(6, 1, 1, 1, 1, 1, 1).closes
    assert not Balance(7, 1, 1, 1, 1, 1, 1).closes
