"""What happens to alarms by the clock alone: acknowledgements expire, tiers rise, commissioning ends."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace

from alerts.alarm import Alarm, EventKind, Tier
from alerts.ledger import Cause, Change
from alerts.lifecycle import AUTO, promoted, voided
from alerts.suppress import commissioning, in_service, suppressions
from alerts.watch import Watch


class Deadlines:
    """Finds and carries out what is due. Deadlines come from the alarms themselves, so they survive a restart with them."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._each: dict[str, int] = {}
        self._agenda: list[tuple[int, str]] = []

    def due(self) -> int | None:
        """The earliest deadline, ns; None while there is none. Looks only at alarms that changed since it was last asked."""
        standing = self._watch.standing
        for identity in standing.changed:
            alarm = standing.get(identity)
            at = None if alarm is None else min((when for when, _ in self._of(alarm)), default=None)
            if at is None:
                self._each.pop(identity, None)
            elif self._each.get(identity) != at:
                self._each[identity] = at
                heapq.heappush(self._agenda, (at, identity))
        standing.changed.clear()
        while self._agenda and self._each.get(self._agenda[0][1]) != self._agenda[0][0]:
            heapq.heappop(self._agenda)
        return self._agenda[0][0] if self._agenda else None

    def advance(self, now: int) -> None:
        """Carry out all deadlines up to `now` (ns), in order of time."""
        due = [(at, alarm.id, kind) for alarm in self._watch.standing.all.values() for at, kind in self._of(alarm) if at <= now]
        for at, identity, kind in sorted(due):
            alarm = self._watch.standing.get(identity)
            if alarm is not None and (at, kind) in self._of(alarm):
                self._watch.ledger.write([self._change(alarm, kind, now)], Cause(at or now, now))

    def _of(self, alarm: Alarm) -> Iterator[tuple[int, EventKind]]:
        if commissioning(alarm) and not suppressions(self._watch.sources.concerned(alarm.source, alarm.members), 0):
            yield 0, EventKind.RE_RAISE
        if alarm.state.active and alarm.acknowledged_at is not None and alarm.acknowledged_by != AUTO:
            expires = self._watch.chain(alarm).ack_expires
            if expires is not None:
                yield alarm.acknowledged_at + expires, EventKind.EXPIRE
        rises = self._watch.tiers.rises_at(alarm)
        if rises is not None:
            yield rises, EventKind.TIER_RAISE

    def _change(self, alarm: Alarm, kind: EventKind, now: int) -> Change:
        if kind is EventKind.TIER_RAISE:
            return Change(promoted(alarm, Tier.ORANGE), kind, told=True)
        if kind is EventKind.RE_RAISE:
            return _put_into_service(alarm)
        last = None if alarm.sensor is None else self._watch.facts.latest(alarm.site, alarm.sensor, now).value
        after = voided(alarm) or alarm
        return Change(replace(after, value=after.value if last is None or after.unit is None else last), kind, told=True)


def _put_into_service(alarm: Alarm) -> Change:
    """What stands when a sensor comes into service is raised then (semantics 7.1, 7.3)."""
    serving = in_service(alarm)
    if not serving.state.active or serving.acknowledged_by == AUTO:
        return Change(serving)
    return Change(promoted(serving, serving.tier), EventKind.RE_RAISE, told=True)
