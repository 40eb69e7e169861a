"""Readings, frames and spools for the tests of the record path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from support.sites import T0

from adapters.codecs.frames import Names
from alerts.ports import Frame, Query, Stretch, Written
from alerts.reading import DTYPES, MILLISECOND, NO_SEQ, NO_TIME, SECOND, Mark, Readings

KEPT = 100 * 366 * 86_400 * SECOND
"""For how long recorders of tests keep readings, ns: the stamps of tests grow old, and no reading of theirs is to go for its age."""
Fact = tuple[str, int, float | None]
"""(sensor, time in ms after T0, value): what identifies a reading in these tests."""


def readings(*facts: tuple[int, float, float], **columns: object) -> Readings:
    """Readings from (sensor's number, seconds after T0, value), arriving 4 ms after their stamp; `columns` replace whole columns."""
    sensor, at, value = (np.array(column) for column in zip(*facts, strict=True))
    time = T0 + np.round(at * SECOND).astype(np.int64)
    many = len(facts)
    made: dict[str, Any] = {
        "sensor": sensor.astype(np.int32),
        "time": time,
        "value": value.astype(np.float64),
        "quality": np.zeros(many, np.uint8),
        "arrival": time + 4 * MILLISECOND,
        "device_time": np.full(many, NO_TIME),
        "raw": np.full(many, np.nan),
        "seq": np.full(many, NO_SEQ),
        "mark": np.zeros(many, np.uint8),
    }
    made |= {name: np.asarray(column, DTYPES[name]) for name, column in columns.items()}
    return Readings(**made)


def late(some: Readings) -> Readings:
    """The same, marked as late."""
    return replace(some, mark=some.mark | np.uint8(Mark.LATE))


def names(*sensors: str) -> Names:
    """These sensors of the site `north`, numbered from 0."""
    made = Names()
    for sensor in sensors:
        made.find("north", sensor)
    return made


def facts(stretches: Iterator[Stretch], known: Names) -> list[Fact]:
    """What a history says, in its order."""
    return [
        (known.known[sensor][1], round((time - T0) / MILLISECOND), None if np.isnan(value) else value)
        for stretch in stretches
        for sensor, time, value in zip(stretch.readings.sensor.tolist(), stretch.readings.time.tolist(), stretch.readings.value.tolist(), strict=True)
    ]


def everything() -> Query:
    """A query for all readings of all times."""
    return Query(-(2**63) + 2, 2**63 - 2)


class MemoryStore:
    """A store that keeps its readings in a list: the shortest thing that does what the port says."""

    def __init__(self, epoch: str, known: Names, shelf: dict[str, list[tuple[int, Readings]]]) -> None:
        """`shelf` outlives the store, as a disk would."""
        self._kept = shelf.setdefault("kept", [])
        self._answers = shelf.setdefault(f"answers of {epoch}", [])
        self._known = known

    def write(self, frames: Sequence[Frame]) -> Written:
        """One by one."""
        duplicate = sum(self._write(frame) for frame in frames)
        return Written(sum(len(frame.readings) for frame in frames) - duplicate, duplicate)

    def _write(self, frame: Frame) -> int:
        for number, repeated in self._answers:
            if number == frame.number:
                return len(repeated)
        new: list[Readings] = []
        again: list[Readings] = []
        for row in range(len(frame.readings)):
            (again if self._has(one := frame.readings.take(np.array([row]))) else new).append(one)
            if new and new[-1] is one:
                self._kept.append((frame.number, self._placed(one)))
        self._answers.append((frame.number, Readings.concatenate(again) if again else frame.readings.take(np.empty(0, np.intp))))
        return len(again)

    def _same(self, one: Readings, shift: int) -> list[float]:
        return [r.value[0] for _, r in self._kept if (r.sensor[0], r.time[0]) == (one.sensor[0], one.time[0] + shift)]

    def _has(self, one: Readings) -> bool:
        found = [*self._same(one, 0), *self._same(one, 1)]
        return bool(one.mark[0] & Mark.LATE) and any(np.array_equal([value], one.value, equal_nan=True) for value in found)

    def _placed(self, one: Readings) -> Readings:
        return replace(one, time=one.time + 1) if one.mark[0] & Mark.LATE and self._same(one, 0) else one

    def history(self, query: Query) -> Iterator[Stretch]:
        """All at once."""
        wanted = [r for _, r in self._kept if query.since <= r.time[0] < query.until and self._asked(query, int(r.sensor[0]))]
        yield Stretch(query.until, Readings.concatenate([readings((0, 0, 0)).take(np.empty(0, np.intp)), *sorted(wanted, key=lambda r: r.time[0])]))

    def _asked(self, query: Query, index: int) -> bool:
        site, sensor = self._known.known[index]
        return query.site in (None, site) and query.sensor in (None, sensor)

    def count(self) -> int:
        """What is on the shelf."""
        return len(self._kept)

    def close(self) -> None:
        """Leave the shelf as it is."""
        self._kept = []


def files(folder: Path) -> list[str]:
    """Names of the day files there are."""
    return sorted(path.stem for path in (folder / "readings").glob("*.duckdb"))
