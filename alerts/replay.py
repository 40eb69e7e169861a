"""Replay: a recording judged as the gateway would have judged it, in virtual time.

Virtual time is the largest stamp seen, or the largest arrival where the recording knows it. A row arrives at the virtual
time that it makes; before it is judged, every deadline up to that moment passes at its own, as the clock would have let
it. Admission, detection and the book are those of the running gateway; nobody is told and nobody answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alerts.alarm import Event
from alerts.book import Book
from alerts.bulk import Admitted, Bulk, Rows
from alerts.command import Numbers
from alerts.detect.batch import NEVER
from alerts.detect.engine import Engine
from alerts.edge import Edge
from alerts.reading import NO_TIME, Ints, Mark, Readings
from alerts.register import Register
from alerts.site import Site

SHORTEST, LONGEST = 256, 1 << 16
"""Readings in a block."""


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
        devices = {key: number for number, key in enumerate(self._register.devices())}
        self._device = np.array([devices[p.site.site, p.sensor.device] for p in self._register], np.int32)
        self._held: Rows | None = None
        self._stride = SHORTEST
        self._now = NO_TIME
        self.tally = Tally()

    def feed(self, rows: Rows) -> list[Event]:
        """Judge the next rows; the events they cause, in order. `recorded_at` is virtual time."""
        if self._held is not None:
            rows, self._held = self._held.then(rows), None
        if len(rows) and rows.arrival is not None:
            rows = self._whole(rows, rows.arrival)
        return self._take(rows)

    def end(self) -> list[Event]:
        """Nothing more comes: judge what was held back."""
        rows, self._held = self._held, None
        return [] if rows is None else self._take(rows)

    def _whole(self, rows: Rows, arrival: Ints) -> Rows:
        """Hold back what came last, for more of the same message may follow."""
        last = arrival == arrival[-1]
        begin = len(rows) - int(np.argmin(last[::-1])) if not last.all() else 0
        if len(rows) - begin > LONGEST:
            return rows
        tail = np.arange(len(rows)) >= begin
        self._held = rows.take(tail)
        return rows.take(~tail)

    def _take(self, rows: Rows) -> list[Event]:
        if not len(rows):
            return []
        came = rows.time if rows.arrival is None else np.where(rows.arrival == NO_TIME, rows.time, rows.arrival)
        arrival = np.maximum.accumulate(np.maximum(came, self._now))
        if self.tally.since is None:
            self._begin(int(arrival[0]))
        admitted = self._bulk.admit(rows, arrival)
        out: list[Event] = []
        self._judge(admitted, out, as_sent=rows.arrival is not None)
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

    def _judge(self, admitted: Admitted, out: list[Event], *, as_sent: bool) -> None:
        """Block by block: up to the next deadline what is calm is taken at once, and the rest singly, in order."""
        readings, engine = admitted.readings, self._engine
        begin = 0
        while begin < len(readings):
            self._let_pass(int(readings.arrival[begin]), out)
            engine.silence.rearm()
            # whoever comes back within the block can fall silent again only after its `stale` time
            horizon = min(self._due(), int(readings.arrival[begin]) + self._shortest)
            end = begin + max(1, int(np.searchsorted(readings.arrival[begin : begin + self._stride], horizon)))
            end = int(np.searchsorted(readings.arrival, readings.arrival[end - 1], "right"))  # a moment is never cut
            block = readings.take(np.arange(begin, end))
            calm = engine.calm.which(block)
            for row in admitted.edges:
                if begin <= row < end:
                    calm &= block.sensor != readings.sensor[row]
            engine.calm.take(block.take(calm))
            self._pace(len(block), int(np.count_nonzero(calm)))
            for together in self._messages(block, np.flatnonzero(~calm), as_sent=as_sent):
                self._single(block.take(together), admitted.edges.get(begin + int(together[0]), ()), out)
            begin = end

    def _pace(self, size: int, calm: int) -> None:
        """A sensor that is not calm makes its whole block slow: short blocks while many are, long ones when most are calm."""
        if calm * 4 < size * 3:
            self._stride = max(SHORTEST, self._stride // 4)
        elif calm * 50 > size * 49:
            self._stride = min(LONGEST, self._stride * 4)

    def _messages(self, block: Readings, rows: NDArray[np.intp], *, as_sent: bool) -> list[NDArray[np.intp]]:
        """Late readings of a device that came at one moment are one message, as a catch-up is sent; every other row is one."""
        if not len(rows):
            return []
        late = (block.mark[rows] & int(Mark.LATE)) != 0
        device, arrival = self._device[block.sensor[rows]], block.arrival[rows]
        same = late[1:] & late[:-1] & (device[1:] == device[:-1]) & (arrival[1:] == arrival[:-1]) & as_sent
        return np.split(rows, np.flatnonzero(~same) + 1)

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
