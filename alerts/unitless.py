"""Devices that have to say their unit (`unit: required`), and readings of theirs that do not.

Such a value may be meant in another unit than the sensor's, so it must not pass for a measurement; set aside, it could
hide gas. It is judged in the sensor's unit as `uncertain`: it may raise an alarm and never ends one. Meanwhile the
device is `suspect_data`, until every sensor of it that came without its unit has come with it.
"""

from __future__ import annotations

from alerts.alarm import Condition
from alerts.current import sent_in
from alerts.edge import Edge, EdgeKind
from alerts.reading import Quality, RawReading
from alerts.register import Point, Register


class Unitless:
    """Knows who has to say a unit, and who has not. In order of arrival."""

    def __init__(self, register: Register) -> None:
        strict = ((site.site, device.id) for site in register.sites.values() for device in site.devices if device.unit == "required")
        self._strict = {key: {point.index for point in register.device(*key) if sent_in(point.sensor) is not None} for key in strict}
        self._sensors = frozenset[int]().union(*self._strict.values())
        self._devices = frozenset(register.devices())
        self._missing: dict[tuple[str, str], set[int]] = {}
        self.watching = bool(self._sensors)
        """Whether anybody is concerned; nobody need ask otherwise."""

    def must_say(self, sensor: int) -> bool:
        """Whether readings of this sensor (by index) have to carry their unit."""
        return sensor in self._sensors

    def doubts(self, device: tuple[str, str]) -> bool:
        """Whether this (site, device) is in doubt now."""
        return device in self._missing

    def judge(self, point: Point, reading: RawReading) -> None:
        """Take a value whose unit is missing for uncertain; one that is none stays none."""
        if reading.unit is None and point.index in self._sensors and reading.quality is not Quality.BAD:
            reading.quality = Quality.UNCERTAIN

    def live(self, point: Point, unit: str | None, at: int) -> Edge | None:
        """A live reading with that unit was judged at `at` (ns): the device comes into doubt, out of it, or stays as it is."""
        key = (point.site.site, point.sensor.device)
        missing = self._missing.get(key)
        if unit is None and point.index in self._sensors:
            self._missing.setdefault(key, set()).add(point.index)
            return Edge(*key, Condition.SUSPECT_DATA, EdgeKind.TRUE, at) if missing is None else None
        if missing is None:
            return None
        missing.discard(point.index)
        if missing:
            return None
        del self._missing[key]
        self.watching = bool(self._sensors or self._missing)
        return Edge(*key, Condition.SUSPECT_DATA, EdgeKind.FALSE, at)

    def adopt(self, device: tuple[str, str]) -> None:
        """The journal says that this (site, device) is in doubt: it ends when all its sensors have said their unit, or need not any more."""
        if device in self._devices:
            self._missing[device] = set(self._strict.get(device, ()))
            self.watching = True
