"""A vendor's own JSON, read by a mapping in the site file: which paths hold what.

One message is one reading, an array of them (`each`), or one object with several sensors' values (`values`). What
the mapping does not name is passed over; what it names and cannot be read is unreadable by itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from adapters.codecs.inbound import MAX_MILLISECONDS, MAX_READINGS, MAX_SEQ, Decoded, Unreadable, finite, instant, parsed
from adapters.codecs.paths import NOTHING, Path, compiled
from alerts.reading import MILLISECOND, NO_SEQ, SECOND, Quality, RawReading
from alerts.site import Codec

KEYS: Final = ("each", "sensor", "value", "time", "unit", "quality", "seq", "historical")
"""What `paths` may name."""
MAX_NAME: Final = 200
_NUMBER: Final = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,3})?", re.ASCII)
_FARTHEST: Final = {"ms": MAX_MILLISECONDS, "s": MAX_MILLISECONDS // 1000}
_WORDS: Final = {quality.name.lower(): quality for quality in Quality}


class Mapped:
    """Reads the messages of one device as its mapping says."""

    def __init__(self, codec: Codec, sensors: Sequence[str]) -> None:
        """`sensors`: the ids of the device's sensors. Raises ValueError with a sentence for a path that is none."""
        found = {key: compiled(text, several=key == "each") for key, text in codec.paths.items()}
        self._each = found.pop("each", None)
        self._paths: Mapping[str, Path] = found
        self._values = [(sensor, compiled(text)) for sensor, text in codec.values.items()]
        self._names, self._units, self._form = codec.names, codec.units, codec.time
        self._qualities = {word: _WORDS[quality] for word, quality in codec.qualities.items()}
        self._only = sensors[0] if len(sensors) == 1 else None

    def __call__(self, payload: bytes, name: str | None, _arrival: int) -> Decoded:
        """Read one message (see `inbound.Decode`)."""
        message = parsed(payload)
        decoded = Decoded([], [])
        for element in (message,) if self._each is None else self._each.each(message):
            try:
                for sensor, value in self._values_of(message, element, name):
                    self._take(sensor, value, (message, element), decoded)
            except _TooMany:
                raise
            except Unreadable as error:
                decoded.unreadable.append(str(error))
        if not decoded.readings and (self._each is None or not decoded.unreadable):
            raise Unreadable(decoded.unreadable[0] if decoded.unreadable else "nothing stands where `each` leads to")
        return decoded

    def _values_of(self, message: Any, element: Any, name: str | None) -> Iterator[tuple[str, Any]]:
        """Sensor and value of each reading of one element."""
        if not isinstance(element, dict | list):
            raise Unreadable("neither an object nor an array, so no path leads into it")
        if not self._values:
            value = self._find("value", message, element)
            if value is NOTHING:
                raise Unreadable("nothing stands where the path of `value` leads to")
            yield self._sensor(message, element, name), value
            return
        there = [(sensor, value) for sensor, path in self._values if (value := path.find(message, element)) is not NOTHING]
        if not there:
            raise Unreadable("nothing stands where the paths of `values` lead to")
        yield from there

    def _find(self, key: str, message: Any, element: Any) -> Any:
        path = self._paths.get(key)
        return NOTHING if path is None else path.find(message, element)

    def _sensor(self, message: Any, element: Any, name: str | None) -> str:
        if "sensor" in self._paths:
            found = self._find("sensor", message, element)
            if isinstance(found, int) and not isinstance(found, bool):
                found = str(found) if abs(found) <= MAX_SEQ else ""
            if not isinstance(found, str) or not 0 < len(found) <= MAX_NAME:
                raise Unreadable("no name stands where the path of `sensor` leads to")
            name = _sound(found)
        if name is None:
            if self._only is None:
                raise Unreadable("nothing says which sensor this is")
            return self._only
        return self._names.get(name, name)

    def _take(self, sensor: str, value: Any, where: tuple[Any, Any], decoded: Decoded) -> None:
        """The readings of one sensor: one, or a run where value and time are arrays. Each is unreadable by itself."""
        try:
            time = self._find("time", *where)
            unit, quality, seq = self._unit(*where), self._quality(*where), self._seq(*where)
            pairs = _pairs(value, time)
        except Unreadable as error:
            decoded.unreadable.append(f"{sensor}: {error}")
            return
        if len(decoded.readings) + len(decoded.unreadable) + len(pairs) > MAX_READINGS:
            raise _TooMany(f"more than {MAX_READINGS} readings in one message")
        historical = self._find("historical", *where) is True
        for position, (each, at) in enumerate(pairs):
            trust = Quality.BAD if each is None else quality
            count = seq if seq == NO_SEQ else min(seq + position, MAX_SEQ)
            try:
                decoded.readings.append(RawReading(sensor, _number(each), self._time(at), unit, trust, count, historical))
            except Unreadable as error:
                decoded.unreadable.append(f"{sensor}: {error}")

    def _time(self, written: Any) -> int | None:
        if written is NOTHING or written is None:
            return None
        if self._form == "rfc3339":
            if not isinstance(written, str):
                raise Unreadable("the time is no RFC 3339 text")
            return instant(written)
        number = _numeric(written)
        if number is None or not math.isfinite(number):
            raise Unreadable(f"the time is no number of {self._form}")
        if abs(number) > _FARTHEST[self._form]:
            raise Unreadable("the time is too far from now to be one")
        unit = SECOND if self._form == "s" else MILLISECOND
        # a float cannot hold nanoseconds of this century; microseconds it can
        return number * unit if isinstance(number, int) else round(number * (unit // 1000)) * 1000

    def _unit(self, message: Any, element: Any) -> str | None:
        found = self._find("unit", message, element)
        if found is NOTHING or found is None:
            return None
        if not isinstance(found, str) or len(found) > MAX_NAME:
            raise Unreadable("the unit is no text")
        return self._units.get(found, _sound(found))

    def _quality(self, message: Any, element: Any) -> Quality:
        found = self._find("quality", message, element)
        if found is NOTHING or found is None:
            return Quality.GOOD
        word = ("true" if found else "false") if isinstance(found, bool) else str(found) if isinstance(found, str | float) else ""
        if isinstance(found, int) and not isinstance(found, bool):
            word = str(found) if abs(found) <= MAX_SEQ else ""
        # a word that nobody explained must neither hide a high value nor end an alarm
        return self._qualities.get(word, _WORDS.get(word.lower(), Quality.UNCERTAIN))

    def _seq(self, message: Any, element: Any) -> int:
        found = self._find("seq", message, element)
        if found is NOTHING or found is None:
            return NO_SEQ
        if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= MAX_SEQ:
            raise Unreadable("the seq is no count")
        return found


class _TooMany(Unreadable):
    """Spoils the whole message, not one element of it."""


def _sound(text: str) -> str:
    """Text without half surrogate pairs, which the fall-back parser lets through and no file or topic could hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Unreadable("the text is no Unicode") from error
    return text


def _numeric(value: Any) -> float | int | None:
    """A number, also one written as text; None for anything else."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    return None if isinstance(value, bool) or not isinstance(value, int | float) else value


def _pairs(value: Any, time: Any) -> list[tuple[Any, Any]]:
    if not isinstance(value, list):
        return [(value, time)]
    if not isinstance(time, list) or len(time) != len(value) or not value:
        raise Unreadable("a run needs value and time as arrays of equal length")
    return list(zip(value, time, strict=True))


def _number(value: Any) -> float:
    if value is None:
        return math.nan
    number = float(value) if isinstance(value, bool) else _numeric(value)
    if number is None:
        raise Unreadable("the value is no number")
    return finite(number)
