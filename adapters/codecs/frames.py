"""Frames at rest: the columns of one commit as bytes, and back.

Sensors are written by site and id, never by the number they have in today's register, so that a frame outlives a
changed site file. Columns that hold only their default (no device time, no raw current, no counter, good quality, no
mark) are left out: a plain reading costs 20 bytes beside its share of the names.

    magic 4s | present u8 | names u32 (bytes) | rows u32 | crc32 u32 | names | columns, in the order of COLUMNS
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from alerts.reading import COLUMNS, DTYPES, NO_SEQ, NO_TIME, Readings

MAGIC = b"HZF1"
_HEAD = struct.Struct("<4sBIII")
_DEFAULTS: dict[str, float] = {"quality": 0, "device_time": NO_TIME, "raw": np.nan, "seq": NO_SEQ, "mark": 0}
_BITS = {name: 1 << bit for bit, name in enumerate(_DEFAULTS)}


Labels = Mapping[str, Mapping[str, Sequence[str]]]
_NO_LABELS: Labels = {}


class Names:
    """Sensors numbered in the order in which they are met: the index of columns where there is no register.

    `labels`: site, then sensor, to its zone, device and kind; of those that are configured, and only where a store asks for them.
    """

    def __init__(self, labels: Labels = _NO_LABELS) -> None:
        self.labels = labels
        self.known: list[tuple[str, str]] = []
        self._index: dict[tuple[str, str], int] = {}

    def find(self, site: str, sensor: str) -> int:
        """The number of a sensor; a new one gets the next."""
        index = self._index.setdefault((site, sensor), len(self.known))
        if index == len(self.known):
            self.known.append((site, sensor))
        return index


def encode(readings: Readings, names: Sequence[tuple[str, str]]) -> bytes:
    """The bytes of a frame. `names` gives (site, sensor) for every index that `readings.sensor` holds."""
    local, used = _local(readings.sensor)
    head = "\n".join(f"{site}/{sensor}" for site, sensor in map(names.__getitem__, used)).encode()
    present = 0
    parts = [head, local.tobytes()]
    for name in COLUMNS[1:]:
        column = getattr(readings, name)
        if name in _DEFAULTS:
            if _default(name, column):
                continue
            present |= _BITS[name]
        parts.append(column.astype(DTYPES[name], copy=False).tobytes())
    body = b"".join(parts)
    return _HEAD.pack(MAGIC, present, len(head), len(readings), zlib.crc32(body)) + body


def decode(blob: bytes, find: Callable[[str, str], int | None]) -> Readings:
    """The readings of a frame, numbered by `find`; those of sensors it answers None for are left out.

    Raises ValueError for bytes that are no frame, were cut off, or fail their check sum.
    """
    if len(blob) < _HEAD.size:
        raise ValueError("a frame is shorter than its head")
    magic, present, size, rows, crc = _HEAD.unpack_from(blob)
    if magic != MAGIC or zlib.crc32(memoryview(blob)[_HEAD.size :]) != crc:
        raise ValueError("a frame is damaged: its check sum does not match")
    at = _HEAD.size + size
    pairs = [line.split("/") for line in blob[_HEAD.size : at].decode().split("\n")] if size else []
    numbers = [-1 if (index := find(site, sensor)) is None else index for site, sensor in pairs]
    columns: dict[str, NDArray[np.generic]] = {}
    for name in COLUMNS:
        if name in _DEFAULTS and not present & _BITS[name]:
            columns[name] = np.full(rows, _DEFAULTS[name], DTYPES[name])
            continue
        columns[name] = np.frombuffer(blob, DTYPES[name], rows, at)
        at += columns[name].nbytes
    columns["sensor"] = np.array(numbers, DTYPES["sensor"])[columns["sensor"].astype(np.intp)]
    readings = Readings(**columns)  # type: ignore[arg-type]  # the dtype of a column is data here
    return readings.take(readings.sensor >= 0) if -1 in numbers else readings


def empty() -> Readings:
    """No reading at all, as columns."""
    return Readings(**{name: np.empty(0, DTYPES[name]) for name in COLUMNS})


def _local(sensor: NDArray[np.int32]) -> tuple[NDArray[np.int32], list[int]]:
    """The sensors numbered from 0 in this frame, and what each number stood for."""
    if len(sensor) > 64:
        used, local = np.unique(sensor, return_inverse=True)
        return local.astype(DTYPES["sensor"]), used.tolist()
    # sorting costs 10 us whatever the length; most frames hold a handful of readings
    order: dict[int, int] = {}
    numbers = [order.setdefault(index, len(order)) for index in sensor.tolist()]
    return np.array(numbers, DTYPES["sensor"]), list(order)


def _default(name: str, column: NDArray[np.generic]) -> bool:
    if name == "raw":
        return bool(np.isnan(column.astype(np.float64, copy=False)).all())
    return not (column != _DEFAULTS[name]).any()
