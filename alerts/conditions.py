"""From edges to alarms: what it means for people that a condition turned true or false."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from alerts import family
from alerts.alarm import DOWN_FAMILY, LIMIT_CONDITIONS, LIMITS, ONE_SHOT, SICK, UP_FAMILY, Alarm, Condition, EventKind, Tier
from alerts.edge import Edge, EdgeKind
from alerts.family import OUTWARDNESS
from alerts.ledger import Cause, Change
from alerts.lifecycle import AUTO, HOLDS_VALUE, latching, lost, promoted, raised, returned, voided, worse
from alerts.site import Sensor
from alerts.suppress import circumstances, suppressions
from alerts.watch import Watch

SIDES = UP_FAMILY | DOWN_FAMILY
UPPER = frozenset({Condition.HIGH, Condition.HIGH_HIGH})


class Conditions:
    """Applies edges in their order; what becomes of them is written to the ledger."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._withheld: dict[str, Edge] = {}

    def take(self, edges: Sequence[Edge], now: int) -> None:
        """Apply edges. Those that raise several alarms of one family at one moment do so at once."""
        self._watch.tiers.look_again()
        for group in self._together(edges):
            kind = group[0].kind
            if kind is EdgeKind.TRUE or (kind is EdgeKind.GROWN and self._watch.standing.active(f"{group[0].source}.{group[0].condition}")):
                self._true(group, now)
            elif kind is EdgeKind.FALSE:
                self._false(group[0], now)
            elif kind is EdgeKind.OVER_RANGE:
                self._over_range(group[0], now)
            for alarm in self._watch.tiers.dry() if kind is not EdgeKind.FALSE else ():
                change = Change(promoted(alarm, Tier.RED), EventKind.TIER_RAISE, told=True, key=group[0].key)
                self._watch.ledger.write([change], Cause(group[0].at, now))

    def resume(self, sensor: str, now: int) -> None:
        """Let the ends take effect that over-range had withheld from a sensor's alarms."""
        for edge in [edge for edge in self._withheld.values() if edge.source == sensor]:
            self._false(edge, now)

    def forget_lost(self, sensor: Sensor, now: int) -> None:
        """The sensor has a value again, unless another reason keeps it sick."""
        if self._watch.is_sick(sensor):
            return
        for alarm in self._watch.standing.of_sensor(sensor.id):
            if alarm.value_lost:
                self._watch.ledger.write([Change(replace(alarm, value_lost=False))], Cause(now, now))

    def _together(self, edges: Sequence[Edge]) -> Iterator[list[Edge]]:
        """Edges that raise limits at one moment, by family, mildest first; toxic gas first, then in file order. All others alone."""
        for (_, side), run in groupby(edges, key=lambda e: (e.at, e.kind is EdgeKind.TRUE and e.condition in SIDES)):
            listed = list(run)
            if not side:
                yield from ([edge] for edge in listed)
                continue
            ordered = sorted(listed, key=lambda e: (*self._precedence(e), e.source, e.condition in DOWN_FAMILY, OUTWARDNESS[e.condition]))
            yield from (list(same) for _, same in groupby(ordered, key=lambda e: (e.source, e.condition in DOWN_FAMILY)))

    def _precedence(self, edge: Edge) -> tuple[int, int]:
        sensor = self._watch.sources.sensor(edge.source)
        return family.kind_rank(None if sensor is None else sensor.kind), self._watch.sources.place(edge.source)

    def _true(self, edges: Sequence[Edge], now: int) -> None:
        changes: dict[str, Change] = {}
        for edge in edges:
            change = self._raise(edge, now)
            changes.setdefault(change.after.id, change)
        self._watch.ledger.write(list(changes.values()), Cause(edges[0].at, now))
        if edges[0].condition in SICK:
            self._sickened(edges[0], now)

    def _raise(self, edge: Edge, now: int) -> Change:
        watch = self._watch
        identity = f"{edge.source}.{edge.condition}"
        self._withheld.pop(identity, None)
        stood = watch.standing.get(identity)
        alarm = self._seen(stood or self._new(edge), edge, now)
        if stood is None:
            alarm = replace(alarm, raised_at=edge.at, under=self._causes(edge))
        tier = worse(watch.tiers.of(alarm, now), Tier.ORANGE if alarm.value_lost else alarm.tier)
        if alarm.state.active:
            return self._again(alarm, edge, tier)
        alarm = replace(alarm, tier=tier)
        silent = tier is Tier.BLUE or (bool(alarm.under) and edge.condition not in ONE_SHOT)
        after = raised(alarm, edge.at, silent=silent) or alarm
        after = replace(after, returned_at=edge.returned_at, feedback_due=self._feedback_due(after))
        return Change(after, EventKind.RAISE if stood is None else EventKind.RE_RAISE, told=True, key=edge.key)

    def _again(self, alarm: Alarm, edge: Edge, tier: Tier) -> Change:
        """True once more: the record grows. It is news if it is about another time, if the tier rises, or if what it was listed under is gone."""
        if edge.condition in ONE_SHOT and edge.kind is EdgeKind.TRUE and (edge.late or edge.at != alarm.raised_at):
            anew = replace(alarm, raised_at=edge.at, returned_at=edge.returned_at)
            return Change(promoted(anew, worse(alarm.tier, tier)), EventKind.RE_RAISE, told=True, key=edge.key)
        ended = None if edge.returned_at is None else max(edge.returned_at, alarm.returned_at or edge.returned_at)
        alarm = replace(alarm, raised_at=min(alarm.raised_at, edge.at), returned_at=ended)
        if tier.rank > alarm.tier.rank:
            return Change(promoted(alarm, tier), EventKind.TIER_RAISE, told=True, key=edge.key)
        if not alarm.under:
            return Change(alarm)
        causes = self._causes(edge)
        return Change(replace(alarm, under=causes)) if causes else _on_its_own(alarm, edge.key)

    def _new(self, edge: Edge) -> Alarm:
        sources = self._watch.sources
        sensor = sources.sensor(edge.source)
        suppression = suppressions(sources.concerned(edge.source, edge.members), edge.at)
        alarm = Alarm(
            site=self._watch.site.site,
            source=edge.source,
            condition=edge.condition,
            tier=Tier.BLUE,
            zone=sources.zone(edge.source, edge.members),
            sensor=None if sensor is None else sensor.id,
            suppression=suppression,
            late=edge.late,
            limit=None if sensor is None or edge.condition not in LIMITS else getattr(sensor.limits, edge.condition),
            unit=_unit(sources.concerned(edge.source, edge.members)),
        )
        return replace(alarm, mode=circumstances(alarm, sensor))

    def _seen(self, alarm: Alarm, edge: Edge, now: int) -> Alarm:
        """The alarm with what the edge and the sensor's standing say."""
        value = alarm.value if edge.value is None else edge.value
        named = () if edge.kind is EdgeKind.FALSE else edge.members  # an end names who is back, not what it was about
        members = tuple(sorted({*alarm.members, *named})) if edge.late else named or alarm.members
        alarm = replace(alarm, members=members, value=value, peak=_peak(alarm, edge))
        sensor = self._watch.sources.sensor(edge.source)
        if sensor is None or edge.kind is EdgeKind.FALSE:
            return alarm
        if edge.condition in UPPER and self._watch.facts.latest(alarm.site, sensor.id, now).over_range:
            alarm = replace(alarm, over_range=True)
        if edge.condition in HOLDS_VALUE and not alarm.state.active and self._watch.is_sick(sensor):
            alarm = replace(alarm, value_lost=True)
        return alarm

    def _causes(self, edge: Edge) -> tuple[str, ...]:
        """What an alarm is listed under: its cause, or the alarm of its sensor that says `value_lost` already."""
        if edge.under is not None:
            return (edge.under,)
        if edge.condition not in SICK:
            return ()
        return tuple(alarm.id for alarm in self._watch.holding(edge.source)[:1])

    def _feedback_due(self, alarm: Alarm) -> int | None:
        within = None if alarm.acknowledged_by == AUTO else self._watch.chain(alarm).feedback_within
        return None if within is None else alarm.raised_at + within

    def _over_range(self, edge: Edge, now: int) -> None:
        """The value may be anything above the top: held until somebody has measured."""
        standing = self._watch.standing
        if not standing.active(f"{edge.source}.{edge.condition}"):
            self._true([edge], now)
        upper = [alarm for alarm in standing.family(f"{edge.source}.up") if alarm.condition in UPPER and alarm.state.active]
        worst = family.lead(upper)
        flagged = [replace(self._seen(alarm, edge, now), over_range=True) for alarm in upper]
        changes = [Change(alarm, EventKind.OVER_RANGE if worst and alarm.id == worst.id else None, key=edge.key) for alarm in flagged]
        self._watch.ledger.write(changes, Cause(edge.at, now))

    def _sickened(self, edge: Edge, now: int) -> None:
        """Active alarms of the sensors concerned have lost their value; the heads that are left may have become too few."""
        sensors = self._watch.sources.concerned(edge.source, edge.members)
        cause = Cause(edge.at, now)
        for sensor in sensors:
            last = self._watch.facts.latest(self._watch.site.site, sensor.id, now).value
            losing = [after for alarm in self._watch.holding(sensor.id) if (after := lost(alarm)) is not None]
            for _, members in groupby(sorted(losing, key=lambda a: (a.family, a.tier.rank)), key=lambda a: a.family):
                with_last = [replace(after, value=after.value if last is None else last) for after in members]
                self._watch.ledger.write([Change(after, EventKind.VALUE_LOST, told=True, key=edge.key) for after in with_last], cause)
        if edge.under is None:
            self._grade_anew({*(sensor.zone for sensor in sensors), None}, edge, now)

    def _grade_anew(self, zones: Iterable[str | None], edge: Edge, now: int) -> None:
        for alarm in [alarm for zone in sorted(zones, key=str) for alarm in self._watch.standing.sick(zone)]:
            if not alarm.state.active or alarm.under or alarm.tier.urgent:
                continue
            tier = self._watch.tiers.of(alarm, now)
            if tier.rank > alarm.tier.rank:
                self._watch.ledger.write([Change(promoted(alarm, tier), EventKind.TIER_RAISE, told=True, key=edge.key)], Cause(edge.at, now))

    def _false(self, edge: Edge, now: int) -> None:
        identity = f"{edge.source}.{edge.condition}"
        self._withheld.pop(identity, None)
        alarm = self._watch.standing.get(identity)
        if alarm is not None and alarm.state.active and edge.condition not in ONE_SHOT:
            if edge.condition in LIMIT_CONDITIONS and any(each.over_range for each in self._watch.standing.of_sensor(edge.source)):
                self._withheld[identity] = edge
                return
            self._end(alarm, edge, now)
        if edge.condition in SICK:
            for sensor in self._watch.sources.concerned(edge.source, edge.members):
                self.forget_lost(sensor, now)

    def _end(self, alarm: Alarm, edge: Edge, now: int) -> None:
        after = returned(self._seen(alarm, edge, now), edge.at, latches=self._latches(alarm))
        cause = Cause(edge.at, now)
        if after is not None:
            self._watch.ledger.write([Change(after, EventKind.RETURN, key=edge.key)], cause)
        for child in self._watch.standing.children(alarm.id):
            if child.sensor is not None and child.sensor == alarm.sensor and child.state.active:
                others = tuple(each.id for each in self._watch.holding(alarm.source)[:1])
                change = Change(replace(child, under=others)) if others else _on_its_own(child, edge.key)
                self._watch.ledger.write([change], cause)

    def _latches(self, alarm: Alarm) -> bool:
        sources = self._watch.sources
        sensor = sources.sensor(alarm.source)
        owner = sensor or sources.votes.get(alarm.source) or sources.rules.get(alarm.source)
        return latching(alarm.condition, alarm.tier, configured=owner is None or owner.latch)


def _on_its_own(alarm: Alarm, key: str | None) -> Change:
    """What was listed under a cause that no longer speaks for it is told as its own."""
    alone = replace(alarm, under=())
    after = voided(alone) if alarm.acknowledged_by == AUTO and alarm.tier is not Tier.BLUE else None
    return Change(alone) if after is None else Change(after, EventKind.EXPIRE, told=True, key=key)


def _unit(sensors: Sequence[Sensor]) -> str | None:
    units = {sensor.unit for sensor in sensors}
    return units.pop() if len(units) == 1 else None


def _peak(alarm: Alarm, edge: Edge) -> float | None:
    """The worst value of this occurrence; of a past excursion, what its detector says."""
    if edge.late:
        return edge.peak
    seen = [value for value in (alarm.peak, edge.peak, edge.value) if value is not None]
    if not seen:
        return None
    return min(seen) if edge.condition in DOWN_FAMILY else max(seen)
