"""Spool and journal as they were at one moment, copied beside the gateway that writes them.

A read transaction on each pins what is copied, the spool's first: a frame leaves the spool only when a checkpoint in
the journal covers it, so whatever the copied spool lacks, the copied journal has judged.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

from adapters import sqlite
from adapters.journal_tail import RESERVE
from alerts.ports import Transient

PASSED_OVER: Final = 1_000_000
"""Numbers of rows that a restored journal leaves to the one that was copied."""


def take(spool: Path, journal: Path, folder: Path) -> None:
    """Copy both into `folder` under their names. Raises Transient or Permanent."""
    with _pinned(spool) as received, _pinned(journal) as decided:
        for db, path in ((received, spool), (decided, journal)):
            with _explained(path):
                sqlite.copy(db, folder / path.name)


def go_on_after(copied_spool: Path, copied_journal: Path, spool: Path) -> None:
    """Let the copied spool number its next frame after all that the living one has made by now, and the copied journal its next row likewise.

    Day files that were copied after it may name such frames as drained, and the journal's checkpoint may cover them;
    were their numbers given again, new readings would be taken for old ones. Of rows, people are told the numbers; how
    many the living journal will still give is not known, so the copy passes many over. Raises Transient or Permanent.
    """
    with _pinned(copied_journal) as journal, _pinned(spool) as living, _explained(spool):
        covered = journal.execute("SELECT coalesce(max(frame), 0) FROM checkpoint").fetchone()[0]
        following = living.execute("SELECT next FROM totals").fetchone()[0]
    with _explained(copied_spool), contextlib.closing(sqlite3.connect(copied_spool, isolation_level=None)) as db:
        db.execute("UPDATE totals SET next = max(next, ?, ?)", (following, covered + 1))
    with _explained(copied_journal), contextlib.closing(sqlite3.connect(copied_journal, isolation_level=None)) as db:
        db.execute("UPDATE meta SET value = CAST(value + ? AS TEXT) WHERE name = ?", (PASSED_OVER, RESERVE))


@contextlib.contextmanager
def _pinned(path: Path) -> Iterator[sqlite3.Connection]:
    """What the file holds now, however long it is read."""
    if not path.exists():
        raise Transient(f"there is no {path}")
    with _explained(path):
        db = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, timeout=1.0)
        with contextlib.closing(db):
            db.execute("BEGIN")
            db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            yield db


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise sqlite.explained(error, path) from error
    except OSError as error:
        raise Transient(f"cannot copy {path}: {error.strerror or error}") from error
