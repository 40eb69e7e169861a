"""Readings: what a device said, as columns of one micro-batch.

A batch is a handful of numpy arrays of equal length rather than a list of objects, so that admission, detection,
spool and store all work on the same memory without a per-reading object.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Indices = NDArray[np.int32]

SECOND = 1_000_000_000
"""Nanoseconds in a second: all times and spans inside the program are int ns."""
MILLISECOND = 1_000_000
NO_SEQ = -1
NO_TIME = np.iinfo(np.int64).min
"""In a column of times: there is none."""


class Quality(IntEnum):
    """How far a value may be trusted, as the device says. The numbers are what the store holds."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2
    CALIBRATING = 3
    TEST = 4


class Mark(IntFlag):
    """What admission found about a reading."""

    NONE = 0
    LATE = 1
    """Judged at its own time as past; never touches anything live."""
    CONFLICT = 2
    """Another value under a stamp already seen; its time was moved on by 1 ns."""
    UNTIMED = 4
    """It came without a time; its time is its arrival."""


@dataclass(frozen=True, slots=True)
class Readings:
    """The columns of one batch, in order of arrival; all of length n.

    sensor: index into the register. time, arrival: int64 ns. value: float64 in the sensor's configured unit, NaN
    for "no value". quality: `Quality`. device_time: the device's own stamp where it differs from `time`, else
    `NO_TIME`. raw: mA for current signals, else NaN. seq: the device's counter or `NO_SEQ`. mark: `Mark` bits.
    """

    sensor: Indices
    time: Ints
    value: Floats
    quality: Bytes
    arrival: Ints
    device_time: Ints
    raw: Floats
    seq: Ints
    mark: Bytes

    def __len__(self) -> int:
        return len(self.sensor)

    def take(self, where: NDArray[np.intp] | NDArray[np.bool_]) -> Readings:
        """The readings at the given positions (indices or a mask), in that order."""
        return Readings(*(getattr(self, name)[where] for name in COLUMNS))

    @staticmethod
    def concatenate(parts: list[Readings]) -> Readings:
        """All parts behind one another. Raises ValueError for no part at all."""
        if len(parts) == 1:
            return parts[0]
        return Readings(*(np.concatenate([getattr(p, name) for p in parts]) for name in COLUMNS))


COLUMNS: tuple[str, ...] = ("sensor", "time", "value", "quality", "arrival", "device_time", "raw", "seq", "mark")
DTYPES: dict[str, str] = {
    "sensor": "<i4",
    "time": "<i8",
    "value": "<f8",
    "quality": "u1",
    "arrival": "<i8",
    "device_time": "<i8",
    "raw": "<f8",
    "seq": "<i8",
    "mark": "u1",
}
"""Byte layout of a column at rest (frames in the spool)."""


@dataclass(slots=True)
class RawReading:
    """One reading as a codec understood it, before anybody asked whether it is known.

    time: ns, or None when the device sent none. value: NaN for none. unit: as sent, None when absent. raw: mA, once
    admission has made the value of it.
    """

    sensor: str
    value: float
    time: int | None = None
    unit: str | None = None
    quality: Quality = Quality.GOOD
    seq: int = NO_SEQ
    historical: bool = False
    raw: float = np.nan
