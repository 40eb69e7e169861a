"""Tables as Parquet files, written and read by DuckDB: no second library for one format."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import numpy as np

from alerts.ports import Permanent
from alerts.reading import NO_TIME


class Kind(StrEnum):
    """What a column holds, and how it comes: lists, or arrays of the type named."""

    TIME = "TIMESTAMP_NS"
    """int64, ns since 1970."""
    TEXT = "VARCHAR"
    """str or None."""
    REAL = "DOUBLE"
    """float64; NaN is no value."""
    WHOLE = "BIGINT"
    """int64; -1 is no value."""


_READ = {
    Kind.TIME: 'make_timestamp_ns("{0}")',
    Kind.TEXT: '"{0}"',
    Kind.REAL: 'CASE WHEN isnan("{0}") THEN NULL ELSE "{0}" END',
    Kind.WHOLE: 'nullif("{0}", -1)',
}
_DTYPE = {Kind.TIME: np.int64, Kind.TEXT: object, Kind.REAL: np.float64, Kind.WHOLE: np.int64}


class ParquetFile:
    """A Parquet file in the making: rows gather in a database file beside it, and become the file when all are there.

    Used as a context manager; when the block is left by an exception, no file appears.
    """

    def __init__(self, path: Path, columns: Mapping[str, Kind]) -> None:
        """Raises Permanent if nothing can be written there."""
        self._path = path
        self._columns = columns
        try:
            self._folder = tempfile.TemporaryDirectory(dir=path.parent, prefix=".hazgate-export-")
        except OSError as error:
            raise Permanent(f"cannot write {path}: {error.strerror}") from error
        self._db = duckdb.connect(str(Path(self._folder.name) / "rows.duckdb"), config={"memory_limit": "256MB", "threads": "1"})
        definition = ", ".join(f'"{name}" {kind.value}' for name, kind in columns.items())
        self._db.execute(f"CREATE TABLE gathered ({definition})")

    def __enter__(self) -> Self:
        return self

    def write(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Add rows, given as columns of one length."""
        batch = {name: np.array(columns[name], _DTYPE[kind]) for name, kind in self._columns.items()}
        self._db.register("batch", batch)
        self._db.execute(f"INSERT INTO gathered SELECT {', '.join(_READ[kind].format(name) for name, kind in self._columns.items())} FROM batch")  # noqa: S608 - our own column names
        self._db.unregister("batch")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                made = Path(self._folder.name) / "rows.parquet"
                self._db.execute("COPY gathered TO '{}' (FORMAT parquet)".format(str(made).replace("'", "''")))
                made.replace(self._path)
        except duckdb.Error as failure:
            raise Permanent(f"cannot write {self._path}: {failure}") from failure
        finally:
            self._db.close()
            self._folder.cleanup()


class ParquetRows:
    """A Parquet file read row by row in its own order. `columns` are its columns, `count` its rows."""

    def __init__(self, path: Path) -> None:
        """Raises Permanent if it cannot be read."""
        self._path = path
        self._db = duckdb.connect(config={"memory_limit": "256MB", "threads": "1"})
        with self._named():
            described = self._db.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
            self.columns: dict[str, str] = {str(name): str(kind) for name, kind, *_ in described}
            found = self._db.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchone()
            self.count = int(found[0]) if found else 0

    def read(self, rows: int, times: Sequence[str], others: Sequence[str]) -> Iterator[dict[str, Any]]:
        """These of its columns, `rows` rows at a time. A column of timestamps is int64 ns (`NO_TIME` for none), any other a list.

        times: columns that may hold timestamps. Raises Permanent if the file breaks off.
        """
        stamps = [name for name in times if self.columns.get(name, "").startswith(("TIMESTAMP", "DATE"))]
        names = [name for name in (*times, *others) if name in self.columns]
        wanted = ", ".join(f'epoch_ns("{name}")' if name in stamps else f'"{name}"' for name in names)
        with self._named():
            result = self._db.execute(f"SELECT {wanted} FROM read_parquet(?)", [str(self._path)])  # noqa: S608 - our own column names
            while chunk := result.fetchmany(rows):
                columns: dict[str, Any] = dict(zip(names, zip(*chunk, strict=True), strict=True))
                for name in stamps:
                    columns[name] = np.array([NO_TIME if at is None else at for at in columns[name]], np.int64)
                yield columns

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            first = str(error).partition("\n")[0]
            raise Permanent(f"{self._path}: cannot be read as Parquet: {first}") from error
