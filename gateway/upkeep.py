"""A life of years: what was kept long enough goes, and somebody is told before the disk is full."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from typing import Final

from adapters import disk
from adapters.clock import SystemClock
from adapters.journal import Entry, Journal
from adapters.spool import Spool
from alerts.alarm import Condition
from alerts.reading import SECOND
from gateway.selfwatch import SelfWatch
from gateway.settings import Gateway
from gateway.years import Years

log = logging.getLogger("hazgate")

DAY: Final = 86_400 * SECOND
EVERY: Final = 600.0
"""Seconds between two looks at the disk; old messages and quarantined payloads are given up as often."""
AT_LEAST: Final = 3600 * SECOND
"""ns of growth that must have been seen before it is believed."""
FULL: Final = 256 * 2**20
"""Bytes. With less than that nothing may be left tomorrow, and a full disk does not grow."""
LOW: Final = 14.0
"""Days left under which `disk_low` is raised."""
ENOUGH: Final = 15.0
"""Days left from which it ends; between the two it stays as it is."""
FOREVER: Final = 36_500.0
"""Days left when nothing grows."""
DISK: Final = "disk"
"""The name under which the journal keeps what was seen of the disk."""


class Forecast:
    """For how many days the disk lasts, by how much was written to it within the last 24 hours."""

    def __init__(self, recalled: str | None) -> None:
        """`recalled` is what an earlier run's `text` said."""
        self._seen: deque[tuple[int, int]] = deque((int(at), int(free)) for at, free in json.loads(recalled or "[]"))

    def note(self, now: int, free: int) -> None:
        """There were `free` bytes at `now` (ns)."""
        self._seen.append((now, free))
        while not 0 <= now - self._seen[0][0] <= DAY:
            self._seen.popleft()

    @property
    def text(self) -> str:
        """What was seen, for the next run."""
        return json.dumps(list(self._seen))

    def days_left(self) -> float | None:
        """None before growth has been seen for an hour."""
        if not self._seen:
            return None
        (since, before), (until, free) = self._seen[0], self._seen[-1]
        if free < FULL:
            return 0.0
        if until - since < AT_LEAST:
            return None
        growth = (before - free) * DAY / (until - since)
        return min(free / growth, FOREVER) if growth > 0 else FOREVER


class Upkeep:
    """Looks at disk and old things while the gateway runs. On the loop's thread."""

    def __init__(self, settings: Gateway, spool: Spool, journal: Journal, watch: SelfWatch, years: Years, recalled: str | None) -> None:
        """`recalled` is what an earlier run saw of the disk."""
        self._years = years
        self._data_dir = settings.data_dir
        self._keep = settings.keep
        self._spool = spool
        self._journal = journal
        self._watch = watch
        self._clock = SystemClock()
        self.forecast = Forecast(recalled)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="upkeep")
        await self._years.start()

    async def stop(self) -> None:
        """End."""
        await self._years.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            now = self._clock.now()
            try:
                self.forecast.note(now, disk.free(self._data_dir))
            except OSError as error:
                log.warning("cannot see how much room the disk has: %s", error)
            self.judge()
            self._spool.forget(now - self._keep.quarantine)
            self._journal.commit(Entry(meta={DISK: self.forecast.text}, forget=now - self._keep.alarms))
            await asyncio.sleep(EVERY)

    def judge(self) -> None:
        """Raise or end `disk_low`; between its two borders, and while nothing is known, it stays as it is."""
        left = self.forecast.days_left()
        if left is not None and left < LOW:
            self._watch.broken(Condition.DISK_LOW, grace=0)
        elif left is not None and left >= ENOUGH:
            self._watch.works(Condition.DISK_LOW)
