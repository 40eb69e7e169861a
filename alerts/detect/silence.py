"""Silence: a sensor that stops speaking, and a device that took all of its sensors along (semantics 2.5, 4.3).

`stale` is raised at the last arrival + the sensor's `stale` time, by the clock. When that moment comes and no sensor
of the same device (two or more) was heard more than 2 s after this one's last arrival, the device is what is silent:
one `{device}.offline` names them all, and their `stale` are listed under it. A reading of any of its sensors ends
it; a sensor that stays silent after that has no value still, is given its `stale` time again and is then told as its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alerts.alarm import Condition
from alerts.detect.batch import NEVER, Columns, Mask, Round, Sick
from alerts.detect.everyone import Everyone
from alerts.detect.health import Health
from alerts.edge import Edge, EdgeKind
from alerts.reading import SECOND, Ints
from alerts.register import Register

TOGETHER = 2 * SECOND


@dataclass(slots=True)
class _Device:
    site: str
    id: str
    sensors: list[int]
    offline: bool = False
    orphans: dict[int, int] = field(default_factory=dict)
    """Sensors still silent after their device came back, and when that is told as their own."""

    @property
    def alarm(self) -> str:
        return f"{self.id}.{Condition.OFFLINE}"


class Silence:
    """The detector of `stale` and `offline`."""

    def __init__(self, register: Register, columns: Columns, health: Health) -> None:
        self._register = register
        self._columns = columns
        self._health = health
        self._devices = {key: _Device(*key, [p.index for p in register.device(*key)]) for key in register.devices()}
        self._of = [self._devices[p.site.site, p.sensor.device] for p in register]
        self._due = int((columns.arrival + columns.stale).min()) if len(register) else NEVER
        self.cause: str | None = None
        """While set (the broker is away, or nobody is heard over it), the alarm that every silence is listed under."""
        self.broker: str | None = None
        """The alarm that stands for the silence of all devices; None where they are not heard over a broker."""
        self.unheard = False
        """Whether no device is heard, and one silence explains that."""
        self._everyone = Everyone(register, columns)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Nothing: after a restart, silence is counted from the new subscription."""
        return {}

    def due(self) -> int:
        """When the next silence may be old enough."""
        return self._due

    def rearm(self) -> None:
        """Find the next deadline anew."""
        deadlines = np.where(self._columns.sick & int(Sick.STALE) == 0, self._columns.arrival + self._columns.stale, NEVER)
        orphans = NEVER if self.cause is not None else min((at for d in self._devices.values() for at in d.orphans.values()), default=NEVER)
        self._due = min(int(deadlines.min()) if len(deadlines) else NEVER, orphans)

    def judge(self, part: Round, out: list[Edge]) -> None:
        """Restart the clocks of what was heard, end what a reading ends."""
        columns = self._columns
        index = part.sensor
        overdue = (columns.sick[index] & int(Sick.STALE) == 0) & (part.arrival > columns.arrival[index] + columns.stale[index])
        if overdue.any():
            first: Ints = (columns.arrival[index] + columns.stale[index])[overdue]
            self.advance(int(first.max()), out)
        if self.unheard and self._everyone.counted[index].any():
            self._heard(int(part.arrival.max()))
        columns.heard[index] = True
        columns.arrival[index] = np.maximum(columns.arrival[index], part.arrival)
        away = columns.sick[index] & int(Sick.STALE | Sick.OFFLINE) != 0
        for row in np.flatnonzero(away):
            self._back(int(index[row]), int(part.time[row]), int(part.arrival[row]), out)

    def _back(self, sensor: int, at: int, arrival: int, out: list[Edge]) -> None:
        device = self._of[sensor]
        device.orphans.pop(sensor, None)
        # its clock runs again, and may be the only one that does
        self._due = min(self._due, arrival + int(self._columns.stale[sensor]))
        if device.offline:
            self._online(device, arrival)
        if self._health.is_sick(sensor, Sick.OFFLINE):
            self._health.heal(sensor, Sick.OFFLINE, at, out)
            name = self._register[sensor].sensor.id
            out.append(Edge(device.site, device.id, Condition.OFFLINE, EdgeKind.FALSE, at, members=(name,)))
        self._health.heal(sensor, Sick.STALE, at, out)

    def _online(self, device: _Device, arrival: int) -> None:
        """The device is back; each of its other sensors only when it speaks itself."""
        device.offline = False
        for sensor in device.sensors:
            if self._columns.arrival[sensor] < arrival and self._health.is_sick(sensor, Sick.STALE):
                self._expect(device, sensor, arrival)

    def _expect(self, device: _Device, sensor: int, since: int) -> None:
        device.orphans[sensor] = since + int(self._columns.stale[sensor])
        self._due = min(self._due, device.orphans[sensor])

    def subscribed(self, now: int) -> None:
        """The broker answers for the first time: whoever was not heard yet is given its `stale` time from `now` (ns)."""
        columns = self._columns
        waiting = ~columns.heard & (columns.sick & int(Sick.STALE) == 0)
        columns.arrival[waiting] = now
        self._everyone.since = now
        self.rearm()

    def spoke(self, arrival: int) -> None:
        """A device sent something at `arrival` (ns) that is no live reading: it is as silent as before, and not for want of a broker."""
        self._everyone.spoken = max(self._everyone.spoken, arrival)
        if self.unheard:
            self._heard(arrival)

    def _heard(self, now: int) -> None:
        self.unheard = False
        self.cause_over(now)

    def cause_over(self, now: int) -> None:
        """What every silence was listed under is gone: whoever stays silent from here on is told as its own."""
        self.cause = None
        self._everyone.since = now
        for device in self._devices.values():
            for sensor in device.sensors:
                if self._health.is_sick(sensor, Sick.STALE):
                    self._expect(device, sensor, now)

    def advance(self, now: int, out: list[Edge]) -> None:
        """Raise the silences that are old enough at `now`."""
        if now < self._due:
            return
        columns = self._columns
        deadlines = columns.arrival + columns.stale
        over = np.flatnonzero((columns.sick & int(Sick.STALE) == 0) & (deadlines <= now))
        if self.broker is not None and self.cause is None and self._everyone.silent(now, self._known()):
            self.cause, self.unheard = self.broker, True
        for sensor in over[np.argsort(deadlines[over], kind="stable")].tolist():
            self._fell_silent(sensor, int(deadlines[sensor]), out)
        for device in self._devices.values() if self.cause is None else ():
            self._tell_orphans(device, now, out)
        self.rearm()

    def _known(self) -> Mask:
        """Sensors whose silence has been told as their own, or their device's."""
        known: Mask = self._columns.sick & int(Sick.STALE) != 0
        for device in self._devices.values():
            known[[*device.orphans]] = False
        return known

    def _tell_orphans(self, device: _Device, now: int, out: list[Edge]) -> None:
        due = sorted((at, sensor) for sensor, at in device.orphans.items() if at <= now)
        if due and device.offline:
            device.orphans.clear()
            out.append(self._offline_edge(device, due[0][0], None))
            return
        for at, sensor in due:
            del device.orphans[sensor]
            self._health.own(sensor, Sick.STALE, at, out)

    def _fell_silent(self, sensor: int, at: int, out: list[Edge]) -> None:
        device, columns = self._of[sensor], self._columns
        others = [s for s in device.sensors if s != sensor and not self._health.is_sick(s, Sick.STALE)]
        last = int(columns.arrival[sensor])
        together = len(device.sensors) > 1 and all(int(columns.arrival[s]) <= last + TOGETHER for s in others)
        if together and not device.offline:
            self._offline(device, at, out)
        under = self.cause or (device.alarm if device.offline else None)
        self._health.sicken(sensor, Sick.STALE, at, out, under)

    def _offline(self, device: _Device, at: int, out: list[Edge]) -> None:
        device.offline = True
        device.orphans.clear()
        for sensor in device.sensors:
            self._health.lose(sensor, Sick.OFFLINE, at, out)
        out.append(self._offline_edge(device, at, self.cause))

    def _offline_edge(self, device: _Device, at: int, under: str | None) -> Edge:
        members = tuple(self._register[s].sensor.id for s in device.sensors)
        return Edge(device.site, device.id, Condition.OFFLINE, EdgeKind.TRUE, at, members=members, under=under)

    def declared_offline(self, key: tuple[str, str], now: int, out: list[Edge]) -> None:
        """The device (or its will) says that it is gone; believed unless one of its sensors spoke within its own interval."""
        device = self._devices.get(key)
        if device is None or device.offline:
            return
        columns = self._columns
        if any(columns.heard[s] and now - int(columns.arrival[s]) <= int(columns.interval[s]) for s in device.sensors):
            return
        self._offline(device, now, out)

    def adopt(self, site: str, device: str) -> None:
        """The journal says that this device is offline: hold it until a reading ends it."""
        found = self._devices.get((site, device))
        if found is not None:
            found.offline = True
            for sensor in found.sensors:
                self._columns.sick[sensor] |= Sick.OFFLINE
