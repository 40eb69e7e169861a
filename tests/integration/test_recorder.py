"""The recorder as a real process beside a real spool: drains, survives being killed, never outlives its gateway, answers for history."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from support.recording import KEPT, Fact, everything, facts, readings
from support.sites import T0, register, sensor
from support.wait import eventually

from adapters.dayorder import SMALL
from adapters.lock import DirectoryLock
from adapters.spool import Spool
from alerts.alarm import Quarantine
from alerts.balance import Counts
from alerts.ports import Aside, Query, Transient
from alerts.reading import SECOND
from gateway import history, recording
from gateway.recording import Recording

STORE = {"kind": "duckdb"}


class Clock:
    """Stands still."""

    def now(self) -> int:
        """`T0`."""
        return T0


@dataclass
class Rig:
    """What of a gateway the record path needs: its lock, spool and recorder, and what was heard of the store."""

    folder: Path
    spool: Spool
    recorder: Recording
    words: list[str | None] = field(default_factory=list)
    next: int = 0

    def put(self, many: int) -> None:
        """Hand `many` readings to the spool, 1 ms apart, each with its own value, as one message."""
        given = readings(*((n % 2, n / 1000, float(n)) for n in range(self.next, self.next + many)))
        self.spool.append(given, [], [], Counts(many))
        self.next += many

    async def drained(self, within: float = 20.0) -> None:
        """Wait until the store has everything."""
        await eventually(lambda: self.spool.balance().stored == self.next, within=within)
        assert self.spool.balance().closes

    async def read(self, query: Query | None = None) -> list[Fact]:
        """What a client of the running recorder is told."""
        return await asyncio.to_thread(_read, self.folder, query or everything())

    @property
    def expected(self) -> list[Fact]:
        """Every reading handed over, in order of time."""
        return [(f"GT-{n % 2 + 1}", n, float(n)) for n in range(self.next)]


def _read(folder: Path, query: Query) -> list[Fact]:
    with history.opened(folder, STORE) as source:
        assert source is not None
        return facts(source.history(query), source.names)


@contextlib.asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A running record path; stopped in order."""
    lock = DirectoryLock(folder)
    spool = Spool.open(folder / "spool.db", register(sensor("GT-1"), sensor("GT-2")), Clock())
    words: list[str | None] = []
    recorder = Recording(spool, folder, STORE, KEPT, words.append)
    made = Rig(folder, spool, recorder, words, next=spool.balance().received)
    await spool.start()
    await recorder.start()
    try:
        yield made
    finally:
        await recorder.stop()
        await spool.stop()
        lock.release()


async def _another(made: Rig, pid: int) -> None:
    await eventually(lambda: made.recorder.pid not in (None, pid))


async def _pid(made: Rig) -> int:
    return await eventually(lambda: made.recorder.pid or 0)


async def test_everything_spooled_is_stored_and_released(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        for _ in range(5):
            made.put(20)
            await asyncio.sleep(0)
        await made.drained()
        made.spool.release(2**40)
        await eventually(lambda: not list(made.spool.frames_after(0)))
        assert made.words[0] is None, "the store was reached"
    assert _read(tmp_path, everything()) == made.expected


async def test_an_orderly_stop_drains_what_is_left(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        made.put(1)
        await made.drained()
        made.put(50)
        await eventually(lambda: made.spool.balance().spooled)
    assert made.spool.balance().stored == 51
    async with rig(tmp_path) as made:
        assert made.spool.balance().stored == made.next == 51


async def test_history_holds_each_reading_once_while_the_spool_drains(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        await eventually(lambda: made.words)
        for _ in range(12):
            made.put(500)
            await eventually(lambda: not made.spool.balance().pending)
            assert await made.read() == made.expected
        await made.drained()
        assert await made.read() == made.expected
        some = await made.read(Query(T0 + SECOND, T0 + 2 * SECOND, "north", "GT-2"))
        assert some == [fact for fact in made.expected if fact[0] == "GT-2" and 1000 <= fact[1] < 2000]


async def test_killed_while_draining_another_takes_over_and_stores_each_reading_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "AGAIN_FIRST", 0.01)
    async with rig(tmp_path) as made:
        rng = np.random.default_rng(7)
        for _ in range(6):
            made.put(2000)
            pid = await _pid(made)
            await asyncio.sleep(float(rng.uniform(0, 0.6)))
            os.kill(pid, signal.SIGKILL)
            await _another(made, pid)
        await made.drained()
        assert await made.read() == made.expected
        assert any(words is not None and "signal 9" in words for words in made.words)


async def test_a_crash_before_the_last_report_was_kept_stores_each_reading_once(tmp_path: Path) -> None:
    """The store has frames of which the spool does not know: a spool as it was before the report drains again to the same figures."""
    async with rig(tmp_path) as made:
        made.put(300)
        await eventually(lambda: made.spool.balance().spooled == 300)
        before = {path: path.read_bytes() for path in (tmp_path / "spool.db", tmp_path / "spool.db-wal")}
        await made.drained()
    (tmp_path / "spool.db-wal").unlink(missing_ok=True)
    (tmp_path / "spool.db-shm").unlink(missing_ok=True)
    for path, content in before.items():
        path.write_bytes(content)
    async with rig(tmp_path) as again:
        assert again.spool.balance().spooled == 300
        await again.drained()
        assert await again.read() == made.expected


async def test_the_recorder_dies_with_its_gateway(tmp_path: Path) -> None:
    """The parent is killed, not stopped: its recorder is gone at once too, and the files can be opened."""
    program = (
        "import asyncio, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]); from test_recorder import rig\n"
        "async def main():\n"
        "    async with rig(Path(sys.argv[1])) as made:\n"
        "        made.put(100); await made.drained(); print(made.recorder.pid, flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    here = Path(__file__).parent
    path = os.pathsep.join((str(here), str(here.parent), os.environ.get("PYTHONPATH", "")))
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), path, stdout=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONPATH": path}
    )
    assert parent.stdout is not None
    child = int(await asyncio.wait_for(parent.stdout.readline(), 20))
    parent.kill()
    await parent.wait()
    await eventually(lambda: not _alive(child))
    # the last of its threads closes the files a moment after the first is gone
    assert await eventually(lambda: _read_or_none(tmp_path)) == 100


def _read_or_none(folder: Path) -> int | None:
    try:
        return len(_read(folder, everything()))
    except Transient:
        return None


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def test_a_store_that_cannot_be_written_is_told_and_tried_again(tmp_path: Path) -> None:
    (tmp_path / "readings").write_text("in the way", encoding="utf-8")
    async with rig(tmp_path) as made:
        made.put(10)
        await eventually(lambda: any(made.words))
        assert made.spool.balance().spooled == 10
        assert await made.read() == made.expected, "what waits in the spool is history too"
        (tmp_path / "readings").unlink()
        await made.drained()
        assert made.words[-1] is None


async def test_signals_meant_for_the_gateway_do_not_end_its_recorder(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        await eventually(lambda: made.words)
        pid = await _pid(made)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
        made.put(10)
        await made.drained()
        assert made.recorder.pid == pid


async def test_counts_and_quarantine_are_answered_too(tmp_path: Path) -> None:
    aside = Aside("hazgate/v1/north/rtu-1/readings", Quarantine.UNREADABLE, "not JSON", b"\x00\n\xff", 3, T0)

    def ask() -> tuple[int, list[Aside]]:
        with history.opened(tmp_path, STORE) as source:
            assert source is not None
            return source.count(), list(source.quarantine(0, T0 + 1))

    async with rig(tmp_path) as made:
        made.put(10)
        made.spool.append(None, [aside], [], Counts(1))
        await made.drained()
        assert await asyncio.to_thread(ask) == (10, [aside])
    assert ask() == (10, [aside])


async def test_a_data_directory_with_a_long_name_works(tmp_path: Path) -> None:
    """A socket's address has room for 108 bytes; directories have more."""
    deep = tmp_path.joinpath(*["a-rather-long-name-of-a-directory"] * 4)
    deep.mkdir(parents=True)
    async with rig(deep) as made:
        made.put(5)
        await made.drained()
        assert await made.read() == made.expected


def test_nothing_recorded_is_no_error(tmp_path: Path) -> None:
    with history.opened(tmp_path, STORE) as source:
        assert source is None


def test_reading_history_never_keeps_the_lock(tmp_path: Path) -> None:
    """A long export must not keep a gateway from starting."""

    async def once() -> None:
        async with rig(tmp_path) as made:
            made.put(1)
            await made.drained()

    asyncio.run(once())
    with history.opened(tmp_path, STORE) as source:
        assert source is not None
        DirectoryLock(tmp_path).release()


async def test_a_day_that_is_over_is_put_in_order_beside_what_comes_in(tmp_path: Path) -> None:
    """The second recorder finds a file that nobody wrote to lately; what is drained and asked for meanwhile goes to another day."""
    file = tmp_path / "readings" / "2025-11-21.duckdb"
    async with rig(tmp_path) as made:
        made.put(SMALL + 1000)
        await made.drained()
    before, expected = file.stat(), made.expected
    async with rig(tmp_path) as made:

        async def replaced() -> bool:
            made.spool.append(readings((0, 86_400.0 + made.next / 1000, 1.0)), [], [], Counts(1))
            made.next += 1
            return file.stat().st_ino != before.st_ino

        await eventually(replaced, within=60, every=0.1)
        await made.drained()
        assert (await made.read())[: len(expected)] == expected
    assert file.stat().st_size < before.st_size
