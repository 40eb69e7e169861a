"""Bad quality and out of range: a sensor that speaks but has nothing to say (semantics 2.5, 2.6).

`bad`, null, NaN and infinity are no value; no value for 4 s is `bad_quality`. A value below the range by more than
3 % of span is `out_of_range`. Both end on the first good reading. The 4 s are NAMUR NE 43's holding time of a fault
signal, as secondary sources give it, used for every kind of "no value".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerts.detect.batch import NEVER, Columns, Round, Sick
from alerts.detect.health import Health
from alerts.edge import Edge
from alerts.reading import SECOND, Ints

HOLD = 4 * SECOND


class Sickness:
    """The detector of readings without a trustworthy value."""

    def __init__(self, columns: Columns, health: Health) -> None:
        self._columns = columns
        self._health = health
        self.bad_since: Ints = np.full(len(columns.interval), NEVER, np.int64)
        self._due = NEVER

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Since when (arrival, ns) a sensor has sent no value."""
        return {"sickness.bad_since": self.bad_since}

    def due(self) -> int:
        """When the earliest run of "no value" is 4 s old."""
        return self._due

    def rearm(self) -> None:
        """Find the next deadline anew, after a restore."""
        waiting = (self.bad_since != NEVER) & (self._columns.sick & int(Sick.BAD) == 0)
        self._due = int(self.bad_since[waiting].min()) + HOLD if waiting.any() else NEVER

    def judge(self, part: Round, out: list[Edge]) -> None:
        """Note readings without a value, and end what a good reading ends."""
        columns = self._columns
        index = part.sensor
        speechless = ~part.usable
        if speechless.any():
            fresh = speechless & (self.bad_since[index] == NEVER)
            self.bad_since[index[fresh]] = part.arrival[fresh]
            self._due = min(self._due, int(self.bad_since[index[speechless]].min()) + HOLD)
        self.bad_since[index[part.usable]] = NEVER
        low = part.usable & (part.value < columns.floor[index])
        for row in np.flatnonzero(low):
            self._health.sicken(int(index[row]), Sick.RANGE, int(part.time[row]), out)
        sick = part.good & (columns.sick[index] & int(Sick.BAD | Sick.RANGE) != 0)
        for row in np.flatnonzero(sick):
            self._health.heal(int(index[row]), Sick.BAD, int(part.time[row]), out)
            self._health.heal(int(index[row]), Sick.RANGE, int(part.time[row]), out)

    def advance(self, now: int, out: list[Edge]) -> None:
        """Tell of sensors that have sent no value for 4 s."""
        if now < self._due:
            return
        for sensor in np.flatnonzero((self.bad_since != NEVER) & (self.bad_since <= now - HOLD)).tolist():
            self._health.sicken(sensor, Sick.BAD, int(self.bad_since[sensor]) + HOLD, out)
        self.rearm()
