"""SQLite as spool and journal use it: a write-ahead log, an fsync for every commit, a schema number in the file."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from alerts.ports import Permanent, Transient


def open_file(path: Path, schema: str, version: int) -> sqlite3.Connection:
    """Open a database file for its one writer; create it by `schema` when it is new.

    The connection is in autocommit (say BEGIN yourself) and may be used from one thread at a time, whichever.
    Every COMMIT that returns has been synced to disk.

    Raises:
        Permanent: if the file is no database, or was written by a newer version.
        Transient: if it cannot be opened now (no space, no permission, held by another process).
    """
    created = not path.exists()
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        if not _version(db, path, version):
            db.executescript(f"BEGIN; {schema}; PRAGMA user_version={version}; COMMIT")
    except sqlite3.Error as error:
        raise explained(error, path) from error
    if created:
        _sync_folder(path.parent)
    return db


def open_reader(path: Path, version: int) -> sqlite3.Connection:
    """Open an existing file beside its writer; nothing can be changed through it. Raises as `open_file` does."""
    try:
        db = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=1.0)
        known = _version(db, path, version)
    except sqlite3.Error as error:
        raise explained(error, path) from error
    if not known:
        raise Transient(f"{path} holds nothing yet")
    return db


def explained(error: sqlite3.Error, path: Path) -> Transient | Permanent:
    """What an error of the library means to the caller: a damaged file stays damaged, everything else may pass."""
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return Permanent(f"{path} is damaged: {error}")
    return Transient(f"{path}: {error}")


def _version(db: sqlite3.Connection, path: Path, version: int) -> int:
    found = int(db.execute("PRAGMA user_version").fetchone()[0])
    if found > version:
        db.close()
        raise Permanent(f"{path} was written by a newer version of hazgate (schema {found}; this one knows {version})")
    return found


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable: SQLite syncs what it writes, not the folder it created the file in."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
