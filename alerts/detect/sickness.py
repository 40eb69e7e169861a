"""Bad quality, current fault and out of range: a sensor that speaks but has nothing to say (semantics 2.5, 2.6).

`bad`, null, NaN and infinity are no value, and neither is the current of a failed instrument; no value for 4 s is
`current_fault` if the newest reading was such a current, else `bad_quality`. One of the two stands at a time. A value
below the range by more than 3 % of span is `out_of_range`. All end on the first good reading. The 4 s are NAMUR NE
43's holding time of a fault signal, as secondary sources give it, used for every kind of "no value".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerts.detect.batch import NEVER, Columns, Mask, Round, Sick
from alerts.detect.health import Health
from alerts.edge import Edge
from alerts.reading import SECOND, Ints

HOLD = 4 * SECOND
_NO_VALUE = int(Sick.BAD | Sick.CURRENT)


class Sickness:
    """The detector of readings without a trustworthy value."""

    def __init__(self, columns: Columns, health: Health) -> None:
        self._columns = columns
        self._health = health
        self.bad_since: Ints = np.full(len(columns.interval), NEVER, np.int64)
        self.faulty: Mask = np.zeros(len(columns.interval), np.bool_)
        self._due = NEVER

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Since when (arrival, ns) a sensor has sent no value, and whether a current said why."""
        return {"sickness.bad_since": self.bad_since, "sickness.faulty": self.faulty}

    def due(self) -> int:
        """When the earliest run of "no value" is 4 s old."""
        return self._due

    def rearm(self) -> None:
        """Find the next deadline anew, after a restore."""
        waiting = (self.bad_since != NEVER) & (self._columns.sick & _NO_VALUE == 0)
        self._due = int(self.bad_since[waiting].min()) + HOLD if waiting.any() else NEVER

    def judge(self, part: Round, out: list[Edge]) -> None:
        """Note readings without a value, and end what a good reading ends."""
        columns = self._columns
        index = part.sensor
        speechless = ~part.usable
        if speechless.any():
            fresh = speechless & (self.bad_since[index] == NEVER)
            self.bad_since[index[fresh]] = part.arrival[fresh]
            self.faulty[index[speechless]] = part.fault[speechless]
            self._due = min(self._due, int(self.bad_since[index[speechless]].min()) + HOLD)
        self.bad_since[index[part.usable]] = NEVER
        low = part.usable & (part.value < columns.floor[index])
        for row in np.flatnonzero(low):
            self._health.sicken(int(index[row]), Sick.RANGE, int(part.time[row]), out)
        sick = part.good & (columns.sick[index] & (_NO_VALUE | int(Sick.RANGE)) != 0)
        for row in np.flatnonzero(sick):
            for reason in (Sick.BAD, Sick.CURRENT, Sick.RANGE):
                self._health.heal(int(index[row]), reason, int(part.time[row]), out)

    def advance(self, now: int, out: list[Edge]) -> None:
        """Tell of sensors that have sent no value for 4 s."""
        if now < self._due:
            return
        silent = (self.bad_since != NEVER) & (self.bad_since <= now - HOLD) & (self._columns.sick & _NO_VALUE == 0)
        for sensor in np.flatnonzero(silent).tolist():
            reason = Sick.CURRENT if self.faulty[sensor] else Sick.BAD
            self._health.sicken(sensor, reason, int(self.bad_since[sensor]) + HOLD, out)
        self.rearm()
