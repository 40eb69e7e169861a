"""Journal and outbox: what happened to every alarm, and what still has to be told, in one SQLite file.

A transition, the alarm's record, the state of its escalation and the messages it causes are one transaction. Rows
are only ever added; each carries a hash over its predecessor's and all of its columns, and every now and then the last
one is signed, so that a changed or missing row shows. This process is the only writer; commits run in one thread of
their own and group whatever came while the last one ran.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Final

from adapters import journal_files, sqlite
from adapters.codecs.chain import Head
from adapters.journal_files import explaining
from adapters.journal_tail import RESERVED, Sealer, Tail

FORGET_AT_ONCE: Final = 500
"""Messages looked at with one commit: a commit must stay short for an alarm behind it."""
RETRY = (0.2, 1.0, 5.0)
"""Seconds between tries of a commit that failed."""
RESERVE_WITHIN: Final = 2.0
"""Seconds that a start waits until numbers are held in reserve on the disk: a disk that refuses keeps nobody from guarding."""


@dataclass(frozen=True, slots=True)
class Row:
    """One event as the journal keeps it. `body` is its public JSON; times in ns."""

    sequence: int
    site: str
    alarm: str
    event: str
    at: int
    recorded_at: int
    key: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message that has to leave: to a person over a channel, or (kind `publish`) to a topic of the broker.

    `key` is its identity: a second one with the same key replaces a publication and is ignored for a person. `kind`
    is `publish` or a `NoticeKind`; `number` the sequence of its event; `due` in ns; `notice` the encoded notice.
    """

    key: str
    number: int
    site: str
    occurrence: str
    kind: str
    channel: str
    target: str
    body: bytes
    retain: bool = False
    tier: str = ""
    due: int = 0
    notice: bytes = b""


@dataclass(frozen=True, slots=True)
class Token:
    """An API token as the journal keeps it: a hash, never the token. created, until: ns."""

    id: str
    digest: bytes
    person: str
    created: int
    until: int


@dataclass(frozen=True, slots=True)
class Told:
    """A message to a person, without its body and address, and its state: `open`, `delivered`, `failed`, `expired` or `withdrawn`."""

    notice: bytes
    state: str
    words: str


@dataclass(slots=True)
class Entry:
    """What one transaction makes durable. `alarms` and `chains` map (site, alarm) to a record, None takes it out."""

    rows: list[Row] = field(default_factory=list)
    alarms: dict[tuple[str, str], bytes | None] = field(default_factory=dict)
    chains: dict[tuple[str, str], bytes | None] = field(default_factory=dict)
    outgoing: list[Outgoing] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    settled: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Notices whose fate is known, by key: `delivered`, `failed` or `expired`, and the far side's words."""
    published: list[tuple[str, int]] = field(default_factory=list)
    """Publications that the broker has confirmed, by key and number."""
    meta: dict[str, str] = field(default_factory=dict)
    checkpoint: tuple[int, int, bytes] | None = None
    tokens: list[Token] = field(default_factory=list)
    forget: int = 0
    """Of the oldest messages, settled ones that were due before it (ns) go."""
    seal: bool = False
    """Whether the head is signed with it, if there are rows since it was signed last."""
    closed: int = 0
    """Rows up to this number are in a closed file; of the oldest of them, some go."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One row of the journal, without its body. at: ns. key: its cause, None where a person or the clock was the cause."""

    site: str
    alarm: str
    event: str
    at: int
    key: str | None


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a journal held when it was opened: everything a restart goes on from. last: no number up to it is free."""

    last: int
    alarms: dict[tuple[str, str], bytes]
    chains: dict[tuple[str, str], bytes]
    outgoing: list[Outgoing]
    meta: dict[str, str]
    checkpoint: tuple[int, int, bytes] | None


class Journal:
    """The journal of one gateway. `commit` from the loop's thread; everything else says where."""

    def __init__(self, path: Path, sealer: Sealer | None = None) -> None:
        """Open or create the file; heads are signed by `sealer`. Raises Permanent with one sentence for a file that is damaged or of a newer version."""
        self._path = path
        with explaining(path), contextlib.ExitStack() as refused:
            self._connection = sqlite.open_file(path, journal_files.TABLES, journal_files.SCHEMA, journal_files.STEPS, journal_files.prepare)
            refused.callback(self._connection.close)
            self._tail = Tail(self._connection, path, sealer)
            refused.pop_all()
        self._opened = self._tail.end.reserved
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._waiting: list[tuple[Entry, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        self._reserved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self.on_trouble: Callable[[str | None], None] = lambda _words: None
        """Told the error's words when commits begin to fail, and None when they succeed again. On the loop."""
        self.on_sealed: Callable[[Head], None] = lambda _head: None
        """Told when a head was signed and is on the disk. On the loop."""
        self.took: deque[float] = deque(maxlen=4096)
        """How long the newest commits took, in seconds."""
        self._trying_since: float | None = None

    @property
    def under_way(self) -> float:
        """Seconds that the try of a commit that is under way has taken so far; 0 if there is none. On the loop."""
        return 0.0 if self._trying_since is None else asyncio.get_running_loop().time() - self._trying_since

    @property
    def last(self) -> int:
        """The number of the last row on the disk."""
        return self._tail.end.sequence

    @property
    def sealed(self) -> Head | None:
        """The newest signed head, to be given away (`Head.text`); None if nothing was ever signed."""
        return self._tail.end.sealed

    def recover(self) -> Recovered:
        """Hold the file against itself and read what a restart needs. Before `start` only. Raises Permanent for a file that is damaged."""
        with explaining(self._path):
            self._tail.check()
            return self._recover()

    def _recover(self) -> Recovered:
        db = self._connection
        checkpoint = db.execute("SELECT frame, at, record FROM checkpoint").fetchone()
        columns = "key, number, site, occurrence, kind, channel, target, body, retain, tier, due, notice"
        rows = db.execute(f"SELECT {columns} FROM outbox WHERE state = 'open' ORDER BY number")  # noqa: S608 (a constant)
        outgoing = [
            Outgoing(key, number, site, occurrence, kind, channel, target, body, bool(retain), tier, due, notice)
            for key, number, site, occurrence, kind, channel, target, body, retain, tier, due, notice in rows
        ]
        return Recovered(
            last=self._opened,
            alarms={(site, alarm): record for site, alarm, record in db.execute("SELECT * FROM alarms")},
            chains={(site, alarm): record for site, alarm, record in db.execute("SELECT * FROM chains")},
            outgoing=outgoing,
            meta=dict(db.execute("SELECT * FROM meta")),
            checkpoint=checkpoint,
        )

    def decisions_after(self, sequence: int) -> list[Decision]:
        """What was decided after row `sequence`, in order: what judging the same frames again must not do twice. Before `start` only."""
        with explaining(self._path):
            found = self._connection.execute("SELECT site, alarm, event, at, key FROM journal WHERE sequence > ? ORDER BY sequence", (sequence,))
            return [Decision(*row) for row in found]

    def tokens(self) -> list[Token]:
        """Every API token. Before `start` only."""
        with explaining(self._path):
            return [Token(*row) for row in self._connection.execute("SELECT id, hash, person, created, until FROM tokens")]

    async def told(self, site: str, limit: int) -> list[Told]:
        """The newest messages to people of a site, newest first; read beside the writer, so that no commit waits for it.

        Raises Transient or Permanent.
        """
        return await asyncio.to_thread(_told, self._path, site, limit)

    async def start(self) -> None:
        """Begin to commit: first that numbers are held in reserve, and the head of what was found."""
        self._task = asyncio.create_task(self._write(), name="journal-writer")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._reserved.wait(), RESERVE_WITHIN)

    async def stop(self) -> None:
        """Commit what waits, sign the head, then close the file. A disk that refuses now is asked once more, not for ever."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown()
        self._connection.close()

    def commit(self, entry: Entry) -> asyncio.Future[None]:
        """Queue a transaction; the future is done when it is on the disk. Entries become durable in the order of these calls."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, future))
        self._wake.set()
        return future

    async def _write(self) -> None:
        sound = await self._insist([Entry(seal=True)], self._opened + RESERVED)
        self._reserved.set()
        while not self._stopping or self._waiting:
            await self._wake.wait()
            batch, self._waiting = self._waiting, []
            if not self._stopping:
                self._wake.clear()
            if batch and (sound := await self._insist([entry for entry, _ in batch])):
                for _, future in batch:
                    if not future.done():
                        future.set_result(None)
        if sound:
            # all that was numbered is on the disk: the next start goes on without a gap
            await self._insist([Entry(seal=True)], max(self._opened, self.last))

    async def _insist(self, entries: list[Entry], reserved: int | None = None) -> bool:
        loop = asyncio.get_running_loop()
        for attempt in range(1_000_000_000):
            try:
                self._trying_since, began = loop.time(), time.perf_counter()
                before = self.sealed
                await loop.run_in_executor(self._thread, self._commit, entries, reserved)
                self.took.append(time.perf_counter() - began)
                self._trying_since = None
            except (sqlite3.Error, OverflowError) as error:
                self._trying_since = None
                self.on_trouble(str(error))
                if self._stopping:
                    return False
                await asyncio.sleep(RETRY[min(attempt, len(RETRY) - 1)])
            else:
                if attempt:
                    self.on_trouble(None)
                if self.sealed is not None and self.sealed is not before:
                    self.on_sealed(self.sealed)
                break
        return True

    def _commit(self, entries: list[Entry], reserved: int | None) -> None:
        db, tail, end = self._connection, self._tail, self._tail.end
        db.execute("BEGIN IMMEDIATE")
        try:
            for entry in entries:
                end = tail.add(end, entry.rows)
                self._commit_state(entry)
                end = tail.seal(end) if entry.seal else end
                if entry.closed:
                    tail.prune(entry.closed)
            end = end if reserved is None else tail.reserve(end, reserved)
            db.execute("COMMIT")
        except (sqlite3.Error, OverflowError):
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        tail.end = end

    def _commit_state(self, entry: Entry) -> None:
        db = self._connection
        for table, records in (("alarms", entry.alarms), ("chains", entry.chains)):
            db.executemany(f"DELETE FROM {table} WHERE site = ? AND alarm = ?", [k for k, record in records.items() if record is None])  # noqa: S608 (two constants)
            kept = [(*k, record) for k, record in records.items() if record is not None]
            db.executemany(f"INSERT OR REPLACE INTO {table} VALUES(?, ?, ?)", kept)
        withdraw = "UPDATE outbox SET state = 'withdrawn' WHERE occurrence = ? AND state = 'open' AND kind IN ('raise', 'again', 'escalate', 'repeat')"
        db.executemany(withdraw, [(name,) for name in entry.withdrawn])
        insert = (
            "INSERT INTO outbox VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', '') "
            "ON CONFLICT(key) DO UPDATE SET number = excluded.number, body = excluded.body, state = 'open' WHERE excluded.kind = 'publish'"
        )
        db.executemany(insert, [astuple(outgoing) for outgoing in entry.outgoing])
        db.executemany("DELETE FROM outbox WHERE key = ? AND number = ?", entry.published)
        db.executemany("UPDATE outbox SET state = ?, words = ? WHERE key = ?", [(state, words, key) for key, (state, words) in entry.settled.items()])
        db.executemany("INSERT OR REPLACE INTO meta VALUES(?, ?)", list(entry.meta.items()))
        if entry.checkpoint is not None:
            db.execute("INSERT OR REPLACE INTO checkpoint VALUES(1, ?, ?, ?)", entry.checkpoint)
        if entry.forget:
            # the oldest rows by number, not by a search: the outbox of years is large, and a commit must not read it all
            oldest = "SELECT rowid, state, due FROM outbox ORDER BY rowid LIMIT ?"
            forget = f"DELETE FROM outbox WHERE rowid IN (SELECT rowid FROM ({oldest}) WHERE state != 'open' AND due < ?)"  # noqa: S608 (a constant)
            db.execute(forget, (FORGET_AT_ONCE, entry.forget))
        db.executemany("INSERT OR REPLACE INTO tokens VALUES(?, ?, ?, ?, ?)", [astuple(token) for token in entry.tokens])


def _told(path: Path, site: str, limit: int) -> list[Told]:
    with contextlib.closing(sqlite.open_reader(path, journal_files.SCHEMA)) as connection, explaining(path):
        query = "SELECT notice, state, words FROM outbox WHERE site = ? AND kind != 'publish' ORDER BY rowid DESC LIMIT ?"
        return [Told(*row) for row in connection.execute(query, (site, limit))]
