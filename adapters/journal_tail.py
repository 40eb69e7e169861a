"""The end of the journal's chain, as its one writer continues it: hashes, signed heads, and numbers held in reserve."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from adapters import journal_files
from adapters.codecs.chain import Head, link
from adapters.journal_files import BASE, COLUMNS, SALVAGE
from alerts.ports import Permanent

SEALED_EVERY: Final = 1_000
"""Rows after which the head is signed."""
RESERVED: Final = 100_000
"""Numbers that the file holds in reserve: after a crash they are passed over, for some may have been told and not written."""
RESERVE: Final = "reserved"
"""Name in `meta` of the highest number that may have been used."""
PRUNED_AT_ONCE: Final = 200
"""Rows deleted with one commit once a closed file has them: a commit must stay short for an alarm behind it."""
CHECKED_WITHIN: Final = 1.0
"""Seconds for a look through the file at the start. On a file that takes longer, damage is found by who reads there."""


class Sealer(Protocol):
    """Signs heads. Called from the thread that commits."""

    def head(self, sequence: int, digest: bytes) -> Head:
        """The signed head of a chain that ends with this row now."""
        ...


@dataclass(frozen=True, slots=True)
class End:
    """How far the chain has come. unsealed: rows after the newest signed head; reserved: no number up to it is free."""

    sequence: int
    hash: bytes
    unsealed: int
    reserved: int
    sealed: Head | None


class Tail:
    """Continues a chain. Each method is part of a transaction of the caller's, and gives the end that holds if that succeeds."""

    def __init__(self, db: sqlite3.Connection, path: Path, sealer: Sealer | None) -> None:
        """Without a sealer nothing is signed. Raises what the library raises, or Permanent."""
        self._db = db
        self._path = path
        self._sealer = sealer
        self.end = self._found()

    def _found(self) -> End:
        base = journal_files.base(self._db, self._path)
        last = self._one("SELECT sequence, hash FROM journal ORDER BY sequence DESC LIMIT 1") or (base.sequence, base.hash)
        sealed = self._one("SELECT sequence, hash, at, key, signature FROM heads ORDER BY sequence DESC LIMIT 1")
        head = Head(*sealed) if sealed else None
        unsealed = self._one("SELECT count(*) FROM journal WHERE sequence > ?", head.sequence if head else 0)[0]
        reserved = self._one("SELECT value FROM meta WHERE name = ?", RESERVE)
        return End(last[0], bytes(last[1]), unsealed, max(last[0], int(reserved[0]) if reserved else 0), head)

    def check(self) -> None:
        """Hold what the rows after the newest signed head are against the chain, and as much of the file as the time allows against itself.

        Raises Permanent where it does not hold, or what the library raises.
        """
        if (damage := self._damage()) is not None:
            raise Permanent(f"{self._path} is damaged: {damage}; {SALVAGE}")
        start = self.end.sealed
        base = journal_files.base(self._db, self._path)
        if start is None or start.sequence < base.sequence:
            start = base
        elif start.sequence != base.sequence and self._one("SELECT hash FROM journal WHERE sequence = ?", start.sequence) != (start.hash,):
            raise Permanent(f"{self._path} is damaged: row {start.sequence} is not the one that was signed; {SALVAGE}")
        reached = start.hash
        for *columns, kept in self._db.execute(f"SELECT {COLUMNS}, hash FROM journal WHERE sequence > ? ORDER BY sequence", (start.sequence,)):  # noqa: S608
            reached = link(reached, columns)
            if reached != kept:
                raise Permanent(f"{self._path} is damaged: row {columns[0]} does not follow the one before it; {SALVAGE}")

    def _damage(self) -> str | None:
        """The first thing that SQLite's own check of the file finds within the time."""
        end = time.perf_counter() + CHECKED_WITHIN
        self._db.set_progress_handler(lambda: time.perf_counter() > end, 100_000)
        try:
            said = str(self._one("PRAGMA quick_check(1)")[0])
        except sqlite3.OperationalError:
            return None  # time is over; a disk that fails is met again at once
        finally:
            self._db.set_progress_handler(None, 0)
        return None if said == "ok" else " ".join(said.split())

    def add(self, end: End, rows: Sequence[Any]) -> End:
        """Write rows behind the others; the head is signed whenever enough of them have come."""
        for row in rows:
            columns = astuple(row)
            digest = link(end.hash, columns)
            self._db.execute("INSERT INTO journal VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", (*columns, digest))
            end = replace(end, sequence=columns[0], hash=digest, unsealed=end.unsealed + 1)
            if end.unsealed >= SEALED_EVERY:
                end = self.seal(end)
        return self.reserve(end, end.sequence + RESERVED) if end.sequence + RESERVED // 2 > end.reserved else end

    def seal(self, end: End) -> End:
        """Sign the head, if there are rows since it was signed last."""
        if self._sealer is None or not end.unsealed:
            return end
        head = self._sealer.head(end.sequence, end.hash)
        self._db.execute("INSERT INTO heads VALUES(?, ?, ?, ?, ?)", astuple(head))
        return replace(end, unsealed=0, sealed=head)

    def reserve(self, end: End, through: int) -> End:
        """No number up to this one is free any more."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (RESERVE, str(through)))
        return replace(end, reserved=through)

    def prune(self, through: int) -> None:
        """Delete the oldest rows up to a number that a closed file has, some at a time, and give their room back. The newest signed head stays."""
        oldest = "SELECT sequence, hash FROM journal WHERE sequence <= ? ORDER BY sequence LIMIT ?"
        found = self._db.execute(oldest, (through, PRUNED_AT_ONCE)).fetchall()
        if found:
            sequence, digest = found[-1]
            self._db.execute("DELETE FROM journal WHERE sequence <= ?", (sequence,))
            self._db.execute("DELETE FROM heads WHERE sequence <= ? AND sequence < (SELECT max(sequence) FROM heads)", (sequence,))
            self._db.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (BASE, f"{sequence}.{bytes(digest).hex()}"))
            for _ in range(PRUNED_AT_ONCE // 2):
                self._db.execute("PRAGMA incremental_vacuum(1)").fetchall()  # Python takes one step of it, whatever the number

    def _one(self, query: str, *values: object) -> Any:
        return self._db.execute(query, values).fetchone()
