"""What is recorded, wherever it is: the store and the frames on their way to it, as one.

Used by the recorder, and by the command line when no gateway runs. One thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from adapters.codecs.frames import Labels, Names
from adapters.registry import open_store
from adapters.spool_reader import SpoolReader
from alerts.ports import Aside, Filed, Query, Stretch, Written
from alerts.reading import Readings
from gateway.chronicle import Chronicle

SPOOL = "spool.db"
"""The spool's file in `data_dir`."""
BATCH = 50_000
"""Readings written to the store at a time, about: 20 MB of columns at work."""
_NONE: Labels = {}


class Archive:
    """A store together with the spool that feeds it. Every method may raise Transient or Permanent."""

    def __init__(self, data_dir: Path, store: Mapping[str, object], after: int | None = None, labels: Labels = _NONE) -> None:
        """Open both. `after` is the last frame the store has confirmed; the spool's own word if left out. `labels` are for writing only."""
        self.names = Names(labels)
        self._spool = SpoolReader(data_dir / SPOOL, self.names.find)
        self._store = open_store(store, data_dir, self._spool.epoch, self.names)
        self._chronicle = Chronicle(data_dir, self._store)
        self.after = self._spool.through if after is None else after

    def drain(self) -> tuple[int, Written, Readings] | None:
        """Write the next frames to the store; None when there are none.

        Returns the last frame now in the store, what the store made of them, and their readings, in which
        `Written.rejected` counts.
        """
        frames = self._spool.frames(self.after, BATCH)
        if not frames:
            self._chronicle.copy()
            return None
        written = self._store.write(frames)
        self.after = frames[-1].number
        self._chronicle.copy()
        return self.after, written, Readings.concatenate([frame.readings for frame in frames])

    def history(self, query: Query) -> Iterator[Stretch]:
        """The readings asked for, each once, in order of time, in pieces; those still in the spool are among them.

        Store and spool are read for the same stretch of time in the same step, so frames that are drained between two
        steps are neither missed nor given twice.
        """
        since = query.since
        for stretch in self._store.history(query):
            spooled = [self._wanted(part, query) for part in self._spool.overlapping(self.after, since, stretch.until)]
            yield Stretch(stretch.until, _merged(stretch.readings, spooled))
            since = stretch.until

    def quarantine(self, since: int, until: int) -> Iterator[Aside]:
        """What was set aside with since <= arrival < until (ns), the oldest first."""
        return self._spool.quarantine(since, until)

    def forget(self, before: int) -> int:
        """Let the store give up files of readings before `before` (ns); returns how many it gave up."""
        return self._store.forget(before, self._spool.confirmed()) if isinstance(self._store, Filed) else 0

    def tidy(self, now: int) -> bool:
        """Let the store use a quiet moment (now: UTC, ns); whether it had anything to do."""
        return isinstance(self._store, Filed) and self._store.tidy(now)

    def settle(self) -> None:
        """Have everything that is stored in its files."""
        if isinstance(self._store, Filed):
            self._store.settle()

    def count(self) -> int:
        """How many readings the store holds."""
        return self._store.count()

    def close(self) -> None:
        """Give both up."""
        self._store.close()
        self._spool.close()

    def _wanted(self, readings: Readings, query: Query) -> Readings:
        if query.site is None and query.sensor is None:
            return readings
        known = [query.site in (None, site) and query.sensor in (None, sensor) for site, sensor in self.names.known]
        return readings.take(np.array(known, np.bool_)[readings.sensor])


def _merged(stored: Readings, spooled: list[Readings]) -> Readings:
    """Both in order of time, without what says the same of the same sensor at the same time."""
    if not any(len(part) for part in spooled):
        return stored
    both = Readings.concatenate([stored, *spooled])
    bits = np.where(np.isnan(both.value), np.nan, both.value).view(np.int64)
    order = np.lexsort((bits, both.sensor, both.time))
    same = np.zeros(len(order), np.bool_)
    same[1:] = True
    for column in (bits, both.sensor, both.time):
        ordered = column[order]
        same[1:] &= ordered[1:] == ordered[:-1]
    return both.take(order[~same])
