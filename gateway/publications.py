"""What waits for the broker: alarms as they stand, the newest of each, and events in their order, within bounds.

A broker that is away for days must not fill memory and outbox. Of an alarm only the newest state is worth sending. Of too
many events the oldest of maintenance (BLUE) and of what is looked into this shift (YELLOW) are given up: the journal has
them, and whoever listens to events only misses that they were told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from adapters.journal import Entry, Journal, Outgoing
from alerts.alarm import Tier

AHEAD: Final = 256
"""Events handed to the connection at a time."""
MOST: Final = 10_000
"""Events that wait beside them: some 15 MB. What must not be given up may be more."""

Publish = Callable[[str, bytes, bool, Callable[[], None], Tier], None]
"""topic, payload, retain, done, tier; hands a message to the broker's connection, and `done` is called when it need not be kept any more."""


class Publications:
    """On the loop's thread."""

    def __init__(self, publish: Publish, journal: Journal) -> None:
        self._publish = publish
        self._journal = journal
        self._events: dict[str, Outgoing] = {}
        self._mild: dict[str, Outgoing] = {}
        self._on_their_way = 0
        self._going_on = False
        self._newer: dict[str, Outgoing | None] = {}
        """By key of an alarm that is on its way: its newest state, if there is a newer one."""
        self.published = 0
        self.given_up: Counter[str] = Counter()
        """Events given up since the start, by tier."""

    def put(self, outgoing: Outgoing) -> None:
        """Publish it as soon as may be. The outbox forgets it on the broker's PUBACK."""
        if not outgoing.retain:
            self._events[outgoing.key] = outgoing
            if _tier(outgoing) in (Tier.BLUE, Tier.YELLOW):
                self._mild[outgoing.key] = outgoing
            self._go_on()
        elif outgoing.key in self._newer:
            self._newer[outgoing.key] = outgoing
        else:
            self._newer[outgoing.key] = None
            self._send(outgoing, self._settled)

    def _settled(self, outgoing: Outgoing) -> None:
        newer = self._newer.pop(outgoing.key)
        if newer is not None:
            self.put(newer)

    def _arrived(self, _outgoing: Outgoing) -> None:
        self._on_their_way -= 1
        self._go_on()

    def _go_on(self) -> None:
        """Hand over as many events as may be on their way; of what is left, give up what is too much."""
        if self._going_on:  # the connection settled one at once, and this is asked from within
            return
        self._going_on = True
        while self._events and self._on_their_way < AHEAD:
            outgoing = self._events.pop(next(iter(self._events)))
            self._mild.pop(outgoing.key, None)
            self._on_their_way += 1
            self._send(outgoing, self._arrived)
        self._going_on = False
        while len(self._events) > MOST and self._mild:
            outgoing = self._mild.pop(next(iter(self._mild)))
            del self._events[outgoing.key]
            self.given_up[_tier(outgoing)] += 1
            self._journal.commit(Entry(published=[(outgoing.key, outgoing.number)]))

    def _send(self, outgoing: Outgoing, then: Callable[[Outgoing], None]) -> None:
        def done() -> None:
            self.published += 1
            self._journal.commit(Entry(published=[(outgoing.key, outgoing.number)]))
            then(outgoing)

        self._publish(outgoing.target, outgoing.body, outgoing.retain, done, _tier(outgoing))


def _tier(outgoing: Outgoing) -> Tier:
    return Tier(outgoing.tier or Tier.YELLOW)
