"""The alarms of a site that are not normal, found by family, sensor, zone and cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from alerts.alarm import LIMIT_CONDITIONS, SICK, Alarm, Mode, State


class Standing:
    """Holds what stands; an alarm that is normal again leaves with the next `put`."""

    def __init__(self, alarms: Iterable[Alarm]) -> None:
        self._alarms: dict[str, Alarm] = {}
        self._groups: dict[str, dict[str, None]] = {}
        self._touched: dict[str, Alarm] = {}
        self.changed: set[str] = set()
        """Ids changed since whoever keeps something about every alarm last emptied it."""
        for alarm in alarms:
            self.put(alarm)
        self._touched.clear()

    @property
    def all(self) -> Mapping[str, Alarm]:
        """Id -> alarm, in the order in which they arose."""
        return MappingProxyType(self._alarms)

    def get(self, alarm: str) -> Alarm | None:
        """The alarm of this id, or None while it is normal."""
        return self._alarms.get(alarm)

    def active(self, alarm: str) -> bool:
        """Whether this alarm's condition stands."""
        found = self._alarms.get(alarm)
        return found is not None and found.state.active

    def family(self, family: str) -> list[Alarm]:
        """Its members that are not normal."""
        return self._group(f"family {family}")

    def of_sensor(self, sensor: str) -> list[Alarm]:
        """All alarms of one sensor."""
        return self._group(f"sensor {sensor}")

    def children(self, cause: str) -> list[Alarm]:
        """Alarms listed under another."""
        return self._group(f"under {cause}")

    def sick(self, zone: str | None) -> list[Alarm]:
        """Sicknesses of instruments in a zone."""
        return self._group(f"sick {zone}")

    def quiet(self, zone: str) -> bool:
        """Whether no limit alarm of an instrument in service stands in a zone."""
        return not self._groups.get(f"limit {zone}")

    def put(self, alarm: Alarm) -> None:
        """Keep an alarm as it stands now."""
        before = self._alarms.pop(alarm.id, None) if alarm.state is State.NORMAL else self._alarms.get(alarm.id)
        stands = _groups(alarm) if alarm.state is not State.NORMAL else []
        left = [name for name in (_groups(before) if before is not None else ()) if name not in stands]
        for name in left:
            self._groups[name].pop(alarm.id)
            if not self._groups[name]:
                del self._groups[name]
        if stands:
            self._alarms[alarm.id] = alarm
        for name in stands:
            self._groups.setdefault(name, {})[alarm.id] = None
        self._touched[alarm.id] = alarm
        self.changed.add(alarm.id)

    def touched(self) -> dict[str, Alarm]:
        """What changed since the last call, as it stands now."""
        changed, self._touched = self._touched, {}
        return changed

    def _group(self, name: str) -> list[Alarm]:
        return [self._alarms[alarm] for alarm in self._groups.get(name, ())]


def _groups(alarm: Alarm) -> list[str]:
    names = [f"family {alarm.family}", *(f"under {cause}" for cause in alarm.under)]
    if alarm.sensor is not None:
        names.append(f"sensor {alarm.sensor}")
    if alarm.condition in SICK:
        names.append(f"sick {alarm.zone}")
    if alarm.condition in LIMIT_CONDITIONS and alarm.mode is Mode.REAL:
        names.append(f"limit {alarm.zone}")
    return names
