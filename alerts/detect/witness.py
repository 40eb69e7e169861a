"""Excursions that were judged when they came and will come once more, late: what is witnessed is no news then (semantics 8.4).

While a second session brings readings ahead of the first, the first brings each of them again.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from alerts.reading import NO_TIME, Mark, Readings

MOST = 65_536
"""Excursions that are held; those beyond it will be told as past, which is once too often and not once too rarely."""


class Witness:
    """Remembers excursions by sensor, the device's own stamp, seq and value; as many of each as there were."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[int, int, int, float]] = Counter()

    def saw(self, readings: Readings, rows: NDArray[np.intp]) -> None:
        """These are judged as they are."""
        for row in rows.tolist():
            if len(self._seen) < MOST:
                self._seen[_identity(readings, row)] += 1

    def seen(self, readings: Readings, rows: NDArray[np.intp]) -> list[int]:
        """Which of these rows were seen when they came. Each that was counts once."""
        return [row for row in rows.tolist() if self._take(_identity(readings, row))] if self._seen else []

    def _take(self, identity: tuple[int, int, int, float]) -> bool:
        left = self._seen.get(identity, 0)
        if left > 1:
            self._seen[identity] = left - 1
        elif left:
            del self._seen[identity]
        return left > 0

    def forget(self) -> None:
        """Nothing of it comes any more."""
        self._seen.clear()


def _identity(readings: Readings, row: int) -> tuple[int, int, int, float]:
    device_time = int(readings.device_time[row])
    stamp = NO_TIME if readings.mark[row] & Mark.UNTIMED else device_time if device_time != NO_TIME else int(readings.time[row])
    return int(readings.sensor[row]), stamp, int(readings.seq[row]), float(readings.value[row])
