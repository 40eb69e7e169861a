"""What is given up when the spool is at its limit: says which frames may go, and tells people, by sensor and span, what went."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from adapters.clock import SystemClock
from adapters.codecs.alarm_json import time_text
from adapters.codecs.frames import Names
from adapters.journal import Entry, Journal, Row
from adapters.spool import Spool
from adapters.spool_reader import Lost, SpoolReader
from adapters.spool_thin import Thinning
from alerts.alarm import Condition, EventKind
from alerts.edge import EdgeKind
from alerts.evidence import AROUND, Evidence
from alerts.ports import HazgateError
from alerts.reading import SECOND
from gateway.alarmed import Alarmed
from gateway.core import Core
from gateway.selfwatch import SelfWatch
from gateway.settings import Gateway

log = logging.getLogger("hazgate")

FIRST: Final = 10 * SECOND
"""ns from the first reading given up until that is told: what went in that time is told together."""
EVERY: Final = 600 * SECOND
"""ns between two tellings while it goes on."""
AGAIN: Final = 3600 * SECOND
"""ns until people who have acknowledged it are told anew, while it goes on."""
NAMED: Final = 20
"""Sensors that the alarm names; the journal has all of them."""
A_ROW: Final = 200
"""Sensors in one row of the journal."""
AHEAD: Final = 4
"""While the store takes frames, as many as it took of late, times this, are left to it: the recorder may have them in hand."""
DRAINING: Final = 60 * SECOND
"""ns for which a frame that the store took shows that it does."""
SOON: Final = 5 * SECOND
"""ns between two checkpoints that are asked for because room is short and nothing else holds it."""
ROUND: Final = "lost_round"
"""The name under which the journal keeps up to which round it has what was given up."""


class Losses:
    """Keeps the spool within its limit. On the loop's thread; `look` is called about once a second."""

    def __init__(self, settings: Gateway, spool: Spool, journal: Journal, core: Core, watch: SelfWatch, recalled: str | None) -> None:
        """`recalled` is what the journal keeps under `ROUND`."""
        self._limit = settings.spool.limit
        self._data_dir = settings.data_dir
        self._spool = spool
        self._journal = journal
        self._core = core
        self._watch = watch
        self._clock = SystemClock()
        self._alarmed: Alarmed | None = None
        self._evidence: tuple[int, Evidence] | None = None
        self._through = spool.stored_through
        self._took = (0, -DRAINING)
        self._told = int(recalled or 0)
        self._due: int | None = None
        self._closing: int | None = None
        self._raised = -AGAIN
        self._asked = -SOON
        self.soon: Callable[[], None] = lambda: None
        """Asks for a checkpoint: what is not judged yet is never given up."""
        spool.told(self._told)

    async def look(self) -> None:
        """Give orders while the limit is passed, and tell what has gone."""
        now = self._clock.now()
        self._follow_the_store(now)
        if self._spool.file.filled > self._limit / 2 and self._through > self._spool.covered:
            self._ask(now)
        try:
            await self._make_room(now)
            await self._tell(now)
        except HazgateError as error:
            log.error("cannot see to the spool's limit, and try again: %s", error)  # noqa: TRY400 - its words are for people

    def _follow_the_store(self, now: int) -> None:
        through = self._spool.stored_through
        if through > self._through:
            self._took = (through - self._through, now)
        self._through = through

    async def _make_room(self, now: int) -> None:
        spool = self._spool
        if spool.file.filled <= self._limit:
            if spool.file.filled < 0.9 * self._limit:
                self._alarmed = self._evidence = None
            return
        if spool.thinning is not None:
            return
        covered = spool.covered
        fresh = self._evidence is not None and self._evidence[0] == covered
        if fresh and spool.file.exhausted:
            self._ask(now)
        if self._evidence is None or not fresh:
            self._evidence = (covered, await self._known())
        frames, at = self._took
        after = self._through + (AHEAD * frames if now - at < DRAINING else 0)
        spool.thin(Thinning(self._limit, after, covered, self._evidence[1]))

    def _ask(self, now: int) -> None:
        """Frames are kept for no other reason than that no checkpoint covers them."""
        if now - self._asked >= SOON:
            self._asked = now
            self.soon()

    async def _known(self) -> Evidence:
        """Every alarm that readings judged so far have caused."""
        if self._alarmed is None:
            since = await asyncio.to_thread(self._oldest)
            self._alarmed = Alarmed(self._data_dir / "journal.db", self._core.register, since - AROUND)
        await asyncio.to_thread(self._alarmed.follow)
        return self._alarmed.evidence(self._core.standing())

    def _oldest(self) -> int:
        """When the oldest reading that waits for the store arrived."""
        reader = SpoolReader(self._data_dir / "spool.db", Names().find)
        try:
            arrivals = [int(frame.readings.arrival.min()) for frame in reader.frames(0, rows=1) if len(frame.readings)]
        finally:
            reader.close()
        return min(arrivals, default=0)

    async def _tell(self, now: int) -> None:
        """First the round is closed, so that what is told is complete; then it is journaled, and forgotten when that is on the disk."""
        spool = self._spool
        if self._closing is not None:
            if spool.file.totals.round > self._closing:
                through, self._closing = self._closing, None
                await self._journal_round(through, now)
            return
        if not spool.file.losses:
            self._due = None
        elif self._due is None:
            self._due = now + FIRST
        elif now >= self._due:
            self._due = now + EVERY
            self._closing = spool.file.totals.round
            spool.next_round()

    async def _journal_round(self, through: int, now: int) -> None:
        lost = await asyncio.to_thread(self._lost, through)
        if not lost:
            return
        rows = sum(each.rows for each in lost)
        log.error("gave up %d readings of %d sensors for want of room; the journal names them", rows, len(lost))
        entry = Entry(rows=list(self._rows(lost, rows, now)), meta={ROUND: str(through)})
        self._told = through
        self._journal.commit(entry).add_done_callback(lambda _done: self._spool.told(through))
        self._raise(lost, rows, now)

    def _lost(self, through: int) -> list[Lost]:
        reader = SpoolReader(self._data_dir / "spool.db", Names().find)
        try:
            return reader.lost(self._told, through)
        finally:
            reader.close()

    def _rows(self, lost: Sequence[Lost], rows: int, now: int) -> Iterator[Row]:
        alarm = f"{self._core.gateway}.{Condition.RECORD_LOST}"
        for start in range(0, len(lost), A_ROW):
            named = [_named(each) for each in lost[start : start + A_ROW]]
            body = json.dumps({"readings": rows, "sensors": len(lost), "lost": named}).encode()
            yield Row(self._core.numbers.take(), self._core.home, alarm, EventKind.COMMENT, now, now, None, body)

    def _raise(self, lost: Sequence[Lost], rows: int, now: int) -> None:
        """Raise the alarm; one that stands grows. One that was acknowledged is raised anew after a while, if it goes on."""
        since = min((each.since for each in lost if each.site), default=now)
        until = max((each.until for each in lost if each.site), default=now)
        stands = self._core.books[self._core.home].alarms().get(f"{self._core.gateway}.{Condition.RECORD_LOST}")
        kind = EdgeKind.TRUE if stands is None else EdgeKind.GROWN
        if stands is not None:
            rows += round(stands.value or 0)
        elif now - self._raised < AGAIN:
            return
        else:
            self._raised = now
        most = sorted(lost, key=lambda each: -each.rows)[:NAMED]
        more = [f"and {len(lost) - NAMED} more"] if len(lost) > NAMED else []
        self._watch.record_lost(kind, (since, until), rows, (*map(_in_words, most), *more))


def _in_words(each: Lost) -> str:
    return f"{each.site}/{each.sensor} {time_text(each.since)} to {time_text(each.until)}: {each.rows}" if each.site else f"unreadable: {each.rows}"


def _named(each: Lost) -> dict[str, object]:
    return {
        "site": each.site,
        "sensor": each.sensor,
        "since": time_text(each.since),
        "until": time_text(each.until),
        "readings": each.rows,
        "evidence": each.evidence,
    }
