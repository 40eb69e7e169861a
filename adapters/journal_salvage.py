"""Makes a journal that holds out of one that does not: what is sound is kept, what is not is kept beside it.

What is sound of the chain is the part that hangs together from its beginning. Of everything else (alarms that stand,
messages that are open, tokens) each record counts that can be read. The files are exchanged in steps that a crash may
break off anywhere: the folder in which the new one is prepared says how far it came, and calling again finishes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final

from adapters import sqlite
from adapters.codecs import alarm_json
from adapters.codecs.chain import Head, Note, line, link
from adapters.journal_files import BASE, SCHEMA, TABLES
from adapters.journal_ruin import WIDTHS, Ruin
from adapters.journal_tail import RESERVE
from adapters.signing import verified
from alerts.ports import Transient

STAGING: Final = ".salvaging"
"""Folder beside the journal in which the new one is prepared; a gateway refuses to start while it is there."""
DONE: Final = "ready"
"""File in it that is written when the new one is complete; it says where the old one goes."""
REST: Final = "rows.jsonl"
"""File beside the old one: the rows that could be read and do not hang together with those that were kept."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was done. folder: where the old files are; kept: rows that go on counting, up to the number `last`; cut: rows that could be read and do not.

    lost: alarms that were not normal when they were last heard of, and are not known any more.
    """

    folder: Path
    kept: int
    last: int
    cut: int
    lost: tuple[str, ...]
    why: tuple[str, ...]


def salvage(journal: Path, gateway: str, keys: Mapping[str, bytes], now: int) -> Salvaged | None:
    """Exchange a damaged journal for one of what is sound of it; None if nothing is wrong with it. The caller holds the directory's lock.

    keys: the public keys that are trusted, by id; what another one signed is kept as it is.
    Raises Transient for a disk that refuses, Permanent for a file of another version.
    """
    staging = journal.parent / STAGING
    with _explained(journal):
        if not (staging / DONE).exists():
            shutil.rmtree(staging, ignore_errors=True)
            with contextlib.closing(Ruin(journal, lambda head: _forged(head, gateway, keys))) as ruin:
                if not ruin.why:
                    return None
                staging.mkdir(mode=0o700)
                _prepare(staging, journal, ruin, now)
        return _exchange(journal, staging)


def _forged(head: Head, gateway: str, keys: Mapping[str, bytes]) -> bool:
    """Whether the head's key did not sign it; where that key is not known, whether a known one did, so that its name was changed."""
    signed = {key for key, public in keys.items() if verified(public, head.message(gateway), head.signature)}
    return head.key not in signed and (head.key in keys or bool(signed))


def _prepare(staging: Path, journal: Path, ruin: Ruin, now: int) -> None:
    """Write the new journal, then the rows that do not count any more, then that both are complete."""
    old = f"journal.damaged-{alarm_json.time_text(now)[:19].replace('-', '').replace(':', '')}Z"
    _build(staging / journal.name, ruin, old, now)
    with (staging / REST).open("wb") as rest:
        rest.writelines(line(row[:-1], row.hash) + b"\n" for row in ruin.rest())
    for name in (journal.name, REST):
        _sync(staging / name)
    part = staging / f"{DONE}.part"
    part.write_text(old, encoding="utf-8")
    _sync(part)
    part.rename(staging / DONE)
    sqlite.sync_folder(staging)


def _build(path: Path, ruin: Ruin, old: str, now: int) -> None:
    number = ruin.highest + 1
    said = {"kept": old, "rows": ruin.count, "last": ruin.end.sequence, "cut": ruin.cut, "lost": sorted(ruin.lost), "why": list(dict.fromkeys(ruin.why))[:20]}
    columns = (number, "", "", Note.SALVAGED.value, now, now, None, json.dumps(said).encode())
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(f"PRAGMA auto_vacuum=INCREMENTAL; PRAGMA synchronous=FULL; BEGIN; {TABLES} PRAGMA user_version={SCHEMA};")
        if db.executemany("INSERT INTO journal VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", ruin.kept()).rowcount != ruin.count:
            raise Transient("the disk gave other rows when they were read again; try once more")
        db.execute("INSERT INTO journal VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", (*columns, link(ruin.end.hash, columns)))
        db.executemany("INSERT INTO heads VALUES(?, ?, ?, ?, ?)", map(astuple, ruin.heads))
        for table, width in WIDTHS.items():
            for record in ruin.records[table]:
                # a value that its column does not take is as good as unreadable
                with contextlib.suppress(sqlite3.IntegrityError, UnicodeEncodeError):
                    db.execute(f"INSERT OR IGNORE INTO {table} VALUES({', '.join('?' * width)})", record)
        meta = {RESERVE: str(number)} | ({BASE: f"{ruin.start.sequence}.{ruin.start.hash.hex()}"} if ruin.start.hash else {})
        db.executemany("INSERT OR REPLACE INTO meta VALUES(?, ?)", meta.items())
        db.execute("COMMIT")


def _exchange(journal: Path, staging: Path) -> Salvaged:
    """Move the old files away and the new one to its place, as far as that has not been done."""
    old = journal.parent / (staging / DONE).read_text(encoding="utf-8")
    if (staging / journal.name).exists():
        old.mkdir(mode=0o750, exist_ok=True)
        for path in (*(journal.with_name(f"{journal.name}{suffix}") for suffix in ("", "-wal", "-shm")), staging / REST):
            if path.exists():
                path.rename(old / path.name)
        sqlite.sync_folder(old)
        sqlite.sync_folder(journal.parent)
        (staging / journal.name).rename(journal)
        sqlite.sync_folder(journal.parent)
    shutil.rmtree(staging)
    sqlite.sync_folder(journal.parent)
    with contextlib.closing(sqlite3.connect(journal)) as db:
        [(body,)] = db.execute("SELECT body FROM journal ORDER BY sequence DESC LIMIT 1")
    said: dict[str, Any] = json.loads(body)
    return Salvaged(old, said["rows"], said["last"], said["cut"], tuple(said["lost"]), tuple(said["why"]))


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def _explained(journal: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise sqlite.explained(error, journal) from error
    except OSError as error:
        raise Transient(f"cannot read {journal} or write beside it: {error.strerror or error}") from error
