"""What the spool's file looks like, and reading it beside its writer."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapters import sqlite
from adapters.codecs import frames
from alerts.alarm import Quarantine
from alerts.ports import Aside, Frame
from alerts.reading import Readings

log = logging.getLogger(__name__)

SCHEMA_NUMBER: Final = 2
_LOST = """CREATE TABLE lost (round INTEGER NOT NULL, site TEXT NOT NULL, sensor TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,
    rows INTEGER NOT NULL, evidence INTEGER NOT NULL, PRIMARY KEY (round, site, sensor)) WITHOUT ROWID;
"""
STEPS: Final[Mapping[int, str]] = {
    1: f"ALTER TABLE totals ADD COLUMN thinned INTEGER NOT NULL DEFAULT 0; ALTER TABLE totals ADD COLUMN round INTEGER NOT NULL DEFAULT 1; {_LOST}",
}
"""Schema number → SQL that makes a file of the next number of it."""
SCHEMA = (
    """
CREATE TABLE frames (number INTEGER PRIMARY KEY, since INTEGER NOT NULL, until INTEGER NOT NULL, rows INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE quarantine (id INTEGER PRIMARY KEY, arrival INTEGER NOT NULL, topic TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
    size INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE TABLE totals (epoch TEXT NOT NULL, next INTEGER NOT NULL, through INTEGER NOT NULL, received INTEGER NOT NULL, stored INTEGER NOT NULL,
    spooled INTEGER NOT NULL, quarantined INTEGER NOT NULL, duplicate INTEGER NOT NULL, dropped INTEGER NOT NULL, forgotten INTEGER NOT NULL,
    thinned INTEGER NOT NULL DEFAULT 0, round INTEGER NOT NULL DEFAULT 1);
INSERT INTO totals (epoch, next, through, received, stored, spooled, quarantined, duplicate, dropped, forgotten)
    VALUES (lower(hex(randomblob(16))), 1, 0, 0, 0, 0, 0, 0, 0, 0);
"""
    + _LOST
)


@dataclass(frozen=True, slots=True)
class Lost:
    """Readings of one sensor that were given up for want of room, from the first to the last of them (ns). evidence: how many were about an alarm.

    Without a site they are readings that could not be read, and of which no times are known.
    """

    site: str
    sensor: str
    since: int
    until: int
    rows: int
    evidence: int


class SpoolReader:
    """Reads a spool beside its writer, from any one thread. Every method may raise Transient or Permanent."""

    def __init__(self, path: Path, find: Callable[[str, str], int | None]) -> None:
        """Open the file. `find` numbers the sensors of frames; readings for which it says None are left out."""
        self._path = path
        self._find = find
        self._db = sqlite.open_reader(path, SCHEMA_NUMBER)
        self.epoch, self.through = self._rows("SELECT epoch, through FROM totals")[0]

    def frames(self, after: int, rows: int = 50_000) -> list[Frame]:
        """The frames that follow on `after`, in order, up to about that many readings; none when there are none."""
        found: list[Frame] = []
        held = 0
        with contextlib.closing(self._db.cursor()) as cursor:
            try:
                for number, size, body in cursor.execute("SELECT number, rows, body FROM frames WHERE number > ? ORDER BY number", (after,)):
                    found.append(Frame(number, self._decode(number, body)))
                    held += size
                    if held >= rows:
                        break
            except sqlite3.Error as error:
                raise sqlite.explained(error, self._path) from error
        return found

    def confirmed(self) -> int:
        """The last frame that the spool knows to be in the store, on disk."""
        return int(self._rows("SELECT through FROM totals")[0][0])

    def overlapping(self, after: int, since: int, until: int) -> Iterator[Readings]:
        """The readings with since <= time < until (ns) in frames that follow on `after`."""
        sql = "SELECT number, body FROM frames WHERE number > ? AND since < ? AND until >= ? ORDER BY number"
        for number, body in self._rows(sql, after, until, since):
            readings = self._decode(number, body)
            yield readings.take((readings.time >= since) & (readings.time < until))

    def quarantine(self, since: int, until: int) -> Iterator[Aside]:
        """What was set aside with since <= arrival < until (ns), the oldest first."""
        sql = "SELECT topic, reason, detail, payload, size, arrival FROM quarantine WHERE arrival >= ? AND arrival < ? ORDER BY id"
        for topic, reason, detail, payload, size, arrival in self._rows(sql, since, until):
            yield Aside(topic, Quarantine(reason), detail, payload, size, arrival)

    def lost(self, after: int, through: int) -> list[Lost]:
        """What was given up in rounds after `after` up to `through`, by site and sensor."""
        sql = (
            "SELECT site, sensor, min(since), max(until), sum(rows), sum(evidence) FROM lost WHERE round > ? AND round <= ?"
            " GROUP BY site, sensor ORDER BY site, sensor"
        )
        return [Lost(*row) for row in self._rows(sql, after, through)]

    def close(self) -> None:
        """Give the file up."""
        self._db.close()

    def _decode(self, number: int, body: bytes) -> Readings:
        try:
            return frames.decode(body, self._find)
        except ValueError as error:
            # the balance, short of these readings, tells of it
            log.error("frame %d of the spool cannot be read: %s", number, error)  # noqa: TRY400 - the trace leads nowhere else
            return frames.empty()

    def _rows(self, sql: str, *values: int) -> list[Any]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise sqlite.explained(error, self._path) from error
