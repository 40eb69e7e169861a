"""SQLite as spool and journal use it: a write-ahead log, an fsync for every commit, a schema number in the file."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from alerts.ports import Permanent, Transient

_LEAST = 512
"""Bytes of the smallest page: no file of the library that is not empty is shorter."""


def open_file(
    path: Path, schema: str, version: int, steps: Mapping[int, str], functions: Callable[[sqlite3.Connection], None] = lambda _db: None
) -> sqlite3.Connection:
    """Open a database file for its one writer; create it by `schema` when it is new.

    The connection is in autocommit (say BEGIN yourself) and may be used from one thread at a time, whichever.
    Every COMMIT that returns has been synced to disk. `steps` says for each older version what makes the next one of
    it; a file of an older version is migrated in one transaction, after a copy `NAME.schemaN` was made beside it.
    `functions` gives the connection what the steps call.

    Raises:
        Permanent: if the file is no database, or was written by a newer version.
        Transient: if it cannot be opened now (no space, no permission, held by another process).
    """
    created = not path.exists()
    try:
        if not created and 0 < path.stat().st_size < _LEAST:
            raise sqlite3.DatabaseError("it was cut off")
        with contextlib.ExitStack() as refused:  # a step that failed leaves its transaction open, and the file locked
            db = refused.enter_context(contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)))
            functions(db)
            _prepare(db, path, schema, version, steps)
            refused.pop_all()
    except sqlite3.Error as error:
        raise explained(error, path) from error
    except OSError as error:
        raise Transient(f"cannot copy {path} before it is migrated: {error.strerror}") from error
    if created:
        sync_folder(path.parent)
    return db


def _prepare(db: sqlite3.Connection, path: Path, schema: str, version: int, steps: Mapping[int, str]) -> None:
    if not path.stat().st_size:
        db.execute("PRAGMA auto_vacuum=INCREMENTAL")  # before anything is written, or it is too late: lets the file give room back
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    found = _version(db, path, version)
    if not found:
        db.executescript(f"BEGIN; {schema}; PRAGMA user_version={version}; COMMIT")
    elif found < version:
        copy(db, path.with_name(f"{path.name}.schema{found}"))
        db.executescript(f"BEGIN; {' '.join(steps[step] for step in range(found, version))} PRAGMA user_version={version}; COMMIT")


def copy(db: sqlite3.Connection, to: Path) -> None:
    """Write what the connection sees (inside a transaction: saw when that began) to a new file; under its name only when it is on the disk.

    Raises sqlite3.Error or OSError.
    """
    part = to.with_name(f".{to.name}.part")
    part.unlink(missing_ok=True)
    target = sqlite3.connect(part, isolation_level=None)
    try:
        db.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")
    finally:
        target.close()
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(to)
    sync_folder(to.parent)


def open_reader(path: Path, version: int) -> sqlite3.Connection:
    """Open an existing file beside its writer; nothing can be changed through it. Raises as `open_file` does."""
    try:
        with contextlib.ExitStack() as refused:
            named = f"file:{quote(str(path))}?mode=ro"
            db = refused.enter_context(contextlib.closing(sqlite3.connect(named, uri=True, isolation_level=None, check_same_thread=False, timeout=1.0)))
            known = _version(db, path, version)
            if not known:
                raise Transient(f"{path} holds nothing yet")
            if known < version:
                raise Transient(f"{path} is of an older version of hazgate (schema {known}); the gateway migrates it when it starts")
            refused.pop_all()
    except sqlite3.Error as error:
        raise explained(error, path) from error
    return db


def explained(error: sqlite3.Error, path: Path) -> Transient | Permanent:
    """What an error of the library means to the caller: a damaged file stays damaged, everything else may pass."""
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return Permanent(f"{path} is damaged: {error}")
    return Transient(f"{path}: {error}")


def _version(db: sqlite3.Connection, path: Path, version: int) -> int:
    found = int(db.execute("PRAGMA user_version").fetchone()[0])
    if found > version:
        raise Permanent(f"{path} was written by a newer version of hazgate (schema {found}; this one knows {version})")
    return found


def sync_folder(folder: Path) -> None:
    """Make a new file's name durable: SQLite syncs what it writes, not the folder it created the file in."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
