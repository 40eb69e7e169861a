"""Gives the journal's signed heads away, so that they lie where nobody who changes the journal can change them too.

A head says which row was the last at a moment. Whoever holds one can show later that rows are missing or are others.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from adapters.codecs.chain import Head
from adapters.journal import Entry, Journal

log = logging.getLogger("hazgate")

EVERY: Final = 3600.0
"""Seconds after which a head is signed even if few rows have come: on a quiet site a thousand take months."""
WITHIN: Final = 1.0
"""Seconds that a stop waits for the head it says goodbye with; the journal signs a last one when it closes."""


class Heads:
    """Has heads signed while the gateway runs and says each. On the loop's thread."""

    def __init__(self, journal: Journal, announce: Callable[[], None]) -> None:
        """`announce` publishes the gateway's status anew."""
        self._journal = journal
        self._announce = announce
        self._task: asyncio.Task[None] | None = None
        journal.on_sealed = self._sealed

    @property
    def given(self) -> str:
        """The newest head as one word; empty if nothing was ever signed."""
        return self._journal.sealed.text if self._journal.sealed else ""

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="journal-heads")

    async def stop(self) -> None:
        """Have the head signed while there is still somebody to give it to."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._journal.commit(Entry(seal=True)), WITHIN)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            self._journal.commit(Entry(seal=True))

    def _sealed(self, head: Head) -> None:
        log.info("the journal's head: %s", head.text)
        self._announce()
