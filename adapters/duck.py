"""The embedded store: DuckDB, one file for each UTC day of reading time.

A file's table `rows` is packed for disk; the view `readings` over it has the columns of the public contract. There is
no key: what may have been written before is known by the number of the last spool frame, kept in the same transaction
as its rows, and late readings are compared with what is there.

Measured on 1,000 sensors at 1 Hz with jitter (DuckDB 2.0): 7.8 bytes a reading, 2.2 us of CPU. Times split into
milliseconds and the rest, and arrival as the delay in whole milliseconds, are what brings it below 14. When a day is over
its file is put in order of sensor (`dayorder.py`), which makes it a fraction of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from adapters import disk
from adapters.codecs.frames import Names
from adapters.dayfiles import DAY, NO_DAY, DayFile, DayFiles, name_of
from adapters.dayorder import Ordering
from adapters.dayread import Reader
from alerts.ports import Frame, Query, Stretch, Transient, Written
from alerts.reading import MILLISECOND, Ints, Mark, Readings

KEEP_FREE = 12 * 2**20
"""Bytes of the disk that are left to others: who decides and who makes room must be able to write when nothing else can."""
PAST_DAYS, FUTURE_DAYS = 1_100, 2
"""A reading that much older or newer than its arrival goes to the one file `elsewhen`, so that a mad clock cannot make a file for every day since 1677."""
_INSERT = """
INSERT INTO {0}.rows SELECT point, ms, ns, CASE WHEN isnan(value) THEN NULL ELSE value END, quality, delay,
    nullif(device_time, CAST('-9223372036854775808' AS BIGINT)), CASE WHEN isnan(raw) THEN NULL ELSE raw END, nullif(seq, -1) FROM batch
"""
_SEEN = """
SELECT late.at, late.shift, bool_or(r.value IS NOT DISTINCT FROM CASE WHEN isnan(late.value) THEN NULL ELSE late.value END)
FROM batch late JOIN {0}.rows r ON r.point = late.point AND r.ms = late.ms AND r.ns = late.ns WHERE r.ms BETWEEN ? AND ? GROUP BY ALL
"""


@dataclass(frozen=True, slots=True)
class DuckSettings:
    """`store: {kind: duckdb}`: nothing to set, the files live in `data_dir/readings`, one a day.

    A dataclass, which the model of the gateway's file takes as it takes its own: the recorder saves 5 MiB of pydantic.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: Literal["duckdb"] = "duckdb"


class DuckStore:
    """A `Store` over the files. Any error closes them all; the next call opens them anew."""

    def __init__(self, settings: DuckSettings, data_dir: Path, epoch: str, names: Names) -> None:  # noqa: ARG002 - every store's factory takes its settings
        self._data_dir = data_dir
        self._engine = DayFiles(data_dir / "readings", epoch, names)
        self._ordering = Ordering(self._engine)
        self._reader = Reader(self._engine, names)
        self._names = names
        self._epoch = epoch

    def write(self, frames: Sequence[Frame]) -> Written:
        """Write frames, one transaction for each day that they touch."""
        if not frames:
            return Written(0)
        self._see_to_room()
        readings = Readings.concatenate([frame.readings for frame in frames])
        numbers = np.repeat([frame.number for frame in frames], [len(frame.readings) for frame in frames])
        stored = duplicate = 0
        with self._engine.guarded():
            for name, where in _by_file(readings):
                self._ordering.written(name)
                new, repeated = self._write_file(name, readings.take(where), numbers[where], frames[0].number)
                stored, duplicate = stored + new, duplicate + repeated
        return Written(stored, duplicate)

    def _see_to_room(self) -> None:
        with self._engine.guarded():
            left = disk.free(self._data_dir) if self._data_dir.exists() else KEEP_FREE
        if left < KEEP_FREE:
            raise Transient(f"DuckDB: only {left / 2**20:.0f} MiB are left on the disk of {self._data_dir}")

    def history(self, query: Query) -> Iterator[Stretch]:
        """In pieces as `Reader` cuts them."""
        return self._reader.history(query)

    def count(self) -> int:
        """How many readings all files hold together."""
        engine = self._engine
        with engine.guarded():
            return sum(engine.rows("SELECT count(*) FROM {0}.rows", engine.attach(name))[0][0] for name in engine.existing())

    def settle(self) -> None:
        """Write every log into its file; the next call opens the files anew."""
        with self._engine.guarded():
            self._ordering.abandon()
            self._engine.close()

    def tidy(self, now: int) -> bool:
        """Go on with putting the files of days that are over in order of sensor; see `Ordering`."""
        try:
            with self._engine.guarded():
                return self._ordering.step(now)
        except Transient:
            with self._engine.guarded():
                self._ordering.abandon()
            raise

    def forget(self, before: int, through: int) -> int:
        """Unlink the files of days that ended before `before` (ns), a few at a time; returns how many.

        A file stays while it says of a frame after `through` that it is drained: until the spool knows that too, only
        the file can tell that the frame must not be written again.
        """
        return self._engine.forget(before // DAY, through)

    def close(self) -> None:
        """Write every log into its file and close them."""
        self._ordering.abandon()
        self._engine.close()

    def _write_file(self, name: str, readings: Readings, numbers: Ints, first: int) -> tuple[int, int]:
        """Write what of these readings the file does not have; returns how many it now has, and how many were repeats."""
        file = self._engine.attach(name)
        old = numbers <= file.drained
        repeats = sum(file.repeats.get(number, 0) for number in set(numbers[old].tolist()))
        stored = int(old.sum()) - repeats
        if not old.all():
            new = readings.take(~old)
            found = self._insert(file, new, numbers[~old], first)
            stored, repeats = stored + len(new) - found, repeats + found
        return stored, repeats

    def _insert(self, file: DayFile, readings: Readings, numbers: Ints, first: int) -> int:
        """Insert readings and move the mark on, in one transaction; returns how many were there before."""
        rows = self._engine.rows
        rows("BEGIN", file)
        points = self._points(file, readings.sensor)
        late = (readings.mark & Mark.LATE) != 0
        self._append(file, readings.take(~late), points[~late])
        known: Ints = np.empty(0, np.int64)
        if late.any():
            known = numbers[late][self._append_late(file, readings.take(late), points[late])]
        repeats = {int(number): int(count) for number, count in zip(*np.unique(known, return_counts=True), strict=True)}
        drained = int(numbers.max())
        mark = "UPDATE {0}.drained SET frame = ? WHERE epoch = ?" if file.drained else "INSERT INTO {0}.drained (frame, epoch) VALUES (?, ?)"
        rows(mark, file, drained, self._epoch)
        if file.repeats:
            rows("DELETE FROM {0}.repeats WHERE epoch = ? AND frame < ?", file, self._epoch, first)
        for number, count in repeats.items():
            rows("INSERT INTO {0}.repeats VALUES (?, ?, ?)", file, self._epoch, number, count)
        rows("COMMIT", file)
        file.drained = drained
        file.repeats = {number: count for number, count in file.repeats.items() if number >= first} | repeats
        return len(known)

    def _append(self, file: DayFile, readings: Readings, points: NDArray[np.int32]) -> None:
        order = np.argsort(readings.time, kind="stable")
        batch = readings.take(order)
        ms, ns = np.divmod(batch.time, MILLISECOND)
        columns = {
            "point": points[order],
            "ms": ms,
            "ns": ns.astype(np.int32),
            "value": batch.value,
            "quality": batch.quality,
            "delay": batch.arrival // MILLISECOND - ms,
            "device_time": batch.device_time,
            "raw": batch.raw,
            "seq": batch.seq,
        }
        self._engine.over(columns, _INSERT, file)

    def _append_late(self, file: DayFile, readings: Readings, points: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Insert those late readings that are not there yet; says which were.

        Another value under a time that is taken is stored 1 ns later, so one that is found there has been here before.
        """
        known = _repeated(readings, points)
        ms, ns = np.divmod(np.concatenate([readings.time, readings.time + 1]), MILLISECOND)
        many = len(readings)
        batch = {
            "at": np.tile(np.arange(many), 2),
            "shift": np.repeat([0, 1], many),
            "point": np.tile(points, 2),
            "ms": ms,
            "ns": ns.astype(np.int32),
            "value": np.tile(readings.value, 2),
        }
        times = readings.time.copy()
        for at, shift, same in self._engine.over(batch, _SEEN, file, int(ms.min()), int(ms.max())):
            known[at] |= same
            if not shift:
                times[at] = readings.time[at] + 1
        self._append(file, replace(readings, time=times).take(~known), points[~known])
        return known

    def _points(self, file: DayFile, sensors: NDArray[np.int32]) -> NDArray[np.int32]:
        """The file's numbers for these sensors; new ones are inserted in the open transaction."""
        used, inverse = np.unique(sensors, return_inverse=True)
        new = [index for index in used.tolist() if index not in file.points]
        if new:
            numbers = range(len(file.names), len(file.names) + len(new))
            sites, ids = zip(*(self._names.known[index] for index in new), strict=True)
            batch = {"point": np.array(numbers, np.int32), "site": np.array(sites, object), "sensor": np.array(ids, object)}
            self._engine.over(batch, "INSERT INTO {0}.points SELECT point, site, sensor FROM batch", file)
            file.names.extend(new)
            file.points.update(zip(new, numbers, strict=True))
        return np.array([file.points[index] for index in used.tolist()], np.int32)[inverse]


def _by_file(readings: Readings) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Which file each reading belongs to, and a mask of those that do."""
    days = readings.time // DAY
    age = readings.arrival // DAY - days
    days[(age > PAST_DAYS) | (age < -FUTURE_DAYS)] = NO_DAY
    for day in np.unique(days).tolist():
        yield name_of(day), days == day


def _repeated(readings: Readings, points: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which readings say what an earlier one of the same batch said: the same sensor, time and value."""
    bits = np.where(np.isnan(readings.value), np.nan, readings.value).view(np.int64)
    order = np.lexsort((bits, readings.time, points))
    same = np.ones(len(order), np.bool_)
    for column in (bits, readings.time, points):
        ordered = column[order]
        same[1:] &= ordered[1:] == ordered[:-1]
    repeated = np.zeros(len(order), np.bool_)
    repeated[order[1:]] = same[1:]
    return repeated
