"""Sees to it that there is room on the disk: for what comes, for what is decided, and for making room.

The reserve is given up when the disk is full, and taken again when it is not. How full the spool and the quarantine are,
and what they had to give up, is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from adapters import disk
from adapters.clock import SystemClock
from adapters.disk import RESERVE, Reserve
from adapters.journal import Journal
from adapters.spool import Spool
from adapters.spool_file import QUARANTINE_BYTES, QUARANTINE_ROWS
from alerts.alarm import Condition
from alerts.reading import SECOND
from gateway.bounded import Bounded
from gateway.losses import Losses
from gateway.selfwatch import SelfWatch
from gateway.settings import Gateway

log = logging.getLogger("hazgate")

EVERY: Final = 1.0
"""Seconds between two looks."""
LEAST: Final = 2**20
"""Bytes left on the disk under which the reserve is given up before anybody needs it."""
KEPT: Final = 8 * 2**20
"""Bytes that are left to decisions and to making room while the reserve is given up: what comes waits with the broker."""
ENOUGH: Final = RESERVE + 16 * 2**20
"""Bytes left on the disk from which the reserve is taken again."""
FILLING: Final = 70.0
OVER: Final = 65.0
"""Per cent of the spool's room at which `spool_filling` begins, and under which it ends."""
WORSE: Final = 90.0
"""Per cent from which it is told in its own right, whatever the cause."""
STEP: Final = 5.0
"""Per cent by which the alarm's value follows."""
CROWDED: Final = 80.0
THINNED: Final = 70.0
"""Per cent of the quarantine's bounds, likewise."""
STUCK: Final = 5 * SECOND
"""ns for which nothing could be committed until the spool counts as full, whatever the reason."""


def prepare(data_dir: Path) -> Reserve:
    """The reserve of a gateway that starts: there if there is room for it, given up if the disk is so full that no file could be opened."""
    reserve = Reserve(data_dir)
    try:
        left = disk.free(data_dir)
        if reserve.held and left < LEAST:
            reserve.give_up()
        elif not reserve.held and left >= ENOUGH:
            reserve.build()
    except OSError as error:
        log.warning("cannot hold a reserve of disk space: %s", error)
    return reserve


class Room:
    """Looks once a second, and whenever a commit fails. On the loop's thread."""

    def __init__(self, reserve: Reserve, settings: Gateway, parts: tuple[Spool, Journal, SelfWatch], losses: Losses, bounded: Sequence[Bounded]) -> None:
        """`bounded`: what gives things up by itself, which only has to be said."""
        self._reserve = reserve
        self._data_dir = settings.data_dir
        self._limit = settings.spool.limit
        self._spool, journal, self._watch = parts
        self._losses = losses
        self._bounded = bounded
        self._clock = SystemClock()
        self._shown: tuple[float, bool] | None = None
        self._crowd: float | None = None
        self._refused = asyncio.Event()
        self._full = False
        self._tasks: list[asyncio.Task[None]] = []
        self._spool.writer.on_trouble = self._trouble
        journal.on_trouble = self._journal_trouble

    async def start(self) -> None:
        """Begin to look."""
        self._tasks = [asyncio.create_task(each(), name=name) for name, each in (("room", self._watch_the_disk), ("losses", self._watch_the_limit))]

    async def stop(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _journal_trouble(self, words: str | None) -> None:
        if words is not None:
            log.error("cannot commit to the journal: %s", words)
        self._watch.part(Condition.JOURNAL_FAILED, words, grace=0)
        self._trouble(words)

    def _trouble(self, words: str | None) -> None:
        """A commit was refused, and may have been for want of room: a quota, which does not show in what is left, says so in its words."""
        if words is not None:
            self._full = self._full or "full" in words
            self._refused.set()

    async def _watch_the_disk(self) -> None:
        while True:
            self._refused.clear()
            try:
                left = await asyncio.to_thread(disk.free, self._data_dir)
                self._fill(await self._hold(left))
                self._quarantine()
                for each in self._bounded:
                    each.look(self._clock.now())
            except OSError as error:
                log.warning("cannot see to the room on the disk: %s", error)
            except Exception:  # the task's outermost edge: whatever went wrong, the next look must come
                log.exception("a look at the room on the disk failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._refused.wait(), EVERY)

    async def _watch_the_limit(self) -> None:
        while True:
            try:
                await self._losses.look()
            except Exception:  # as above
                log.exception("a look at the spool's limit failed")
            await asyncio.sleep(EVERY)

    async def _hold(self, left: int) -> int:
        """Give the reserve up, or take it again; the bytes that what comes may still use."""
        full, self._full = self._full or left < LEAST, False
        if self._reserve.held and full:
            await asyncio.to_thread(self._reserve.give_up)
            log.error("the disk of %s is full: the reserve of %d MiB is given up", self._data_dir, RESERVE // 2**20)
            self._watch.broken(Condition.DISK_LOW, grace=0)
            left += RESERVE
        elif not self._reserve.held and left >= ENOUGH and not full:
            await asyncio.to_thread(self._reserve.build)
            log.warning("there is room on the disk of %s again: the reserve is taken again", self._data_dir)
            left -= RESERVE
        self._spool.writer.keep_free = 0 if self._reserve.held else KEPT
        return max(0, left - self._spool.writer.keep_free)

    def _fill(self, left: int) -> None:
        """Tell how full the spool is: of its limit, or of what the disk still has for it."""
        percent = self._percent(left)
        if percent < (OVER if self._watch.stands(Condition.SPOOL_FILLING) else FILLING):
            if self._watch.stands(Condition.SPOOL_FILLING):
                self._shown = None
                self._watch.level(Condition.SPOOL_FILLING, None)
            return
        cause = Condition.STORE_UNREACHABLE if percent < WORSE and self._watch.stands(Condition.STORE_UNREACHABLE) else None
        shown = (percent // STEP, cause is None)
        if shown != self._shown:
            self._shown = shown
            self._watch.level(Condition.SPOOL_FILLING, round(percent, 1), cause)

    def _percent(self, left: int) -> float:
        file, since = self._spool.file, self._spool.committing_since
        if since is not None and self._clock.now() - since >= STUCK:
            return 100.0
        return 100.0 * min(1.0, file.filled / max(1, min(self._limit, file.filled + file.spare + left)))

    def _quarantine(self) -> None:
        """Tell that it is crowded."""
        rows, size = self._spool.file.held
        percent = 100.0 * max(rows / QUARANTINE_ROWS, size / QUARANTINE_BYTES)
        stands = self._watch.stands(Condition.QUARANTINE_FILLING)
        if percent >= (THINNED if stands else CROWDED):
            if percent // STEP != self._crowd:
                self._crowd = percent // STEP
                self._watch.level(Condition.QUARANTINE_FILLING, round(percent, 1))
        elif stands:
            self._crowd = None
            self._watch.level(Condition.QUARANTINE_FILLING, None)
