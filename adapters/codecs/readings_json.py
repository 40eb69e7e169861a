"""Readings as JSON: the payload of `…/{device}/readings`, turned into `RawReading`s.

One reading is one object; a message is one of them or an array. `time` and `value` may be arrays of equal length:
a run of one sensor, whose `seq`, if it has one, is that of its first reading. Optional keys may be null, which is
the same as leaving them out; keys we do not know are ignored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

import msgspec

from adapters.codecs.inbound import MAX_MILLISECONDS, MAX_READINGS, MAX_SEQ, REFUSALS, Decoded, Unreadable, finite, instant, words
from alerts.reading import MILLISECOND, NO_SEQ, Quality, RawReading

_QUALITIES: Final[dict[str | None, Quality]] = {None: Quality.GOOD} | {quality.name.lower(): quality for quality in Quality}


class _Wire(msgspec.Struct, gc=False):
    """A reading, or a run, as it is sent."""

    sensor: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}\Z")]
    value: float | bool | list[Any] | None
    time: Annotated[int, msgspec.Meta(ge=-MAX_MILLISECONDS, le=MAX_MILLISECONDS)] | str | list[Any] | None = None
    unit: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    quality: Literal["good", "uncertain", "bad", "calibrating", "test"] | None = None
    seq: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)] | None = None
    historical: bool | None = None


class _TooMany(Unreadable):
    """Spoils the whole message, not one element of it."""


_ONE_OR_MANY: Final = msgspec.json.Decoder(_Wire | list[_Wire])
_ONE: Final = msgspec.json.Decoder(_Wire)
_PARTS: Final = msgspec.json.Decoder(list[msgspec.Raw])


def decode(payload: bytes) -> Decoded:
    """Read one message.

    Raises Unreadable, and nothing else whatever the bytes, for a payload that is no JSON, for a single object that
    is no reading, for an empty array and for more than `MAX_READINGS` elements. Of an array only the elements that
    are no readings are unreadable, each by itself.
    """
    try:
        wire = _ONE_OR_MANY.decode(payload)
    except REFUSALS as error:
        return _decode_slowly(payload, error)
    decoded = Decoded([], [])
    if isinstance(wire, _Wire):
        _take(wire, decoded)
        return decoded
    return _take_each(wire, len(wire), decoded)


class Native:
    """This format as one codec among others, for a device that sends it to a topic of its own."""

    def __init__(self, _codec: object, _sensors: object) -> None:
        """It has nothing to set."""

    def __call__(self, payload: bytes, _name: str | None, _arrival: int) -> Decoded:
        """Read one message (see `inbound.Decode`)."""
        return decode(payload)


def _decode_slowly(payload: bytes, refusal: Exception) -> Decoded:
    """Find out what is wrong: bare NaN or Infinity, which strict JSON has not, or single elements of an array."""
    decoded = Decoded([], [])
    parts: Any
    if b"NaN" in payload or b"Infinity" in payload:
        parts = _parsed(payload)
        if not isinstance(parts, list):
            _take(_wire(parts), decoded)
            return decoded
    elif payload.lstrip(b" \t\r\n").startswith(b"["):
        try:
            parts = _PARTS.decode(payload)
        except REFUSALS as error:
            raise Unreadable(words(error)) from error
    else:
        raise Unreadable(words(refusal)) from refusal
    return _take_each(parts, len(parts), decoded)


def _parsed(payload: bytes) -> Any:
    try:
        return json.loads(payload.decode())
    except REFUSALS as error:
        raise Unreadable(words(error)) from error


def _wire(part: Any) -> _Wire:
    """One element: bytes not yet read, or what the fall-back parser made of them."""
    try:
        if isinstance(part, msgspec.Raw):
            return _ONE.decode(part)
        wire = msgspec.convert(part, _Wire)
        # The fall-back parser lets half a surrogate pair through, which no file or topic could hold.
        (wire.unit or "").encode()
    except REFUSALS as error:
        raise Unreadable(words(error)) from error
    return wire


def _take_each(parts: Iterable[Any], count: int, decoded: Decoded) -> Decoded:
    if count == 0:
        raise Unreadable("an array without a reading")
    if count > MAX_READINGS:
        raise Unreadable(f"more than {MAX_READINGS} readings in one message")
    for part in parts:
        try:
            _take(part if isinstance(part, _Wire) else _wire(part), decoded)
        except _TooMany:
            raise
        except Unreadable as error:
            decoded.unreadable.append(str(error))
    return decoded


def _take(wire: _Wire, decoded: Decoded) -> None:
    value, time = wire.value, wire.time
    if isinstance(value, list) or isinstance(time, list):
        _take_run(wire, decoded)
        return
    quality = _QUALITIES[wire.quality]
    if isinstance(time, int):
        time = time * MILLISECOND
    elif time is not None:
        time = instant(time)
    seq = NO_SEQ if wire.seq is None else wire.seq
    decoded.readings.append(RawReading(wire.sensor, _number(value, quality), time, wire.unit, quality, seq, wire.historical is True))


def _take_run(wire: _Wire, decoded: Decoded) -> None:
    values, times = wire.value, wire.time
    if not isinstance(values, list) or not isinstance(times, list) or len(values) != len(times):
        raise Unreadable("a run needs `time` and `value` as arrays of equal length")
    if not values:
        raise Unreadable("a run without a reading")
    if len(decoded.readings) + len(decoded.unreadable) + len(values) > MAX_READINGS:
        raise _TooMany(f"more than {MAX_READINGS} readings in one message")
    quality = _QUALITIES[wire.quality]
    historical = wire.historical is True
    first = wire.seq
    for position, (value, time) in enumerate(zip(values, times, strict=True)):
        try:
            number, at = _number(value, quality), _time_in_run(time)
        except Unreadable as error:
            decoded.unreadable.append(str(error))
            continue
        seq = NO_SEQ if first is None else min(first + position, MAX_SEQ)
        decoded.readings.append(RawReading(wire.sensor, number, at, wire.unit, quality, seq, historical))


def _time_in_run(time: object) -> int:
    if isinstance(time, bool) or not isinstance(time, int | str):
        raise Unreadable("the time is neither integer milliseconds nor RFC 3339 with an offset")
    return instant(time)


def _number(value: object, quality: Quality) -> float:
    """The value as a float: NaN for none. Only a reading whose quality is bad may say null."""
    if isinstance(value, float | int):
        return finite(value)
    if value is not None:
        raise Unreadable("the value is no number")
    if quality is not Quality.BAD:
        raise Unreadable("the value is null, which only quality bad may say")
    return math.nan
