"""What is recorded as tables, piece by piece, and their rows as text."""

from __future__ import annotations

import base64
import csv
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import msgspec
import numpy as np

from adapters import journal_files
from adapters.parquet import Kind
from alerts.ports import Aside, Query
from alerts.reading import Quality
from gateway.archive import Archive
from gateway.history import Remote

PIECE = 10_000
"""Rows of alarms or of the quarantine that are handled at a time."""

READINGS = {
    "time": Kind.TIME,
    "site": Kind.TEXT,
    "sensor": Kind.TEXT,
    "value": Kind.REAL,
    "unit": Kind.TEXT,
    "quality": Kind.TEXT,
    "arrival": Kind.TIME,
    "seq": Kind.WHOLE,
}
ALARMS = {
    "sequence": Kind.WHOLE,
    "at": Kind.TIME,
    "recorded_at": Kind.TIME,
    "event": Kind.TEXT,
    "by": Kind.TEXT,
    "site": Kind.TEXT,
    "alarm": Kind.TEXT,
    "occurrence": Kind.TEXT,
    "annunciation": Kind.WHOLE,
    "zone": Kind.TEXT,
    "sensor": Kind.TEXT,
    "condition": Kind.TEXT,
    "tier": Kind.TEXT,
    "from": Kind.TEXT,
    "to": Kind.TEXT,
    "value": Kind.REAL,
    "peak": Kind.REAL,
    "limit": Kind.REAL,
    "unit": Kind.TEXT,
    "mode": Kind.TEXT,
    "raised_at": Kind.TEXT,
    "returned_at": Kind.TEXT,
    "acknowledged_by": Kind.TEXT,
    "comment": Kind.TEXT,
}
QUARANTINE = {
    "arrival": Kind.TIME,
    "topic": Kind.TEXT,
    "reason": Kind.TEXT,
    "detail": Kind.TEXT,
    "size": Kind.WHOLE,
    "payload": Kind.TEXT,
    "encoding": Kind.TEXT,
}
"""`encoding` is `utf-8`, or `base64` for a payload that is no text. `size` is the full length; payloads are kept in part."""
_QUALITIES = np.array([quality.name.lower() for quality in Quality], object)
_MISSING: dict[Kind, object] = {Kind.TEXT: None, Kind.REAL: np.nan, Kind.WHOLE: -1}

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table to be read once. Each piece is its columns and the time (ns) up to which the table is then complete."""

    columns: Mapping[str, Kind]
    pieces: Iterator[tuple[Columns, int]]


def readings_table(source: Archive | Remote, query: Query, units: Mapping[tuple[str, str], str]) -> Table:
    """Readings in order of time. `units` by (site, sensor); a sensor that is no longer configured has none."""
    return Table(READINGS, _readings(source, query, units))


def alarms_table(path: Path, since: int, until: int) -> Table:
    """Alarm events of the journal with since <= recorded_at < until (ns), by sequence."""
    return Table(ALARMS, _alarms(path, since, until))


def quarantine_table(source: Archive | Remote, since: int, until: int) -> Table:
    """What was set aside, the oldest first."""
    asides = source.quarantine(since, until)
    pieces = iter(lambda: list(itertools.islice(asides, PIECE)), [])
    return Table(QUARANTINE, ((_asides(some), some[-1].arrival) for some in pieces))


def write_csv(table: Table, output: TextIO) -> Iterator[int]:
    """Write a header and the rows; yields the time (ns) reached after each piece."""
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(table.columns)
    for columns, reached in table.pieces:
        texts = [_CSV[kind](columns[name]) for name, kind in table.columns.items()]
        writer.writerows(zip(*texts, strict=True))
        yield reached


def write_jsonl(table: Table, output: TextIO) -> Iterator[int]:
    """Write one object a line; what is missing is null. Yields as `write_csv`."""
    encoder = msgspec.json.Encoder()
    names = list(table.columns)
    for columns, reached in table.pieces:
        values = [_JSON[kind](columns[name]) for name, kind in table.columns.items()]
        rows = [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
        output.write(encoder.encode_lines(rows).decode())
        yield reached


def _readings(source: Archive | Remote, query: Query, units: Mapping[tuple[str, str], str]) -> Iterator[tuple[Columns, int]]:
    for stretch in source.history(query):
        readings, known = stretch.readings, source.names.known
        if not len(readings):
            yield {name: [] for name in READINGS}, stretch.until
            continue
        described = np.array([[site, sensor, units.get((site, sensor))] for site, sensor in known], object)[readings.sensor]
        columns: dict[str, Any] = {
            "time": readings.time,
            "site": described[:, 0],
            "sensor": described[:, 1],
            "value": readings.value,
            "unit": described[:, 2],
            "quality": _QUALITIES[readings.quality],
            "arrival": readings.arrival,
            "seq": readings.seq,
        }
        yield columns, stretch.until


def _alarms(path: Path, since: int, until: int) -> Iterator[tuple[Columns, int]]:
    if not path.exists():
        return
    rows = journal_files.rows(path, since, until)
    while some := list(itertools.islice(rows, PIECE)):
        events = []
        for row in some:
            own = {"sequence": row.sequence, "site": row.site, "alarm": row.alarm, "event": row.event, "at": row.at, "recorded_at": row.recorded_at}
            events.append(msgspec.json.decode(row.body, type=dict[str, Any]) | own)
        yield {name: [_value(each.get(name), kind) for each in events] for name, kind in ALARMS.items()}, events[-1]["recorded_at"]


def _value(value: object, kind: Kind) -> object:
    return _MISSING.get(kind) if value is None else value


def _asides(some: list[Aside]) -> Columns:
    payloads = [_payload(aside.payload) for aside in some]
    return {
        "arrival": [aside.arrival for aside in some],
        "topic": [aside.topic for aside in some],
        "reason": [aside.reason.value for aside in some],
        "detail": [aside.detail for aside in some],
        "size": [aside.size for aside in some],
        "payload": [text for text, _ in payloads],
        "encoding": [encoding for _, encoding in payloads],
    }


def _payload(payload: bytes) -> tuple[str, str]:
    try:
        return payload.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(payload).decode(), "base64"


def _times(column: Sequence[Any]) -> list[str]:
    """RFC 3339, UTC, cut to milliseconds."""
    moments = np.asarray(column, np.int64).astype("datetime64[ns]").astype("datetime64[ms]")
    return [f"{moment}Z" for moment in np.datetime_as_string(moments).tolist()]


def _listed(column: Sequence[Any]) -> list[Any]:
    return column.tolist() if isinstance(column, np.ndarray) else list(column)


_CSV: dict[Kind, Callable[[Sequence[Any]], list[str]]] = {
    Kind.TIME: _times,
    Kind.TEXT: lambda column: ["" if text is None else text for text in _listed(column)],
    Kind.REAL: lambda column: ["" if value != value else repr(value) for value in _listed(column)],  # noqa: PLR0124 - only NaN differs from itself
    Kind.WHOLE: lambda column: ["" if value == -1 else str(value) for value in _listed(column)],
}
_JSON: dict[Kind, Callable[[Sequence[Any]], list[Any]]] = {
    Kind.TIME: _times,
    Kind.TEXT: _listed,
    Kind.REAL: lambda column: [None if value != value else value for value in _listed(column)],  # noqa: PLR0124 - as above
    Kind.WHOLE: lambda column: [None if value == -1 else value for value in _listed(column)],
}
