"""The book of a site's alarms: edges, commands and time go in, numbered events come out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from alerts.alarm import Alarm, Event, Refusal
from alerts.answer import Answers
from alerts.color import SiteColor, site_color
from alerts.command import Command, Numbers
from alerts.conditions import Conditions
from alerts.deadlines import Deadlines
from alerts.edge import Edge, Facts
from alerts.ledger import Ledger
from alerts.site import Site
from alerts.sources import Sources
from alerts.standing import Standing
from alerts.tiers import Tiers
from alerts.watch import Watch


class Book:
    """The alarms of one site. Pure: it decides, its owner journals and tells.

    `numbers` is shared by all books of a gateway. `alarms` are those of an earlier run that are not normal. In the
    book of the home site `gateway` is the id under which the gateway's own alarms run. Every call returns the events
    it caused in the order of their numbers; all calls belong to one thread, with `now` (ns) never falling.
    """

    def __init__(self, site: Site, facts: Facts, numbers: Numbers, *, alarms: Iterable[Alarm] = (), gateway: str | None = None) -> None:
        self._standing = Standing(alarms)
        self._ledger = Ledger(self._standing, numbers)
        sources = Sources(site, gateway)
        tiers = Tiers(site, sources, facts, self._standing.get)
        self._watch = Watch(site, sources, facts, self._standing, self._ledger, tiers)
        self._conditions = Conditions(self._watch)
        self._answers = Answers(self._watch, self._conditions)
        self._deadlines = Deadlines(self._watch)

    def edges(self, edges: Sequence[Edge], now: int) -> list[Event]:
        """What detection and the gateway itself found, in order. An edge that changes nothing causes no event."""
        self._conditions.take(edges, now)
        return self._ledger.close()

    def command(self, command: Command, now: int) -> list[Event] | Refusal:
        """Carry out what a person asks for, or say why not. A refusal changes nothing."""
        refusal = self._answers.answer(command, now)
        events = self._ledger.close()
        return events if refusal is None else refusal

    def advance(self, now: int) -> list[Event]:
        """Let every deadline up to `now` pass."""
        self._deadlines.advance(now)
        return self._ledger.close()

    def due(self) -> int | None:
        """The earliest moment at which `advance` has something to do, ns; None while there is none."""
        return self._deadlines.due()

    def alarms(self) -> Mapping[str, Alarm]:
        """Every alarm that is not normal, by id; a live view."""
        return self._standing.all

    def touched(self) -> dict[str, Alarm]:
        """The records that changed since the last call, those back to normal among them."""
        return self._standing.touched()

    def color(self, now: int) -> SiteColor:
        """What the site and its zones show at `now`."""
        return site_color(self._watch, now)
