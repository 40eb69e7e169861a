"""What the gateway publishes by itself: each site's state with its color, and its own status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

import msgspec

from adapters.codecs import alarm_json
from alerts.book import Book
from alerts.ports import Clock
from alerts.reading import SECOND

VALID = 30 * SECOND
"""How long a state may be believed; unchanged ones are published again every 10 s."""
APART = 0.5
"""Seconds between two states of one site while it changes: a color takes long to find on a large site."""


class StatePublisher:
    """Publishes `{site}/state`: at once when something changed, at most every half second while more does."""

    def __init__(self, prefix: str, books: Mapping[str, Book], clock: Clock, publish: Callable[[str, bytes], None]) -> None:
        """`publish(topic, payload)` sends retained, at QoS 1."""
        self._prefix = prefix
        self._books = books
        self._clock = clock
        self._publish = publish
        self._resting: dict[str, asyncio.TimerHandle] = {}
        self._again: set[str] = set()

    def refresh(self) -> None:
        """Publish every site's state."""
        for site in self._books:
            self._site(site)

    def changed(self, sites: Iterable[str]) -> None:
        """Something happened on these sites."""
        for site in sites:
            if site in self._resting:
                self._again.add(site)
            else:
                self._site(site)
                self._resting[site] = asyncio.get_running_loop().call_later(APART, self._rested, site)

    def stop(self) -> None:
        """Publish nothing more."""
        for timer in self._resting.values():
            timer.cancel()

    def _rested(self, site: str) -> None:
        del self._resting[site]
        if site in self._again:
            self._again.discard(site)
            self.changed([site])

    def _site(self, site: str) -> None:
        now = self._clock.now()
        color = self._books[site].color(now)
        self._publish(f"{self._prefix}/{site}/state", alarm_json.state_bytes(color, now, now + VALID))


def status_topic(prefix: str, gateway: str) -> str:
    """Where a gateway says that it is there."""
    return f"{prefix}/gateways/{gateway}/status"


def status_bytes(*, online: bool, version: str = "", since: int = 0, at: int = 0, boot: str = "", head: str = "") -> bytes:
    """The gateway's status. `at` is now, `head` the journal's newest signed one. A gateway that goes says nothing else; its will does not know it."""
    given = {"journal_head": head} if head else {}
    if not online:
        return msgspec.json.encode({"online": False} | given)
    times = {"since": alarm_json.time_text(since), "at": alarm_json.time_text(at)}
    return msgspec.json.encode({"online": True, "version": version, **times, "boot": boot} | given)
