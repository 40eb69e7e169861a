"""What was thrown away before anybody read it: by the broker, with its queues and sessions, and by us in a flood.

The counter of dropped messages is mosquitto's (`$SYS/broker/publish/messages/dropped`). It counts for all of the broker's clients, so a rise
says that somebody's messages were lost, and a gateway cannot know whose. The last count outlives a restart, because a
queue overflows while its gateway is away.
"""

from __future__ import annotations

import asyncio
import logging
from enum import StrEnum

from adapters.journal import Entry, Journal
from adapters.mqtt import Link
from alerts.alarm import Condition
from gateway.selfwatch import SelfWatch

log = logging.getLogger("hazgate.broker")
TOPIC = "$SYS/broker/publish/messages/dropped"
DROPPED = "broker_dropped"
"""Name of the journal's note of the last count."""
LOOK = 5.0
"""Seconds between two looks at what we passed over ourselves."""
QUIET = 300.0
"""Seconds without a further loss after which it is over. mosquitto publishes the counter every 10 s when it has changed."""


class Sight(StrEnum):
    """Whether the broker's counter can be seen."""

    WATCHED = "watched"
    UNSEEN = "the broker has not published its counter of dropped messages; it may have none, or its access list may not let this gateway read it"
    REFUSED = "the broker does not let this gateway read its counter of dropped messages"


class Drops:
    """Raises `broker_dropping` while the broker loses messages. On the loop's thread."""

    def __init__(self, watch: SelfWatch, journal: Journal, link: Link, last: str | None) -> None:
        """link: the first connection. `last`: the journal's note `DROPPED` from an earlier run, None if there is none."""
        self._watch = watch
        self._journal = journal
        self._link = link
        self._passed_over = 0
        self._task: asyncio.Task[None] | None = None
        self._last = None if last is None else int(last)
        self._timer: asyncio.TimerHandle | None = None
        self.sight = Sight.UNSEEN
        self.seen = 0
        """Messages that the broker has dropped since this start, or while nobody looked."""

    async def start(self) -> None:
        """Look out; what an earlier run saw is over if nothing more is lost."""
        self._wait_for_quiet()
        self._task = asyncio.create_task(self._look_out(), name="drops")

    async def stop(self) -> None:
        """Look out no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()

    def refused(self) -> None:
        """The broker does not let us look."""
        self.sight = Sight.REFUSED

    def counted(self, payload: bytes, _retained: bool) -> None:
        """The broker's counter stands at this. A lower one than before means that the broker began anew, and has lost so many since."""
        if not payload.isdigit() or len(payload) > 18:
            return
        self.sight = Sight.WATCHED
        count, last = int(payload), self._last
        if count == last:
            return
        self._last = count
        self._journal.commit(Entry(meta={DROPPED: str(count)}))
        lost = 0 if last is None else count - last if count > last else count
        if lost:
            self.seen += lost
            self._lost(f"the broker has dropped {lost} messages, of this gateway or of others: see its limits of queued messages")

    def session_lost(self) -> None:
        """The broker has forgotten our session, and with it whatever was published while we were away."""
        self._lost("the broker had forgotten the session of this gateway: what devices published while it was away is lost; it needs `persistence true`")

    async def _look_out(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            new = self._link.passed_over - self._passed_over
            if new:
                self._passed_over += new
                log.warning("%d messages at QoS 0 came faster than they can be read and were passed over, most of all on %s", new, self._link.worst_flood)

    def _lost(self, words: str) -> None:
        log.error("%s", words)
        self._watch.broken(Condition.BROKER_DROPPING, 0, [words])
        self._wait_for_quiet()

    def _wait_for_quiet(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(QUIET, self._watch.works, Condition.BROKER_DROPPING)
