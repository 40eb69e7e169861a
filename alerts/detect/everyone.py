"""Whether the silence of all devices is one silence: that of whoever stands between them and us (semantics 4.3).

A broker that grants a subscription and gives nothing, as mosquitto 2.0 does where its access list denies the reading, is
connected and says nothing. The last sign of life of any device is taken for the moment at which it happened. That
explains every silence if no device had missed a reading before it; and it is believed when two devices, and half of
those that are not known to be silent already, have missed one since.
"""

from __future__ import annotations

import numpy as np

from alerts.detect.batch import Columns, Mask
from alerts.reading import NO_TIME, SECOND, Ints
from alerts.register import Register
from alerts.suppress import CANARY

ALLOWED = 2 * SECOND
"""By how much a reading may be late before it is missed."""


class Everyone:
    """Looks at all devices but the canary's, which the gateway plays itself."""

    def __init__(self, register: Register, columns: Columns) -> None:
        self._columns = columns
        keys = [key for key in register.devices() if key[0] != CANARY]
        numbers = {key: number for number, key in enumerate(keys)}
        device = np.array([numbers.get((p.site.site, p.sensor.device), -1) for p in register], np.intp)
        self.counted: Mask = device >= 0
        """Sensors of these devices."""
        self._device = device[self.counted]
        self._often: Ints = np.full(len(keys), np.iinfo(np.int64).max, np.int64)
        np.minimum.at(self._often, self._device, columns.interval[self.counted])
        self.since = NO_TIME
        """When (ns) it was last said that silence counts from then on."""
        self.spoken = NO_TIME
        """When (ns) a device last sent anything that is no live reading."""

    def silent(self, now: int, known: Mask) -> bool:
        """Whether at `now` (ns) one silence explains them all. `known`: sensors whose silence has been told as their own."""
        if len(self._often) < 2:
            return False
        last: Ints = np.full(len(self._often), NO_TIME, np.int64)
        np.maximum.at(last, self._device, self._columns.arrival[self.counted])
        awake = np.zeros(len(last), np.bool_)
        awake[self._device[~known[self.counted]]] = True
        due = np.maximum(last, self.since) + self._often + ALLOWED
        missing = awake & (due < now)
        last_sign = max(int(last.max()), self.spoken)
        count = int(missing.sum())
        return count >= 2 and 2 * count >= int(awake.sum()) and bool((due[missing] >= last_sign).all())
