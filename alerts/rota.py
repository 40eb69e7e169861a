"""Who is on duty: shifts by the wall clock of the site, turned into instants once and compared as instants.

A shift runs from the instant at which the site's clocks first show `from` to the instant at which they first show
`to`. Where a time is shown twice (clocks go back) the first showing counts; where it is never shown (clocks go
forward) the jump itself counts. Two shifts that meet on paper therefore meet in every night of the year: neither
leaves a gap nor stands in for the other twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from alerts.alarm import Role, Tier
from alerts.reading import SECOND
from alerts.site import Shift, Site

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = dt.timedelta(days=1)
_MINUTE: Final = dt.timedelta(minutes=1)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch, since <= t < until (ns), in which nobody stands for a role that somebody may have to be told by."""

    role: Role
    since: int
    until: int


class Roster:
    """The rota of one site.

    Raises zoneinfo.ZoneInfoNotFoundError for a timezone that the machine does not know.
    """

    def __init__(self, site: Site) -> None:
        self._timezone = ZoneInfo(site.timezone)
        self._people = frozenset(person.id for person in site.people)
        self._holders = {role: tuple(person.id for person in site.people if role in person.role) for role in Role}
        self._shifts: dict[Role, list[Shift]] = {}
        for rota in site.rota:
            self._shifts.setdefault(rota.role, []).extend(rota.shifts)
        needed = {*self._shifts, *_told_roles(site)}
        self._needed = tuple(role for role in Role if role in needed)

    def on_duty(self, role: Role, now: int) -> tuple[str, ...]:
        """The people who stand for a role at `now` (ns): those of the first shift, in file order, that is running.

        Empty in a gap of the role's rota. A role that has no rota at all is on duty in all its holders, so that a
        chain which names it wakes somebody.
        """
        shifts = self._shifts.get(role)
        if shifts is None:
            return self._holders[role]
        today = self._day(now)
        for shift in shifts:
            for day in (today, today - _DAY):
                since, until = self._span(shift, day)
                if since <= now < until:
                    return shift.people
        return ()

    def people(self, tell: Sequence[str], now: int) -> tuple[str, ...]:
        """Person ids for the roles and ids of a `tell`, in its order and each once.

        A role stands for whoever is on duty at `now` (ns); a person named by id is told whether on duty or not; a
        name that is neither is left out, the configuration check having refused it.
        """
        found: dict[str, None] = {}
        for name in tell:
            if name in self._holders:
                found.update(dict.fromkeys(self.on_duty(Role(name), now)))
            elif name in self._people:
                found[name] = None
        return tuple(found)

    def gaps(self, since: int, until: int) -> list[Gap]:
        """Every stretch of since <= t < until (ns) that leaves a role empty, by role and then by time.

        Looked at are the roles that have a rota and those that a chain or the last resort names.
        """
        return [gap for role in self._needed for gap in self._gaps(role, since, until)]

    def _gaps(self, role: Role, since: int, until: int) -> Iterator[Gap]:
        if role not in self._shifts:
            if not self._holders[role]:
                yield Gap(role, since, until)
            return
        free = since
        for start, end in sorted(self._spans(role, since, until)):
            if start >= until:
                break
            if start > free:
                yield Gap(role, free, start)
            free = max(free, end)
        if free < until:
            yield Gap(role, free, until)

    def _spans(self, role: Role, since: int, until: int) -> Iterator[tuple[int, int]]:
        day, last = self._day(since) - _DAY, self._day(until)
        while day <= last:
            yield from (self._span(shift, day) for shift in self._shifts[role])
            day += _DAY

    def _span(self, shift: Shift, day: dt.date) -> tuple[int, int]:
        """From when to when the shift runs that begins on `day`; an empty span where the day is not one of its days."""
        start = self._instant(day, shift.start)
        if shift.days != "daily" and _DAYS[day.weekday()] not in shift.days:
            return start, start
        overnight = shift.to <= shift.start
        return start, self._instant(day + _DAY if overnight else day, shift.to)

    def _instant(self, day: dt.date, clock: str) -> int:
        """When the site's clocks first show `HH:MM` of `day` (24:00 is the next midnight), or jump over it, ns."""
        hours, minutes = clock.split(":")
        shown = dt.datetime.combine(day, dt.time(), self._timezone) + dt.timedelta(hours=int(hours), minutes=int(minutes))
        while shown.astimezone(dt.UTC).astimezone(self._timezone).replace(tzinfo=None, fold=0) != shown.replace(tzinfo=None):
            shown += _MINUTE
        return int((shown - _EPOCH) // dt.timedelta(seconds=1)) * SECOND

    def _day(self, now: int) -> dt.date:
        return (_EPOCH + dt.timedelta(seconds=now // SECOND)).astimezone(self._timezone).date()


def _told_roles(site: Site) -> set[Role]:
    entries = [chain for tier in Tier for chain in site.escalation.of(tier)]
    names = {name for chain in entries for telling in (*chain.inform, *chain.steps) for name in telling.tell}
    return {role for role in Role if role in names or role in site.last_resort.tell}
