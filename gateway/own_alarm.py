"""An alarm of the gateway itself that stands for a list of things, such as everybody who could not be told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from alerts.alarm import Condition, Event, Tier
from alerts.book import Book
from alerts.edge import Edge, EdgeKind

NAMED = 20
"""Things that such an alarm names, the most urgent of them."""


@dataclass(frozen=True, slots=True)
class OwnAlarm:
    """It names what is on the list and ends when nothing is.

    Whether that has been said is found by comparing the list with the alarm, and remembered nowhere else: both outlive a
    restart, so nothing is said twice because of one, and no end is forgotten. `book` is that of `site`, the home site.
    `found` gives each thing's tier and words.
    """

    book: Book
    site: str
    gateway: str
    condition: Condition
    found: Callable[[], Iterable[tuple[Tier, str]]]

    def compare(self, now: int) -> list[Event]:
        """Tell the alarm at `now` (ns) what it has to learn; nothing when it says so already."""
        return self.book.edges(self._edges(now), now)

    def _edges(self, now: int) -> list[Edge]:
        listed = sorted(self.found(), key=lambda thing: -thing[0].rank)
        alarm = self.book.alarms().get(f"{self.gateway}.{self.condition}")
        stands = alarm is not None and alarm.state.active
        if not listed:
            return [self._edge(EdgeKind.FALSE, now)] if stands else []
        worst, names = float(listed[0][0].rank), tuple(dict.fromkeys(words for _, words in listed[:NAMED]))
        if alarm is not None and stands and (alarm.value, alarm.members) == (worst, names):
            return []
        return [self._edge(EdgeKind.TRUE, now, worst, names)]

    def _edge(self, kind: EdgeKind, now: int, worst: float | None = None, names: tuple[str, ...] = ()) -> Edge:
        return Edge(self.site, self.gateway, self.condition, kind, now, worst, members=names)
