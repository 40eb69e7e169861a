"""Day files put in order of sensor, when their day is over.

As they are drained, readings lie by time, so that the day of one sensor is spread over every page of its file. Written
anew by sensor, it lies on one page in a thousand, and packs to a third of the size (1,000 sensors at 1 Hz: from 6.5 to 1.9
bytes a reading), because the next value of a sensor is like the last one and the next stamp an interval later.

The new file is made beside the old one in steps: first by sensor within short stretches of time, each sorted in memory, then
those stretches sensor by sensor. Each piece is compared with its original, and the new file takes the old one's name in
one step. Until then the old file is the truth; whatever goes wrong, what stands beside it is thrown away.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from adapters.dayfiles import CREATE, ELSEWHEN, ROW_GROUP, DayFile, DayFiles
from adapters.disk import free
from alerts.ports import Transient
from alerts.reading import SECOND

PIECE = 500_000
"""Readings moved in a step: a quarter of a second, for which draining and history wait, and 30 MB that may be spilled to disk."""
SMALL = 4 * ROW_GROUP
"""Readings of a file that is read in no time anyway."""
QUIET: Final = 3_600 * SECOND
"""How long after its day, or after it was last written to, a file is left alone, ns; also the pause between two tries."""
ROOM: Final = 3
"""Copies of a file for which the disk must have room before it is written anew. That takes two at most; a disk that is nearly full is kept for readings."""
NEVER: Final = np.iinfo(np.int64).max
BY_TIME, BY_SENSOR = DayFile('"by_time"'), DayFile('"by_sensor"')
"""The files beside a day's: readings by sensor within stretches of time, and by sensor alone."""

_COLUMNS = "point, ms, ns, value, quality, delay, device_time, raw, seq"
_DIGEST = f"SELECT count(*), bit_xor(hash({_COLUMNS})) FROM {{0}}.rows WHERE {{1}}"  # noqa: S608 - constants
_COUNT = "SELECT count(*) FROM {0}.rows"
_MINUTES = "SELECT ms // 60000 AS minute, count(*) FROM {0}.rows GROUP BY minute ORDER BY minute"
_POINTS = "SELECT point, count(*), min(ms), max(ms) FROM {0}.rows GROUP BY point ORDER BY point"
_REST = """
BEGIN;
INSERT INTO {1}.points SELECT point, site, sensor FROM {0}.points;
INSERT INTO {1}.drained SELECT epoch, frame FROM {0}.drained;
INSERT INTO {1}.repeats SELECT epoch, frame, count FROM {0}.repeats;
CREATE TABLE {1}.ordered (rows BIGINT);
INSERT INTO {1}.ordered SELECT count(*) FROM {1}.rows;
COMMIT
"""
_MARKED = "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND table_name = 'ordered'"


@dataclass(slots=True)
class _Work:
    """A file that is being written anew: its name, into which file, and the conditions of the pieces that this one still lacks."""

    name: str
    into: DayFile
    pieces: list[str]


class Ordering:
    """Puts one file after the other in order, the newest first. On the store's thread, inside `DayFiles.guarded`."""

    def __init__(self, engine: DayFiles) -> None:
        self._engine = engine
        self._work: _Work | None = None
        self._wait: dict[str, int | None] = {}
        """File → when to look at it (again), ns; None for one written to since the last step."""

    def step(self, now: int) -> bool:
        """Do a little; whether there was anything to do. now: UTC, ns."""
        self._wait = {name: now + QUIET if until is None else until for name, until in self._wait.items()}
        work = self._work
        if work is None:
            name = self._due(now)
            if name is not None:
                self._begin(name, now)
            return name is not None
        if not self._engine.path(work.name).exists():  # it was kept long enough
            self.abandon()
        elif work.pieces:
            self._move(work)
        elif work.into is BY_TIME:
            self._turn(work)
        else:
            self._finish(work)
        return True

    def written(self, name: str) -> None:
        """Somebody is about to write to this file: what was made of it will not be the same any more."""
        self._wait[name] = None
        if self._work is not None and self._work.name == name:
            self.abandon()

    def abandon(self) -> None:
        """Throw away what is under way, if anything. It is begun anew when the pause after its beginning is over."""
        if self._work is not None:
            self._work = None
            self._drop()
            self._clear()

    def _due(self, now: int) -> str | None:
        """The newest file whose day is over and that was not looked at yet."""
        for name in reversed(self._engine.existing()):
            wait = self._wait.get(name, 0)
            if name != ELSEWHEN and wait is not None and wait <= now and _end(name) + QUIET <= now:
                return name
        return None

    def _begin(self, name: str, now: int) -> None:
        """Begin with a file, unless it is in order, or small, or the disk too full."""
        engine = self._engine
        self._wait[name] = now + QUIET
        file = engine.attach(name)
        ((count,),) = engine.rows(_COUNT, file)
        if count < SMALL or 5 * (count - self._ordered(file, name)) <= count:
            self._wait[name] = NEVER
        elif free(engine.folder) >= ROOM * engine.path(name).stat().st_size:
            minutes = _grouped(engine.rows(_MINUTES, file))
            self._work = _Work(name, BY_TIME, [f"ms >= {since * 60_000} AND ms < {until * 60_000}" for since, until in minutes])
            self._clear()
            self._create(name, BY_TIME)

    def _ordered(self, file: DayFile, name: str) -> int:
        """How many readings of a file are in order already; those that came later are not."""
        engine = self._engine
        return int(engine.rows("SELECT rows FROM {0}.ordered", file)[0][0]) if engine.rows(_MARKED, file, name) else 0

    def _move(self, work: _Work) -> None:
        """Write the next piece, and compare it.

        All files are closed after it: the library keeps 36 kB of memory for every 30,000 readings that it has seen of an open one.
        """
        engine, piece, into = self._engine, work.pieces[0], work.into
        engine.open(self._beside(work.name, into), into)
        if into is BY_TIME:
            source = engine.attach(work.name)
        else:
            source = BY_TIME
            engine.open(self._beside(work.name, source), source)
        engine.rows(f"INSERT INTO {into.alias}.rows SELECT {_COLUMNS} FROM {{0}}.rows WHERE {{1}} ORDER BY point, ms, ns", source, condition=piece)  # noqa: S608
        if engine.rows(_DIGEST, source, condition=piece) != engine.rows(_DIGEST, into, condition=piece):
            raise Transient(f"readings of {work.name} changed while they were copied; the file stays as it was")
        del work.pieces[0]
        self._drop()
        if into is BY_TIME:
            engine.release(work.name)

    def _turn(self, work: _Work) -> None:
        """All is in order within stretches of time; go on sensor by sensor."""
        self._engine.open(self._beside(work.name, BY_TIME), BY_TIME)
        pieces = list(_by_sensor(self._engine.rows(_POINTS, BY_TIME)))
        self._drop()
        self._create(work.name, BY_SENSOR)
        self._work = _Work(work.name, BY_SENSOR, pieces)

    def _finish(self, work: _Work) -> None:
        """Let the new file take the place of the old one."""
        engine, made, path = self._engine, self._beside(work.name, BY_SENSOR), self._engine.path(work.name)
        engine.open(made, BY_SENSOR)
        file = engine.attach(work.name)
        engine.rows(_REST, file, condition=BY_SENSOR.alias)
        if engine.rows(_COUNT, file) != engine.rows(_COUNT, BY_SENSOR):
            raise Transient(f"the copy of {work.name} does not have all its readings; the file stays as it was")
        self._drop()
        engine.release(work.name)
        if any(each.with_name(f"{each.name}.wal").exists() for each in (made, path)):
            raise Transient(f"{work.name} could not be closed; it stays as it was")
        with made.open("rb") as whole:
            os.fsync(whole.fileno())
        made.replace(path)
        engine.sync()
        self._work, self._wait[work.name] = None, NEVER
        self._clear()

    def _create(self, name: str, file: DayFile) -> None:
        self._engine.open(self._beside(name, file), file)
        self._engine.rows(f"BEGIN; {CREATE} COMMIT", file)
        self._drop()

    def _beside(self, name: str, file: DayFile) -> Path:
        return self._engine.folder / f".{name}.{file.alias[1:-1]}.part"

    def _drop(self) -> None:
        for file in (BY_TIME, BY_SENSOR):
            self._engine.drop(file)

    def _clear(self) -> None:
        """Delete what stands beside files, also what a process left that was killed."""
        for path in self._engine.folder.glob(".*.part*"):
            path.unlink()


def _grouped(counted: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Neighbors of about `PIECE` readings together, as (first, behind the last); counted: (number, readings), in order."""
    first, behind, held = 0, 0, 0
    for number, count in counted:
        if held and held + count > PIECE:
            yield first, behind
            held = 0
        if not held:
            first = number
        behind, held = number + 1, held + count
    if held:
        yield first, behind


def _by_sensor(points: list[tuple[int, int, int, int]]) -> Iterator[str]:
    """Conditions of pieces of about `PIECE` readings; points: (point, readings, first and last ms). A sensor that has more of them is cut by time, evenly."""
    known = {point: rest for point, *rest in points}
    for since, until in _grouped((point, count) for point, count, _, _ in points):
        count, first, last = known[since]
        if count <= PIECE:
            yield f"point >= {since} AND point < {until}"
        else:
            cuts = np.linspace(first, last + 1, count // PIECE + 2).astype(np.int64).tolist()
            yield from (f"point = {since} AND ms >= {start} AND ms < {end}" for start, end in itertools.pairwise(cuts))


def _end(name: str) -> int:
    """When the day of a file is over, ns."""
    return int((np.datetime64(name, "D") + 1).astype("datetime64[ns]").astype(np.int64))
