"""What every payload from outside has in common: times as they are written, and words for what cannot be read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from alerts.reading import MILLISECOND, SECOND, RawReading

MAX_READINGS: Final = 65_536
"""More in one message are refused as a whole, so that no message holds the loop for longer than about 0.1 s."""
MAX_SEQ: Final = 2**63 - 1
REFUSALS: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""What decoders of JSON raise, whatever the bytes."""
MAX_MILLISECONDS: Final = (2**63 - 1) // MILLISECOND
"""The farthest time, in ms before or after 1970, that int64 ns can hold: the years 1677 to 2262."""

_MAX_WORDS: Final = 200
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(
    r"(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))[Tt ]((?:[01]\d|2[0-3]):[0-5]\d):([0-5]\d|60)(?:\.(\d{1,20}))?(?:[Zz]|([+-](?:[01]\d|2[0-3]):[0-5]\d))",
    re.ASCII,
)


class Unreadable(ValueError):
    """A payload, or a part of one, that says nothing we understand; its text is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a message held: its readings in order, one sentence for each element that is no reading, and how many elements are none of ours."""

    readings: list[RawReading]
    unreadable: list[str]
    ignored: int = 0


Decode = Callable[[bytes, str | None, int], Decoded]
"""How a device's payload is read: payload, what its topic says at `{sensor}` (None without that), arrival in ns.

Raises Unreadable, and nothing else whatever the bytes, for a message that holds nothing to be read.
"""


def parsed(payload: bytes) -> Any:
    """A JSON document of any form, bare NaN and Infinity included. Raises Unreadable."""
    try:
        if b"NaN" in payload or b"Infinity" in payload:
            return json.loads(payload.decode())
        return msgspec.json.decode(payload)
    except REFUSALS as error:
        raise Unreadable(words(error)) from error


def finite(value: float) -> float:
    """A number as a float; NaN, which is "no value", for the infinite. Raises Unreadable for an integer no float can hold."""
    try:
        number = float(value)
    except OverflowError as error:
        raise Unreadable("the value is larger than any measurement") from error
    return number if math.isfinite(number) else math.nan


def instant(written: int | str) -> int:
    """A time as the outside writes it, in ns since 1970 UTC.

    written: integer milliseconds, or RFC 3339 text with any offset; digits beyond the ninth of a second are cut off,
    and a leap second is the start of the next minute. Raises Unreadable for text without an offset, for a date that
    no calendar has, and for what int64 ns cannot hold.
    """
    if isinstance(written, int):
        if -MAX_MILLISECONDS <= written <= MAX_MILLISECONDS:
            return written * MILLISECOND
        raise Unreadable("the time is too far from now to be one")
    match = _RFC3339.fullmatch(written)
    if match is None:
        raise Unreadable("the time is neither integer milliseconds nor RFC 3339 with an offset")
    date, minutes, seconds, fraction, offset = match.groups()
    try:
        minute = datetime.fromisoformat(f"{date}T{minutes}:00{offset or '+00:00'}") - _EPOCH
    except (ValueError, OverflowError) as error:
        raise Unreadable("the time names a day that no calendar has") from error
    whole = (minute.days * 86400 + minute.seconds + int(seconds)) * SECOND
    time = whole + int((fraction or "0")[:9].ljust(9, "0"))
    if abs(time) > MAX_MILLISECONDS * MILLISECOND:
        raise Unreadable("the time is too far from now to be one")
    return time


def words(error: Exception) -> str:
    """What a decoder complained of, short and safe to store: the payload's own text may stand in it."""
    return str(error)[:_MAX_WORDS].encode("utf-8", "backslashreplace").decode() or type(error).__name__
