"""SenML (RFC 8428) as JSON or CBOR: a pack of records that share what its base fields say.

A record's name is bn + n; what the site file's `names` says of it, or the name itself, is the sensor. Text and data
(vs, vd) are no measurements, and a sum alone (s) has no value: such records are passed over and counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import cbor2

from adapters.codecs.inbound import MAX_MILLISECONDS, MAX_READINGS, Decoded, Unreadable, finite, parsed, words
from alerts.reading import NO_TIME, SECOND, RawReading
from alerts.site import Codec

VERSION: Final = 10
"""The highest `bver` that RFC 8428 defines; a pack of a newer one means we know not what."""
RELATIVE: Final = 2**28
"""Times below this are seconds relative to now (RFC 8428, 4.5.3)."""
MAX_NAME: Final = 200
_MAX_DEPTH: Final = 8
_LABELS: Final = {-1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs", 0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd"}
"""CBOR's integer labels (RFC 8428, table 4)."""
_UNITS: Final = {"Cel": "degC", "/100": "%", "mg/m3": "mg/m3"}
"""Units of the SenML registry that have another name here; those of the same name (m, A, V, W, Pa, ppm, mm, mA, kW, m/s) stay."""
_FARTHEST: Final = MAX_MILLISECONDS // 1000


class SenML:
    """Reads packs of one device."""

    def __init__(self, codec: Codec, _sensors: Sequence[str]) -> None:
        """It takes `names` and `units` of the site file."""
        self._names: Mapping[str, str] = codec.names
        self._units: Mapping[str, str] = _UNITS | codec.units

    def __call__(self, payload: bytes, _name: str | None, arrival: int) -> Decoded:
        """Read one pack (see `inbound.Decode`); relative times count from the arrival."""
        pack = _pack(payload)
        if not isinstance(pack, list) or not pack:
            raise Unreadable("no SenML pack: an array of records")
        if len(pack) > MAX_READINGS:
            raise Unreadable(f"more than {MAX_READINGS} records in one pack")
        readings: list[RawReading] = []
        unreadable: list[str] = []
        ignored = 0
        base: dict[str, Any] = {}
        for record in pack:
            try:
                fields = _fields(record)
                base.update((label, value) for label, value in fields.items() if label[:1] == "b")
                _version(base)
                reading = self._reading(fields, base, arrival)
            except _NewerVersion:
                raise
            except Unreadable as error:
                unreadable.append(str(error))
                continue
            if reading is None:
                ignored += 1
            else:
                readings.append(reading)
        return Decoded(readings, unreadable, ignored)

    def _reading(self, fields: Mapping[str, Any], base: Mapping[str, Any], arrival: int) -> RawReading | None:
        value = _value(fields, base)
        if value is None:
            return None
        name = _text(base.get("bn", ""), "bn") + _text(fields.get("n", ""), "n")
        if not name:
            raise Unreadable("a record without a name")
        unit = fields.get("u", base.get("bu"))
        unit = None if unit is None else _text(unit, "u")
        sensor = self._names.get(name, name)
        return RawReading(sensor, value, _time(fields, base, arrival), None if unit is None else self._units.get(unit, unit))


class _NewerVersion(Unreadable):
    """Spoils the whole pack."""


def _pack(payload: bytes) -> Any:
    if payload.lstrip(b" \t\r\n")[:1] == b"[":
        return parsed(payload)
    try:
        return cbor2.loads(payload, max_depth=_MAX_DEPTH, strict_hashable_types=False)
    except (cbor2.CBORError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise Unreadable(f"neither JSON nor CBOR: {words(error)}") from error


def _fields(record: Any) -> dict[str, Any]:
    """A record's fields by their names. A label that ends in _ and is unknown must not be passed over (RFC 8428, 4.4)."""
    if not isinstance(record, dict):
        raise Unreadable("a record that is no mapping")
    fields = {}
    for label, value in record.items():
        name = _LABELS.get(label) if isinstance(label, int) and not isinstance(label, bool) else label
        if isinstance(name, str):
            if name.endswith("_"):
                raise Unreadable(f"the field {name[:40]!r} must be understood, and is not")
            fields[name] = value
    return fields


def _version(base: Mapping[str, Any]) -> None:
    version = base.get("bver", VERSION)
    if isinstance(version, bool) or not isinstance(version, int) or version > VERSION:
        raise _NewerVersion(f"a SenML version that is not known; at most {VERSION} is")


def _value(fields: Mapping[str, Any], base: Mapping[str, Any]) -> float | None:
    """The measured value: v, with its base, or vb. None for a record that has another kind of value, or none."""
    if "v" in fields:
        return finite(_number(fields["v"], "v") + _number(base.get("bv", 0), "bv"))
    if "vb" in fields:
        if not isinstance(fields["vb"], bool):
            raise Unreadable("vb is neither true nor false")
        return float(fields["vb"])
    if "bv" in base and not {"vs", "vd", "s"} & fields.keys() and "n" in fields:
        return finite(_number(base["bv"], "bv"))
    return None


def _time(fields: Mapping[str, Any], base: Mapping[str, Any], arrival: int) -> int | None:
    """The sum of t and bt; None where there is neither. From 2**28 on seconds since 1970, below it seconds from now."""
    if "t" not in fields and "bt" not in base:
        return None
    seconds = _number(base.get("bt", 0), "bt") + _number(fields.get("t", 0), "t")
    if not math.isfinite(seconds) or abs(seconds) > _FARTHEST:
        raise Unreadable("the time is too far from now to be one")
    # a float cannot hold nanoseconds of this century; microseconds it can
    span = seconds * SECOND if isinstance(seconds, int) else round(seconds * 1_000_000) * 1000
    time = span if seconds >= RELATIVE else arrival + span
    if not NO_TIME < time < -NO_TIME:
        raise Unreadable("the time is too far from now to be one")
    return time


def _number(value: Any, label: str) -> float | int:
    if isinstance(value, Decimal):
        try:
            value = float(value)
        except (ValueError, OverflowError) as error:
            raise Unreadable(f"{label} is no number") from error
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unreadable(f"{label} is no number")
    return finite(value) if isinstance(value, int) and abs(value) > _FARTHEST else value


def _text(value: Any, label: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise Unreadable(f"{label} is no text of at most {MAX_NAME} characters")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Unreadable(f"{label} is no Unicode") from error
    return value
