"""Recordings from wherever they are (CSV, JSON lines, Parquet, the store), stretch by stretch in their own order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from adapters.codecs.inbound import Unreadable
from adapters.codecs.rows import NEEDED, CsvLines, Format, JsonLines, columns_as_rows
from adapters.parquet import ParquetRows
from alerts.bulk import Rows
from alerts.ports import Permanent, Query
from alerts.site import Site
from gateway.archive import Archive
from gateway.history import Remote

BLOCK: Final = 1 << 20
"""Bytes read at a time; a line longer than that is no row."""
PIECE: Final = 50_000
"""Rows of a Parquet file that are handled at a time, about."""
MAGIC: Final = b"PAR1"


class WrongFile(Permanent):
    """The file is no recording; the sentence begins with its name and line."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The next rows of a recording. reached: how far in it they end, of the recording's `size`."""

    rows: Rows
    reached: int
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    """Lines (or rows of a Parquet file), from 1, that are no row, and why."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What is replayed: read once, in pieces. size: in the unit of `Piece.reached`. row: what a number in `unreadable` counts."""

    size: int
    pieces: Iterator[Piece]


@contextlib.contextmanager
def recording(path: Path) -> Iterator[Recording]:
    """Open a file; its content says which format it has. Raises WrongFile for what is none of them, now or while it is read."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            head = file.read(len(MAGIC))
            file.seek(0)
            yield _parquet(path) if head == MAGIC else Recording(size, _lines(file, path))
    except OSError as error:
        raise WrongFile(f"{path}: cannot be read: {error.strerror or error}") from error


def stored(source: Archive | Remote, site: Site, query: Query) -> Recording:
    """What the store holds of a site, in order of time. Values are in the sensors' units already."""
    return Recording(query.until - query.since, _stored(source, site, query))


def _stored(source: Archive | Remote, site: Site, query: Query) -> Iterator[Piece]:
    units = {sensor.id: sensor.unit for sensor in site.sensors}
    for stretch in source.history(query):
        readings = stretch.readings
        known = [sensor for _, sensor in source.names.known]
        names = np.array(known, object)[readings.sensor].tolist() if len(readings) else []
        rows = Rows(names, readings.time, readings.value, readings.quality, unit=[units.get(name) for name in names])
        yield Piece(rows, stretch.until - query.since)


def _parquet(path: Path) -> Recording:
    try:
        file = ParquetRows(path)
    except Permanent as error:
        raise WrongFile(str(error)) from error
    missing = [name for name in NEEDED if name not in file.columns]
    if missing:
        raise WrongFile(f"{path}:1: expected the columns time, sensor, value[, quality]; there is no {' and no '.join(missing)}")

    def pieces() -> Iterator[Piece]:
        done = 0
        for columns in file.read(PIECE, ("time", "sent"), ("sensor", "value", "quality", "unit", "device", "site")):
            parsed = columns_as_rows(columns)
            began, done = done, done + len(columns["time"])
            yield Piece(parsed.rows, done, [(began + at + 1, why) for at, why in parsed.unreadable])

    return Recording(file.count, pieces())


def _lines(file: BinaryIO, path: Path) -> Iterator[Piece]:
    reader: Format | None = None
    for number, lines in _blocks(file):
        if reader is None:
            at = next((at for at, line in enumerate(lines) if line), None)
            if at is None:
                continue
            reader, skip = _format(lines[at], path, number + at)
            number, lines = number + at + skip, lines[at + skip :]  # noqa: PLW2901 - the header is behind us
        full = [(at, line) for at, line in enumerate(lines) if line]
        parsed = reader.read([line for _, line in full])
        yield Piece(parsed.rows, file.tell(), [(number + full[at][0], why) for at, why in parsed.unreadable])
    if reader is None:
        raise WrongFile(f"{path}:1: expected a header with time,sensor,value, or a JSON object a line; the file is empty")


def _format(first: bytes, path: Path, number: int) -> tuple[Format, int]:
    """The reader for a file that begins with this line, and how many lines the header is."""
    text = first.removeprefix(b"\xef\xbb\xbf")
    try:
        if text.lstrip().startswith((b"{", b"[")):
            return JsonLines(text), 0
        return CsvLines(text), 1
    except Unreadable as error:
        raise WrongFile(f"{path}:{number}: {error}") from error


def _blocks(file: BinaryIO) -> Iterator[tuple[int, Sequence[bytes]]]:
    """Whole lines without their ends, a block at a time, and the number of the first (from 1). Of a line longer than a block only a stump is left."""
    number, rest = 1, b""
    while block := file.read(BLOCK):
        *lines, rest = (rest + block).split(b"\n")
        if len(rest) > BLOCK:
            rest = rest[:BLOCK]
        yield number, [line.rstrip(b"\r") for line in lines]
        number += len(lines)
    if rest:
        yield number, [rest.rstrip(b"\r")]
