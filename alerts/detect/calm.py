"""Calm readings: those by which no detector says anything, starts a timer or ends one.

Most readings of most days are calm. They need no rounds: a block of them is taken at once, and leaves exactly what
judging them one by one would leave. A detector that begins to say more must narrow `which`; the tests compare both ways.
"""

from __future__ import annotations

import numpy as np

from alerts.detect.batch import NEVER, Columns, Mask
from alerts.detect.limits import SIGN, Limits
from alerts.detect.sickness import Sickness
from alerts.reading import NO_TIME, Floats, Indices, Mark, Quality, Readings


class Calm:
    """Finds calm readings and takes them. Only for blocks in which no deadline of detection falls due."""

    def __init__(self, columns: Columns, limits: Limits, sickness: Sickness) -> None:
        self._columns = columns
        self._limits = limits
        self._sickness = sickness
        wall = np.where(np.isnan(limits.limit), np.inf, limits.limit)
        self._below: Floats = np.minimum(wall[:, 2:].min(axis=1, initial=np.inf), np.where(columns.gas, columns.top, np.inf))
        self._above: Floats = np.maximum(-wall[:, :2].min(axis=1, initial=np.inf), np.nextafter(columns.floor, -np.inf))

    def which(self, readings: Readings) -> Mask:
        """The calm ones; of a sensor all in the block or none, so that its readings stay in order."""
        columns, limits, index = self._columns, self._limits, readings.sensor
        serene = columns.heard & (columns.time != NO_TIME) & (columns.sick == 0) & ~columns.over_range
        serene &= ~(limits.true | limits.active).any(axis=1)
        value, quality = readings.value, readings.quality
        calm: Mask = serene[index] & (value < self._below[index]) & (value > self._above[index])
        calm &= (quality != Quality.BAD) & (quality != Quality.UNCERTAIN) & (readings.mark & int(Mark.LATE) == 0)
        order = by_sensor(index)
        sensor, time = index[order], readings.time[order]
        before = np.empty_like(time)
        before[1:] = time[:-1]
        first = starts(sensor)
        before[first] = np.maximum(columns.time, columns.good_time)[sensor[first]]
        calm[order[time <= before]] = False
        stirred = np.zeros(len(serene), np.bool_)
        stirred[index[~calm]] = True
        calm &= ~stirred[index]
        return calm

    def take(self, readings: Readings) -> None:
        """Know what these readings say. All of them must be calm."""
        if not len(readings):
            return
        columns, limits = self._columns, self._limits
        order = by_sensor(readings.sensor)
        ordered = readings.take(order)
        sensor, time, value = ordered.sensor, ordered.time, ordered.value
        first = np.flatnonzero(starts(sensor))
        last = np.append(first[1:], len(sensor)) - 1
        index, single = sensor[last], first == last
        columns.arrival[index] = np.maximum(columns.arrival[index], ordered.arrival[last])
        self._sickness.bad_since[index] = NEVER
        columns.before_time[index] = np.where(single, columns.time[index], time[last - 1])
        columns.before_value[index] = np.where(single, columns.value[index], value[last - 1])
        columns.time[index] = columns.good_time[index] = time[last]
        columns.value[index] = value[last]
        columns.good_arrival[index] = ordered.arrival[last]
        is_false = ~(value[:, None] * SIGN >= limits.clear[sensor])
        newest = np.maximum.reduceat(np.where(is_false, time[:, None], NO_TIME), first, axis=0)
        limits.decided[index] = np.maximum(limits.decided[index], newest)


def by_sensor(sensor: Indices) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The order that puts each sensor's readings together and keeps theirs; small numbers are sorted by radix."""
    small = len(sensor) > 0 and int(sensor.max()) < 1 << 16
    return np.argsort(sensor.astype(np.uint16) if small else sensor, kind="stable")


def starts(ordered: Indices) -> Mask:
    """Where another sensor begins, in readings that are ordered by sensor."""
    first: Mask = np.ones(len(ordered), np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    return first
