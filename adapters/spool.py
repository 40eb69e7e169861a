"""The spool: every received reading on this disk, synced, before the broker is told that we have it.

One SQLite file with one writer. Whatever arrives while a commit runs becomes the next frame: the group grows with the
load, and an idle spool commits at once. `SpoolReader` reads the same file beside the writer; a reader sees a frame only
after its commit was synced, because SQLite publishes a commit to readers after it has synced its log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from adapters import sqlite
from adapters.codecs import frames
from adapters.spool_reader import SCHEMA, SCHEMA_NUMBER, STEPS, SpoolReader
from alerts.balance import Balance, Counts
from alerts.ports import Aside, Clock, Frame
from alerts.reading import Readings

if TYPE_CHECKING:  # the recorder reads spools without paying for the models of the site files
    from alerts.register import Register

log = logging.getLogger(__name__)

UPDATE = "UPDATE totals SET (epoch, next, through, received, stored, spooled, quarantined, duplicate, dropped, forgotten) = (?,?,?,?,?,?,?,?,?,?)"
QUARANTINE_ROWS = 10_000
QUARANTINE_BYTES = 64 * 2**20
RELEASE_AT_ONCE = 256
"""Frames deleted with one commit: a checkpoint releases tens of thousands, and a commit must stay short for the PUBACKs behind it."""
RETRY_FIRST, RETRY_MOST = 0.05, 1.0
"""Seconds until a failed commit is tried again, doubling from the first to the last."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the recorder says about frames `after` < number <= `through`: rows the store holds now, repeats, refusals."""

    after: int
    through: int
    rows: int
    duplicate: int = 0
    rejected: tuple[Aside, ...] = ()


class Totals(NamedTuple):
    """The one row of figures, as of the last commit. `forgotten` counts quarantined payloads that fell to its bounds."""

    epoch: str
    next: int
    through: int
    received: int = 0
    stored: int = 0
    spooled: int = 0
    quarantined: int = 0
    duplicate: int = 0
    dropped: int = 0
    forgotten: int = 0


@dataclass(slots=True)
class _Batch:
    """What the next commit makes durable."""

    parts: list[Readings] = field(default_factory=list)
    rows: int = 0
    aside: list[Aside] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    reports: list[Report] = field(default_factory=list)
    forget: int = 0
    """Quarantined payloads that arrived before it go, ns."""
    frame: tuple[int, int, int, int, bytes] | None = None
    """number, first time, last time, rows, body; once sealed."""

    def __bool__(self) -> bool:
        return bool(self.parts or self.aside or self.tokens or self.reports or self.forget or self.counts != Counts())


class Spool:
    """The writer's side. Everything but `frames_after` is called on the loop's thread."""

    def __init__(self, file: _File, register: Register, clock: Clock) -> None:
        self._file = file
        self._register = register
        self._names = [(point.site.site, point.sensor.id) for point in register]
        self._clock = clock
        self._totals = file.totals
        self._through = file.totals.through
        self._next = file.totals.next
        self._covered = 0
        self._open = _Batch()
        self._sealed = _Batch()
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._task: asyncio.Task[None] | None = None
        self.on_committed: Callable[[Sequence[int]], None] = lambda _tokens: None
        self.on_sealed: Callable[[int], None] = lambda _number: None
        self.commits = 0
        self.committing_since: int | None = None
        self.failure: str | None = None

    @classmethod
    def open(cls, path: Path, register: Register, clock: Clock) -> Spool:
        """Open or create the file. Raises Permanent if it is damaged or of a newer version, Transient if it cannot be opened."""
        return cls(_File(path), register, clock)

    @property
    def epoch(self) -> str:
        """Names this spool: frame 7 of another spool is another frame."""
        return self._totals.epoch

    @property
    def stored_through(self) -> int:
        """The last frame that the recorder has confirmed, whether or not that is on disk already."""
        return self._through

    @property
    def size(self) -> int:
        """Bytes in use in the file, as of the last commit; freed pages do not count."""
        return self._file.size

    @property
    def forgotten(self) -> int:
        """Quarantined payloads that fell to the quarantine's bounds or were kept long enough."""
        return self._totals.forgotten

    async def start(self) -> None:
        """Begin to commit. Set `on_committed` and `on_sealed` first."""
        self._task = asyncio.create_task(self._run(), name="spool")

    async def stop(self) -> None:
        """Commit what is pending and close the file. If the disk refuses, what is pending stays with the broker, unacknowledged."""
        self._stopping.set()
        self._wake.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown()
        self._file.close()

    def append(self, readings: Readings | None, aside: Sequence[Aside], tokens: Sequence[int], counts: Counts) -> int:
        """Take what one message brought; returns the number of the frame its readings will be in. Nothing waits.

        `counts.received` must be what `readings`, `aside`, `counts.duplicate` and `counts.dropped` add up to: it is
        not checked here, because the balance is there to find out. `tokens` come back through `on_committed`.
        """
        batch = self._open
        if readings is not None and len(readings):
            batch.parts.append(readings)
            batch.rows += len(readings)
        batch.aside.extend(aside)
        batch.tokens.extend(tokens)
        batch.counts += counts
        self._wake.set()
        return self._next

    def stored(self, report: Report) -> None:
        """Take the recorder's word that frames are in the store. A report that does not follow on the last is ignored."""
        if report.after != self._through:
            log.warning("ignored a recorder's report on frames after %d: the last one reached %d", report.after, self._through)
            return
        self._through = report.through
        self._open.reports.append(report)
        self._wake.set()

    def release(self, covered: int) -> None:
        """A checkpoint covers frames <= `covered`. Those that are stored too are deleted with the next commits."""
        self._covered = max(self._covered, covered)
        self._wake.set()

    def forget(self, before: int) -> None:
        """Quarantined payloads that arrived before `before` (ns) go with the next commit."""
        self._open.forget = before
        self._wake.set()

    def frames_after(self, number: int) -> Iterator[Frame]:
        """The frames to judge again after a restart, in order. Readings of sensors no longer registered are left out."""
        reader = SpoolReader(self._file.path, self._index)
        try:
            while found := reader.frames(number):
                yield from found
                number = found[-1].number
        finally:
            reader.close()

    def balance(self) -> Balance:
        """Where every reading is at this moment."""
        totals = self._totals
        waiting = self._sealed.counts + self._open.counts
        pending = sum(batch.rows + len(batch.aside) for batch in (self._sealed, self._open))
        return Balance(
            received=totals.received + waiting.received,
            stored=totals.stored,
            spooled=totals.spooled,
            pending=pending,
            quarantined=totals.quarantined,
            duplicate=totals.duplicate + waiting.duplicate,
            dropped=totals.dropped + waiting.dropped,
        )

    def _index(self, site: str, sensor: str) -> int | None:
        point = self._register.find(site, sensor)
        return None if point is None else point.index

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._open or self._file.releasable(self._covered):
                if not await self._commit():
                    return
            if self._stopping.is_set():
                return

    async def _commit(self) -> bool:
        """Seal what is open and commit it, again and again if it fails; whether it succeeded in the end."""
        batch = self._seal()
        self.committing_since = self._clock.now()
        loop = asyncio.get_running_loop()
        delay = RETRY_FIRST
        while True:
            try:
                totals = await loop.run_in_executor(self._thread, self._file.commit, batch, self._covered)
                break
            except sqlite3.Error as error:
                self.failure = str(error)
                log.error("cannot commit %d readings to the spool: %s", batch.rows, error)  # noqa: TRY400 - the trace says nothing about a full disk
            if self._stopping.is_set():
                return False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
            delay = min(2 * delay, RETRY_MOST)
        self._totals, self._sealed = totals, _Batch()
        self.commits += 1
        self.committing_since = self.failure = None
        self.on_committed(batch.tokens)
        return True

    def _seal(self) -> _Batch:
        batch, self._open = self._open, _Batch()
        self._sealed = batch
        if batch.parts:
            readings = Readings.concatenate(batch.parts)
            since, until = int(readings.time.min()), int(readings.time.max())
            batch.frame = (self._next, since, until, len(readings), frames.encode(readings, self._names))
            self._next += 1
            self.on_sealed(self._next - 1)
        return batch


class _File:
    """The SQL of the writer's side; `commit` runs in the spool's thread, one at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = sqlite.open_file(path, SCHEMA, SCHEMA_NUMBER, STEPS)
        try:
            self.totals = Totals(*self._db.execute("SELECT * FROM totals").fetchone())
            self._first = int(self._db.execute("SELECT coalesce(min(number), ?) FROM frames", (self.totals.next,)).fetchone()[0])
            self._held: tuple[int, int] = self._db.execute("SELECT count(*), coalesce(sum(length(payload)), 0) FROM quarantine").fetchone()
            self.size = self._size()
        except sqlite3.Error as error:
            raise sqlite.explained(error, path) from error

    def close(self) -> None:
        self._db.close()

    def releasable(self, covered: int) -> bool:
        """Whether there are frames that store and checkpoint both have."""
        return self._first <= min(self.totals.through, covered)

    def commit(self, batch: _Batch, covered: int) -> Totals:
        """Make a batch durable in one transaction, or change nothing and raise sqlite3.Error."""
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            totals = self._frame(batch)
            for report in batch.reports:
                totals = self._report(totals, report)
            aside = [*batch.aside, *(one for report in batch.reports for one in report.rejected)]
            held = self._held
            if aside:
                totals, held = self._set_aside(totals, aside)
            if batch.forget:
                totals, held = self._forget(totals, held, batch.forget)
            through = min(totals.through, covered, self._first + RELEASE_AT_ONCE - 1)
            if through >= self._first:
                self._db.execute("DELETE FROM frames WHERE number <= ?", (through,))
            self._db.execute(UPDATE, totals)
        self.totals, self._held, self._first = totals, held, max(self._first, through + 1)
        self.size = self._size()
        return totals

    def _frame(self, batch: _Batch) -> Totals:
        totals, counts = self.totals, batch.counts
        if batch.frame is not None:
            self._db.execute("INSERT INTO frames VALUES (?, ?, ?, ?, ?)", batch.frame)
            totals = totals._replace(next=totals.next + 1, spooled=totals.spooled + batch.frame[3])
        return totals._replace(
            received=totals.received + counts.received,
            duplicate=totals.duplicate + counts.duplicate,
            dropped=totals.dropped + counts.dropped,
        )

    def _report(self, totals: Totals, report: Report) -> Totals:
        # what leaves the spool is counted from its own frames, what the store took from the recorder's words
        sql = "SELECT coalesce(sum(rows), 0) FROM frames WHERE number > ? AND number <= ?"
        left = self._db.execute(sql, (report.after, report.through)).fetchone()[0]
        return totals._replace(
            through=report.through,
            spooled=totals.spooled - left,
            stored=totals.stored + report.rows,
            duplicate=totals.duplicate + report.duplicate,
        )

    def _set_aside(self, totals: Totals, aside: Sequence[Aside]) -> tuple[Totals, tuple[int, int]]:
        """Keep what was set aside; the oldest goes when there is too much. Returns the figures and (rows, bytes) held."""
        newest = aside[-QUARANTINE_ROWS:]
        rows = [(one.arrival, one.topic, one.reason.value, one.detail, one.size, one.payload) for one in newest]
        self._db.executemany("INSERT INTO quarantine (arrival, topic, reason, detail, size, payload) VALUES (?, ?, ?, ?, ?, ?)", rows)
        count, size = self._held[0] + len(newest), self._held[1] + sum(len(one.payload) for one in newest)
        before = self._held[0] + len(aside)
        while count > QUARANTINE_ROWS or size > QUARANTINE_BYTES:
            many = max(count - QUARANTINE_ROWS, 1)
            last, freed = self._db.execute(
                "SELECT max(id), sum(length(payload)) FROM (SELECT id, payload FROM quarantine ORDER BY id LIMIT ?)", (many,)
            ).fetchone()
            self._db.execute("DELETE FROM quarantine WHERE id <= ?", (last,))
            count, size = count - many, size - freed
        forgotten = totals.forgotten + before - count
        return totals._replace(quarantined=totals.quarantined + len(aside), forgotten=forgotten), (count, size)

    def _forget(self, totals: Totals, held: tuple[int, int], before: int) -> tuple[Totals, tuple[int, int]]:
        """Drop what has been kept long enough; figures as above."""
        sql = "SELECT count(*), coalesce(sum(length(payload)), 0) FROM quarantine WHERE arrival < ?"
        count, size = self._db.execute(sql, (before,)).fetchone()
        self._db.execute("DELETE FROM quarantine WHERE arrival < ?", (before,))
        return totals._replace(forgotten=totals.forgotten + count), (held[0] - count, held[1] - size)

    def _size(self) -> int:
        pages, free, page = (self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size"))
        return int((pages - free) * page)
