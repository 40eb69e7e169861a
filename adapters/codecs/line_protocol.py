"""Readings as InfluxDB takes and gives them: line protocol in, the JSON of an InfluxQL answer out.

The schema is public: measurement `readings`, tags `site zone device sensor kind`, fields `value` (absent when there
is none), `quality`, `arrival`, and `device_time`, `raw`, `seq` where there are any; times in nanoseconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from adapters.codecs.frames import empty
from alerts.reading import COLUMNS, DTYPES, NO_SEQ, NO_TIME, Readings

MEASUREMENT = "readings"
TAGS = ("site", "zone", "device", "sensor", "kind")
FIELDS = ("value", "quality", "arrival", "device_time", "raw", "seq")
_MISSING: dict[str, float] = {"value": math.nan, "quality": 0, "arrival": 0, "device_time": NO_TIME, "raw": math.nan, "seq": NO_SEQ}


class Refused(ValueError):
    """An answer that says why it is none, in the server's words."""


def head(tags: Sequence[str | None]) -> str:
    """What every line of a sensor begins with. `tags` in the order of `TAGS`, None for one that nobody knows; ids need no escaping."""
    return ",".join([MEASUREMENT, *(f"{name}={tag}" for name, tag in zip(TAGS, tags, strict=True) if tag)])


def encode(readings: Readings, heads: Callable[[int], str]) -> list[bytes]:
    """One line for each reading, in their order. 1 us each; the client's own `Point` takes 12."""
    lines: list[bytes] = []
    columns = (getattr(readings, name).tolist() for name in COLUMNS[:-1])
    for sensor, time, value, quality, arrival, device_time, raw, seq in zip(*columns, strict=True):
        fields = f"quality={quality}i,arrival={arrival}i"
        if math.isfinite(value):
            fields = f"value={value!r},{fields}"
        if device_time != NO_TIME:
            fields += f",device_time={device_time}i"
        if math.isfinite(raw):
            fields += f",raw={raw!r}"
        if seq != NO_SEQ:
            fields += f",seq={seq}i"
        lines.append(f"{heads(sensor)} {fields} {time}".encode())
    return lines


def rows(answer: bytes) -> list[tuple[dict[str, str], dict[str, list[Any]]]]:
    """The series of an answer: tags, and the columns by name. Raises Refused for the server's errors, and what it likes for what is no answer."""
    result = msgspec.json.decode(answer)["results"][0]
    if "error" in result:
        raise Refused(str(result["error"]))
    found = result.get("series", [])
    if any(series.get("partial") for series in found):
        raise Refused("it cuts answers short; its max-row-limit must be 0")
    return [(series.get("tags", {}), dict(zip(series["columns"], map(list, zip(*series["values"], strict=True)), strict=True))) for series in found]


def decode(answer: bytes, find: Callable[[str, str], int]) -> Readings:
    """The readings of a query of `FIELDS` grouped by site and sensor, numbered by `find`, in order of time; what is there twice is given once."""
    parts = [empty()]
    for tags, columns in rows(answer):
        many = len(columns["time"])
        made: dict[str, Any] = {
            "sensor": np.full(many, find(tags["site"], tags["sensor"]), DTYPES["sensor"]),
            "time": np.array(columns["time"], DTYPES["time"]),
            "mark": np.zeros(many, DTYPES["mark"]),
        }
        for name in FIELDS:
            made[name] = np.array([_MISSING[name] if field is None else field for field in columns[name]], DTYPES[name])
        parts.append(Readings(**made))
    return _once(Readings.concatenate(parts))


def _once(readings: Readings) -> Readings:
    """In order of time. A sensor that changed its zone has two series, and a frame that came again is in both."""
    bits = np.where(np.isnan(readings.value), np.nan, readings.value).view(np.int64)
    order = np.lexsort((bits, readings.sensor, readings.time))
    same = np.zeros(len(order), np.bool_)
    same[1:] = True
    for column in (bits, readings.sensor, readings.time):
        ordered = column[order]
        same[1:] &= ordered[1:] == ordered[:-1]
    return readings.take(order[~same])
