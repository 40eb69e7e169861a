"""What the spool gives up when it may grow no further: telemetry first, the oldest before the newer, evidence last.

A frame is rewritten to its evidence rows, or deleted if it has none. How many readings of each sensor went, and from
when to when they were, is noted in the same transaction, until somebody has been told.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adapters.codecs import frames
from adapters.codecs.frames import Names
from alerts.evidence import Evidence
from alerts.reading import Readings

log = logging.getLogger(__name__)

AT_ONCE: Final = 64
ROWS: Final = 20_000
"""Frames looked at with one commit, and about how many readings: a commit must stay short for the PUBACKs behind it."""
_NOTE = (
    "INSERT INTO lost VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (round, site, sensor) DO UPDATE SET since = min(since, excluded.since),"
    " until = max(until, excluded.until), rows = rows + excluded.rows, evidence = evidence + excluded.evidence"
)

_Row = tuple[int, int, bytes]
"""number, rows, body of a frame."""
_Gone = tuple[Readings, NDArray[np.bool_], int]
"""What was given up of a frame, which of it was evidence, and how many readings that could not be read."""
_How = Callable[[sqlite3.Connection, _Row, Evidence, Names], _Gone]


class Totals(NamedTuple):
    """The one row of figures, as of the last commit.

    through: the last frame that the store has confirmed. forgotten: quarantined payloads that fell to its bounds or were
    kept long enough. thinned: frames up to it hold evidence only. round: under which it is noted what is given up.
    """

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
    thinned: int = 0
    round: int = 1


@dataclass(frozen=True, slots=True)
class Thinning:
    """An order to give up readings until the frames take no more than `size` bytes.

    It may touch frames after `after` up to `through`, all of which have been judged; `evidence` knows the alarms that came of them.
    """

    size: int
    after: int
    through: int
    evidence: Evidence


def thin(db: sqlite3.Connection, totals: Totals, order: Thinning, names: Names, over: int, *, evidence_too: bool) -> tuple[Totals, bool]:
    """Give up `over` bytes of readings, or what a few frames have, in the open transaction; the new figures, and whether there was nothing to give up."""
    stored = max(totals.through, order.after)
    if found := _next(db, max(stored, totals.thinned), order.through):
        gone, last = _give_up(_thinned, db, found, order.evidence, names, over)
        totals = totals._replace(thinned=last)
    elif evidence_too and (found := _next(db, stored, order.through)):
        gone, _ = _give_up(_deleted, db, found, order.evidence, names, over)
    else:
        return totals, True
    _note(db, totals.round, Readings.concatenate([part for part, _, _ in gone]), np.concatenate([held for _, held, _ in gone]), names)
    unreadable = sum(rows for _, _, rows in gone)
    if unreadable:
        db.execute(_NOTE, (totals.round, "", "", 0, 0, unreadable, 0))
    many = sum(len(part) for part, _, _ in gone) + unreadable
    return totals._replace(spooled=totals.spooled - many, dropped=totals.dropped + many), False


def lost(db: sqlite3.Connection) -> int:
    """How many readings were given up of which nobody has been told yet."""
    return int(db.execute("SELECT coalesce(sum(rows), 0) FROM lost").fetchone()[0])


def forget_lost(db: sqlite3.Connection, through: int) -> None:
    """Somebody has been told of all rounds up to `through`."""
    db.execute("DELETE FROM lost WHERE round <= ?", (through,))


def _next(db: sqlite3.Connection, after: int, through: int) -> list[_Row]:
    found: list[_Row] = []
    held = 0
    with contextlib.closing(db.execute("SELECT number, rows, body FROM frames WHERE number > ? AND number <= ? ORDER BY number", (after, through))) as cursor:
        for row in cursor:
            found.append(row)
            held += row[1]
            if held >= ROWS or len(found) >= AT_ONCE:
                break
    return found


def _give_up(how: _How, db: sqlite3.Connection, found: list[_Row], evidence: Evidence, names: Names, over: int) -> tuple[list[_Gone], int]:
    """Frame by frame until it is enough; what went, and the last frame that was looked at."""
    gone: list[_Gone] = []
    freed = number = 0
    for frame in found:
        number, rows, body = frame
        part = how(db, frame, evidence, names)
        gone.append(part)
        freed += len(body) * (len(part[0]) + part[2]) // max(1, rows)
        if freed >= over:
            break
    return gone, number


def _thinned(db: sqlite3.Connection, frame: _Row, evidence: Evidence, names: Names) -> _Gone:
    """Leave a frame its evidence. One that cannot be read stays as it is: it will be passed over, and the balance shows it."""
    number = frame[0]
    readings = _readable(frame, names)
    held = evidence.holds(readings, names.known)
    if held.any():
        kept = readings.take(held)
        row = (int(kept.time.min()), int(kept.time.max()), len(kept), frames.encode(kept, names.known), number)
        if len(kept) < len(readings):
            db.execute("UPDATE frames SET since = ?, until = ?, rows = ?, body = ? WHERE number = ?", row)
    elif len(readings):
        db.execute("DELETE FROM frames WHERE number = ?", (number,))
    return readings.take(~held), held[~held], 0


def _deleted(db: sqlite3.Connection, frame: _Row, evidence: Evidence, names: Names) -> _Gone:
    number, rows, _ = frame
    readings = _readable(frame, names)
    db.execute("DELETE FROM frames WHERE number = ?", (number,))
    return readings, evidence.holds(readings, names.known), rows - len(readings)


def _readable(frame: _Row, names: Names) -> Readings:
    try:
        return frames.decode(frame[2], names.find)
    except ValueError as error:
        log.error("frame %d of the spool cannot be read: %s", frame[0], error)  # noqa: TRY400 - the trace leads nowhere else
        return frames.empty()


def _note(db: sqlite3.Connection, number: int, gone: Readings, held: NDArray[np.bool_], names: Names) -> None:
    """Add to what is known of each sensor: from when to when, how many, and how many of them were evidence."""
    if not len(gone):
        return
    used, which, counts = np.unique(gone.sensor, return_inverse=True, return_counts=True)
    order = np.argsort(which, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    times = gone.time[order]
    since, until = np.minimum.reduceat(times, starts), np.maximum.reduceat(times, starts)
    evidence = np.bincount(which, held, len(used)).astype(np.int64)
    columns = zip(used.tolist(), since.tolist(), until.tolist(), counts.tolist(), evidence.tolist(), strict=True)
    db.executemany(_NOTE, [(number, *names.known[index], *figures) for index, *figures in columns])
