"""The detection engine: readings in, edges out, deadlines by the clock.

Adding a detector is one file with a `Detector` and one line in `Engine.__init__`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alerts.alarm import LIMIT_CONDITIONS, LIMITS, Alarm, Condition
from alerts.detect.batch import Columns, Detector, Round, Sick, rounds
from alerts.detect.calm import Calm
from alerts.detect.health import CONDITION, Health
from alerts.detect.limits import Limits
from alerts.detect.past import Past
from alerts.detect.sickness import Sickness
from alerts.detect.silence import Silence
from alerts.edge import Edge, Latest
from alerts.reading import NO_TIME, SECOND, Mark, Readings
from alerts.register import Register

Checkpoint = Mapping[str, NDArray[np.generic]]


class Engine:
    """Judges batches of readings of all sites. One thread; `judge` in order of arrival, `advance` with rising `now`.

    The result does not depend on how the stream is cut into batches. It holds no alarm state beyond "this condition
    is true after its delays"; what that means for people is the lifecycle's.
    """

    def __init__(self, register: Register, since: int) -> None:
        """Silence is counted from `since` (ns), the moment of subscription."""
        self.register = register
        self.columns = Columns(register, since)
        self.limits = Limits(register, self.columns)
        health = Health(register, self.columns, self.limits)
        self._sickness = Sickness(self.columns, health)
        self.silence = Silence(register, self.columns, health)
        self.past = Past(register, self.limits)
        self.calm = Calm(self.columns, self.limits, self._sickness)
        self._detectors: tuple[Detector, ...] = (self.silence, self._sickness, self.limits)

    def judge(self, readings: Readings) -> list[Edge]:
        """Take a batch into account and return the edges it causes, in the order in which they came about."""
        out = self.advance(int(readings.arrival[0])) if len(readings) else []
        late = (readings.mark & int(Mark.LATE)) != 0
        if late.any():
            self.silence.spoke(int(readings.arrival[late].max()))
            self.past.judge(readings.take(late), out)
            readings = readings.take(~late)
        if len(readings):
            for part in rounds(readings, self.columns):
                for detector in self._detectors:
                    detector.judge(part, out)
                self._remember(part)
        return out

    def judge_ahead(self, readings: Readings) -> list[Edge]:
        """Judge what a second session brings before the first does. Until `caught_up` it is no news when it comes again, late."""
        self.past.witness(readings)
        return self.judge(readings)

    def caught_up(self) -> None:
        """The first session brings nothing any more that was judged ahead of it."""
        self.past.forget()

    def _remember(self, part: Round) -> None:
        columns = self.columns
        rows = part.usable & (part.time >= columns.time[part.sensor])
        index = part.sensor[rows]
        columns.before_time[index], columns.before_value[index] = columns.time[index], columns.value[index]
        columns.time[index], columns.value[index] = part.time[rows], part.value[rows]

    def advance(self, now: int) -> list[Edge]:
        """Let every deadline up to `now` (ns) pass."""
        out: list[Edge] = []
        for detector in reversed(self._detectors):
            if detector.due() <= now:
                detector.advance(now, out)
        return out

    def due(self) -> int:
        """The earliest moment at which `advance` may have something to do (ns); early at times, never late."""
        return min(detector.due() for detector in self._detectors)

    def latest(self, site: str, sensor: str, now: int) -> Latest:
        """The sensor's present standing. See `alerts.edge.Facts`."""
        point = self.register.find(site, sensor)
        if point is None:
            return Latest()
        columns, row = self.columns, point.index
        time = int(columns.time[row])
        heard = bool(columns.heard[row])
        arrival = int(columns.good_arrival[row])
        good = arrival != NO_TIME and now - arrival <= 3 * int(columns.interval[row]) and int(columns.good_time[row]) == time
        return Latest(
            value=None if time == NO_TIME else float(columns.value[row]),
            time=None if time == NO_TIME else time,
            arrival=int(columns.arrival[row]) if heard else None,
            good=good,
            heard=heard,
            healthy=heard and time != NO_TIME and not columns.sick[row],
            over_range=bool(columns.over_range[row]),
            per_minute=self._per_minute(row),
        )

    def as_stands(self, alarm: Alarm) -> Alarm:
        """An active limit alarm with its sensor's newest value and the worst since it began; any other as it is."""
        point = self.register.find(alarm.site, alarm.source)
        if point is None or alarm.condition not in LIMIT_CONDITIONS or not alarm.state.active or self.columns.time[point.index] == NO_TIME:
            return alarm
        peak = self.limits.worst(point.index, alarm.condition)
        return replace(alarm, value=float(self.columns.value[point.index]), peak=alarm.peak if peak is None else peak)

    def _per_minute(self, row: int) -> float | None:
        columns = self.columns
        span = int(columns.time[row]) - int(columns.before_time[row])
        if columns.before_time[row] == NO_TIME or span <= 0:
            return None
        return float(columns.value[row] - columns.before_value[row]) * 60 * SECOND / span

    def verified(self, site: str, sensor: str, value: float, now: int) -> list[Edge]:
        """A measurement from the spot: see `alerts.edge.Facts`. Edges for an unknown sensor are none."""
        out: list[Edge] = []
        point = self.register.find(site, sensor)
        if point is not None:
            self.columns.over_range[point.index] = False
            self.limits.verified(point.index, value, now, out)
        return out

    def clear_over_range(self, site: str, sensor: str) -> None:
        """A person has measured with an independent instrument: readings count again."""
        point = self.register.find(site, sensor)
        if point is not None:
            self.columns.over_range[point.index] = False

    def answered(self, site: str, device: str, now: int) -> None:
        """A person has answered for a past excursion: see `alerts.edge.Facts`."""
        self.past.answered(site, device, now)

    def checkpoint(self) -> dict[str, NDArray[np.generic]]:
        """Copies of every array a restart needs, by name; first axis the sensors in register order. `past.memory` is the rest of it."""
        arrays = self.columns.state()
        for detector in self._detectors:
            arrays |= detector.state()
        return {name: array.copy() for name, array in arrays.items()}

    def restore(self, saved: Checkpoint, rows: NDArray[np.intp]) -> None:
        """Take up a checkpoint: row k of this register was row `rows[k]` when it was written, or -1 if it is new.

        Arrays of another shape than today's are left out: they are from another version's detector.
        """
        known = rows >= 0
        arrays = self.columns.state()
        for detector in self._detectors:
            arrays |= detector.state()
        for name, array in arrays.items():
            old = saved.get(name)
            if old is not None and old.shape[1:] == array.shape[1:]:
                array[known] = old[rows[known]]
        self.rearm()

    def subscribed(self, now: int) -> None:
        """Silence is counted from `now` (ns) on, whatever was heard before."""
        self.columns.arrival[:] = now
        self.columns.heard[:] = False
        self.rearm()

    def rearm(self) -> None:
        """Find every deadline anew."""
        self.limits.rearm()
        self._sickness.rearm()
        self.silence.rearm()

    def adopt(self, alarms: Iterable[Alarm]) -> None:
        """Make detection agree with the journal, once frames have been judged again.

        What is active there and unknown here (no checkpoint, a changed file) is held. What is active here and over
        there was ended by a person's measurement, which no frame holds: it is let go, so that the next excursion raises.
        """
        sick = {condition: bit for bit, condition in CONDITION.items()}
        held, beyond = np.zeros_like(self.limits.active), np.zeros_like(self.columns.over_range)
        for alarm in alarms:
            if not alarm.state.active:
                continue
            point = self.register.find(alarm.site, alarm.source)
            if point is not None and alarm.value_lost:
                self.columns.sick[point.index] |= Sick.OFFLINE  # whatever took its value, it has one when it speaks
            if point is not None and alarm.condition in LIMIT_CONDITIONS:
                self.limits.adopt(point.index, alarm.condition, alarm.changed_at)
                held[point.index, LIMITS.index(alarm.condition)] = True
                beyond[point.index] |= alarm.over_range
            elif point is not None and alarm.condition in sick:
                self.columns.sick[point.index] |= int(sick[alarm.condition])
            elif alarm.condition is Condition.OFFLINE:
                self.silence.adopt(alarm.site, alarm.source)
        self.limits.let_go(~held)
        flagged = np.isfinite(self.limits.limit[:, 2:]).any(axis=1)
        self.columns.over_range[flagged] = beyond[flagged]
        self.rearm()
