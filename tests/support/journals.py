"""Journals with rows in them, and what a crash leaves of one."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from support.sites import T0

from adapters.codecs import checkpoint
from adapters.codecs.checkpoint import Saved
from adapters.journal import Entry, Journal, Row
from adapters.signing import Key, Sealer
from alerts.reading import SECOND

KEY = Key(b"k" * 32)
NAME = "journal.db"


class Hand:
    """A clock set by hand; any thread."""

    def __init__(self, at: int = T0) -> None:
        self.at = at

    def now(self) -> int:
        """What it was set to."""
        return self.at


def sealer(clock: Hand | None = None, key: Key = KEY, gateway: str = "north-01") -> Sealer:
    """Signs for the gateway of the tests."""
    return Sealer(key, gateway, (clock or Hand()).now)


def row(number: int, at: int | None = None, **changes: str) -> Row:
    """The event of this number, a second after the one before it unless `at` (ns) is given."""
    moment = T0 + number * SECOND if at is None else at
    body = {"alarm": "GT-1.high", "sequence": number, "value": number / 7, "tier": "orange", "place": "泵区"} | changes
    return Row(number, "north", "GT-1.high", "raise", moment, moment, f"GT-1.high/raise/{moment}", json.dumps(body, ensure_ascii=False).encode())


@contextlib.asynccontextmanager
async def running(path: Path, by: Sealer | None = None) -> AsyncIterator[Journal]:
    """A journal that commits, and signs its heads if there is somebody to."""
    made = Journal(path, by)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def written(path: Path, *rows: Row, by: Sealer | None = None) -> None:
    """A journal with these rows, in one commit, closed in order."""
    async with running(path, by) as journal:
        await journal.commit(Entry(rows=list(rows)))


def crashed(folder: Path, to: Path) -> Path:
    """What is on the disk of a folder at this moment, elsewhere; the journal's path there."""
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("*-shm", "lock"))
    return to / NAME


def seen(sequence: int) -> bytes:
    """A checkpoint of detection that was taken when the journal's last number was this."""
    return checkpoint.encode(Saved([], {}, [], [], sequence))
