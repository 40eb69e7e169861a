"""What detectors work on: the shared columns of all sensors, and one round of readings.

A round holds at most one reading of each sensor, so that a detector may treat its rows at once with numpy and the
result is the same as if they had come one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from alerts.edge import Edge
from alerts.reading import NO_TIME, Bytes, Floats, Indices, Ints, Quality, Readings
from alerts.register import Register

Mask = NDArray[np.bool_]
NEVER = np.iinfo(np.int64).max
"""As a deadline: none is set."""


class Sick(IntFlag):
    """Why a sensor has no trustworthy value."""

    NONE = 0
    STALE = 1
    OFFLINE = 2
    BAD = 4
    RANGE = 8
    CURRENT = 16


class Columns:
    """What is known of every sensor, one row each (shape S): settings from the site file, then state.

    Settings: interval, stale (ns), bottom, top (range), floor (below it the instrument is sick), gas.
    State: arrival, time, value of the newest live reading with a value; good_time, good_arrival of the newest good
    one; previous value and time for display; sick bits; over_range.
    """

    def __init__(self, register: Register, since: int) -> None:
        """Silence is counted from `since` (ns), the moment of subscription."""
        sensors = [point.sensor for point in register]
        size = len(sensors)
        self.interval: Ints = np.array([s.interval for s in sensors], np.int64)
        self.stale: Ints = np.array([s.stale for s in sensors], np.int64)
        self.bottom: Floats = np.array([s.range[0] for s in sensors], np.float64)
        self.top: Floats = np.array([s.range[1] for s in sensors], np.float64)
        self.floor: Floats = self.bottom - 0.03 * (self.top - self.bottom)
        self.gas: Mask = np.array([s.gas_kind for s in sensors], np.bool_)
        self.heard: Mask = np.zeros(size, np.bool_)
        self.arrival: Ints = np.full(size, since, np.int64)
        self.time: Ints = np.full(size, NO_TIME, np.int64)
        self.value: Floats = np.full(size, np.nan)
        self.before_time: Ints = np.full(size, NO_TIME, np.int64)
        self.before_value: Floats = np.full(size, np.nan)
        self.good_time: Ints = np.full(size, NO_TIME, np.int64)
        self.good_arrival: Ints = np.full(size, NO_TIME, np.int64)
        self.sick: Bytes = np.zeros(size, np.uint8)
        self.over_range: Mask = np.zeros(size, np.bool_)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """What a checkpoint keeps, by name; first axis the sensors."""
        return {"time": self.time, "value": self.value, "good_time": self.good_time, "good_arrival": self.good_arrival, "over_range": self.over_range}


@dataclass(frozen=True, slots=True)
class Round:
    """Readings of different sensors: row k is one reading of sensor `sensor[k]`.

    usable: it carries a value to judge. good: the value may also end things. Both False for "no value". fault: it has
    no value because its current says that the instrument failed.
    """

    sensor: Indices
    time: Ints
    value: Floats
    quality: Bytes
    arrival: Ints
    usable: Mask
    good: Mask
    fault: Mask


class Detector(Protocol):
    """One way of finding something wrong. Called on one thread, `judge` in order of arrival, `advance` with rising `now`."""

    def judge(self, part: Round, out: list[Edge]) -> None:
        """Take one round into account; append the edges it causes."""
        ...

    def advance(self, now: int, out: list[Edge]) -> None:
        """Let the deadlines up to `now` (ns) pass; append the edges they cause."""
        ...

    def due(self) -> int:
        """The earliest moment at which `advance` may have something to do; `NEVER` for none. May be early, never late."""
        ...

    def state(self) -> dict[str, NDArray[np.generic]]:
        """The arrays a checkpoint keeps, by name; first axis the sensors. Restored in place."""
        ...


def rounds(readings: Readings, columns: Columns) -> Iterator[Round]:
    """Cut a batch into rounds, in order of arrival."""
    size = len(readings)
    if size == 1 or len(set(readings.sensor.tolist())) == size:
        yield make_round(readings, columns)
        return
    order = np.argsort(readings.sensor, kind="stable")
    ordered = readings.sensor[order]
    starts = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    positions = np.arange(size)
    rank = np.empty(size, np.int64)
    rank[order] = positions - np.maximum.accumulate(np.where(starts, positions, 0))
    for turn in range(int(rank.max()) + 1):
        yield make_round(readings.take(rank == turn), columns)


def make_round(readings: Readings, columns: Columns) -> Round:
    """One round of readings that are already known to be of different sensors."""
    usable = np.isfinite(readings.value) & (readings.quality != Quality.BAD)
    good = usable & (readings.quality != Quality.UNCERTAIN) & (readings.value >= columns.floor[readings.sensor])
    fault = np.isfinite(readings.raw) & np.isnan(readings.value) & (readings.quality == Quality.BAD)
    return Round(readings.sensor, readings.time, readings.value, readings.quality, readings.arrival, usable, good, fault)
