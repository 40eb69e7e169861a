"""Closing a year of the journal: what belongs to it, its file in the making, and what is true of it before rows are deleted.

Every function does a little and leaves the files so that it can be called anew after a crash: what is not finished has a
name that begins with a dot and is thrown away, and what is finished is known by its name.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import sqlite3
from collections.abc import Generator, Iterator, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

from adapters import sqlite
from adapters.codecs import checkpoint
from adapters.codecs.chain import Statement, link
from adapters.journal_files import CLOSED, CLOSED_SCHEMA, END, FOLDER, SALVAGE, closed_paths, explaining, open_closed, open_live, statement_of
from adapters.signing import Sealer, verified
from alerts.ports import Permanent, Transient
from alerts.reading import SECOND

GRACE: Final = 86_400 * SECOND
"""A year is closed when it has been over for so long: what was told before the journal could write it may still come."""
AT_ONCE: Final = 500
"""Rows copied, or looked at, in one go: a few milliseconds."""
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Plan:
    """A year that is over: rows above `after` up to `last`, whose hash chain begins with `before`."""

    journal: Path
    name: str
    after: int
    before: bytes
    last: int

    @property
    def path(self) -> Path:
        """Where its file will be."""
        return self.journal.parent / FOLDER / f"{self.name}.db"

    @property
    def part(self) -> Path:
        """Where it is while it is made."""
        return self.path.with_name(f".{self.name}.db.part")


def plan(journal: Path, now: int) -> Plan | None:
    """The next year (UTC, by `recorded_at`) to be closed at `now` (ns); None if there is none yet.

    The border is the first row of a later year. Rows that a clock gone wrong dated into the future, or far into the
    past, go with those around them. What a restart may still ask for, because it was decided after the newest checkpoint
    of detection, stays: then everything waits. Raises Transient or Permanent.
    """
    paths = closed_paths(journal)
    this = _year(now - GRACE)
    with contextlib.closing(open_live(journal)) as live:
        said = statement_of(paths[-1]) if paths else None
        after, before = (said.last, said.head) if said else (live.before.sequence, live.before.hash)
        first = next((row for row in live.rows(after) if row.recorded_at < _start(this + 1)), None)
        if first is None or (year := _year(first.recorded_at)) >= this:
            return None
        last = live.last(below=live.span(first.sequence, _start(year + 1), _start(this + 1))[0] or END)
        record = live.checkpoint()
        if record is None or checkpoint.decode(record).sequence < last:
            return None
    taken = {path.stem for path in paths}
    name = next(name for n in itertools.count(1) if (name := f"{year}-{n}" if n > 1 else str(year)) not in taken)
    return Plan(journal, name, after, before, last)


class Copying:
    """The file of a year in the making. From one thread at a time; every method may raise Transient or Permanent, and then it is given up."""

    def __init__(self, wanted: Plan) -> None:
        """Begin; what an earlier try left is thrown away."""
        self._plan = wanted
        self._reached, self._hash = wanted.after, wanted.before
        self._first = self._rows = self._until = 0
        self._since = 2**63 - 1
        with _writing(wanted.part):
            wanted.part.parent.mkdir(mode=0o750, exist_ok=True)
            discard_parts(wanted.journal)
            self._db = sqlite3.connect(wanted.part, isolation_level=None, check_same_thread=False)
            # it is thrown away after a crash; each commit is synced, so that no flood of writes holds up the journal at the end
            self._db.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=FULL; {CLOSED}")

    def close(self) -> None:
        """Give it up, finished or not."""
        self._db.close()

    def some(self) -> bool:
        """Copy the next rows, if they follow one another; False when there are no more."""
        with contextlib.closing(open_live(self._plan.journal)) as live:
            rows = [row for row in itertools.islice(live.rows(self._reached), AT_ONCE) if row.sequence <= self._plan.last]
        for row in rows:
            self._hash = link(self._hash, row[:-1])
            if row.hash != self._hash:
                raise Permanent(f"{self._plan.journal} is damaged: row {row.sequence} does not follow the one before it; {SALVAGE}")
            self._first = self._first or row.sequence
            self._since, self._until = min(self._since, row.recorded_at), max(self._until, row.recorded_at)
        with _writing(self._plan.part):
            self._db.execute("BEGIN")
            self._db.executemany("INSERT INTO journal VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._db.execute("COMMIT")
        self._rows += len(rows)
        self._reached = rows[-1].sequence if rows else self._reached
        return bool(rows)

    def finish(self, sealer: Sealer) -> None:
        """Write what the file says of itself, sign that, and leave the file complete under the name of its making."""
        wanted = self._plan
        with contextlib.closing(open_live(wanted.journal)) as live:
            heads = [head for head in live.heads() if self._first <= head.sequence <= wanted.last]
        span = (self._first, self._reached, self._rows, wanted.before, self._hash, self._since, self._until)
        said = Statement(sealer.gateway, wanted.name, *span, sealer.now()).text
        with _writing(wanted.part):
            self._db.execute("BEGIN")
            self._db.executemany("INSERT INTO heads VALUES(?, ?, ?, ?, ?)", map(astuple, heads))
            self._db.execute("INSERT INTO archive VALUES(?, ?, ?)", (said, sealer.key.id, sealer.sign(said)))
            self._db.execute(f"PRAGMA user_version={CLOSED_SCHEMA}")
            self._db.execute("COMMIT")
            self._db.close()
            wanted.part.chmod(0o440)


def settle(wanted: Plan) -> None:
    """Give the finished file its name. Raises Transient."""
    with _writing(wanted.path):
        wanted.part.rename(wanted.path)
        sqlite.sync_folder(wanted.path.parent)


def discard_parts(journal: Path) -> None:
    """Throw away what broke off in the making. Raises OSError."""
    for part in (journal.parent / FOLDER).glob(".*.part*"):
        part.unlink()


def checked(path: Path, gateway: str, keys: Mapping[str, bytes]) -> Generator[None]:
    """Hold a closed file against itself, some rows at a time. Raises Permanent unless every row follows and one of the keys signed it all."""
    with contextlib.closing(open_closed(path)) as closed:
        said, rows = closed.statement, closed.rows()
        reached, sequence, count = said.before, 0, 0
        while some := list(itertools.islice(rows, AT_ONCE)):
            for row in some:
                reached, sequence, count = link(reached, row[:-1]), row.sequence, count + 1
                if row.hash != reached:
                    raise Permanent(f"{path} is damaged: row {row.sequence} does not follow the one before it")
            yield
        if (reached, sequence, count) != (said.head, said.last, said.rows):
            raise Permanent(f"{path} is damaged: it does not end as it says")
        if said.gateway != gateway or not (closed.key in keys and verified(keys[closed.key], closed.said.encode(), closed.signature)):
            raise Permanent(f"{path} was not signed with this gateway's key")


def undeleted(journal: Path) -> Path | None:
    """The closed file that has rows which the live one still has too; None if there is none. Raises Permanent if the two differ."""
    with contextlib.closing(open_live(journal)) as live:
        first = next(live.rows(), None)
        for path in closed_paths(journal):
            said = statement_of(path)
            if first is not None and first.sequence <= said.last:
                if live.hash_of(said.last) != said.head:
                    raise Permanent(f"{path} is not what {journal} has; let `hazgate journal verify` say more")
                return path
    return None


def expired(journal: Path, before: int) -> Path | None:
    """The oldest closed file, if nothing in it was recorded since `before` (ns). Raises Transient or Permanent."""
    paths = closed_paths(journal)
    return paths[0] if paths and statement_of(paths[0]).until < before else None


def forget(path: Path) -> None:
    """Delete a closed file. Raises Transient."""
    with _writing(path):
        path.unlink(missing_ok=True)
        sqlite.sync_folder(path.parent)


def _year(at: int) -> int:
    return (_EPOCH + dt.timedelta(microseconds=at // 1000)).year


def _start(year: int) -> int:
    return (dt.datetime(year, 1, 1, tzinfo=dt.UTC) - _EPOCH) // dt.timedelta(microseconds=1) * 1000


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        with explaining(path):
            yield
    except OSError as error:
        raise Transient(f"cannot write {path}: {error.strerror or error}") from error
