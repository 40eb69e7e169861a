"""Sparkplug B 3.0 payloads: bytes to metrics, and the one command that a gateway sends.

Read by hand, because the part of Protocol Buffers that they need is small, and the library for it takes 7 MiB and
34 ms of every start. Field numbers are those of the specification's own definition (sparkplug_b.proto); unknown
fields are passed over, as Protocol Buffers demand.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from adapters.codecs.inbound import MAX_MILLISECONDS, MAX_READINGS, Unreadable, finite
from alerts.reading import MILLISECOND, Quality

REBIRTH: Final = "Node Control/Rebirth"
BD_SEQ: Final = "bdSeq"
_BYTES: Final = 2
"""The wire type of what has a length."""
_QUALITIES: Final = {192: Quality.GOOD, 0: Quality.BAD, 500: Quality.BAD}
"""Of the property `Quality`; 500 is STALE: what was measured once is no value of now."""


class DataType(IntEnum):
    """Those that are measurements. Text, dates, files, sets and templates are none."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11


_SIGNED: Final = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64}
_MEASURED: Final = frozenset(DataType)


@dataclass(slots=True)
class Metric:
    """One metric as it was sent. time: ms since 1970. whole, real: the value, whichever field held it. quality: the property's number."""

    name: str | None = None
    alias: int | None = None
    time: int | None = None
    datatype: int | None = None
    historical: bool = False
    null: bool = False
    quality: int | None = None
    whole: int | None = None
    real: float | None = None

    def trust(self) -> Quality:
        """How far the value may be trusted; a number that nobody explained neither hides a high value nor ends an alarm."""
        if self.null:
            return Quality.BAD
        return Quality.GOOD if self.quality is None else _QUALITIES.get(self.quality, Quality.UNCERTAIN)

    def number(self, datatype: int | None) -> float:
        """The value, `datatype` being what the birth said; NaN for null. Raises Unreadable for what is no measurement."""
        if self.null:
            return float("nan")
        kind = self.datatype or datatype
        if kind is not None and kind not in _MEASURED:
            raise Unreadable(f"data type {kind} is no measurement")
        if self.real is not None:
            return finite(self.real)
        if self.whole is None:
            raise Unreadable("without a value")
        bits = _SIGNED.get(DataType(kind)) if kind is not None else None
        if bits is None:
            return float(self.whole)
        # edges differ in how far they extend the sign; the bits of the type itself are always there
        low = self.whole & ((1 << bits) - 1)
        return float(low - (1 << bits) if low >> (bits - 1) else low)


@dataclass(frozen=True, slots=True)
class Payload:
    """One message. time: ms since 1970. seq: None where it has none (NDEATH)."""

    time: int | None
    seq: int | None
    metrics: list[Metric]

    def find(self, name: str) -> Metric | None:
        """The first metric of that name."""
        return next((metric for metric in self.metrics if metric.name == name), None)


def decode(data: bytes) -> Payload:
    """Read one payload. Raises Unreadable, and nothing else whatever the bytes."""
    time = seq = None
    metrics: list[Metric] = []
    for number, value in _fields(data):
        if number == 1 and isinstance(value, int):
            time = value
        elif number == 3 and isinstance(value, int):
            seq = value
        elif number == 2 and isinstance(value, bytes):
            metrics.append(_metric(value))
            if len(metrics) > MAX_READINGS:
                raise Unreadable(f"more than {MAX_READINGS} metrics in one message")
    return Payload(time, seq, metrics)


def instant(milliseconds: int | None) -> int | None:
    """A time of a payload in ns. Raises Unreadable for what int64 ns cannot hold."""
    if milliseconds is None:
        return None
    if milliseconds > MAX_MILLISECONDS:
        raise Unreadable("the time is too far from now to be one")
    return milliseconds * MILLISECOND


def rebirth(now: int) -> bytes:
    """The payload of an NCMD that asks an edge node for its births. now: ns."""
    stamp = _varint(1 << 3) + _varint(now // MILLISECOND)
    name = REBIRTH.encode()
    metric = _varint(1 << 3 | _BYTES) + _varint(len(name)) + name
    metric += _varint(4 << 3) + _varint(DataType.BOOLEAN) + _varint(14 << 3) + b"\x01"
    return stamp + _varint(2 << 3 | _BYTES) + _varint(len(metric)) + metric


def _metric(data: bytes) -> Metric:
    metric = Metric()
    for number, value in _fields(data):
        if isinstance(value, int):
            _set_whole(metric, number, value)
        elif isinstance(value, float):
            if number in (12, 13):
                metric.real = value
        elif number == 1:
            metric.name = _text(value)
        elif number == 9:
            metric.quality = _quality(value)
    return metric


def _set_whole(metric: Metric, number: int, value: int) -> None:
    match number:
        case 2:
            metric.alias = value
        case 3:
            metric.time = value
        case 4:
            metric.datatype = value
        case 5:
            metric.historical = value != 0
        case 7:
            metric.null = value != 0
        case 10 | 11 | 14:
            metric.whole = value


def _quality(data: bytes) -> int | None:
    """The whole number of the property `Quality` in a set of properties, or None."""
    keys: list[str] = []
    values: list[int | None] = []
    for number, value in _fields(data):
        if isinstance(value, bytes) and number == 1:
            keys.append(_text(value))
        elif isinstance(value, bytes) and number == 2:
            inner = [found for field, found in _fields(value) if field in (3, 4) and isinstance(found, int)]
            values.append(inner[-1] if inner else None)
    return next((value for key, value in zip(keys, values, strict=False) if key == "Quality"), None)


def _fields(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Number and value of each field: int for varints, float for fixed ones, bytes for what has a length."""
    at, end = 0, len(data)
    while at < end:
        key, at = _read_varint(data, at)
        value: int | float | bytes
        match key & 7:
            case 0:
                value, at = _read_varint(data, at)
            case 2:
                size, at = _read_varint(data, at)
                value, at = data[at : at + size], at + size
            case 5:
                value, at = (struct.unpack_from("<f", data, at)[0] if at + 4 <= end else 0.0), at + 4
            case 1:
                value, at = (struct.unpack_from("<d", data, at)[0] if at + 8 <= end else 0.0), at + 8
            case wire:
                raise Unreadable(f"no Protocol Buffers message: wire type {wire}")
        if at > end:
            raise Unreadable("the message breaks off")
        yield key >> 3, value


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for position in range(at, min(at + 10, len(data))):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position + 1
        shift += 7
    raise Unreadable("a number breaks off")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("a name that is no UTF-8") from error
