"""Past excursions: what late readings show of a danger that is over or was never seen live (semantics 2.4).

A late reading never touches anything live. If it lies at or past a high-high, a low-low or any limit of a latching
sensor, its device raises `past_excursion`: one message for a device and catch-up, which names the alarms that would
have been, from when to when, and the peak. A catch-up ends after 30 s without a late reading of that device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alerts.alarm import LIMITS, Condition
from alerts.detect.limits import SIGN, Limits
from alerts.edge import Edge, EdgeKind
from alerts.reading import SECOND, Quality, Readings
from alerts.register import Register

CATCH_UP = 30 * SECOND
_ALWAYS = np.array([True, False, False, True])


@dataclass(slots=True)
class _Excursion:
    since: int
    until: int
    peak: float
    worst: float
    members: set[str]
    last_arrival: int


class Past:
    """The detector of late readings. It is given the late rows of a batch, nobody else sees them."""

    def __init__(self, register: Register, limits: Limits) -> None:
        self._register = register
        self._limits = limits
        latch = np.array([p.sensor.latch for p in register], np.bool_)
        self._counts = latch[:, None] | _ALWAYS
        self._running: dict[tuple[str, str], _Excursion] = {}

    def judge(self, late: Readings, out: list[Edge]) -> None:
        """Judge late readings at their own time."""
        usable = np.isfinite(late.value) & (late.quality != Quality.BAD)
        reach = np.where(usable, late.value, np.nan)[:, None] * SIGN
        over = (reach >= self._limits.limit[late.sensor]) & self._counts[late.sensor]
        touched: dict[tuple[str, str], _Excursion] = {}
        for row in np.flatnonzero(over.any(axis=1)):
            point = self._register[int(late.sensor[row])]
            key = (point.site.site, point.sensor.device)
            columns = np.flatnonzero(over[row])
            excess = float((reach[row] - self._limits.limit[late.sensor[row]])[columns].max())
            names = {f"{point.sensor.id}.{LIMITS[c]}" for c in columns}
            touched[key] = self._extend(key, (int(late.time[row]), int(late.arrival[row])), (float(late.value[row]), excess), names)
        for (site, device), found in touched.items():
            members = tuple(sorted(found.members))
            out.append(
                Edge(
                    site,
                    device,
                    Condition.PAST_EXCURSION,
                    EdgeKind.TRUE,
                    found.since,
                    found.peak,
                    found.peak,
                    members,
                    late=True,
                    returned_at=found.until,
                )
            )

    def _extend(self, key: tuple[str, str], moment: tuple[int, int], size: tuple[float, float], names: set[str]) -> _Excursion:
        time, arrival = moment
        value, excess = size
        found = self._running.get(key)
        if found is None or arrival - found.last_arrival > CATCH_UP:
            found = self._running[key] = _Excursion(time, time, value, excess, set(), arrival)
        found.since, found.until, found.last_arrival = min(found.since, time), max(found.until, time), arrival
        if excess >= found.worst:
            found.peak, found.worst = value, excess
        found.members |= names
        return found
