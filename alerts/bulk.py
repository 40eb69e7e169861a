"""Admission of recordings, columns at a time: what is in order and good passes at once, the rest one by one.

Both ways give the same readings; `alerts.admit` alone says what is admitted. The short way is only for rows of which it
is known beforehand that single admission would let them pass unchanged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, pairwise

import numpy as np
from numpy.typing import NDArray

from alerts.admit import Admission, Way
from alerts.current import sent_in
from alerts.detect.batch import Mask
from alerts.detect.calm import by_sensor, starts
from alerts.edge import Edge
from alerts.reading import NO_SEQ, NO_TIME, Bytes, Floats, Indices, Ints, Quality, RawReading, Readings
from alerts.register import Register

DUPLICATE = "duplicate"
"""The reason of a repeat, beside those of quarantine."""
_Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Rows:
    """A stretch of a recording in its own order, as columns of one length.

    sensor: ids as written. time: ns since 1970. value: in `unit`, NaN for none. quality: `Quality`. arrival: when it came
    (ns), `NO_TIME` for at its stamp. historical: the device sent it afterwards. site, device, unit: as written, None where the recording does not say.
    """

    sensor: Sequence[str]
    time: Ints
    value: Floats
    quality: Bytes
    arrival: Ints | None = None
    historical: Mask | None = None
    site: Sequence[str | None] | None = None
    device: Sequence[str | None] | None = None
    unit: Sequence[str | None] | None = None

    def __len__(self) -> int:
        return len(self.time)

    def take(self, mask: Mask) -> Rows:
        """The rows where `mask` is true, in their order."""
        listed = mask.tolist()
        site, device, unit = (None if column is None else [*compress(column, listed)] for column in (self.site, self.device, self.unit))
        arrival = None if self.arrival is None else self.arrival[mask]
        historical = None if self.historical is None else self.historical[mask]
        sensor = [*compress(self.sensor, listed)]
        return Rows(sensor, self.time[mask], self.value[mask], self.quality[mask], arrival, historical, site, device, unit)

    def then(self, more: Rows) -> Rows:
        """These rows and `more` behind them."""
        sizes = (len(self), len(more))
        texts = [None if a is None and b is None else [*(a or [None] * sizes[0]), *(b or [None] * sizes[1])] for a, b in _pairs(self, more)]
        arrival = [np.full(size, NO_TIME, np.int64) if each.arrival is None else each.arrival for size, each in zip(sizes, (self, more), strict=True)]
        past = [np.zeros(size, np.bool_) if each.historical is None else each.historical for size, each in zip(sizes, (self, more), strict=True)]
        time, value = np.concatenate((self.time, more.time)), np.concatenate((self.value, more.value))
        quality = np.concatenate((self.quality, more.quality))
        return Rows([*self.sensor, *more.sensor], time, value, quality, np.concatenate(arrival), np.concatenate(past), *texts)


@dataclass(frozen=True, slots=True)
class Admitted:
    """What passed, in order; edges of admission by the row (of `readings`) that caused them; what was set aside, by reason."""

    readings: Readings
    edges: Mapping[int, Sequence[Edge]]
    aside: Counter[str] = field(default_factory=Counter)


class Bulk:
    """Admission of one site's recordings. Stateful; rows come in the order of the recording."""

    def __init__(self, register: Register, site: str) -> None:
        self._site = site
        self._register = register
        self._admission = Admission(register)
        self._index = {point.sensor.id: point.index for point in register if point.site.site == site}
        devices = {name: number for number, name in enumerate(register.devices())}
        self._device: Indices = np.array([devices[p.site.site, p.sensor.device] for p in register], np.int32)
        self._names = list(devices)
        self._devices = [p.sensor.device for p in register]
        self._units = [sent_in(p.sensor) for p in register]
        self._strict: Mask = np.array([self._admission.must_say_unit(p.index) for p in register], np.bool_)
        self._plain: Mask = np.array([p.sensor.signal.kind == "direct" for p in register], np.bool_)
        self._window: Ints = np.array([max(p.site.timing.live_window, 3 * p.sensor.interval) for p in register], np.int64)
        self._top: Ints = np.full(len(register), NO_TIME, np.int64)

    def admit(self, rows: Rows, arrival: Ints) -> Admitted:
        """Admit rows that came at `arrival` (ns, never falling)."""
        index: Indices = np.array([self._index.get(name, -1) for name in rows.sensor], np.int32)
        if rows.site is not None:
            index[[site not in (None, self._site) for site in rows.site]] = -1
        quick = self._in_order(rows, index, arrival)
        where, slow = np.flatnonzero(quick), np.flatnonzero(~quick)
        parts: list[Readings] = []
        places: list[_Rows] = [where]
        edges: dict[int, list[Edge]] = {}
        aside: Counter[str] = Counter()
        if len(where):
            parts.append(self._quickly(rows, index[where], arrival[where], where))
        if len(slow):
            rest, found, edges = self._slowly(rows, index, arrival, slow, aside)
            if rest is not None:
                parts.append(rest)
                places.append(np.array(found, np.intp))
        place = np.concatenate(places)
        if not parts:
            return Admitted(_none(), {}, aside)
        order = np.argsort(place, kind="stable")
        at = {int(place[row]): k for k, row in enumerate(order)} if edges else {}
        merged = Readings.concatenate(parts)
        return Admitted(merged.take(order) if len(slow) else merged, {at[row]: found for row, found in edges.items()}, aside)

    def _in_order(self, rows: Rows, index: Indices, arrival: Ints) -> Mask:
        """Rows that pass as they are. Of a device all of this stretch or none, for its clock is judged by all of them."""
        known = index >= 0
        safe = np.where(known, index, 0)
        quick: Mask = known & self._plain[safe] & (np.abs(arrival - rows.time) <= self._window[safe])
        if rows.historical is not None:
            quick &= ~rows.historical
        for written, own in ((rows.unit, self._units), (rows.device, self._devices)):
            if written is not None:
                quick &= [said is None or said == own[k] for said, k in zip(written, safe.tolist(), strict=True)]
        if rows.device is not None and self._strict.any():
            complete = [device is None or unit is not None for device, unit in zip(rows.device, rows.unit or [None] * len(rows), strict=True)]
            quick &= ~self._strict[safe] | complete
        kept = np.flatnonzero(known)
        order = kept[by_sensor(index[kept])]
        sensor, time = index[order], rows.time[order]
        before = np.empty_like(time)
        before[1:] = time[:-1]
        first = starts(sensor)
        before[first] = self._top[sensor[first]]
        quick[order[time <= before]] = False
        odd = np.array([not self._admission.believes(name) for name in self._names], np.bool_)
        odd[self._device[index[kept[~quick[kept]]]]] = True
        quick[kept] &= ~odd[self._device[index[kept]]]
        np.maximum.at(self._top, sensor, time)
        return quick

    def _quickly(self, rows: Rows, index: Indices, arrival: Ints, where: _Rows) -> Readings:
        time, value = rows.time[where], rows.value[where]
        order = by_sensor(index)
        bounds = [*np.flatnonzero(starts(index[order])).tolist(), len(order)]
        times, values = time[order].tolist(), value[order].tolist()
        for begin, end in pairwise(bounds):
            last = order[end - 1]
            self._admission.rising(self._register[int(index[last])], times[begin:end], values[begin:end], int(arrival[last]))
        return _columns(index, time, value, rows.quality[where], arrival)

    def _slowly(self, rows: Rows, index: Indices, arrival: Ints, where: _Rows, aside: Counter[str]) -> tuple[Readings | None, list[int], dict[int, list[Edge]]]:
        admission = self._admission
        found: list[int] = []
        edges: dict[int, list[Edge]] = {}
        for row in where.tolist():
            duplicates, before = admission.counts.duplicate, len(admission.batch)
            origin, reading = self._single(rows, int(index[row]), row)
            for rejection, _ in admission.admit(origin, [reading], int(arrival[row]), Way.LIVE):
                aside[rejection.reason.value] += 1
            if admission.counts.duplicate > duplicates:
                aside[DUPLICATE] += 1
            if len(admission.batch) > before:
                found.append(row)
            if admission.edges:
                edges[row] = list(admission.edges)
                admission.edges.clear()
        readings = admission.batch.take()
        if readings is not None:
            np.maximum.at(self._top, readings.sensor, readings.time)
        return readings, found, edges

    def _single(self, rows: Rows, index: int, row: int) -> tuple[tuple[str, str], RawReading]:
        device = rows.device[row] if rows.device is not None else None
        unit = rows.unit[row] if rows.unit is not None else None
        if device is None:
            device = self._register[index].sensor.device if index >= 0 else ""
            # only a row that names its device is what that device sent, and may lack what it had to send
            unit = unit or (self._units[index] if index >= 0 else None)
        name = rows.sensor[row] if index >= 0 else ""
        historical = rows.historical is not None and bool(rows.historical[row])
        quality = Quality(int(rows.quality[row]))
        return (self._site, device), RawReading(name, float(rows.value[row]), int(rows.time[row]), unit, quality, historical=historical)


def _pairs(one: Rows, other: Rows) -> list[tuple[Sequence[str | None] | None, Sequence[str | None] | None]]:
    return [(one.site, other.site), (one.device, other.device), (one.unit, other.unit)]


def _columns(index: Indices, time: Ints, value: Floats, quality: Bytes, arrival: Ints) -> Readings:
    size = len(index)
    return Readings(
        index, time, value, quality, arrival, np.full(size, NO_TIME, np.int64), np.full(size, np.nan), np.full(size, NO_SEQ, np.int64), np.zeros(size, np.uint8)
    )


def _none() -> Readings:
    nothing: Ints = np.empty(0, np.int64)
    return _columns(nothing.astype(np.int32), nothing, nothing.astype(np.float64), nothing.astype(np.uint8), nothing)
