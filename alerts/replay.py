"""Replay: a recording judged as the gateway would have judged it, in virtual time.

Virtual time is the largest stamp seen. A row arrives at the virtual time that it makes; before it is judged, every
deadline up to that moment passes at its own, as the clock would have let it. Admission, detection and the book are
those of the running gateway; nobody is told and nobody answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from alerts.alarm import Event
from alerts.book import Book
from alerts.bulk import Admitted, Bulk, Rows
from alerts.command import Numbers
from alerts.detect.batch import NEVER
from alerts.detect.engine import Engine
from alerts.edge import Edge
from alerts.reading import NO_TIME, Mark, Readings
from alerts.register import Register
from alerts.site import Site


@dataclass(slots=True)
class Tally:
    """What became of the rows. read = judged + all of `aside`; `late` are judged too, at their own time. since, until: virtual time, ns."""

    read: int = 0
    judged: int = 0
    late: int = 0
    aside: Counter[str] = field(default_factory=Counter)
    since: int | None = None
    until: int | None = None


class Replay:
    """Judges the recording of one site. The events do not depend on how the recording is cut into stretches."""

    def __init__(self, site: Site) -> None:
        self._register = Register([site])
        self._bulk = Bulk(self._register, site.site)
        self._site = site
        self._engine = Engine(self._register, 0)
        self._book = Book(site, self._engine, Numbers(0))
        self._shortest = min((point.sensor.stale for point in self._register), default=0)
        self._now = NO_TIME
        self.tally = Tally()

    def feed(self, rows: Rows) -> list[Event]:
        """Judge the next rows; the events they cause, in order. `recorded_at` is virtual time."""
        if not len(rows):
            return []
        came = rows.time if rows.sent is None else np.where(rows.sent == NO_TIME, rows.time, rows.sent)
        arrival = np.maximum.accumulate(np.maximum(came, self._now))
        if self.tally.since is None:
            self._begin(int(arrival[0]))
        admitted = self._bulk.admit(rows, arrival)
        out: list[Event] = []
        self._judge(admitted, out)
        self._let_pass(int(arrival[-1]), out)
        self._count(rows, admitted)
        return out

    def _begin(self, now: int) -> None:
        """Silence is counted from the first row."""
        self._now = now
        self._engine.subscribed(now)
        self.tally.since = now

    def _count(self, rows: Rows, admitted: Admitted) -> None:
        tally, readings = self.tally, admitted.readings
        tally.read += len(rows)
        tally.judged += len(readings)
        tally.late += int(np.count_nonzero(readings.mark & int(Mark.LATE)))
        tally.aside.update(admitted.aside)
        tally.until = self._now

    def _judge(self, admitted: Admitted, out: list[Event]) -> None:
        """Block by block: up to the next deadline what is calm is taken at once, and the rest singly, in order."""
        readings, engine = admitted.readings, self._engine
        begin = 0
        while begin < len(readings):
            self._let_pass(int(readings.arrival[begin]), out)
            engine.silence.rearm()
            # whoever comes back within the block can fall silent again only after its `stale` time
            horizon = min(self._due(), int(readings.arrival[begin]) + self._shortest)
            end = begin + max(1, int(np.searchsorted(readings.arrival[begin:], horizon)))
            block = readings.take(np.arange(begin, end))
            calm = engine.calm.which(block)
            for row in admitted.edges:
                if begin <= row < end:
                    calm &= block.sensor != readings.sensor[row]
            engine.calm.take(block.take(calm))
            for row in np.flatnonzero(~calm).tolist():
                self._single(block.take(np.array([row])), admitted.edges.get(begin + row, ()), out)
            begin = end

    def _single(self, reading: Readings, found: Sequence[Edge], out: list[Event]) -> None:
        self._let_pass(int(reading.arrival[0]), out)
        self._tell([*found, *self._engine.judge(reading)], out)

    def _let_pass(self, until: int, out: list[Event]) -> None:
        """Every deadline up to `until`, each at its own moment."""
        while (due := self._due()) <= until:
            self._now = max(self._now, due)
            self._tell(self._engine.advance(self._now), out)
            answers = self._book.due()
            if answers is not None and answers <= self._now:
                out.extend(self._book.advance(self._now))
        self._now = max(self._now, until)

    def _tell(self, edges: list[Edge], out: list[Event]) -> None:
        if edges:
            out.extend(self._book.edges(edges, self._now))

    def _due(self) -> int:
        answers = self._book.due()
        return min(self._engine.due(), NEVER if answers is None else answers)
