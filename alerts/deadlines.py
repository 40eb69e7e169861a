"""What happens to alarms by the clock alone: acknowledgements expire, tiers rise, commissioning ends."""

from __future__ import annotations

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
        self._known: tuple[int, int | None] = (-1, None)
        self._each: dict[str, tuple[Alarm, int | None]] = {}

    def due(self) -> int | None:
        """The earliest deadline, ns; None while there is none. Cheap until an alarm changes."""
        version, earliest = self._known
        if version != self._watch.standing.version:
            self._each = {alarm.id: self._kept(alarm) for alarm in self._watch.standing.all.values()}
            earliest = min((at for _, at in self._each.values() if at is not None), default=None)
            self._known = (self._watch.standing.version, earliest)
        return earliest

    def _kept(self, alarm: Alarm) -> tuple[Alarm, int | None]:
        """The alarm and its earliest deadline: as found before, where the alarm has not changed since."""
        kept = self._each.get(alarm.id)
        if kept is not None and kept[0] is alarm:
            return kept
        return alarm, min((at for at, _ in self._of(alarm)), default=None)

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
