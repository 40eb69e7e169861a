"""The gateway's pulse: every few seconds it notes that somebody is watching, shows each site's state anew and weighs the balance."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict

from adapters.clock import SystemClock
from adapters.journal import Entry, Journal
from adapters.spool import Spool
from alerts.alarm import Condition
from alerts.reading import SECOND
from gateway.publishing import StatePublisher
from gateway.selfwatch import SelfWatch

log = logging.getLogger("hazgate")
EVERY = 10.0
"""Seconds between two beats: how exactly a restart can say since when nobody was watching."""


class Pulse:
    """Beats while the gateway runs."""

    def __init__(self, journal: Journal, spool: Spool, states: StatePublisher, watch: SelfWatch, clock: SystemClock) -> None:
        self._journal = journal
        self._spool = spool
        self._states = states
        self._watch = watch
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to beat."""
        self.note()
        self._task = asyncio.create_task(self._beat(), name="pulse")

    async def stop(self) -> None:
        """Note the last moment that was watched."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._states.stop()
        self.note()

    def note(self) -> None:
        """Write into the journal that somebody is watching now; how long that takes says whether the journal does its work."""
        began = self._clock.now()
        self._journal.commit(Entry(meta={"alive": str(began)})).add_done_callback(lambda _done: self._watch.journal_took(self._clock.now() - began))

    def weigh(self) -> None:
        """Say so, with the figures, when readings are unaccounted for, or when they are all found again."""
        balance = self._spool.balance()
        if balance.closes:
            self._watch.works(Condition.BALANCE_OPEN)
        else:
            self._watch.broken(Condition.BALANCE_OPEN, grace=0, words=[f"{name} {number}" for name, number in asdict(balance).items()])

    async def _beat(self) -> None:
        while True:
            self._states.refresh()
            self.weigh()
            await asyncio.sleep(EVERY)
            self.note()
            step = self._clock.follow()
            if step:
                log.warning("the system clock stepped by %.1f s; deadlines go by the monotonic clock", step / SECOND)
            self._watch.clock_stepped(step)
