"""Backup and restore of a data directory, beside a running gateway.

A backup holds everything that had been acknowledged to the broker when it began: spool and journal of one moment, the
journal's closed years, then the store's files. What is drained meanwhile is in the spool's copy, in a file's copy, or in both; the marks in the files
say which frames they have, as they do after a crash. `backup.json` is written last, so a backup without it is none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from adapters import snapshot
from adapters.codecs.alarm_json import time_text
from adapters.journal_files import FOLDER, YEARS
from adapters.journal_salvage import STAGING
from adapters.lock import DirectoryLock, InUse
from alerts.ports import HazgateError, Permanent, Transient
from gateway.archive import SPOOL
from gateway.history import PIECE, READINGS, Remote

MANIFEST: Final = "backup.json"
JOURNAL: Final = "journal.db"
SCHEMA: Final = 1
RESTORING: Final = ".restoring"
"""Folder in `data_dir` in which a restore is prepared; a gateway refuses to start while it is there."""


class Refused(HazgateError):
    """Nothing was done; the text says why."""


@dataclass(frozen=True, slots=True)
class Made:
    """A finished backup or restore."""

    files: int
    bytes: int
    made: str
    """When the backup was made."""


def back_up(data_dir: Path, gateway: str, target: Path, now: int) -> Made:
    """Make a backup in `target`, a folder that is empty or not there yet.

    Raises Refused, Transient or Permanent; what was written until then stays, without `backup.json`.
    """
    if not (data_dir / SPOOL).exists():
        raise Refused(f"there is nothing in {data_dir} to back up")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Refused(f"{target} is not empty; name a folder that is, or that is not there yet")
    with _explained(target), _source(data_dir) as remote:
        (target / READINGS).mkdir(mode=0o700, parents=True)
        target.chmod(0o700)
        with _closed_years(data_dir) as years:
            snapshot.take(data_dir / SPOOL, data_dir / JOURNAL, target)
            _copy_years(years, data_dir, target)
        for name in sorted(path.name for path in (data_dir / READINGS).glob("*.duckdb*")):
            _copy_file(data_dir / READINGS / name, target / READINGS / name, remote)
        snapshot.go_on_after(target / SPOOL, target / JOURNAL, data_dir / SPOOL)
        files = {str(path.relative_to(target)): _digest(path) for path in sorted(target.rglob("*")) if path.is_file()}
        _write_manifest(target, {"schema": SCHEMA, "gateway": gateway, "made": time_text(now), "files": files})
    return Made(len(files), sum(size for size, _ in files.values()), time_text(now))


def restore(source: Path, data_dir: Path, gateway: str) -> Made:
    """Put a backup where a gateway's data belongs; `data_dir` must be empty or not there yet.

    Raises Refused, InUse, Transient or Permanent. After one of the last two `data_dir` is unfit to run until it was
    emptied, and a gateway says so.
    """
    manifest = _manifest(source, gateway)
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    lock = DirectoryLock(data_dir)
    try:
        found = sorted(path.name for path in data_dir.iterdir() if path.name != "lock")
        if found:
            raise Refused(f"{data_dir} is not empty (it holds {', '.join(found[:3])}); move what it holds away first")
        with _explained(data_dir):
            _put(source, manifest["files"], data_dir)
    finally:
        lock.release()
    return Made(len(manifest["files"]), sum(size for size, _ in manifest["files"].values()), manifest["made"])


def refuse_unfit(data_dir: Path) -> None:
    """Raise Permanent if a restore into this directory or a salvage in it broke off, or if it was in use and its journal is gone.

    A new journal would know of no alarm that stands, and give numbers again that people were told.
    """
    if (data_dir / RESTORING).exists():
        raise Permanent(f"a restore into {data_dir} broke off; empty it and restore again")
    if (data_dir / STAGING).exists():
        raise Permanent(f"a salvage of the journal in {data_dir} broke off; let `hazgate journal salvage` finish it")
    journal = data_dir / JOURNAL
    if not (journal.exists() and journal.stat().st_size) and ((data_dir / SPOOL).exists() or any((data_dir / FOLDER).glob(YEARS))):
        raise Permanent(f"{journal} is gone; put it back from a backup, or move {data_dir} away to begin anew")


def _put(source: Path, files: dict[str, tuple[int, str]], data_dir: Path) -> None:
    staging = data_dir / RESTORING
    (staging / READINGS).mkdir(parents=True, mode=0o750)
    for name, expected in files.items():
        (staging / name).parent.mkdir(mode=0o750, exist_ok=True)
        shutil.copyfile(source / name, staging / name)
        if _digest(staging / name) != tuple(expected):
            raise Permanent(f"{source / name} is not what the backup wrote: its size or digest differs")
    for path in (staging / FOLDER).glob(YEARS):
        path.chmod(0o440)
    for folder in (staging / READINGS, staging / FOLDER, staging):
        if folder.exists():
            _sync(folder)
    for name in (READINGS, FOLDER, JOURNAL, SPOOL):
        if (staging / name).exists():
            (staging / name).rename(data_dir / name)
    _sync(data_dir)
    staging.rmdir()
    _sync(data_dir)


@contextlib.contextmanager
def _source(data_dir: Path) -> Iterator[Remote | None]:
    """The recorder of the running gateway; None if no gateway runs, and then none can start."""
    try:
        lock = DirectoryLock(data_dir)
    except InUse as error:
        try:
            remote = Remote(data_dir)
        except OSError as refused:
            raise Transient(f"a gateway runs on {data_dir}, but its recorder does not answer: {refused}") from error
        yield remote
        return
    try:
        yield None
    finally:
        lock.release()


def _copy_file(path: Path, to: Path, remote: Remote | None) -> None:
    """Copy a file of the store. One that was deleted meanwhile, because it was kept long enough, is left out."""
    try:
        with to.open("wb") as file:
            pieces = remote.file(path.name) if remote is not None else _pieces(path)
            for piece in pieces:
                file.write(piece)
    except (HazgateError, FileNotFoundError):
        if path.exists():
            raise
        to.unlink()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


@contextlib.contextmanager
def _closed_years(data_dir: Path) -> Iterator[Mapping[str, BinaryIO]]:
    """The journal's closed files, open: one that is given up while the journal is copied, which then does not say so, is still read."""
    with contextlib.ExitStack() as stack:
        opened = {}
        for path in (data_dir / FOLDER).glob(YEARS):
            with contextlib.suppress(FileNotFoundError):
                opened[path.name] = stack.enter_context(path.open("rb"))
        yield opened


def _copy_years(years: Mapping[str, BinaryIO], data_dir: Path, target: Path) -> None:
    """Copy those that were open, and those that were closed since: the copied journal may lack their rows."""
    (target / FOLDER).mkdir(mode=0o700)
    for name, source in years.items():
        with (target / FOLDER / name).open("wb") as file:
            shutil.copyfileobj(source, file)
    for path in (data_dir / FOLDER).glob(YEARS):
        if path.name not in years:
            shutil.copyfile(path, target / FOLDER / path.name)


def _digest(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file that is now on the disk."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    return path.stat().st_size, found


def _write_manifest(target: Path, manifest: dict[str, Any]) -> None:
    for folder in (target / READINGS, target / FOLDER, target):
        _sync(folder)
    part = target / f".{MANIFEST}.part"
    with part.open("w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    part.rename(target / MANIFEST)
    _sync(target)


def _manifest(source: Path, gateway: str) -> dict[str, Any]:
    try:
        found = json.loads((source / MANIFEST).read_bytes())
        number, owner, files = found["schema"], found["gateway"], dict(found["files"])
    except FileNotFoundError:
        raise Refused(f"{source} holds no finished backup: {MANIFEST}, which is written last, is not there") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(f"{source / MANIFEST} cannot be read: {error}") from error
    if number > SCHEMA:
        raise Refused(f"{source} was written by a newer version of hazgate (schema {number}; this one knows {SCHEMA})")
    if owner != gateway:
        raise Refused(f"{source} is a backup of the gateway {owner}, not of {gateway}")
    missing = [name for name in files if not (source / name).is_file()]
    if missing or not {SPOOL, JOURNAL} <= files.keys():
        raise Refused(f"{source} is not complete: {(missing or [SPOOL])[0]} is missing")
    manifest: dict[str, Any] = found
    return manifest


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Transient(f"cannot write {folder}: {error.strerror or error}") from error
