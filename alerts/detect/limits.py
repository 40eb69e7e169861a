"""Limits: low-low, low, high, high-high with deadband, on-delay, off-delay and over-range.

Per limit a hysteresis comparator, timers after it (semantics 3.1, 3.2). With value x and limit L, deadband d, in the
sensor's unit: the high side turns true at x >= L and false at x < L - d; the low side mirrors it (true at x <= L,
false at x > L + d). In between it holds. On-delay: true without a break, ended by the clock. Off-delay: false
without a break, ended only on a fresh good reading; more than 3 intervals between good readings begin it anew.

The low side is judged as the high side of the negated value, so one set of arrays, shape (S, 4) in the order of
`alerts.alarm.LIMITS`, serves all four. Numbers come from the sensor (profile or site file).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerts.alarm import LIMITS, Condition
from alerts.detect.batch import NEVER, Columns, Mask, Round
from alerts.edge import Edge, EdgeKind
from alerts.reading import NO_TIME, Floats, Indices, Ints
from alerts.register import Register

SIGN: Floats = np.array([-1.0, -1.0, 1.0, 1.0])
_TELL_ORDER = (1, 0, 2, 3)
"""The milder limit of a side is told first, so that the worse one arrives as the worse one."""
_UPPER = np.array([False, False, True, True])


class Limits:
    """The detector of the four limits. See the module's text for its rules."""

    def __init__(self, register: Register, columns: Columns) -> None:
        self._register = register
        self._columns = columns
        sensors = [point.sensor for point in register]
        limits = np.array([[getattr(s.limits, c) for c in LIMITS] for s in sensors], np.float64).reshape(len(sensors), 4)
        self.limit: Floats = limits * SIGN
        self.clear: Floats = self.limit - np.array([s.deadband for s in sensors], np.float64)[:, None]
        self.on_delay: Ints = np.array([s.on_delay for s in sensors], np.int64)[:, None]
        self.off_delay: Ints = np.array([s.off_delay for s in sensors], np.int64)[:, None]
        shape = limits.shape
        self.true: Mask = np.zeros(shape, np.bool_)
        self.active: Mask = np.zeros(shape, np.bool_)
        self.since: Ints = np.full(shape, NO_TIME, np.int64)
        self.since_arrival: Ints = np.full(shape, NO_TIME, np.int64)
        self.decided: Ints = np.full(shape, NO_TIME, np.int64)
        self.opposite: Ints = np.full(shape, NO_TIME, np.int64)
        self.peak: Floats = np.full(shape, -np.inf)
        self._due = NEVER

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Comparators, timers and what is active."""
        names = ("true", "active", "since", "since_arrival", "decided", "opposite", "peak")
        return {f"limits.{name}": getattr(self, name) for name in names}

    def due(self) -> int:
        """When the next on-delay may end."""
        return self._due

    def rearm(self) -> None:
        """Find the next deadline anew, after a restore."""
        waiting = self.true & ~self.active
        self._due = int((self.since_arrival + self.on_delay)[waiting].min()) if waiting.any() else NEVER

    def judge(self, part: Round, out: list[Edge]) -> None:
        """Compare, start and end timers, and say what was raised or returned."""
        columns = self._columns
        # a reading without a value ends nothing and begins every off-delay anew (semantics 3.2)
        columns.good_time[part.sensor[~part.usable]] = NO_TIME
        above_floor = part.value >= columns.floor[part.sensor]
        rows = np.flatnonzero(part.usable & above_floor)
        if not len(rows):
            return
        index, time = part.sensor[rows], part.time[rows]
        reach = part.value[rows][:, None] * SIGN
        is_true = reach >= self.limit[index]
        gone = self._gone_over(index, part.value[rows])
        free = part.good[rows] & ~columns.over_range[index]
        is_false = ~(reach >= self.clear[index]) & free[:, None]  # not `<`: what a limit raised must end when a changed file took it out
        true, active = self.true[index], self.active[index]
        when = time[:, None]
        in_order = bool((time >= columns.good_time[index]).all())
        if in_order and not active.any() and not is_true.any() and not true.any():
            self._settle(index, when, is_false)
        else:
            self._decide(part, rows, (reach, is_true, is_false), out)
        if len(gone):
            self._over_range(index[gone], time[gone], part.value[rows][gone], out)
        fresh = part.good[rows] & (time > columns.good_time[index])
        columns.good_time[index[fresh]] = time[fresh]
        columns.good_arrival[index[part.good[rows]]] = part.arrival[rows][part.good[rows]]

    def _settle(self, index: Indices, when: Ints, is_false: Mask) -> None:
        decided = self.decided[index]
        self.decided[index] = np.where(is_false, np.maximum(decided, when), decided)

    def _decide(self, part: Round, rows: NDArray[np.intp], seen: tuple[Floats, Mask, Mask], out: list[Edge]) -> None:
        reach, is_true, is_false = seen
        index, when, arrival = part.sensor[rows], part.time[rows][:, None], part.arrival[rows][:, None]
        self._end_on_delays(index, when, out)
        true, decided, since = self.true[index], self.decided[index], self.since[index]
        newer = when >= decided
        rise, fall = is_true & ~true & newer, is_false & true & newer
        turn = rise | fall
        pulse = is_true & ~true & ~newer
        earlier = is_true & true & (when < since) & (when > self.opposite[index])
        self.opposite[index] = np.where(turn, decided, self.opposite[index])
        since = np.where(turn | earlier, when, np.where(pulse, np.maximum(since, decided), since))
        self.since[index] = since
        self.since_arrival[index] = np.where(rise, arrival, self.since_arrival[index])
        self.true[index] = (true | rise) & ~fall
        self.decided[index] = np.where(is_true | is_false, np.maximum(decided, when), decided)
        peak = np.maximum(self.peak[index], reach)
        running = self.active[index] | (self.true[index] & ~rise)
        self.peak[index] = np.where(running, peak, np.where(rise | pulse, reach, self.peak[index]))
        now_raised = (rise | pulse) & ~self.active[index] & (self.on_delay[index] == 0)
        if now_raised.any():
            self._raise(index, now_raised, np.broadcast_to(when, now_raised.shape), reach, out)
        self._schedule(index)
        self._end_on_delays(index, when, out)
        self._return(part, rows, reach, out)

    def _end_on_delays(self, index: Indices, when: Ints, out: list[Edge]) -> None:
        """On-delays that were over at or before each row's own time."""
        ends = self.since[index] + self.on_delay[index]
        over = self.true[index] & ~self.active[index] & (ends <= when)
        if over.any():
            self._raise(index, over, ends, self.peak[index], out)

    def _schedule(self, index: Indices) -> None:
        waiting = self.true[index] & ~self.active[index]
        if waiting.any():
            self._due = min(self._due, int((self.since_arrival[index] + self.on_delay[index])[waiting].min()))

    def _raise(self, index: Indices, which: Mask, at: Ints, reach: Floats, out: list[Edge]) -> None:
        self.active[index] |= which
        for row in np.flatnonzero(which.any(axis=1)):
            for column in _TELL_ORDER:
                if which[row, column]:
                    value = float(reach[row, column] * SIGN[column])
                    self._edge((int(index[row]), column), EdgeKind.TRUE, int(at[row, column]), value, out)

    def _return(self, part: Round, rows: NDArray[np.intp], reach: Floats, out: list[Edge]) -> None:
        columns = self._columns
        index, when = part.sensor[rows], part.time[rows][:, None]
        good = (part.good[rows] & ~columns.over_range[index] & (part.time[rows] >= columns.good_time[index]))[:, None]
        waiting = self.active[index] & ~self.true[index] & good
        if not waiting.any():
            return
        last = columns.good_time[index]
        gap = (last == NO_TIME) | (part.time[rows] - np.where(last == NO_TIME, part.time[rows], last) > 3 * columns.interval[index])
        broken = waiting & gap[:, None]
        self.since[index] = np.where(broken, np.maximum(self.since[index], when), self.since[index])
        over = waiting & (when - self.since[index] >= self.off_delay[index])
        self.active[index] &= ~over
        for row in np.flatnonzero(over.any(axis=1)):
            for column in reversed(_TELL_ORDER):
                if over[row, column]:
                    self._edge((int(index[row]), column), EdgeKind.FALSE, int(part.time[rows][row]), float(reach[row, column] * SIGN[column]), out)

    def _gone_over(self, index: Indices, value: Floats) -> NDArray[np.intp]:
        """Rows of gas at or above the top of the range: it may be anything above it (a pellistor even reads low)."""
        columns = self._columns
        gone = np.flatnonzero(columns.gas[index] & (value >= columns.top[index]) & ~columns.over_range[index])
        columns.over_range[index[gone]] = True
        return gone

    def _over_range(self, index: Indices, time: Ints, value: Floats, out: list[Edge]) -> None:
        """Over-range waits for no on-delay; from here on it holds until somebody has measured."""
        waiting = self.true[index] & ~self.active[index] & _UPPER
        if waiting.any():
            self._raise(index, waiting, np.broadcast_to(time[:, None], waiting.shape), self.peak[index], out)
        for row, sensor in enumerate(index.tolist()):
            column = 3 if np.isfinite(self.limit[sensor, 3]) else 2
            if np.isfinite(self.limit[sensor, column]):
                self._edge((sensor, column), EdgeKind.OVER_RANGE, int(time[row]), float(value[row]), out)

    def advance(self, now: int, out: list[Edge]) -> None:
        """Raise what was true for its on-delay, though no reading came."""
        if now < self._due:
            return
        waiting = self.true & ~self.active
        over = waiting & (self.since_arrival + self.on_delay <= now)
        index = np.flatnonzero(over.any(axis=1)).astype(np.int32)
        if len(index):
            self._raise(index, over[index], (self.since + self.on_delay)[index], self.peak[index], out)
        self.rearm()

    def lost(self, sensor: int, at: int, out: list[Edge]) -> None:
        """The sensor turned sick: what was on its way is raised now, and every off-delay begins anew."""
        waiting = self.true[sensor] & ~self.active[sensor]
        if waiting.any():
            index = np.array([sensor], np.int32)
            self._raise(index, waiting[None, :], np.full((1, 4), at, np.int64), self.peak[index], out)
        self._columns.good_time[sensor] = NO_TIME

    def verified(self, sensor: int, value: float, at: int, out: list[Edge]) -> None:
        """A measurement from the spot stands for the missing good reading: what is false at `value` ends now."""
        reach = value * SIGN
        for column in reversed(_TELL_ORDER):
            if self.active[sensor, column] and reach[column] < self.clear[sensor, column]:
                self.true[sensor, column] = self.active[sensor, column] = False
                self.since[sensor, column] = self.decided[sensor, column] = at
                self._edge((sensor, column), EdgeKind.FALSE, at, value, out)

    def worst(self, sensor: int, condition: Condition) -> float | None:
        """The peak of a limit that is active, in the sensor's unit."""
        column = LIMITS.index(condition)
        peak = float(self.peak[sensor, column] * SIGN[column])
        return peak if self.active[sensor, column] and np.isfinite(peak) else None

    def adopt(self, sensor: int, condition: Condition, at: int) -> None:
        """The journal says this limit is active: hold it so until a reading ends it through its off-delay."""
        column = LIMITS.index(condition)
        if not self.active[sensor, column]:
            self.active[sensor, column] = self.true[sensor, column] = True
            self.since[sensor, column] = at

    def let_go(self, which: Mask) -> None:
        """The journal says that these (shape (S, 4)) are over: whatever is at or past its limit next is a new alarm."""
        over = self.active & which
        self.active[over] = self.true[over] = False

    def _edge(self, cell: tuple[int, int], kind: EdgeKind, at: int, value: float, out: list[Edge]) -> None:
        sensor, column = cell
        point = self._register[sensor]
        peak = float(self.peak[sensor, column] * SIGN[column])
        out.append(Edge(point.site.site, point.sensor.id, LIMITS[column], kind, at, value, peak if np.isfinite(peak) else value))
