"""Lines of a recording, CSV or JSON, as columns. One line is one row: a broken line spoils only itself."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Annotated, Any, Final, Protocol

import msgspec
import numpy as np

from adapters.codecs.inbound import Unreadable, instant, words
from alerts.bulk import Rows
from alerts.reading import NO_TIME, SECOND, Ints, Quality

EARLIEST, LATEST = 0, 7_258_118_400 * SECOND
"""Stamps from 1970 up to 2200, ns: a recording's clock that is farther off says nothing."""
NEEDED: Final = ("time", "sensor", "value")
OPTIONAL: Final = ("quality", "unit", "device", "site", "sent")
QUALITIES: Final[Mapping[Any, int]] = (
    {quality.name.lower(): quality.value for quality in Quality}
    | {None: 0, "": 0}
    | {key: quality.value for quality in Quality for key in (str(quality.value), quality.value)}
)
"""A quality as it is written: its name, its number in the store, or nothing for good."""
_TOO_FAR: Final = "the time is before 1970 or after 2199"
_WORDS: Final = {"true": 1.0, "false": 0.0, "": math.nan, "null": math.nan}


@dataclass(frozen=True, slots=True)
class Parsed:
    """What lines held: rows in order, and for each line that is none its place among them (from 0) and a sentence."""

    rows: Rows
    unreadable: list[tuple[int, str]]


class Format(Protocol):
    """How lines are read."""

    def read(self, lines: Sequence[bytes]) -> Parsed:
        """Read the next lines, without their ends. Raises nothing, whatever the bytes."""
        ...


class CsvLines:
    """Comma-separated lines after a header. Columns that are not ours are ignored."""

    def __init__(self, header: bytes) -> None:
        """Raises Unreadable if the header lacks a column."""
        names = [name.strip() for name in _split(header)]
        missing = [name for name in NEEDED if name not in names]
        if missing:
            raise Unreadable(f"expected a header with the columns time,sensor,value[,quality], separated by commas; there is no {' and no '.join(missing)}")
        self._width = len(names)
        self._place = {name: names.index(name) for name in (*NEEDED, *OPTIONAL) if name in names}

    def read(self, lines: Sequence[bytes]) -> Parsed:
        """See `Format`. A line of another width than the header's is no row."""
        cells = [_split(line) for line in lines]
        good = [len(cell) == self._width for cell in cells]
        trouble = {at: f"expected {self._width} columns" for at, fits in enumerate(good) if not fits}
        kept = list(compress(range(len(cells)), good))
        columns = list(zip(*compress(cells, good), strict=True)) or [()] * self._width
        found: dict[str, Sequence[Any]] = {name: columns[place] for name, place in self._place.items()}
        return _parsed(found, kept, trouble)


class JsonLines:
    """One JSON object a line, with the keys of a reading and, if it likes, `device`, `site` and `sent`."""

    def __init__(self, first: bytes) -> None:
        """Raises Unreadable if the first line is no such object."""
        try:
            _row(first)
        except Unreadable as error:
            raise Unreadable(f"expected one JSON object a line with time, sensor and value: {error}") from error

    def read(self, lines: Sequence[bytes]) -> Parsed:
        """See `Format`."""
        found: list[_Row] = []
        kept, trouble = [], {}
        for at, line in enumerate(lines):
            try:
                found.append(_row(line))
                kept.append(at)
            except Unreadable as error:
                trouble[at] = str(error)
        columns: dict[str, Sequence[Any]] = {name: [getattr(row, name) for row in found] for name in (*NEEDED, *OPTIONAL)}
        return _parsed({name: column for name, column in columns.items() if name in NEEDED or any(each is not None for each in column)}, kept, trouble)


def columns_as_rows(columns: Mapping[str, Sequence[Any]]) -> Parsed:
    """Columns by their names, as a table holds them: a time is int64 ns in an array, else as in the text formats."""
    found = {name: columns[name] for name in (*NEEDED, *OPTIONAL) if name in columns}
    found["sensor"] = [str(name) for name in found["sensor"]]
    return _parsed(found, list(range(len(found["time"]))), {})


class _Row(msgspec.Struct, gc=False):
    time: int | str
    sensor: Annotated[str, msgspec.Meta(max_length=40)]
    value: float | bool | None
    quality: str | int | None = None
    unit: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    device: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    site: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    sent: int | str | None = None


_ROW: Final = msgspec.json.Decoder(_Row)


def _row(line: bytes) -> _Row:
    """One object; bare NaN and Infinity, which strict JSON has not, are read too."""
    try:
        return _ROW.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        if b"NaN" not in line and b"Infinity" not in line:
            raise Unreadable(words(error)) from error
    try:
        return msgspec.convert(json.loads(line), _Row)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unreadable(words(error)) from error


def _split(line: bytes) -> list[str]:
    text = line.decode("utf-8", "replace")
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        return []


def _parsed(found: dict[str, Sequence[Any]], kept: list[int], trouble: dict[int, str]) -> Parsed:
    """Columns as written become columns of numbers; what is none takes its row along."""
    read: dict[str, Any] = {"sensor": found["sensor"]}
    wrong: dict[int, str] = {}
    for name, parse in _PARSE.items():
        if name in found:
            read[name] = _column(found[name], parse, wrong)
    for name in ("unit", "device", "site"):
        if name in found:
            read[name] = [text or None for text in found[name]]
    time = np.array(read["time"], np.int64)
    sent = np.array(read["sent"], np.int64) if "sent" in read else None
    rows = Rows(
        read["sensor"],
        time,
        np.array(read["value"], np.float64),
        np.array(read.get("quality", np.zeros(len(time))), np.uint8),
        sent,
        **{name: read.get(name) for name in ("site", "device", "unit")},
    )
    return Parsed(without(rows, wrong), sorted([*trouble.items(), *((kept[at], why) for at, why in wrong.items())]))


def without(rows: Rows, wrong: Mapping[int, str]) -> Rows:
    """The rows but those at these places."""
    if not wrong:
        return rows
    stays = np.ones(len(rows), np.bool_)
    stays[list(wrong)] = False
    listed = stays.tolist()
    written = ([*compress(column, listed)] if column is not None else None for column in (rows.site, rows.device, rows.unit))
    site, device, unit = written
    sent = None if rows.sent is None else rows.sent[stays]
    return Rows([*compress(rows.sensor, listed)], rows.time[stays], rows.value[stays], rows.quality[stays], sent, site, device, unit)


def _column(texts: Sequence[Any], parse: Callable[[Any], Any], wrong: dict[int, str]) -> Any:
    """All cells of a column; those that are wrong are noted and hold 0."""
    if isinstance(texts, np.ndarray):
        return _as_ns(texts, parse, wrong)
    fast = _TIMES.get(parse)
    if fast is not None:
        known = fast(texts)
        if known is not None:
            return known
    out: list[Any] = []
    for at, text in enumerate(texts):
        try:
            out.append(parse(text))
        except Unreadable as error:
            wrong.setdefault(at, str(error))
            out.append(0)
    return out


def _as_ns(at: Ints, parse: Callable[[Any], Any], wrong: dict[int, str]) -> Ints:
    """Times that are ns already."""
    off = (at < EARLIEST) | (at >= LATEST)
    if parse is _sent:
        off &= at != NO_TIME
    for row in np.flatnonzero(off).tolist():
        wrong.setdefault(row, "there is no time" if at[row] == NO_TIME else _TOO_FAR)
    return np.where(off, 0, at)


def _time(cell: float | str | None) -> int:
    if isinstance(cell, float):  # a table may hold whole milliseconds so
        cell = int(cell) if math.isfinite(cell) else None
    whole = int(cell) if isinstance(cell, str) and cell.isascii() and cell.isdigit() and len(cell) < 20 else cell
    at = instant(whole if whole is not None else "")
    if not EARLIEST <= at < LATEST:
        raise Unreadable(_TOO_FAR)
    return at


def _sent(cell: float | str | None) -> int:
    return NO_TIME if cell in (None, "") else _time(cell)


def _value(cell: float | str | None) -> float:
    if cell is None:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        known = _WORDS.get(str(cell).strip().lower())
        if known is None:
            raise Unreadable("the value is no number") from None
        return known
    except OverflowError:
        raise Unreadable("the value is larger than any measurement") from None
    return value if math.isfinite(value) else math.nan


def _quality(cell: str | int | None) -> int:
    known = QUALITIES.get(cell)
    if known is None:
        raise Unreadable(f"the quality is none of {', '.join(quality.name.lower() for quality in Quality)}")
    return known


def _all_times(cells: Sequence[Any]) -> Ints | None:
    """Every cell's time at once if all are whole milliseconds, or RFC 3339 of one width in UTC; else None."""
    if not cells:
        return None
    try:
        at = np.array(cells, np.int64) if type(cells[0]) is int else _digits(cells)
    except (ValueError, OverflowError, TypeError):
        return None
    if at is None or int(at.min()) < EARLIEST or int(at.max()) >= LATEST // 1_000_000:
        return None
    return at * 1_000_000


def _digits(cells: Sequence[str]) -> Ints | None:
    """Milliseconds from decimal digits, or from 2026-01-15T08:00:00[.123]Z."""
    if all(cell.isascii() and cell.isdigit() for cell in cells):
        return np.array([int(cell) for cell in cells], np.int64)
    letters = np.array(cells, "S")
    width = letters.itemsize
    if width not in (20, 24):
        return None
    table = letters.view(np.uint8).reshape(len(cells), width)
    shape = b"0000-00-00T00:00:00Z" if width == 20 else b"0000-00-00T00:00:00.000Z"
    where = np.frombuffer(shape, np.uint8)
    is_digit = where == ord("0")
    figures = table - ord("0")
    if (figures[:, is_digit] > 9).any() or (table[:, ~is_digit] != where[~is_digit]).any():
        return None
    return _milliseconds(letters, figures.astype(np.int64))


def _milliseconds(letters: np.ndarray[Any, Any], figures: Ints) -> Ints | None:
    def number(at: int, digits: int) -> Ints:
        found: Ints = figures[:, at : at + digits] @ np.array([10**power for power in reversed(range(digits))], np.int64)
        return found

    hour, minute, second = number(11, 2), number(14, 2), number(17, 2)
    if int(hour.max()) > 23 or int(minute.max()) > 59 or int(second.max()) > 59:
        return None
    days, each = np.unique(letters.astype("S10"), return_inverse=True)
    day = days.astype(str).astype("datetime64[D]").astype(np.int64)[each]
    rest = number(20, 3) if letters.itemsize > 20 else 0
    found: Ints = ((day * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + rest
    return found


_PARSE: Final[Mapping[str, Callable[[Any], Any]]] = {"time": _time, "sent": _sent, "value": _value, "quality": _quality}
_TIMES: Final[Mapping[Callable[[Any], Any], Callable[[Sequence[Any]], Ints | None]]] = {_time: _all_times, _sent: _all_times}
