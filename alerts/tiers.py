"""How urgent an alarm is (semantics 6). Limit conditions carry their tier in the profile or site file; the rest stands here.

Numbers that grade a condition are in the alarm's `value`: per cent for `spool_filling`, seconds for `clock_skew` (how
far off), `rota_gap` (until it begins), `monitoring_gap` (how long) and for `calibration_due` and `test_due` (past the
day), a count of loosened or removed RED limits for `config_changed`, a tier's rank for a message that failed. Where the
number is missing the worse tier counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from types import MappingProxyType
from typing import Final

from alerts.alarm import DOWN_FAMILY, LAST_RESORT_ONLY, SICK, UP_FAMILY, Alarm, Condition, Tier
from alerts.edge import Facts
from alerts.lifecycle import worse
from alerts.reading import SECOND
from alerts.site import Clause, Sensor, Site
from alerts.sources import Sources

CALIBRATION: Final = 3600 * SECOND
"""After this, a calibration without a permit is ORANGE."""

UNCALLED: Final = frozenset({"power", "wind"})
"""Kinds whose sickness calls nobody."""

WATER: Final = frozenset({"fire_water_pressure", "fire_water_level"})
"""Kinds whose low-low is RED while a fire or gas alarm is."""

_BURNING: Final = frozenset({"combustible_gas", "open_path", "toxic_gas", "smoke", "heat", "flame", "manual_call_point"})
_DANGER: Final = (Condition.HIGH, Condition.HIGH_HIGH, Condition.FIRE, Condition.MANUAL)

FIXED: Final[Mapping[Condition, Tier]] = MappingProxyType(
    {
        Condition.STEL: Tier.ORANGE,
        Condition.TWA: Tier.YELLOW,
        Condition.FIRE: Tier.RED,
        Condition.TRIP: Tier.ORANGE,
        Condition.OFF_NORMAL: Tier.YELLOW,
        Condition.MANUAL: Tier.RED,
        Condition.UNUSUAL_LOAD: Tier.BLUE,
        Condition.VOTED: Tier.RED,
        Condition.DRIFT: Tier.BLUE,
        Condition.COMMISSIONING: Tier.BLUE,
        Condition.VOTE_DEGRADED: Tier.YELLOW,
        Condition.VOTE_LOST: Tier.ORANGE,
        Condition.LOW_COVERAGE: Tier.ORANGE,
        Condition.UNKNOWN_SENSOR: Tier.BLUE,
        Condition.BROKER_LOST: Tier.ORANGE,
        Condition.BROKER_DROPPING: Tier.YELLOW,
        Condition.STORE_UNREACHABLE: Tier.YELLOW,
        Condition.BALANCE_OPEN: Tier.YELLOW,
        Condition.RECORD_LOST: Tier.ORANGE,
        Condition.JOURNAL_FAILED: Tier.ORANGE,
        Condition.DISK_LOW: Tier.YELLOW,
        Condition.QUARANTINE_FILLING: Tier.BLUE,
        Condition.CANARY_FAILED: Tier.ORANGE,
        Condition.UNREACHABLE_PERSON: Tier.YELLOW,
        Condition.GATEWAY_CLOCK: Tier.YELLOW,
        Condition.DUPLICATE_GATEWAY: Tier.ORANGE,
    }
)
"""Conditions with one tier whatever the circumstances."""

_GRADED: Final[Mapping[Condition, tuple[Callable[[float], bool], Tier, Tier]]] = MappingProxyType(
    {
        Condition.SPOOL_FILLING: (lambda per_cent: per_cent >= 90, Tier.ORANGE, Tier.YELLOW),
        Condition.CLOCK_SKEW: (lambda seconds: abs(seconds) > 600, Tier.YELLOW, Tier.BLUE),
        Condition.ROTA_GAP: (lambda seconds: seconds <= 86400, Tier.ORANGE, Tier.YELLOW),
        Condition.MONITORING_GAP: (lambda seconds: seconds >= 300, Tier.ORANGE, Tier.YELLOW),
        Condition.CALIBRATION_DUE: (lambda seconds: seconds > 0, Tier.YELLOW, Tier.BLUE),
        Condition.TEST_DUE: (lambda seconds: seconds > 0, Tier.YELLOW, Tier.BLUE),
    }
)
"""Condition -> when its value makes it worse, the worse tier, the milder one."""


class Tiers:
    """The tiers of one site's alarms. `standing` finds the alarm of an id, or None."""

    def __init__(self, site: Site, sources: Sources, facts: Facts, standing: Callable[[str], Alarm | None]) -> None:
        self._site = site
        self._sources = sources
        self._facts = facts
        self._standing = standing
        self._pairs = {pair.id: pair for pair in site.pairs}
        self._healthy: dict[tuple[str, str], frozenset[str]] = {}
        self._red_capable = {sensor.id for sensor in site.sensors if red_capable(site, sensor)}
        self._water = [f"{sensor.id}.{Condition.LOW_LOW}" for sensor in site.sensors if sensor.kind in WATER]
        self._dangers = [f"{sensor.id}.{danger}" for sensor in site.sensors if sensor.kind in _BURNING for danger in _DANGER] if self._water else []
        self._judges: dict[Condition, Callable[[Alarm, int], Tier]] = {
            **dict.fromkeys(SICK, self._sick),
            **dict.fromkeys((Condition.STUCK, Condition.SUSPECT_DATA, Condition.INHIBITED), self._doubtful),
            **dict.fromkeys(UP_FAMILY | DOWN_FAMILY, self._limit),
            **dict.fromkeys(LAST_RESORT_ONLY, self._failed),
            Condition.PAST_EXCURSION: self._past,
            Condition.DISCREPANCY: self._discrepancy,
            Condition.RULE: self._rule,
            Condition.CONFIG_CHANGED: self._config_changed,
        }

    def look_again(self) -> None:
        """What the facts said may have changed."""
        self._healthy.clear()

    def of(self, alarm: Alarm, now: int) -> Tier:
        """The tier an alarm has at `now` (ns) by its condition, circumstances and the site's own choice for its sensor."""
        judge = self._judges.get(alarm.condition)
        if judge is not None:
            return judge(alarm, now)
        if alarm.condition in _GRADED:
            return self._chosen(alarm, _graded(alarm))
        return self._chosen(alarm, FIXED[alarm.condition])

    def rises_at(self, alarm: Alarm) -> int | None:
        """When the tier of an alarm rises by time alone, ns; None if it does not or has risen."""
        if not alarm.state.active or alarm.under or alarm.tier.rank >= Tier.ORANGE.rank:
            return None
        if alarm.condition is Condition.INHIBITED:
            return alarm.raised_at + CALIBRATION
        if alarm.condition not in SICK:
            return None
        zones = [self._sources.zones.get(sensor.zone) for sensor in self._sick_sensors(alarm) if sensor.id in self._red_capable]
        return min((alarm.raised_at + zone.repair_within for zone in zones if zone is not None), default=None)

    def red_capable(self, sensor: Sensor) -> bool:
        """Whether any of its conditions, or a vote or rule over it, has tier RED."""
        return sensor.id in self._red_capable

    def dry(self) -> list[Alarm]:
        """Fire water that is out and not RED yet, though a fire or gas alarm is."""
        out = [alarm for alarm in map(self._standing, self._water) if alarm is not None and alarm.state.active and alarm.tier is not Tier.RED]
        return out if out and self._burns() else []

    def _burns(self) -> bool:
        """Whether a RED of a fire or gas sensor in service stands; until it is reset, if it latches."""
        found = map(self._standing, self._dangers)
        return any(alarm is not None and alarm.tier is Tier.RED and not alarm.suppression for alarm in found)

    def _chosen(self, alarm: Alarm, tier: Tier) -> Tier:
        sensor = self._sources.sensor(alarm.source)
        return tier if sensor is None else sensor.tiers.get(alarm.condition, tier)

    def _limit(self, alarm: Alarm, _now: int) -> Tier:
        """A limit of a sensor that nobody knows (any more) may have been RED."""
        sensor = self._sources.sensor(alarm.source)
        if sensor is None or (alarm.id in self._water and self._burns()):
            return Tier.RED
        return sensor.tier(alarm.condition)

    def _sick_sensors(self, alarm: Alarm) -> list[Sensor]:
        return [sensor for sensor in self._sources.concerned(alarm.source, alarm.members) if sensor.kind not in UNCALLED]

    def _sick(self, alarm: Alarm, now: int) -> Tier:
        """YELLOW; ORANGE where RED would no longer be seen: too few healthy heads left, or one too long in repair."""
        sensors = self._sources.concerned(alarm.source, alarm.members)
        called = self._sick_sensors(alarm)
        if sensors and not called:
            return self._chosen(alarm, Tier.BLUE)
        blind = any(sensor.id in self._red_capable and self._blind(sensor, alarm, now) for sensor in called)
        base = self._chosen(alarm, Tier.YELLOW)
        return worse(base, Tier.ORANGE) if blind else base

    def _blind(self, sensor: Sensor, alarm: Alarm, now: int) -> bool:
        zone = self._sources.zones.get(sensor.zone)
        if zone is None or now - alarm.raised_at >= zone.repair_within:
            return True
        return len(self._guards(sensor, now) - {alarm.source, *alarm.members}) < zone.min_healthy

    def _guards(self, sensor: Sensor, now: int) -> frozenset[str]:
        """The healthy RED-capable heads of a sensor's kind in its zone that are in service; looked up once for each batch of edges."""
        place = (sensor.zone, sensor.kind)
        if place not in self._healthy:
            serving = [peer.id for peer in self._sources.peers(sensor) if peer.commissioned is not None and peer.id in self._red_capable]
            self._healthy[place] = frozenset(peer for peer in serving if self._facts.latest(self._site.site, peer, now).healthy)
        return self._healthy[place]

    def _doubtful(self, alarm: Alarm, now: int) -> Tier:
        sensors = self._sources.concerned(alarm.source, alarm.members)
        matters = not sensors or any(sensor.id in self._red_capable for sensor in sensors)
        base = self._chosen(alarm, Tier.YELLOW if matters else Tier.BLUE)
        overdue = alarm.condition is Condition.INHIBITED and now - alarm.raised_at >= CALIBRATION
        return worse(base, Tier.ORANGE) if overdue else base

    def _past(self, alarm: Alarm, _now: int) -> Tier:
        outer = {Condition.HIGH_HIGH, Condition.LOW_LOW}
        past = {member.rpartition(".")[2] for member in alarm.members}
        return self._chosen(alarm, Tier.ORANGE if not past or past & outer else Tier.YELLOW)

    def _discrepancy(self, alarm: Alarm, _now: int) -> Tier:
        pair = self._pairs.get(alarm.source)
        return Tier.YELLOW if pair is not None and pair.guards is not Condition.HIGH_HIGH else Tier.ORANGE

    def _rule(self, alarm: Alarm, _now: int) -> Tier:
        rule = self._sources.rules.get(alarm.source)
        return Tier.RED if rule is None else rule.tier

    def _failed(self, alarm: Alarm, _now: int) -> Tier:
        """That of the message that failed: by its rank, else that of the worst alarm told of (`members` are ids); ORANGE where none stands here."""
        if alarm.value is not None:
            return worse(tuple(Tier)[min(max(int(alarm.value), 0), Tier.RED.rank)], Tier.YELLOW)
        found = [self._standing(member) for member in alarm.members]
        tiers = [Tier.ORANGE if each is None else each.tier for each in found] or [Tier.ORANGE]
        return reduce(worse, tiers, Tier.YELLOW)

    def _config_changed(self, alarm: Alarm, _now: int) -> Tier:
        if self._site.change is not None and self._site.change.approved is not None:
            return Tier.BLUE
        return Tier.ORANGE if alarm.value is None or alarm.value > 0 else Tier.YELLOW


def red_capable(site: Site, sensor: Sensor) -> bool:
    """Whether any condition of a sensor that is set, or a vote or rule over it, has tier RED."""
    if sensor.red_capable or any(sensor.id in vote.of for vote in site.votes):
        return True
    limits = UP_FAMILY | DOWN_FAMILY
    if any(tier is Tier.RED for condition, tier in sensor.tiers.items() if condition not in limits):
        return True
    return any(_over(clause, rule.zone, sensor) for rule in site.rules if rule.tier is Tier.RED for clause in (*rule.all, *rule.any))


def _over(clause: Clause, zone: str, sensor: Sensor) -> bool:
    if clause.sensor is not None:
        return clause.sensor == sensor.id
    return sensor.zone == (clause.zone or zone) and clause.kind in (None, sensor.kind)


def _graded(alarm: Alarm) -> Tier:
    is_worse, worst, mild = _GRADED[alarm.condition]
    return worst if alarm.value is None or is_worse(alarm.value) else mild
