"""Writes changes of alarms down: numbers them, keeps one lead in each family, and says which of them are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from alerts import family
from alerts.alarm import LIMIT_CONDITIONS, Alarm, Event, EventKind, State, Tier
from alerts.command import Numbers
from alerts.lifecycle import promoted
from alerts.standing import Standing

RELEVANT: Final = frozenset({EventKind.RAISE, EventKind.RE_RAISE, EventKind.TIER_RAISE, EventKind.VALUE_LOST, EventKind.OVER_RANGE, EventKind.EXPIRE})
"""Events after which an older command speaks of another situation than the one that stands."""


@dataclass(frozen=True, slots=True)
class Cause:
    """When alarms change, in event time and by the gateway's clock (ns), and who made them."""

    at: int
    now: int
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """An alarm as it will stand. `kind` None changes the record without an event; `told` events annunciate if the alarm leads.

    `key` is that of the edge that made the change; None for what people and clocks make.
    """

    after: Alarm
    kind: EventKind | None = None
    told: bool = False
    key: str | None = None


class Ledger:
    """The book's own hand: everything that changes an alarm goes through `write`."""

    def __init__(self, standing: Standing, numbers: Numbers) -> None:
        self._standing = standing
        self._numbers = numbers
        self._events: list[Event] = []
        self._keys: dict[str, int] = {}

    def close(self) -> list[Event]:
        """The events since the last call, in order."""
        events, self._events = self._events, []
        self._keys.clear()
        return events

    def write(self, changes: Sequence[Change], cause: Cause) -> None:
        """Make changes to members of one family at once, so that none of them leads for a moment only.

        Emits, in this order: the changes' own events; `tier_raise` where over-range demands RED; `subsume` of an
        unacknowledged lead that a worse one replaces; `lead` of an unacknowledged one that moves up.
        """
        if not changes:
            return
        name = changes[0].after.family
        before = family.lead(self._standing.family(name))
        changes = self._at_the_top_of_the_range(name, list(changes))
        after = {alarm.id: alarm for alarm in self._standing.family(name)} | {change.after.id: change.after for change in changes}
        leader = family.lead(after.values())
        zone = changes[0].after.zone
        quiet = zone is not None and self._standing.quiet(zone)
        newest = 0
        for change in changes:
            alarm = self._enter(change, cause, leads=leader is not None and change.after.id == leader.id, quiet=quiet)
            newest = max(newest, alarm.relevant)
        if before is not None and leader is not None and before.id != leader.id:
            self._step_down(before.id, cause, changes[-1].key)
        if leader is not None:
            self._lead(leader.id, newest, cause, changes[-1].key)

    def _at_the_top_of_the_range(self, name: str, changes: list[Change]) -> list[Change]:
        """Over-range makes the family's lead RED, unless RED has been told of it already: the value may be anything."""
        members = {alarm.id: alarm for alarm in self._standing.family(name)} | {change.after.id: change.after for change in changes}
        beyond = [alarm for alarm in members.values() if alarm.over_range and alarm.state.active]
        worst = family.lead(beyond)
        if worst is None or any(alarm.tier is Tier.RED for alarm in beyond):
            return changes
        for place, change in enumerate(changes):
            if change.after.id == worst.id and change.told:
                changes[place] = replace(change, after=replace(change.after, tier=Tier.RED))
                return changes
        return [*changes, Change(promoted(worst, Tier.RED), EventKind.TIER_RAISE, told=True, key=changes[-1].key)]

    def _enter(self, change: Change, cause: Cause, *, leads: bool, quiet: bool) -> Alarm:
        stood = self._standing.get(change.after.id)
        alarm = change.after
        if alarm.state is not State.NORMAL:
            alarm = replace(alarm, lead=leads)
        if change.kind is None:
            self._put(stood, alarm)
            return alarm
        number = self._numbers.take()
        news = change.kind in RELEVANT and not (change.kind is EventKind.OVER_RANGE and stood is not None and stood.over_range)
        told = change.told and alarm.lead and alarm.state.unacknowledged and not alarm.suppression
        opens = told and quiet and stood is None and alarm.condition in LIMIT_CONDITIONS
        alarm = replace(
            alarm,
            sequence=number,
            started=number if stood is None else alarm.started,
            relevant=number if news else alarm.relevant,
            changed_at=cause.at,
            first_out=alarm.first_out or opens,
        )
        self._put(stood, alarm)
        before = State.NORMAL if stood is None else stood.state
        self._events.append(Event(change.kind, alarm, before, cause.at, cause.now, cause.by, self._key(change.key), told))
        return alarm

    def _put(self, stood: Alarm | None, alarm: Alarm) -> None:
        if alarm != stood:
            self._standing.put(alarm)

    def _step_down(self, before: str, cause: Cause, key: str | None) -> None:
        alarm = self._standing.get(before)
        if alarm is not None:
            kind = EventKind.SUBSUME if alarm.state.unacknowledged else None
            self._enter(Change(alarm, kind, key=key), cause, leads=False, quiet=False)

    def _lead(self, leader: str, newest: int, cause: Cause, key: str | None) -> None:
        """See that the lead is marked as such, told if nobody has answered it, and shows that its family changed."""
        alarm = self._standing.get(leader)
        if alarm is None:
            return
        if not alarm.lead:
            unanswered = alarm.state.unacknowledged
            alarm = replace(alarm, annunciation=alarm.annunciation + int(unanswered))
            alarm = self._enter(Change(alarm, EventKind.LEAD if unanswered else None, told=True, key=key), cause, leads=True, quiet=False)
        if alarm.sequence < newest:
            self._standing.put(replace(alarm, sequence=newest))

    def _key(self, key: str | None) -> str | None:
        """An edge's key for the first event it causes, and numbered after it, so that each is unique."""
        if key is None:
            return None
        count = self._keys[key] = self._keys.get(key, -1) + 1
        return f"{key}+{count}" if count else key
