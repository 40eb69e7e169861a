"""The spool's file as its one writer changes it: each `commit` is one transaction, synced before it returns.

Called by `adapters.spool` from a thread of its own, one call at a time.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from adapters import spool_thin, sqlite
from adapters.codecs.frames import Names
from adapters.spool_reader import SCHEMA, SCHEMA_NUMBER, STEPS
from adapters.spool_thin import Thinning, Totals
from alerts.balance import Counts
from alerts.ports import Aside
from alerts.reading import Readings

QUARANTINE_ROWS: Final = 10_000
QUARANTINE_BYTES: Final = 64 * 2**20
RELEASE_AT_ONCE: Final = 256
"""Frames deleted with one commit: a checkpoint releases tens of thousands, and a commit must stay short for the PUBACKs behind it."""
SPARE: Final = 64 * 2**20
"""Bytes of the file that may lie free. What is more goes back to the disk, which others need before the next outage does."""
SHRINK_AT_ONCE: Final = 64
"""Pages given back behind one commit: 2 to 3 ms if every one of them has to be moved."""
_UPDATE = (
    "UPDATE totals SET (epoch, next, through, received, stored, spooled, quarantined, duplicate, dropped, forgotten, thinned, round)"
    " = (?,?,?,?,?,?,?,?,?,?,?,?)"
)


@dataclass(frozen=True, slots=True)
class Report:
    """What the recorder says of frames `after` < number <= `through`.

    read: readings it found in them. Of these `rows` are in the store now, `duplicate` were there before, and `rejected` it refused.
    """

    after: int
    through: int
    read: int
    rows: int
    duplicate: int = 0
    rejected: tuple[Aside, ...] = ()


@dataclass(slots=True)
class Intake:
    """What came and is made durable together."""

    parts: list[Readings] = field(default_factory=list)
    rows: int = 0
    aside: list[Aside] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    since: int | None = None
    """When the first of it came, ns; None while there is nothing."""
    frame: tuple[int, int, int, int, bytes] | None = None
    """number, first time, last time, rows, body; once sealed."""

    def __bool__(self) -> bool:
        return self.since is not None


@dataclass(slots=True)
class Chores:
    """What else is to be done with a commit. None of it needs much room on the disk."""

    reports: list[Report] = field(default_factory=list)
    forget: int = 0
    """Quarantined payloads that arrived before it go, ns."""
    next_round: bool = False
    """What is given up after it is noted under the next round."""
    told: int = 0
    """Rounds up to it need not be known any longer."""

    def __bool__(self) -> bool:
        return bool(self.reports or self.forget or self.next_round or self.told)

    def put_back(self, undone: Chores) -> None:
        """What could not be done comes before what has been asked for since."""
        self.reports = undone.reports + self.reports
        self.forget, self.told = max(undone.forget, self.forget), max(undone.told, self.told)
        self.next_round = undone.next_round or self.next_round


class SpoolFile:
    """The SQL of the writer's side. What it says of the file is as of the last commit."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises Permanent if it is damaged or of a newer version, Transient if it cannot be opened."""
        self.path = path
        self._names = Names()
        self._young: deque[tuple[int, int]] = deque()
        self._db = sqlite.open_file(path, SCHEMA, SCHEMA_NUMBER, STEPS)
        try:
            self.totals = Totals(*self._db.execute("SELECT * FROM totals").fetchone())
            self._first = self._lowest(self.totals)
            self.held: tuple[int, int] = self._db.execute("SELECT count(*), coalesce(sum(length(payload)), 0) FROM quarantine").fetchone()
            self.losses = spool_thin.lost(self._db)
            self.size, self.spare = self._measured()
        except sqlite3.Error as error:
            raise sqlite.explained(error, path) from error
        self.displaced: Counter[str] = Counter()
        """By reason, quarantined payloads that fell to the bounds since the file was opened."""
        self.exhausted = False
        """Of the frames that the last order was about, nothing may go any more."""

    @property
    def filled(self) -> int:
        """Bytes that frames take: what is in use, without the quarantined payloads."""
        return self.size - self.held[1]

    def close(self) -> None:
        """Give the file up."""
        self._db.close()

    def releasable(self, covered: int) -> bool:
        """Whether there are frames that store and checkpoint both have."""
        return self._first <= min(self.totals.through, covered)

    def commit(self, intake: Intake | None, chores: Chores, covered: int, thinning: Thinning | None = None) -> Totals:
        """Make all of it durable in one transaction, or change nothing and raise sqlite3.Error."""
        displaced: Counter[str] = Counter()
        held, exhausted = self.held, self.exhausted
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            totals = self.totals if intake is None else self._take(self.totals, intake)
            for report in chores.reports:
                totals = self._report(totals, report)
            aside = [*(intake.aside if intake else ()), *(one for report in chores.reports for one in report.rejected)]
            if aside:
                totals, held = self._set_aside(totals, aside, displaced)
            if chores.forget:
                totals, held = self._forget(totals, held, chores.forget)
            if thinning is not None:
                totals, exhausted = self._thin(totals, thinning)
            if chores.told:
                spool_thin.forget_lost(self._db, chores.told)
            first = self._release(totals, covered)
            totals = totals._replace(round=totals.round + chores.next_round)
            self._db.execute(_UPDATE, totals)
        self.totals, self.held, self._first, self.exhausted = totals, held, first, exhausted
        self.displaced = self.displaced + displaced  # a new one: the loop may be reading the old
        self._remember(intake, covered)
        if thinning is not None or chores.told:
            self.losses = spool_thin.lost(self._db)
        self.size, self.spare = self._measured()
        return totals

    def shrink(self) -> None:
        """Give some free pages back to the disk. Raises sqlite3.Error."""
        # a script, because a single statement is stepped once, and each step gives back one page
        self._db.executescript(f"PRAGMA incremental_vacuum({SHRINK_AT_ONCE})")
        self.size, self.spare = self._measured()

    def _take(self, totals: Totals, intake: Intake) -> Totals:
        counts = intake.counts
        if intake.frame is not None:
            self._db.execute("INSERT INTO frames VALUES (?, ?, ?, ?, ?)", intake.frame)
            totals = totals._replace(next=totals.next + 1, spooled=totals.spooled + intake.frame[3])
        return totals._replace(
            received=totals.received + counts.received,
            duplicate=totals.duplicate + counts.duplicate,
            dropped=totals.dropped + counts.dropped,
        )

    def _report(self, totals: Totals, report: Report) -> Totals:
        # what leaves the spool is counted from its own frames, what the store took from the recorder's words
        sql = "SELECT coalesce(sum(rows), 0) FROM frames WHERE number > ? AND number <= ?"
        left = self._db.execute(sql, (report.after, report.through)).fetchone()[0]
        # readings given up while the recorder had them in hand have reached the store after all
        saved = max(0, report.read - left)
        return totals._replace(
            through=report.through,
            spooled=totals.spooled - left,
            stored=totals.stored + report.rows,
            duplicate=totals.duplicate + report.duplicate,
            dropped=totals.dropped - saved,
        )

    def _set_aside(self, totals: Totals, aside: Sequence[Aside], displaced: Counter[str]) -> tuple[Totals, tuple[int, int]]:
        """Keep what was set aside; the oldest goes when there is too much. Returns the figures and (rows, bytes) held."""
        newest = aside[-QUARANTINE_ROWS:]
        displaced.update(one.reason.value for one in aside[:-QUARANTINE_ROWS])
        rows = [(one.arrival, one.topic, one.reason.value, one.detail, one.size, one.payload) for one in newest]
        self._db.executemany("INSERT INTO quarantine (arrival, topic, reason, detail, size, payload) VALUES (?, ?, ?, ?, ?, ?)", rows)
        count, size = self.held[0] + len(newest), self.held[1] + sum(len(one.payload) for one in newest)
        while count > QUARANTINE_ROWS or size > QUARANTINE_BYTES:
            many = max(count - QUARANTINE_ROWS, 1)
            oldest = self._db.execute("SELECT id, reason, length(payload) FROM quarantine ORDER BY id LIMIT ?", (many,)).fetchall()
            self._db.execute("DELETE FROM quarantine WHERE id <= ?", (oldest[-1][0],))
            displaced.update(reason for _, reason, _ in oldest)
            count, size = count - many, size - sum(length for _, _, length in oldest)
        return totals._replace(quarantined=totals.quarantined + len(aside), forgotten=totals.forgotten + displaced.total()), (count, size)

    def _forget(self, totals: Totals, held: tuple[int, int], before: int) -> tuple[Totals, tuple[int, int]]:
        """Drop what has been kept long enough; figures as above."""
        sql = "SELECT count(*), coalesce(sum(length(payload)), 0) FROM quarantine WHERE arrival < ?"
        count, size = self._db.execute(sql, (before,)).fetchone()
        self._db.execute("DELETE FROM quarantine WHERE arrival < ?", (before,))
        return totals._replace(forgotten=totals.forgotten + count), (held[0] - count, held[1] - size)

    def _thin(self, totals: Totals, order: Thinning) -> tuple[Totals, bool]:
        """Give up some readings if frames take too much; evidence only if not even what is still to be judged would make enough room."""
        over = self.filled - order.size
        if over <= 0:
            return totals, False
        young = sum(size for number, size in self._young if number > order.through)
        return spool_thin.thin(self._db, totals, order, self._names, over, evidence_too=over > young)

    def _release(self, totals: Totals, covered: int) -> int:
        """Delete frames that store and checkpoint both have; the number of the first that is left."""
        through = min(totals.through, covered, self._first + RELEASE_AT_ONCE - 1)
        if through >= self._first:
            self._db.execute("DELETE FROM frames WHERE number <= ?", (through,))
        return self._lowest(totals)

    def _lowest(self, totals: Totals) -> int:
        return int(self._db.execute("SELECT coalesce(min(number), ?) FROM frames", (totals.next,)).fetchone()[0])

    def _remember(self, intake: Intake | None, covered: int) -> None:
        """How large the frames are that no checkpoint covers yet: they are not to be touched, and will be soon."""
        if intake is not None and intake.frame is not None:
            self._young.append((intake.frame[0], len(intake.frame[4])))
        while self._young and self._young[0][0] <= covered:
            self._young.popleft()

    def _measured(self) -> tuple[int, int]:
        """Bytes of the file that are in use, and that lie free."""
        pages, free, page = (self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size"))
        return int((pages - free) * page), int(free * page)
