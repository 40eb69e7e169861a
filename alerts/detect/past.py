"""Past excursions: what late readings show of a danger that is over or was never seen live (semantics 2.4).

A late reading never touches anything live. If it lies at or past a high-high, a low-low or any limit of a latching
sensor, its device raises `past_excursion`: one message for a device and catch-up, which names the alarms that would
have been, from when to when, and the peak. A catch-up ends after 30 s without a late reading of that device.

An answer in the middle of a catch-up stands for the limits that were named until then, and for what was measured before
it was given. The rest of the catch-up tells only of other limits, or of what came about after the answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from alerts.alarm import LIMITS, Condition
from alerts.detect.batch import Mask
from alerts.detect.limits import SIGN, Limits
from alerts.detect.witness import Witness
from alerts.edge import Edge, EdgeKind
from alerts.reading import SECOND, Floats, Quality, Readings
from alerts.register import Register

CATCH_UP = 30 * SECOND
_ALWAYS = np.array([True, False, False, True])

Key = tuple[str, str]
"""Site and device."""
Memory = list[tuple[str, str, int, dict[str, int], tuple[int, int, int, float, float, list[str]] | None]]
"""What a restart needs of each catch-up: site, device, `heard`, `answered`, and the fields of its telling in their order."""


@dataclass(slots=True)
class _Telling:
    """What one message tells of; times in ns.

    first: the stamp of the reading that began it. since, until: the stretch. worst: how far the peak is past its limit.
    """

    first: int
    since: int
    until: int
    peak: float
    worst: float
    members: set[str]
    told: bool = False

    def extend(self, time: int, peak: float, excess: float, names: Iterable[str]) -> None:
        self.since, self.until = min(self.since, time), max(self.until, time)
        if excess >= self.worst:
            self.peak, self.worst = peak, excess
        self.members.update(names)


@dataclass(slots=True)
class _CatchUp:
    """heard: arrival of the newest late reading, ns. answered: of each limit, until when (ns) its excursions have been answered for."""

    heard: int
    telling: _Telling | None = None
    answered: dict[str, int] = field(default_factory=dict)

    def answer(self, at: int) -> None:
        if self.telling is not None:
            self.answered.update(dict.fromkeys(self.telling.members, at))
            self.telling = None


class Past:
    """The detector of late readings. It is given the late rows of a batch, nobody else sees them."""

    def __init__(self, register: Register, limits: Limits) -> None:
        self._register = register
        self._limits = limits
        latch = np.array([p.sensor.latch for p in register], np.bool_)
        self._counts = latch[:, None] | _ALWAYS
        self._running: dict[Key, _CatchUp] = {}
        self._followed: Mask = np.zeros(len(latch), np.bool_)
        """Sensors of devices whose catch-up is running: their calm readings keep it up."""
        self._answers: dict[Key, list[int]] = {}
        self._witness = Witness()

    def witness(self, seen: Readings) -> None:
        """These are judged as they are, and will come once more, late."""
        self._witness.saw(seen, np.flatnonzero(self._over(seen)[1].any(axis=1)))

    def forget(self) -> None:
        """Nothing of what was witnessed comes any more."""
        self._witness.forget()

    def judge(self, late: Readings, out: list[Edge]) -> None:
        """Judge late readings at their own time, in order of arrival."""
        excess, over = self._over(late)
        over[self._witness.seen(late, np.flatnonzero(over.any(axis=1)))] = False
        excursions = over.any(axis=1)
        for sensor in set(late.sensor[excursions].tolist()):
            self._follow(self._key(sensor))
        touched: dict[int, tuple[Key, _Telling]] = {}
        for row in np.flatnonzero(excursions | self._followed[late.sensor]).tolist():
            key = self._key(int(late.sensor[row]))
            catch_up = self._running_at(key, int(late.arrival[row]))
            time, name = int(late.time[row]), self._register[int(late.sensor[row])].sensor.id
            past = {f"{name}.{LIMITS[column]}": float(excess[row, column]) for column in np.flatnonzero(over[row]).tolist()}
            news = {limit: by for limit, by in past.items() if time > catch_up.answered.get(limit, time - 1)}
            if news:
                telling = _extended(catch_up, time, float(late.value[row]), news)
                touched[id(telling)] = (key, telling)
        for (site, device), telling in touched.values():
            out.append(_edge(site, device, telling))
            telling.told = True

    def _over(self, readings: Readings) -> tuple[Floats, Mask]:
        """How far each reading is past each limit, and where that is an excursion that counts; shapes (n, 4)."""
        usable = np.isfinite(readings.value) & (readings.quality != Quality.BAD)
        excess = np.where(usable, readings.value, np.nan)[:, None] * SIGN - self._limits.limit[readings.sensor]
        return excess, (excess >= 0) & self._counts[readings.sensor]

    def answered(self, site: str, device: str, at: int) -> None:
        """Somebody answered at `at` (ns) for what the device has told of. It counts from the next reading that arrives later."""
        self._answers.setdefault((site, device), []).append(at)

    def memory(self) -> Memory:
        """What a restart needs of every catch-up that may still be running."""
        for key in [*self._answers]:
            self._take_answers(key, None)
        return [(*key, each.heard, each.answered, _fields(each.telling)) for key, each in self._running.items()]

    def recall(self, memory: Memory) -> None:
        """Take up what `memory` gave, as far as the devices are still there."""
        known = set(self._register.devices())
        for site, device, heard, answered, telling in memory:
            if (site, device) in known:
                told = None if telling is None else _Telling(*telling[:-1], set(telling[-1]), told=True)
                self._running[site, device] = _CatchUp(heard, told, answered)
                self._follow((site, device))

    def _running_at(self, key: Key, arrival: int) -> _CatchUp:
        """The catch-up that a late reading of this arrival (ns) belongs to: the one before, or a new one."""
        self._take_answers(key, arrival)
        found = self._running.get(key)
        if found is None or arrival - found.heard > CATCH_UP:
            found = self._running[key] = _CatchUp(arrival)
        found.heard = arrival
        return found

    def _take_answers(self, key: Key, until: int | None) -> None:
        waiting = self._answers.get(key, [])
        due = [at for at in waiting if until is None or at <= until]
        if due:
            self._answers[key] = waiting[len(due) :]
            if key in self._running:
                for at in due:
                    self._running[key].answer(at)

    def _key(self, sensor: int) -> Key:
        point = self._register[sensor]
        return point.site.site, point.sensor.device

    def _follow(self, key: Key) -> None:
        self._followed[[point.index for point in self._register.device(*key)]] = True


def _extended(catch_up: _CatchUp, time: int, peak: float, past: dict[str, float]) -> _Telling:
    worst = max(past.values())
    if catch_up.telling is None:
        catch_up.telling = _Telling(time, time, time, peak, worst, set())
    catch_up.telling.extend(time, peak, worst, past)
    return catch_up.telling


def _fields(telling: _Telling | None) -> tuple[int, int, int, float, float, list[str]] | None:
    return None if telling is None else (telling.first, telling.since, telling.until, telling.peak, telling.worst, sorted(telling.members))


def _edge(site: str, device: str, telling: _Telling) -> Edge:
    return Edge(
        site,
        device,
        Condition.PAST_EXCURSION,
        EdgeKind.GROWN if telling.told else EdgeKind.TRUE,
        telling.since,
        telling.peak,
        telling.peak,
        tuple(sorted(telling.members)),
        late=True,
        returned_at=telling.until,
        first=telling.first,
    )
