"""The spool over years: what it gives up in time, older versions of its file, and copies of it while it is written."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.recording import everything, readings
from support.sites import T0, register, sensor
from support.wait import eventually

from adapters import snapshot, spool_file, spool_reader
from adapters.codecs.frames import Names
from adapters.journal import Entry, Journal
from adapters.spool import Spool
from adapters.spool_file import Report
from adapters.spool_reader import SpoolReader
from alerts.alarm import Quarantine
from alerts.balance import Balance, Counts
from alerts.ports import Aside
from gateway.archive import Archive

STORE = {"kind": "duckdb"}


class Clock:
    """Stands still."""

    def now(self) -> int:
        """`T0`."""
        return T0


@contextlib.asynccontextmanager
async def running(path: Path) -> AsyncIterator[Spool]:
    """A started spool of GT-1."""
    spool = Spool.open(path, register(sensor("GT-1")), Clock())
    await spool.start()
    try:
        yield spool
    finally:
        await spool.stop()


async def put(spool: Spool, *values: float) -> None:
    """One frame of readings, on the disk; each value is its own second."""
    number = spool.append(readings(*((0, value, value) for value in values)), [], [], Counts(len(values)))
    await eventually(lambda: [frame.number for frame in spool.frames_after(0)][-1:] == [number])


async def test_quarantined_payloads_go_when_they_were_kept_long_enough(tmp_path: Path) -> None:
    async with running(tmp_path / "spool.db") as spool:
        aside = [Aside("a/topic", Quarantine.UNREADABLE, "not JSON", b"%d" % n, 1, T0 + n) for n in range(8)]
        spool.append(None, aside, [1], Counts(8))
        spool.forget(T0 + 5)
        await eventually(lambda: spool._totals.forgotten == 5)
        assert spool.balance() == Balance(8, 0, 0, 0, 8, 0, 0)
        assert spool.file.held == (3, 3)
    reader = SpoolReader(tmp_path / "spool.db", Names().find)
    assert [aside.arrival - T0 for aside in reader.quarantine(0, 2 * T0)] == [5, 6, 7]
    reader.close()


async def test_a_spool_of_an_older_version_is_migrated_after_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path / "spool.db") as spool:
        await put(spool, 1.0, 2.0)
    older = spool_reader.SCHEMA_NUMBER
    monkeypatch.setattr(spool_file, "SCHEMA_NUMBER", older + 1)
    monkeypatch.setattr(spool_file, "STEPS", {older: "ALTER TABLE frames ADD COLUMN note TEXT;"})
    async with running(tmp_path / "spool.db") as spool:
        assert spool.balance() == Balance(2, 0, 2, 0, 0, 0, 0)
    with contextlib.closing(sqlite3.connect(tmp_path / f"spool.db.schema{older}")) as db:
        assert db.execute("SELECT number, rows FROM frames").fetchall() == [(1, 2)]


def drained(data_dir: Path) -> tuple[Report, list[float]]:
    """Drain what is there; what the recorder would report, and all values held."""
    archive = Archive(data_dir, STORE)
    before, read, rows = archive.after, 0, 0
    while (step := archive.drain()) is not None:
        read, rows = read + len(step[2]), rows + step[1].stored
    found = [value for stretch in archive.history(everything()) for value in stretch.readings.value.tolist()]
    report = Report(before, archive.after, read, rows)
    assert archive.count() == len(found)
    archive.close()
    return report, found


async def test_frames_drained_while_a_backup_is_made_are_neither_missing_nor_mistaken_for_later_ones(tmp_path: Path) -> None:
    """Frame 1 is drained before the copies, frame 2 between the two: the restored spool must number its next frame 3, or it is taken for frame 2."""
    data, copy = tmp_path / "data", tmp_path / "copy"
    data.mkdir()
    copy.mkdir()
    journal = Journal(data / "journal.db")
    await journal.start()
    await journal.commit(Entry(checkpoint=(1, T0, b"")))
    async with running(data / "spool.db") as spool:
        await put(spool, 1.0)
        spool.stored(drained(data)[0])
        snapshot.take(data / "spool.db", data / "journal.db", copy)
        await put(spool, 2.0, 3.0)
        drained(data)
        (copy / "readings").mkdir()
        for path in (data / "readings").glob("*.duckdb"):
            (copy / "readings" / path.name).write_bytes(path.read_bytes())
        snapshot.go_on_after(copy / "spool.db", copy / "journal.db", data / "spool.db")
    await journal.stop()
    async with running(copy / "spool.db") as restored:
        await put(restored, 4.0)
        assert [frame.number for frame in restored.frames_after(0)][-1] == 3
        report, found = drained(copy)
        assert found == [1.0, 2.0, 3.0, 4.0]
        restored.stored(report)
        restored.release(report.through)
        await eventually(lambda: not list(restored.frames_after(0)))


async def test_a_checkpoint_ahead_of_the_copied_spool_covers_no_later_frame(tmp_path: Path) -> None:
    """The journal may name a frame whose commit the copied spool has not seen; that number is not given to other readings."""
    journal = Journal(tmp_path / "journal.db")
    await journal.start()
    await journal.commit(Entry(checkpoint=(7, T0, b"")))
    copy = tmp_path / "copy"
    copy.mkdir()
    async with running(tmp_path / "spool.db") as spool:
        await put(spool, 1.0)
        snapshot.take(tmp_path / "spool.db", tmp_path / "journal.db", copy)
        snapshot.go_on_after(copy / "spool.db", copy / "journal.db", tmp_path / "spool.db")
    await journal.stop()
    async with running(copy / "spool.db") as restored:
        await put(restored, 2.0)
        assert [frame.number for frame in restored.frames_after(7)] == [8]
