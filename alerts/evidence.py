"""Evidence: which readings were taken while their sensor was in alarm, or within five minutes of it.

What must be given up of a record is the telemetry around it; these readings go last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerts.reading import SECOND, Ints, Readings

AROUND: Final = 300 * SECOND
"""ns before and after an alarm whose readings belong to it."""
OPEN: Final = np.iinfo(np.int64).max
"""The end of a span that is not over."""
_FIRST: Final = np.iinfo(np.int64).min


class Evidence:
    """The stretches of time around the alarms of each sensor. Never changes."""

    def __init__(self, spans: Iterable[tuple[str, str, int, int]]) -> None:
        """`spans`: site, sensor, and from when to when (ns, `OPEN` while it lasts) an alarm of it was active; in any order, overlapping or not."""
        found: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for site, sensor, since, until in spans:
            found.setdefault((site, sensor), []).append((max(since, _FIRST + AROUND) - AROUND, min(until, OPEN - AROUND) + AROUND))
        self._spans = {name: _merged(stretches) for name, stretches in found.items()}

    def holds(self, readings: Readings, names: Sequence[tuple[str, str]]) -> NDArray[np.bool_]:
        """Which of these readings are evidence. `names` gives (site, sensor) for every index that `readings.sensor` holds."""
        kept = np.zeros(len(readings), np.bool_)
        for index in np.unique(readings.sensor).tolist() if self._spans else ():
            spans = self._spans.get(names[index])
            if spans is not None:
                where = np.flatnonzero(readings.sensor == index)
                kept[where] = _within(readings.time[where], *spans)
        return kept


def _merged(stretches: list[tuple[int, int]]) -> tuple[Ints, Ints]:
    """Beginnings and ends (inclusive) of the stretches laid together, in order, none touching another."""
    since: list[int] = []
    until: list[int] = []
    for begin, end in sorted(stretches):
        if until and begin <= until[-1]:
            until[-1] = max(until[-1], end)
        else:
            since.append(begin)
            until.append(end)
    return np.array(since, np.int64), np.array(until, np.int64)


def _within(times: Ints, since: Ints, until: Ints) -> NDArray[np.bool_]:
    last = np.searchsorted(since, times, side="right") - 1
    inside: NDArray[np.bool_] = (last >= 0) & (times <= until[last])
    return inside
