"""A damaged journal, as far as it can be read: what hangs together, what does not, and what is wrong."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from adapters.codecs import alarm_json, checkpoint
from adapters.codecs.chain import Head, Unreadable, link, read_head
from adapters.journal_files import BASE, SCHEMA, TABLES, Kept, closed_paths, statement_of
from adapters.journal_tail import RESERVE
from alerts.ports import Permanent

WIDTHS: Final = {"alarms": 3, "chains": 3, "outbox": 14, "checkpoint": 4, "meta": 2, "tokens": 5}
"""The tables beside the chain, and how many columns each has."""
UNKNOWN: Final = 1_000_000_000
_READERS: Final[dict[str, Callable[[tuple[Any, ...]], object]]] = {
    "alarms": lambda record: alarm_json.alarm_from_record(record[2]),
    "chains": lambda record: alarm_json.chain_from_record(record[2]),
    "outbox": lambda record: record[4] == "publish" or alarm_json.notice_from_record(record[11]),
    "checkpoint": lambda record: checkpoint.decode(record[3]),
}
"""What a start does with a record: it would end at one that cannot be read."""


class Ruin:
    """Reads what there is. Raises sqlite3.Error for what may pass (a lock), OSError, or Permanent for a file of another version.

    why: what is wrong, a sentence each; empty for a journal that is sound. start: what the first row follows. end: the
    last row that hangs together with it; count: how many do. cut: how many can be read beyond. highest: no number above
    it was used, as far as can be told. lost: alarms that were not normal when they were last heard of, and of which no record is left.
    """

    def __init__(self, journal: Path, forged: Callable[[Head], bool]) -> None:
        """`forged`: whether a head does not bear the signature that it should."""
        self._forged = forged
        journal.open("rb").close()  # who may not read it must not take it for damaged
        self.why: list[str] = []
        self._db = sqlite3.connect(f"file:{quote(str(journal))}?mode=ro", uri=True, isolation_level=None)
        self._db.text_factory = lambda raw: raw.decode(errors="surrogateescape")
        self._check(journal)
        self.records = {table: self._table(table, width) for table, width in WIDTHS.items()}
        self._words = {str(name): str(value) for name, value in self.records["meta"]}
        self.start = self._start(journal)
        self.end, self.count, self.cut = self.start, 0, 0
        self.highest = max(self.start.sequence, self._reserved())
        self.lost = self._survey()
        self.heads = list(self._sound_heads())

    def close(self) -> None:
        """Give the file up."""
        self._db.close()

    def kept(self) -> Iterator[Kept]:
        """The rows that hang together, in order."""
        yield from itertools.takewhile(lambda row: row.sequence <= self.end.sequence, self._journal(self.start.sequence))

    def rest(self) -> Iterator[Kept]:
        """The rows beyond them that can be read, from both sides of what cannot."""
        seen = self.end.sequence
        for row in self._journal(self.end.sequence):
            seen = row.sequence
            yield from [row] if row.typed else []
        backwards = self._rows("SELECT * FROM journal NOT INDEXED WHERE rowid > ? ORDER BY rowid DESC", seen)
        yield from (row for row in _kept(backwards) if row.typed)

    def _check(self, journal: Path) -> None:
        version = next(self._rows("PRAGMA user_version"), (None,))[0]
        if version not in (None, 0, SCHEMA):
            raise Permanent(f"{journal} is of another version of hazgate (schema {version}; this one knows {SCHEMA}) and is left as it is")
        shape = _shape(self._rows)
        with contextlib.closing(sqlite3.connect(":memory:")) as fresh:
            fresh.executescript(TABLES)
            if shape != _shape(fresh.execute) and not self.why:
                self.why.append("its tables are not those of a journal")
        # one damaged entry of the schema must not hide the tables of all others
        list(self._rows("PRAGMA writable_schema=ON"))
        for (said,) in self._rows("PRAGMA integrity_check(1)"):
            if said != "ok":
                self.why.append(" ".join(str(said).split()))

    def _rows(self, query: str, *values: int) -> Iterator[tuple[Any, ...]]:
        """Rows up to the first that cannot be read, which is noted."""
        try:
            yield from self._db.execute(query, values)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if not _damaged(error):
                raise
            self.why.append(" ".join(str(error).split()))

    def _table(self, table: str, width: int) -> list[tuple[Any, ...]]:
        """The sound records of a table: those before the first that cannot be read, and those after the last."""
        noted = len(self.why)
        found = list(self._rows(f"SELECT * FROM {table} NOT INDEXED"))  # noqa: S608 (a constant)
        if len(self.why) > noted:
            order = "1 DESC, 2 DESC" if table in ("alarms", "chains") else "rowid DESC"
            backwards = list(self._rows(f"SELECT * FROM {table} NOT INDEXED ORDER BY {order}"))  # noqa: S608 (constants)
            found = list(dict.fromkeys([*found, *reversed(backwards)]))
        return [record for record in found if len(record) == width and self._sound(table, record)]

    def _sound(self, table: str, record: tuple[Any, ...]) -> bool:
        try:
            for value in record:
                if isinstance(value, str):
                    value.encode()
            if table in _READERS:
                _READERS[table](record)
        except (ValueError, TypeError) as error:
            self.why.append(f"a record of {table} cannot be read: {error}")
            return False
        return True

    def _start(self, journal: Path) -> Head:
        """The first of these that the first row follows: what the file says, the end of the newest closed one, nothing; else the first there is."""
        found = []
        with contextlib.suppress(Unreadable):
            found.append(read_head(self._words[BASE]) if BASE in self._words else Head(0, b""))
        with contextlib.suppress(Permanent):  # a closed file that is damaged is not what is to be salvaged here
            found += [Head(said.last, said.head) for said in map(statement_of, closed_paths(journal)[-1:])]
        for start in found:
            row = next(self._journal(start.sequence), None)
            if row is not None and link(start.hash, row[:-1]) == row.hash:
                return start
        return found[-1] if found else Head(0, b"")

    def _reserved(self) -> int:
        """No number above it was used; where that cannot be read, far more than there can be."""
        said = self._words.get(RESERVE, "")
        return int(said) if said.isdecimal() and len(said) < 16 else UNKNOWN

    def _survey(self) -> set[str]:
        """Follow the chain as far as it holds, and go on without it."""
        state: dict[tuple[str, str], object] = {}
        for row in self._journal(self.start.sequence):
            if not self.cut and row.typed and link(self.end.hash, row[:-1]) == row.hash:
                self.end, self.count = Head(row.sequence, row.hash), self.count + 1
            else:
                self.cut += 1
                if self.cut == 1:
                    self.why.append(f"row {row.sequence} was changed, or is not the one that followed row {self.end.sequence}")
            self.highest = max(self.highest, row.sequence)
            with contextlib.suppress(ValueError, TypeError, RecursionError):
                said = dict(json.loads(row.body))
                state[row.site, row.alarm] = said.get("to", state.get((row.site, row.alarm), "normal"))
        last = next(self._rows("SELECT max(rowid) FROM journal NOT INDEXED"), (None,))[0]
        self.highest = max(self.highest, last or 0)
        known = {(record[0], record[1]) for record in self.records["alarms"]}
        return {f"{site}/{alarm}" for (site, alarm), said in state.items() if said != "normal" and (site, alarm) not in known}

    def _sound_heads(self) -> Iterator[Head]:
        """The signed heads that name a row of those that hang together."""
        for values in self._rows("SELECT * FROM heads NOT INDEXED ORDER BY rowid"):
            if len(values) != 5 or values[0] > self.end.sequence:
                self.why.append(f"the signed row {values[0]} is not there, or is not sound")
                continue
            found = next(_kept(self._rows("SELECT * FROM journal NOT INDEXED WHERE rowid = ?", values[0])), None)
            if found is not None and found.hash == values[1] and str(values[3]).isascii() and not self._forged(Head(*values)):
                yield Head(*values)
            elif found is not None or values[0] > self.start.sequence:
                self.why.append(f"row {values[0]} is not the one that was signed")

    def _journal(self, after: int) -> Iterator[Kept]:
        return _kept(self._rows("SELECT * FROM journal NOT INDEXED WHERE rowid > ? ORDER BY rowid", after))


def _shape(ask: Callable[[str], Iterable[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
    """The names of all tables, columns and indexes."""
    return list(ask("SELECT s.type, s.name, c.name, c.type FROM sqlite_schema s LEFT JOIN pragma_table_xinfo(s.name) c ORDER BY s.name, c.cid"))


def _kept(rows: Iterable[tuple[Any, ...]]) -> Iterator[Kept]:
    return (Kept(*row) for row in rows if len(row) == len(Kept._fields))


def _damaged(error: sqlite3.Error | UnicodeDecodeError) -> bool:
    """Whether a file is at fault, or the disk beneath it; a lock is not, nor is a lack of memory or permission."""
    if not isinstance(error, sqlite3.OperationalError):
        return True
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return code in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_IOERR)
