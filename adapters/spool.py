"""The spool: every received reading on this disk, synced, before the broker is told that we have it.

One SQLite file with one writer. Whatever arrives while a commit runs becomes the next frame: the group grows with the
load, and an idle spool commits at once. `SpoolReader` reads the same file beside the writer; a reader sees a frame only
after its commit was synced, because SQLite publishes a commit to readers after it has synced its log.

A disk that refuses keeps what came waiting, and unacknowledged; what makes room goes on as far as the disk lets it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from adapters import backoff, disk
from adapters.codecs import frames
from adapters.spool_file import SPARE, Chores, Intake, Report, SpoolFile
from adapters.spool_reader import SpoolReader
from adapters.spool_thin import Thinning, Totals
from alerts.balance import Balance, Counts
from alerts.ports import Aside, Clock, Frame
from alerts.reading import Readings

if TYPE_CHECKING:  # the recorder reads spools without paying for the models of the site files
    from alerts.register import Register

log = logging.getLogger(__name__)

RETRY_FIRST, RETRY_MOST = 0.05, 1.0
"""Seconds until a failed commit is tried again, doubling from the first to the last."""
ROOM = 4 * 2**20
"""Bytes of free pages in the file that are enough for what comes at a time."""


class Writer:
    """Carries commits to the disk, in a thread of its own. On the loop's thread."""

    def __init__(self, file: SpoolFile) -> None:
        self._file = file
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self.commits = 0
        self.failure: str | None = None
        """Why what came cannot be committed at present."""
        self.on_trouble: Callable[[str | None], None] = lambda _words: None
        """Told when that begins, and with None when it is over."""
        self.keep_free = 0
        """Bytes that must stay free on the disk: what came waits rather than take them, unless the file has free pages of its own."""

    def no_room(self) -> str | None:
        """Why what came must wait, if the disk has less left than must stay free."""
        if not self.keep_free or self._file.spare >= ROOM:
            return None
        folder = self._file.path.parent
        try:
            left = disk.free(folder)
        except OSError as error:
            return str(error)
        return None if left >= self.keep_free else f"only {left / 2**20:.0f} MiB are left on the disk of {folder}"

    async def commit(self, intake: Intake | None, chores: Chores, covered: int, order: Thinning | None) -> Totals:
        """As `SpoolFile.commit`."""
        totals = await asyncio.get_running_loop().run_in_executor(self._thread, self._file.commit, intake, chores, covered, order)
        self.commits += 1
        return totals

    async def shrink(self) -> None:
        """Give free pages back to the disk, if it lets us; if not, there is another time."""
        with contextlib.suppress(sqlite3.Error):
            await asyncio.get_running_loop().run_in_executor(self._thread, self._file.shrink)

    def say(self, words: str | None, rows: int) -> None:
        """Commits are refused, or succeed: what changed is told once. `rows` readings wait."""
        before, self.failure = self.failure, words
        if (words is None) == (before is None):
            return
        if words is None:
            log.warning("commits to the spool succeed again")
        else:
            log.error("cannot commit %d readings to the spool: %s", rows, words)
        self.on_trouble(words)

    def close(self) -> None:
        """Give the file up."""
        self._thread.shutdown()
        self._file.close()


class Spool:
    """The writer's side. Everything but `frames_after` is called on the loop's thread."""

    def __init__(self, file: SpoolFile, register: Register, clock: Clock) -> None:
        self.file = file
        """What is on the disk, as of the last commit. To be read only."""
        self._register = register
        self._names = [(point.site.site, point.sensor.id) for point in register]
        self._clock = clock
        self._totals = file.totals
        self._through = file.totals.through
        self._next = file.totals.next
        self.covered = 0
        """The last frame that a checkpoint on the disk covers."""
        self._open, self._sealed = Intake(), Intake()
        self._chores = Chores()
        self.thinning: Thinning | None = None
        """The order to give up readings that is being carried out."""
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.writer = Writer(file)
        self.on_committed: Callable[[Sequence[int]], None] = lambda _tokens: None
        self.on_sealed: Callable[[int], None] = lambda _number: None

    @classmethod
    def open(cls, path: Path, register: Register, clock: Clock) -> Spool:
        """Open or create the file. Raises Permanent if it is damaged or of a newer version, Transient if it cannot be opened."""
        return cls(SpoolFile(path), register, clock)

    @property
    def epoch(self) -> str:
        """Names this spool: frame 7 of another spool is another frame."""
        return self._totals.epoch

    @property
    def stored_through(self) -> int:
        """The last frame that the recorder has confirmed, whether or not that is on disk already."""
        return self._through

    @property
    def committing_since(self) -> int | None:
        """When the oldest of what is not on the disk yet came (ns); None when everything is."""
        return self._sealed.since if self._sealed else self._open.since

    async def start(self) -> None:
        """Begin to commit. Set the callbacks first."""
        self._task = asyncio.create_task(self._run(), name="spool")

    async def stop(self) -> None:
        """Commit what is pending and close the file. If the disk refuses, what is pending stays with the broker, unacknowledged."""
        self.thinning = None
        self._stopping.set()
        self._wake.set()
        if self._task is not None:
            await self._task
        self.writer.close()

    def append(self, readings: Readings | None, aside: Sequence[Aside], tokens: Sequence[int], counts: Counts) -> int:
        """Take what one message brought; returns the number of the frame its readings will be in. Nothing waits.

        `counts.received` must be what `readings`, `aside`, `counts.duplicate` and `counts.dropped` add up to: it is
        not checked here, because the balance is there to find out. `tokens` come back through `on_committed`.
        """
        batch = self._open
        batch.since = batch.since or self._clock.now()
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
        self._chores.reports.append(report)
        self._wake.set()

    def release(self, covered: int) -> None:
        """A checkpoint covers frames <= `covered`. Those that are stored too are deleted with the next commits."""
        self.covered = max(self.covered, covered)
        self._wake.set()

    def forget(self, before: int) -> None:
        """Quarantined payloads that arrived before `before` (ns) go with the next commit."""
        self._chores.forget = before
        self._wake.set()

    def thin(self, order: Thinning) -> None:
        """Give up readings as the order says: of a few frames with each of the next commits. The last order counts.

        The frames must be covered, and its evidence know every alarm that came of them.
        """
        self.thinning = order
        self._wake.set()

    def next_round(self) -> None:
        """Note what is given up from the next commit on under another round; this one is complete when `round` has risen."""
        self._chores.next_round = True
        self._wake.set()

    def told(self, through: int) -> None:
        """What was given up in rounds <= `through` is known elsewhere."""
        self._chores.told = max(self._chores.told, through)
        self._wake.set()

    def frames_after(self, number: int) -> Iterator[Frame]:
        """The frames to judge again after a restart, in order. Readings of sensors no longer registered are left out."""
        reader = SpoolReader(self.file.path, self._register.index)
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

    async def _run(self) -> None:
        tries = 0
        while True:
            if not self._busy():
                if self._stopping.is_set():
                    return
                await self._wake.wait()
                self._wake.clear()
            elif await self._turn():
                tries = 0
            elif self._stopping.is_set():
                return
            else:
                tries += 1
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), backoff.wait(tries, RETRY_FIRST, RETRY_MOST))

    def _busy(self) -> bool:
        return bool(self._sealed or self._open) or self._has_chores()

    def _has_chores(self) -> bool:
        return bool(self._chores or self.thinning) or self.file.releasable(self.covered)

    async def _turn(self) -> bool:
        """One commit. If the disk has no room for what came, what makes room is done by itself. Whether nothing had to wait."""
        words = self.writer.no_room() if self._sealed or self._open else None
        if words is None:
            if not self._sealed:
                self._seal()
            words = await self._commit(self._sealed or None)
        if words is not None and (self._sealed or self._open) and self._has_chores():
            await self._commit(None)
        self.writer.say(words, self._sealed.rows + self._open.rows)
        return words is None

    async def _commit(self, intake: Intake | None) -> str | None:
        """Commit what came, if it is given, and everything else that waits; the error's words if the disk refuses."""
        chores, self._chores = self._chores, Chores()
        order = self.thinning
        try:
            self._totals = await self.writer.commit(intake, chores, self.covered, order)
        except sqlite3.Error as error:
            self._chores.put_back(chores)
            return str(error)
        if order is not None and order is self.thinning and (self.file.exhausted or self.file.filled <= order.size):
            self.thinning = None
        if intake is not None:
            self._sealed = Intake()
        if not self._sealed:  # what is sealed and not on the disk must not count as being there
            self.on_committed(intake.tokens if intake is not None else ())
        if self.file.spare > SPARE:
            await self.writer.shrink()
        return None

    def _seal(self) -> None:
        batch, self._open = self._open, Intake()
        self._sealed = batch
        if batch.parts:
            readings = Readings.concatenate(batch.parts)
            since, until = int(readings.time.min()), int(readings.time.max())
            batch.frame = (self._next, since, until, len(readings), frames.encode(readings, self._names))
            self._next += 1
            self.on_sealed(self._next - 1)
