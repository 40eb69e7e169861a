"""What the parts of a book share: one site, what stands on it, and whom they may ask."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.alarm import SICK, Alarm, Condition
from alerts.edge import Facts
from alerts.ledger import Ledger
from alerts.lifecycle import HOLDS_VALUE
from alerts.site import Chain, Sensor, Site, When
from alerts.sources import Sources
from alerts.standing import Standing
from alerts.tiers import Tiers


@dataclass(frozen=True, slots=True)
class Watch:
    """One site under watch."""

    site: Site
    sources: Sources
    facts: Facts
    standing: Standing
    ledger: Ledger
    tiers: Tiers

    def holding(self, sensor: str) -> list[Alarm]:
        """The sensor's active alarms that stand on its value, worst tier first."""
        active = [alarm for alarm in self.standing.of_sensor(sensor) if alarm.condition in HOLDS_VALUE and alarm.state.active]
        return sorted(active, key=lambda alarm: -alarm.tier.rank)

    def is_sick(self, sensor: Sensor) -> bool:
        """Whether the sensor, or its device with it, stands without a trustworthy value."""
        if any(alarm.condition in SICK and alarm.state.active for alarm in self.standing.of_sensor(sensor.id)):
            return True
        offline = self.standing.get(f"{sensor.device}.{Condition.OFFLINE}")
        if offline is None or not offline.state.active:
            return False
        return any(each.id == sensor.id for each in self.sources.concerned(offline.source, offline.members))

    def chain(self, alarm: Alarm) -> Chain:
        """The escalation entry of an alarm: the first of its tier whose `when` fits, else the plain one."""
        entries = self.site.escalation.of(alarm.tier)
        kind = self.sources.kind(alarm)
        fitting = [entry for entry in entries if entry.when is not None and _fits(entry.when, alarm, kind)]
        plain = [entry for entry in entries if entry.when is None]
        return (*fitting, *plain, Chain())[0]


def _fits(when: When, alarm: Alarm, kind: str | None) -> bool:
    return when.zone in (None, alarm.zone) and when.kind in (None, kind) and when.condition in (None, alarm.condition)
