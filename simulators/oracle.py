"""Comparing the alarms that were seen with those a scenario must and must not cause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from alerts.alarm import EventKind, Tier
from alerts.reading import SECOND
from simulators.script import Must, MustNot, Oracle

BEGINS: Final = frozenset({EventKind.RAISE, EventKind.RE_RAISE, EventKind.VALUE_LOST, EventKind.OVER_RANGE, EventKind.TIER_RAISE})
"""Events that make an alarm stand, or make it worse: only these can be unwanted."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """An alarm event that was heard `at` ns after the scenario began. `source` is what the alarm's id begins with."""

    alarm: str
    event: EventKind
    tier: Tier
    at: int

    @property
    def source(self) -> str:
        """The sensor, device, zone, vote, rule or gateway."""
        return self.alarm.rpartition(".")[0]


class Ledger:
    """What has been seen: the first sighting of each (alarm, event, tier), so that a long run stays small."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, EventKind, Tier], Sighting] = {}
        self.events = 0

    def add(self, sighting: Sighting) -> None:
        """Take one more event. Events come in the order in which they were heard."""
        self.events += 1
        self._first.setdefault((sighting.alarm, sighting.event, sighting.tier), sighting)

    def sightings(self) -> tuple[Sighting, ...]:
        """First sightings, in order."""
        return tuple(self._first.values())


def differences(oracle: Oracle, sightings: Iterable[Sighting], sources: frozenset[str], elapsed: int) -> list[str]:
    """Everything in which `sightings` differ from `oracle` after `elapsed` ns, one sentence each; empty if nothing.

    `sources` are the site's own ids: patterns of `must_not` leave alarms of other sources, the gateway's own, alone.
    """
    seen = list(sightings)
    demanded = {must.alarm for must in oracle.must}
    missing = [sentence for must in oracle.must if (sentence := _missing(must, seen, elapsed))]
    own = [sighting for sighting in seen if sighting.source in sources and sighting.event in BEGINS]
    return missing + _unexpected(oracle.must_not, own, demanded)


def _missing(must: Must, seen: list[Sighting], elapsed: int) -> str | None:
    what = f"{must.alarm}: {must.event}" + (f" ({must.tier})" if must.tier else "")
    alike = [sighting for sighting in seen if sighting.alarm == must.alarm and sighting.event is must.event]
    found = next((sighting for sighting in alike if must.tier in (None, sighting.tier)), None)
    if found and found.at <= must.by:
        return None
    if found:
        return f"{what} was due by {_seconds(must.by)} and came {_seconds(found.at - must.by)} late, at {_seconds(found.at)}"
    if alike:
        return f"{what} was due by {_seconds(must.by)}; it came at {_seconds(alike[0].at)}, but as {alike[0].tier}"
    if elapsed < must.by:
        return f"{what} was due by {_seconds(must.by)}, but the run was stopped at {_seconds(elapsed)}"
    return f"{what} was due by {_seconds(must.by)} and never came"


def _unexpected(bans: Iterable[MustNot], own: list[Sighting], demanded: set[str]) -> list[str]:
    """One sentence for each alarm that a ban catches, at its worst."""
    bans = tuple(bans)
    caught: dict[str, Sighting] = {}
    for sighting in own:
        worse = sighting.alarm not in caught or sighting.tier.rank > caught[sighting.alarm].tier.rank
        if worse and any(_banned(ban, sighting, demanded) for ban in bans):
            caught[sighting.alarm] = sighting
    return [f"{alarm}: {sighting.event} ({sighting.tier}) at {_seconds(sighting.at)} was not expected" for alarm, sighting in caught.items()]


def _banned(ban: MustNot, sighting: Sighting, demanded: set[str]) -> bool:
    if ban.above is not None and sighting.tier.rank <= ban.above.rank:
        return False
    if "*" in ban.alarm:
        return sighting.alarm not in demanded and fnmatchcase(sighting.alarm, ban.alarm)
    return sighting.alarm == ban.alarm


def _seconds(ns: int) -> str:
    return f"{ns / SECOND:.1f} s"
