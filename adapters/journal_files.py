"""The journal's files and how they are read beside their writer: the one that is written, and a closed one for each year before.

All of them together are one chain. `journal/2026.db` ends with the hash that the first row of the next file follows;
until the writer has deleted what it closed, rows stand in both, and are read from the closed one.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from adapters import sqlite
from adapters.codecs.chain import Head, Statement, Unreadable, link, read_head, read_statement
from alerts.ports import HazgateError, Permanent, Transient

SCHEMA: Final = 2
CLOSED_SCHEMA: Final = 1
FOLDER: Final = "journal"
"""Where closed years are, beside the journal's file."""
COLUMNS: Final = "sequence, site, alarm, event, at, recorded_at, key, body"
ROWS: Final = """
CREATE TABLE journal(
    sequence INTEGER PRIMARY KEY, site TEXT, alarm TEXT, event TEXT, at INTEGER, recorded_at INTEGER, key TEXT, body BLOB, hash BLOB
) STRICT;
CREATE INDEX journal_at ON journal(recorded_at);
"""
HEADS: Final = "CREATE TABLE heads(sequence INTEGER PRIMARY KEY, hash BLOB, at INTEGER, key TEXT, signature BLOB) STRICT;"
YEARS: Final = "[!.]*.db"
"""Their names; what begins with a dot is not finished."""
TABLES: Final = f"""{ROWS}{HEADS}
CREATE TABLE alarms(site TEXT, alarm TEXT, record BLOB, PRIMARY KEY(site, alarm)) STRICT, WITHOUT ROWID;
CREATE TABLE chains(site TEXT, alarm TEXT, record BLOB, PRIMARY KEY(site, alarm)) STRICT, WITHOUT ROWID;
CREATE TABLE outbox(
    key TEXT PRIMARY KEY, number INTEGER, site TEXT, occurrence TEXT, kind TEXT, channel TEXT, target TEXT, body BLOB,
    retain INTEGER, tier TEXT, due INTEGER, notice BLOB, state TEXT, words TEXT
) STRICT;
CREATE INDEX outbox_open ON outbox(number) WHERE state = 'open';
CREATE INDEX outbox_occurrence ON outbox(occurrence) WHERE state = 'open';
CREATE TABLE checkpoint(one INTEGER PRIMARY KEY, frame INTEGER, at INTEGER, record BLOB) STRICT;
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT) STRICT;
CREATE TABLE tokens(id TEXT PRIMARY KEY, hash BLOB, person TEXT, created INTEGER, until INTEGER) STRICT;
"""
CLOSED: Final = f"{ROWS}{HEADS}CREATE TABLE archive(statement TEXT, key TEXT, signature BLOB) STRICT;"
STEPS: Final[Mapping[int, str]] = {1: f"{HEADS} UPDATE journal SET hash = linked({COLUMNS});"}  # noqa: S608 (a constant)
"""Schema number → SQL that makes a file of the next number of it. Up to 1 the chain did not cover every column."""
BASE: Final = "base"
"""Name in `meta` of what the first row follows: number and hash of the last row that was given to a closed file."""
END: Final = 2**63 - 1
"""No number, and no time in ns, is above it."""
SALVAGE: Final = "let `hazgate journal salvage` keep what is sound of it"
PUT_BACK: Final = "put a sound copy back from a backup"


class Kept(NamedTuple):
    """A row as a file holds it; times in ns. Text that is no UTF-8 carries surrogates."""

    sequence: int
    site: str
    alarm: str
    event: str
    at: int
    recorded_at: int
    key: str | None
    body: bytes
    hash: bytes

    @property
    def typed(self) -> bool:
        """Whether every column is of its kind. In a damaged file it may be of any."""
        texts = (self.site, self.alarm, self.event, self.key or "")
        return all(isinstance(text, str) for text in texts) and all(isinstance(column, bytes) for column in self[-2:]) and _whole(self.at, self.recorded_at)


def _whole(*numbers: object) -> bool:
    return all(isinstance(number, int) for number in numbers)


def prepare(db: sqlite3.Connection) -> None:
    """Give a connection what `STEPS` needs: `linked` builds the chain over the rows that it is asked for one after another."""
    reached = b""

    def linked(*columns: object) -> bytes:
        nonlocal reached
        reached = link(reached, columns)
        return reached

    db.create_function("linked", len(COLUMNS.split(", ")), linked)


class Volume:
    """One file of the journal, as it was when it was opened. From one thread; every method may raise Transient or Permanent."""

    advice = SALVAGE

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        db.text_factory = lambda raw: raw.decode(errors="surrogateescape")
        self._db = db

    def close(self) -> None:
        """Give the file up."""
        self._db.close()

    @property
    def before(self) -> Head:
        """The row that the first one here follows; number 0 and no hash where the journal begins."""
        with explaining(self.path, self.advice):
            return base(self._db, self.path)

    def rows(self, after: int = 0, *, since: int | None = None, until: int | None = None) -> Iterator[Kept]:
        """Rows with a number above `after`, in order; with since <= recorded_at < until (ns) if those are given."""
        where, values = "", []
        if since is not None and until is not None:
            where, values = "AND recorded_at >= ? AND recorded_at < ?", [since, until]
        query = f"SELECT {COLUMNS}, hash FROM journal WHERE sequence > ? {where} ORDER BY sequence"  # noqa: S608 (constants)
        with explaining(self.path, self.advice):
            yield from map(Kept._make, self._db.execute(query, (after, *values)))

    def span(self, after: int, since: int, until: int, through: int = END) -> tuple[int, int]:
        """The lowest and the highest number above `after`, up to `through`, of rows with since <= recorded_at < until (ns); zeros for none."""
        where = "recorded_at >= ? AND recorded_at < ? AND sequence > ? AND sequence <= ?"
        query = f"SELECT coalesce(min(sequence), 0), coalesce(max(sequence), 0) FROM journal INDEXED BY journal_at WHERE {where}"  # noqa: S608
        first, last = self._row(query, since, until, after, through)
        return first, last

    def hash_before(self, sequence: int) -> bytes:
        """The hash that the row of this number follows."""
        found = self._row("SELECT hash FROM journal WHERE sequence < ? ORDER BY sequence DESC LIMIT 1", sequence)
        return bytes(found[0]) if found else self.before.hash

    def messages(self, after: int, through: int) -> Iterator[tuple[int, bytes, str, str]]:
        """Messages to people about events with these numbers: the number, the notice, what became of it, and the far side's words. Of the live file only."""
        query = "SELECT number, notice, state, words FROM outbox WHERE number > ? AND number <= ? AND kind != 'publish' ORDER BY number, due, rowid"
        with explaining(self.path, self.advice):
            yield from self._db.execute(query, (after, through))

    def first(self) -> int:
        """The lowest number; 0 if there is none."""
        return int(self._row("SELECT coalesce(min(sequence), 0) FROM journal")[0])

    def last(self, below: int = END) -> int:
        """The highest number below this one; 0 if there is none."""
        return int(self._row("SELECT coalesce(max(sequence), 0) FROM journal WHERE sequence < ?", below)[0])

    def checkpoint(self) -> bytes | None:
        """Detection's newest checkpoint; None if there is none. Of the live file only."""
        found = self._row("SELECT record FROM checkpoint")
        return found[0] if found else None

    def hash_of(self, sequence: int) -> bytes | None:
        """The hash that the row of this number carries; None if it is not here."""
        found = self._row("SELECT hash FROM journal WHERE sequence = ?", sequence)
        return found[0] if found else None

    def heads(self) -> list[Head]:
        """The signed heads, in order."""
        with explaining(self.path, self.advice):
            found = [Head(*values) for values in self._db.execute("SELECT sequence, hash, at, key, signature FROM heads ORDER BY sequence")]
        if not all(isinstance(head.key, str) and isinstance(head.hash, bytes) and isinstance(head.signature, bytes) and _whole(head.at) for head in found):
            raise Permanent(f"{self.path} is damaged: a signed head cannot be read; {self.advice}")
        return found

    def damage(self) -> str | None:
        """What SQLite's own check of the whole file says first, or None."""
        with explaining(self.path, self.advice):
            said = str(self._db.execute("PRAGMA integrity_check(1)").fetchone()[0])
        return None if said == "ok" else " ".join(said.split())

    def _row(self, query: str, *values: object) -> Any:
        with explaining(self.path, self.advice):
            return self._db.execute(query, values).fetchone()


class Closed(Volume):
    """A closed year."""

    advice = PUT_BACK

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        super().__init__(path, db)
        found = self._row("SELECT statement, key, signature FROM archive")
        if found is None:
            raise Permanent(f"{path} is damaged: it was never finished; {PUT_BACK}")
        self.said, self.key, self.signature = found
        try:
            self.statement: Statement = read_statement(self.said)
        except Unreadable as error:
            raise Permanent(f"{path} is damaged: {error}; {PUT_BACK}") from error

    @property
    def before(self) -> Head:
        """As the statement has it. The number is not known: the file that held that row may be gone."""
        return Head(0, self.statement.before)


def open_live(path: Path) -> Volume:
    """The file that is written, as it is now: what is read of it is of one moment. Raises Transient or Permanent."""
    db = sqlite.open_reader(path, SCHEMA)
    with explaining(path):
        db.isolation_level = None
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return Volume(path, db)


def open_closed(path: Path) -> Closed:
    """A closed file. Raises Permanent for one that is damaged or newer, and FileNotFoundError."""
    if not path.exists():
        raise FileNotFoundError(path)
    with explaining(path, PUT_BACK), contextlib.ExitStack() as stack:
        db = stack.enter_context(contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True, check_same_thread=False)))
        number = db.execute("PRAGMA user_version").fetchone()[0]
        if number > CLOSED_SCHEMA:
            raise Permanent(f"{path} was written by a newer version of hazgate (schema {number}; this one knows {CLOSED_SCHEMA})")
        closed = Closed(path, db)
        stack.pop_all()
    return closed


def closed_paths(journal: Path) -> list[Path]:
    """The closed files beside a journal, in the order of their rows. Raises Transient or Permanent."""
    found = []
    for path in (journal.parent / FOLDER).glob(YEARS):
        with contextlib.suppress(FileNotFoundError):
            found.append((statement_of(path).first, path))
    return [path for _, path in sorted(found)]


def statement_of(path: Path) -> Statement:
    """What a closed file says of itself. Raises as `open_closed`."""
    seen = path.stat()
    return _statement(path, seen.st_ino, seen.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _statement(path: Path, _inode: int, _changed: int) -> Statement:
    """Read once: who copies events every few seconds asks every time, and a closed file does not change."""
    closed = open_closed(path)
    try:
        return closed.statement
    finally:
        closed.close()


@contextlib.contextmanager
def opened(journal: Path, since: int = -END, until: int = END) -> Iterator[list[tuple[Volume, int]]]:
    """Every file, in the order of its rows, with the number up to which rows are in the one before it.

    Closed files are left out if nothing in them was recorded in since <= recorded_at < until (ns). Raises Transient or Permanent.
    """
    with contextlib.ExitStack() as stack:
        # what is closed and deleted after the live file was opened is still seen in it
        live = stack.enter_context(contextlib.closing(open_live(journal)))
        found: list[tuple[Volume, int]] = []
        reached = 0
        for path in closed_paths(journal):
            with contextlib.suppress(FileNotFoundError):
                said = statement_of(path)
                if said.since < until and said.until >= since:
                    found.append((stack.enter_context(contextlib.closing(open_closed(path))), reached))
                reached = said.last
        yield [*found, (live, reached)]


def rows(journal: Path, since: int, until: int) -> Iterator[Kept]:
    """Rows of events with since <= recorded_at < until (ns), by number, from every file; what the journal notes for itself is left out.

    Read beside a running gateway. Raises Transient or Permanent.
    """
    with opened(journal, since, until) as files:
        for volume, after in files:
            yield from filter(_is_event, volume.rows(after, since=since, until=until))


def _is_event(row: Kept) -> bool:
    """What the journal notes for itself belongs to no site."""
    return row.site != ""


def digest(path: Path) -> str:
    """SHA-256 of a file as `sha256sum` prints it. Raises Transient."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Transient(f"cannot read {path}: {error.strerror or error}") from error


def base(db: sqlite3.Connection, path: Path) -> Head:
    """What the first row of the live file follows. Raises Permanent, or what the library raises."""
    found = db.execute("SELECT value FROM meta WHERE name = ?", (BASE,)).fetchone()
    try:
        return read_head(str(found[0])) if found else Head(0, b"")
    except Unreadable as error:
        raise Permanent(f"{path} is damaged: nobody can tell what its first row follows; {SALVAGE}") from error


@contextlib.contextmanager
def explaining(path: Path, advice: str = SALVAGE) -> Iterator[None]:
    """Errors of the library as what they mean to the caller, and what to do where the file is damaged."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _explained(error, path, advice) from error
    except HazgateError as error:
        if isinstance(error.__cause__, sqlite3.Error) and not str(error).endswith(advice):
            raise _explained(error.__cause__, path, advice) from error.__cause__
        raise


def _explained(error: sqlite3.Error | UnicodeDecodeError, path: Path, advice: str) -> HazgateError:
    # a table or a column that is not there, or whose name is no text, was there once: our own words are always the same
    # (Python's own complaint about text that is none has no code)
    if isinstance(error, UnicodeDecodeError) or getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) == sqlite3.SQLITE_ERROR:
        return Permanent(f"{path} is damaged: {' '.join(str(error).split())}; {advice}")
    found = sqlite.explained(error, path)
    return Permanent(f"{found}; {advice}") if isinstance(found, Permanent) else found
