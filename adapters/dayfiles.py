"""The files of the embedded store: one DuckDB file for each UTC day of reading time, a few of them attached at a time.

A file carries its schema number; a newer one is refused, an older one is migrated after a copy.
"""

from __future__ import annotations

import os
import shutil
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from adapters.codecs.frames import Names
from alerts.ports import Permanent, Transient
from alerts.reading import SECOND

if TYPE_CHECKING:
    import duckdb

SCHEMA_NUMBER: Final = 1
STEPS: Final[Mapping[int, str]] = {}
"""Schema number → SQL that makes a file of the next number of it ({0} stands for the file)."""
DAY = 86_400 * SECOND
MEMORY = "24MB"
"""Bound of DuckDB's own buffers: 64 MB changes neither speed nor size here, and costs 30 MB of resident memory."""
CHECKPOINT_AT = "8MB"
ROW_GROUP = 30_720
"""Rows compressed together: a quarter of the default packs as well and holds a quarter of the memory."""
OPEN_FILES = 4
FORGET_AT_ONCE = 8
"""Files unlinked at a time: a clock that is years ahead must be noticed before the store is empty."""
ELSEWHEN = "elsewhen"
"""The file of readings whose time cannot be true."""
NO_DAY = np.iinfo(np.int64).min

CREATE = """
CREATE TABLE {0}.schema (number INTEGER);
INSERT INTO {0}.schema VALUES (1);
CREATE TABLE {0}.points (point INTEGER, site VARCHAR, sensor VARCHAR);
CREATE TABLE {0}.rows (point INTEGER, ms BIGINT, ns INTEGER, value DOUBLE, quality UTINYINT, delay BIGINT, device_time BIGINT, raw DOUBLE, seq BIGINT);
CREATE TABLE {0}.drained (epoch VARCHAR, frame BIGINT);
CREATE TABLE {0}.repeats (epoch VARCHAR, frame BIGINT, count BIGINT);
CREATE VIEW {0}.readings AS SELECT site, sensor, make_timestamp_ns(ms * 1000000 + ns) AS time, value, quality,
    make_timestamp_ns((ms + delay) * 1000000) AS arrival, make_timestamp_ns(device_time) AS device_time, raw, seq
    FROM {0}.rows JOIN {0}.points USING (point);
"""


@dataclass(slots=True)
class DayFile:
    """An attached file: what its numbers of sensors mean, and how much of this spool it holds."""

    alias: str
    drained: int = 0
    names: list[int] = field(default_factory=list)
    """The index in `Names` of each point."""
    points: dict[int, int] = field(default_factory=dict)
    """The reverse."""
    repeats: dict[int, int] = field(default_factory=dict)
    """Frames that may come again, and how many of their readings were here before."""


class DayFiles:
    """The library, and the few files attached to it at a time; the one used longest ago makes room."""

    def __init__(self, folder: Path, epoch: str, names: Names) -> None:
        self.folder = folder
        self._epoch = epoch
        self._names = names
        self._files: OrderedDict[str, DayFile] = OrderedDict()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def close(self) -> None:
        """Write every log into its file and detach them all."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._files.clear()

    def existing(self) -> list[str]:
        """The names of the files there are."""
        return sorted(path.stem for path in self.folder.glob("*.duckdb"))

    def path(self, name: str) -> Path:
        """Where the file of that name is, or would be."""
        return self.folder / f"{name}.duckdb"

    def of_day(self, day: int) -> list[str]:
        """The files that may hold readings of a day."""
        return [name for name in (name_of(day), ELSEWHEN) if self.path(name).exists()]

    def attach(self, name: str) -> DayFile:
        """The file of that name; created if it is not there."""
        if name in self._files:
            self._files.move_to_end(name)
            return self._files[name]
        while len(self._files) >= OPEN_FILES:
            self.release(next(iter(self._files)))
        path = self.path(name)
        if path.exists() and path.stat().st_size < 12_288:  # its three headers: a full disk cut its creation off, and it never held a row
            path.unlink()
        number = self._attach(name)
        if number < SCHEMA_NUMBER:
            self.drop(DayFile(f'"{name}"'))
            _copy(path, self.folder / f"{name}.schema{number}")
            self._attach(name)
            steps = " ".join(STEPS[step] for step in range(number, SCHEMA_NUMBER))
            self.rows(f"BEGIN; {steps} UPDATE {{0}}.schema SET number = {SCHEMA_NUMBER}; COMMIT", DayFile(f'"{name}"'))  # noqa: S608 (constants)
        self._files[name] = self._known(name)
        return self._files[name]

    def release(self, name: str) -> None:
        """Write an attached file's log into it and let go of it; it is attached again when it is next asked for."""
        self.drop(self._files.pop(name))

    def open(self, path: Path, file: DayFile) -> None:
        """Attach a file of any name, made if it is not there, under its alias."""
        quoted = str(path).replace("'", "''")
        self._db.execute(f"ATTACH '{quoted}' AS {file.alias} (ROW_GROUP_SIZE {ROW_GROUP})")

    def drop(self, file: DayFile) -> None:
        """Detach what `open` attached, if it is still attached."""
        self._db.execute(f"DETACH DATABASE IF EXISTS {file.alias}")

    def sync(self) -> None:
        """Have the names of the files on the disk."""
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def forget(self, day: int, through: int) -> int:
        """Unlink files of days before `day` whose frames are all `through` or before, the oldest first; returns how many."""
        gone = 0
        for name in self.existing():
            if name != ELSEWHEN and name < name_of(day) and gone < FORGET_AT_ONCE:
                with self.guarded():
                    if self.attach(name).drained > through:
                        continue
                    self.release(name)
                    for path in self.folder.glob(f"{name}.*"):
                        path.unlink()
                gone += 1
        return gone

    def rows(self, sql: str, file: DayFile, *values: object, condition: str = "") -> list[Any]:
        """Run a statement in which {0} stands for the file and {1} for the condition."""
        return self._db.execute(sql.format(file.alias, condition), values or None).fetchall()

    def columns(self, sql: str, file: DayFile, condition: str) -> dict[str, Any]:
        """Likewise, for the result as arrays."""
        found = self._db.execute(sql.format(file.alias, condition)).fetchnumpy()
        return {name: np.asarray(column) for name, column in found.items()}

    def over(self, batch: dict[str, NDArray[Any]], sql: str, file: DayFile, *values: object) -> list[Any]:
        """Likewise, over arrays that the statement calls `batch`."""
        self._db.register("batch", batch)
        try:
            return self.rows(sql, file, *values)
        finally:
            self._db.unregister("batch")

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn the library's errors into ours; after one, whatever it left behind is given up."""
        import duckdb  # noqa: PLC0415 - the gateway process reads the settings above and must not load 40 MB of engine

        try:
            yield
        except (duckdb.Error, OSError) as error:
            try:
                self.close()
            except duckdb.Error:  # closing writes the log into the file, which a full disk refuses; the next open does it
                self._connection = None
            raise Transient(f"DuckDB: {str(error).splitlines()[0]}") from error

    @property
    def _db(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            import duckdb  # noqa: PLC0415 - as above

            self._files.clear()
            self.folder.mkdir(parents=True, exist_ok=True)
            settings = {"memory_limit": MEMORY, "threads": "1", "checkpoint_threshold": CHECKPOINT_AT, "preserve_insertion_order": "false"}
            self._connection = duckdb.connect(":memory:", config={**settings, "temp_directory": str(self.folder / "tmp")})
        return self._connection

    def _attach(self, name: str) -> int:
        """Attach a file, and create what is missing; returns its schema number."""
        file = DayFile(f'"{name}"')
        self.open(self.path(name), file)
        if not self.rows("SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND table_name = 'schema'", file, name):
            self.rows(f"BEGIN; {CREATE} COMMIT", file)
        number = int(self.rows("SELECT number FROM {0}.schema", file)[0][0])
        if number > SCHEMA_NUMBER:
            self.close()
            raise Permanent(f"{name}.duckdb was written by a newer version of hazgate (schema {number}; this one knows {SCHEMA_NUMBER})")
        return number

    def _known(self, name: str) -> DayFile:
        """What must be known of an attached file."""
        file = DayFile(f'"{name}"')
        for point, site, sensor in self.rows("SELECT point, site, sensor FROM {0}.points ORDER BY point", file):
            index = self._names.find(site, sensor)
            file.names.append(index)
            file.points[index] = point
        file.drained = sum(frame for (frame,) in self.rows("SELECT frame FROM {0}.drained WHERE epoch = ?", file, self._epoch))
        file.repeats = dict(self.rows("SELECT frame, count FROM {0}.repeats WHERE epoch = ?", file, self._epoch))
        return file


def _copy(path: Path, copy: Path) -> None:
    """Copy a file; under its name only when it is complete."""
    part = copy.with_name(f".{copy.name}.part")
    shutil.copyfile(path, part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(copy)


def name_of(day: int) -> str:
    """The file of a day, counted from 1970."""
    return ELSEWHEN if day == NO_DAY else str(np.datetime64(day, "D"))
