"""A life of years: a year of the journal that is over is closed into a file of its own, and old ones go.

Online, and a little at a time: the alarm path commits between any two steps. Where it broke off is seen from the files,
so that after a crash between any two steps no row is missing and none is there twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from adapters import journal_closing as closing
from adapters.codecs.chain import Note, Statement
from adapters.journal import Entry, Journal, Row
from adapters.journal_files import FOLDER, digest, statement_of
from adapters.signing import Sealer
from alerts.command import Numbers
from alerts.ports import HazgateError
from gateway.settings import Gateway

log = logging.getLogger("hazgate")

EVERY: Final = 600.0
"""Seconds between two looks at whether a year is over."""
AGAIN: Final = 3600.0
"""Seconds until the next look after one that failed."""
PAUSE: Final = 0.02
"""Seconds between two steps, for everybody else."""
FORGET_AFTER: Final = 3600.0
FORGET_EVERY: Final = 86_400.0
"""Seconds from the start to the first deletion of an old file, and between two: a clock that is years ahead must be noticed first."""
CLOSED: Final = "journal_closed"
FORGOTTEN: Final = "journal_forgotten"
"""Names under which the journal keeps which file it said last that it had closed, and that it gives up."""


class Years:
    """Closes years and gives old ones up. On the loop's thread; what reads and writes files has a thread of its own."""

    def __init__(self, settings: Gateway, journal: Journal, sealer: Sealer, numbers: Numbers, meta: Mapping[str, str]) -> None:
        """`meta` is what the journal kept in words when it was opened."""
        self._path = settings.data_dir / "journal.db"
        self._keep = settings.keep.alarms
        self._journal = journal
        self._sealer = sealer
        self._numbers = numbers
        self._said = {name: meta.get(name, "") for name in (CLOSED, FORGOTTEN)}
        self._forget_at = 0.0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._forget_at = asyncio.get_running_loop().time() + FORGET_AFTER
        self._task = asyncio.create_task(self._run(), name="journal-years")

    async def stop(self) -> None:
        """End; what is under way goes on after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self.tend(self._sealer.now(), lambda _step: asyncio.sleep(PAUSE))
            except HazgateError as error:
                log.error("the journal's years are left as they are for now: %s", error)  # noqa: TRY400 - the sentence says it all
                await asyncio.sleep(AGAIN)
            await asyncio.sleep(EVERY)

    async def tend(self, now: int, pause: Callable[[str], Awaitable[None]]) -> None:
        """Do all that is due at `now` (ns), a little at a time; `pause` is awaited after each step, with its name. Raises Transient or Permanent."""
        while True:
            path = await asyncio.to_thread(closing.undeleted, self._path)
            if path is not None:
                await self._let_go(path, now, pause)
            elif (wanted := await asyncio.to_thread(closing.plan, self._path, now)) is not None:
                log.info("closing the journal's rows up to %d into %s", wanted.last, wanted.path)
                await self._close(wanted, pause)
            else:
                break
        await self._forget(now, pause)

    async def _close(self, wanted: closing.Plan, pause: Callable[[str], Awaitable[None]]) -> None:
        """Copy, sign, check, and give the file its name."""
        copying = await asyncio.to_thread(closing.Copying, wanted)
        try:
            while await asyncio.to_thread(copying.some):
                await pause("copied")
            await asyncio.to_thread(copying.finish, self._sealer)
        finally:
            copying.close()
        await pause("finished")
        await self._check(wanted.part, pause)
        await asyncio.to_thread(closing.settle, wanted)
        await pause("settled")

    async def _check(self, path: Path, pause: Callable[[str], Awaitable[None]]) -> None:
        with contextlib.closing(closing.checked(path, self._sealer.gateway, self._sealer.key.trusted)) as looks:
            while await asyncio.to_thread(next, looks, self) is not self:
                await pause("checked")

    async def _let_go(self, path: Path, now: int, pause: Callable[[str], Awaitable[None]]) -> None:
        """Delete from the live file what a closed one has, after a look at that one: it may have been closed by an earlier run."""
        await self._check(path, pause)
        said = await asyncio.to_thread(statement_of, path)
        if self._said[CLOSED] != said.head.hex():
            await self._note(Note.CLOSED, CLOSED, path, said, now)
            await pause("noted")
        while await asyncio.to_thread(closing.undeleted, self._path) == path:
            await self._journal.commit(Entry(closed=said.last))
            await pause("deleted")
        log.info("closed %s: %d rows", path, said.rows)

    async def _forget(self, now: int, pause: Callable[[str], Awaitable[None]]) -> None:
        """Give the oldest file up, if it was kept long enough; one at a time, whatever the clock says."""
        loop = asyncio.get_running_loop()
        path = await asyncio.to_thread(closing.expired, self._path, now - self._keep)
        if path is None or loop.time() < self._forget_at:
            return
        self._forget_at = loop.time() + FORGET_EVERY
        said = await asyncio.to_thread(statement_of, path)
        if self._said[FORGOTTEN] != said.head.hex():
            await self._note(Note.FORGOTTEN, FORGOTTEN, path, said, now)
            await pause("noted")
        await asyncio.to_thread(closing.forget, path)
        await pause("forgotten")
        log.info("gave up %s: it was kept long enough", path)

    async def _note(self, note: Note, name: str, path: Path, said: Statement, now: int) -> None:
        """Write into the journal what becomes of a file: by its digest and its statement anybody can tell later which it was."""
        seen = {"file": f"{FOLDER}/{path.name}", "sha256": await asyncio.to_thread(digest, path)}
        body = json.dumps(seen | said.plain).encode()
        row = Row(self._numbers.take(), "", "", note, now, now, None, body)
        self._said[name] = said.head.hex()
        await self._journal.commit(Entry(rows=[row], meta={name: self._said[name]}))
