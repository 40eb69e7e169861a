"""Admission asks whether a reading is readable, known, its own device's, and new; never whether it is in range or in time.

What passes goes into the columns of the batch; what does not is named with its reason. A value outside the range is
never turned away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from alerts.alarm import Alarm, Condition, Quarantine
from alerts.clocks import Clocks
from alerts.current import measure, sent_in
from alerts.edge import Edge
from alerts.overtake import Overtaking
from alerts.reading import COLUMNS, DTYPES, NO_SEQ, NO_TIME, Mark, RawReading, Readings
from alerts.register import Point, Register
from alerts.repeats import Memory, Repeats
from alerts.timing import Placing
from alerts.unitless import Unitless
from alerts.units import conversion


@dataclass(slots=True)
class Counts:
    """What admission saw since it was last asked, each counted where it happens. ignored: elements of devices' own messages that are none of ours."""

    received: int = 0
    duplicate: int = 0
    conflict: int = 0
    unidentified: int = 0
    ignored: int = 0


class Way(Enum):
    """How a message came. BACKLOG: it waited at the broker while a second session brought newer ones; RETAINED: nobody knows how long it lay there."""

    LIVE = auto()
    RETAINED = auto()
    BACKLOG = auto()


@dataclass(frozen=True, slots=True)
class Rejection:
    """A reading that is not recorded, why, and in words what was expected."""

    reason: Quarantine
    detail: str


class Batch:
    """Admitted readings on their way into columns; emptied by `take`."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, float, int, int, int, float, int, int]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: tuple[int, int, float, int, int, int, float, int, int]) -> None:
        """One reading, its fields in the order of `alerts.reading.COLUMNS`."""
        self._rows.append(row)

    def take(self) -> Readings | None:
        """Everything since the last call as columns, or None."""
        if not self._rows:
            return None
        columns = zip(*self._rows, strict=True)
        self._rows = []
        return Readings(*(np.array(values, DTYPES[name]) for name, values in zip(COLUMNS, columns, strict=True)))


class Admission:
    """Decides over single readings, in order of arrival. Holds what recognizes repeats and wrong clocks."""

    def __init__(self, register: Register, ahead_of: Admission | None = None) -> None:
        """`ahead_of`: admission of a session that brings the same messages, later. From now on that one heeds what this one has let pass."""
        self._points = {name: {p.sensor.id: p for p in register if p.site is site} for name, site in register.sites.items()}
        self._repeats = Repeats(register)
        self._last_time = [NO_TIME] * len(register)
        self._ahead: Overtaking | None = None
        self.clocks: Clocks = Clocks(len(register)) if ahead_of is None else ahead_of.clocks
        self._timekeeper = self.clocks.timekeeper
        self.units: Unitless = Unitless(register) if ahead_of is None else ahead_of.units
        self.overtaking: Overtaking | None = None
        """What a second session has brought, as long as one does."""
        if ahead_of is not None:
            self._ahead = ahead_of.overtaking = Overtaking(self._repeats)
        self.batch = Batch()
        self.counts = Counts()

    @property
    def edges(self) -> list[Edge]:
        """Clocks found wrong or right again; emptied by whoever takes them on."""
        return self.clocks.edges

    def admit(self, origin: tuple[str, str], readings: Sequence[RawReading], arrival: int, way: Way) -> list[tuple[Rejection, RawReading]]:
        """Judge the readings of one message of device `origin` (site, device); return what was turned away.

        What passed is in `batch`, counts in `counts`; a clock or a unit found wrong, or right again, is in `edges`.
        """
        rejected: list[tuple[Rejection, RawReading]] = []
        newest: dict[str, int] = {}
        for reading in readings if len(readings) > 1 else ():
            if reading.time is not None:
                newest[reading.sensor] = max(reading.time, newest.get(reading.sensor, NO_TIME))
        points = self._points[origin[0]]
        self._repeats.make_room(Counter(points[reading.sensor].index for reading in readings if reading.sensor in points) if len(readings) > 1 else {})
        for reading in readings:
            self.counts.received += 1
            point = points.get(reading.sensor)
            refused = self._refused(point, reading, origin)
            if refused is not None:
                rejected.append((refused, reading))
            elif point is not None and reading.time is None:
                self._unstamped(point, reading, arrival, way)
            elif point is not None:
                self._stamped(point, reading, (arrival, newest.get(reading.sensor, reading.time or 0)), way)
        return rejected

    def believes(self, device: tuple[str, str]) -> bool:
        """Whether the clock and the units of this (site, device) are taken to be right."""
        return self.clocks.believed(device) and not self.units.doubts(device)

    def must_say_unit(self, sensor: int) -> bool:
        """Whether a reading of this sensor (by index) without a unit is in doubt."""
        return self.units.must_say(sensor)

    def rising(self, point: Point, stamps: list[int], values: list[float], arrival: int) -> None:
        """Know of live readings of one sensor that `admit` would let pass as they are, the last of which came at `arrival`.

        They are in the sensor's own unit, their stamps rise, are newer than any before and inside the live window, and
        their device is believed. They do not go into `batch`: whoever calls this has them in columns.
        """
        self.counts.received += len(stamps)
        self._repeats.rising(point.index, stamps, values)
        self._last_time[point.index] = stamps[-1]
        self._timekeeper.kept_step(point, stamps[-1], arrival)

    def _refused(self, point: Point | None, reading: RawReading, origin: tuple[str, str]) -> Rejection | None:
        if point is None:
            return Rejection(Quarantine.UNKNOWN_SENSOR, f"no sensor {reading.sensor} is configured for site {origin[0]}")
        if point.sensor.device != origin[1]:
            return Rejection(Quarantine.WRONG_DEVICE, f"{reading.sensor} belongs to device {point.sensor.device}, not {origin[1]}")
        if not self._convert(point, reading):
            return Rejection(Quarantine.WRONG_QUANTITY, f"{reading.sensor} is read in {sent_in(point.sensor)}; {reading.unit} is another quantity")
        return None

    def _convert(self, point: Point, reading: RawReading) -> bool:
        """Bring the value into the sensor's unit. False if it measures something else."""
        sensor = point.sensor
        wanted = sent_in(sensor)
        if reading.unit is not None and reading.unit != wanted:
            found = conversion(reading.unit, wanted, sensor.substance) if wanted else None
            if found is None:
                return False
            reading.value = reading.value * found[0] + found[1]
        if sensor.signal.kind == "current":
            reading.raw = reading.value
            reading.value, quality = measure(sensor, reading.raw)
            reading.quality = reading.quality if quality is None else quality
        if self.units.watching:
            self.units.judge(point, reading)
        return True

    def _is_late(self, point: Point, reading: RawReading, way: Way) -> bool:
        """Whether it is past whatever its stamp says: known to be old, or judged already when another session brought it, or newer ones."""
        overtaken = False
        if self.overtaking is not None and way is not Way.RETAINED:
            overtaken = self.overtaking.has_heard(point.index) if way is Way.BACKLOG else self.overtaking.knows(point.index, reading)
        return overtaken or way is Way.RETAINED or reading.historical

    def _unstamped(self, point: Point, reading: RawReading, arrival: int, way: Way) -> None:
        if reading.seq == NO_SEQ:
            self.counts.unidentified += 1
        elif self._repeats.counted(point.index, reading.seq, reading.value):
            self.counts.duplicate += 1
            return
        mark = Mark.UNTIMED | (Mark.LATE if self._is_late(point, reading, way) else Mark.NONE)
        self._accept(point, reading, (arrival, arrival, NO_TIME), mark)

    def _stamped(self, point: Point, reading: RawReading, moment: tuple[int, int], way: Way) -> None:
        arrival, newest = moment
        stamp = int(reading.time or 0)
        known = self._repeats.stamped(point.index, stamp, reading.value)
        if known is None:
            self.counts.duplicate += 1
            return
        if known:
            self.counts.conflict += 1
        mark = Mark.CONFLICT if known else Mark.NONE
        if self._is_late(point, reading, way):
            told = reading.historical or way is Way.RETAINED or self.clocks.believed((point.site.site, point.sensor.device))
            self._accept(point, reading, (stamp + len(known), arrival, NO_TIME) if told else (arrival, arrival, stamp), mark | Mark.LATE)
        elif len(known) > 1:
            self._accept(point, reading, (arrival, arrival, stamp), Mark.NONE)
            self.clocks.judged(point, stamp - arrival, frozen=True)
        else:
            self._place(point, reading, (stamp + len(known), newest, arrival), mark)

    def _place(self, point: Point, reading: RawReading, moment: tuple[int, int, int], mark: Mark) -> None:
        stamp, newest, arrival = moment
        placing = self._timekeeper.place(point, stamp, newest, arrival)
        if placing is Placing.WRONG_CLOCK:
            # a message whose stamps lie farther apart than all time since 1970 must not leave int64
            self._accept(point, reading, (arrival - min(max(newest - stamp, 0), arrival), arrival, stamp), mark)
        else:
            self._accept(point, reading, (stamp, arrival, NO_TIME), mark | (Mark.LATE if placing is Placing.LATE else Mark.NONE))
        if placing is not Placing.LATE:
            self.clocks.judged(point, self._timekeeper.skew(point), frozen=False)

    def _accept(self, point: Point, reading: RawReading, times: tuple[int, int, int], mark: Mark) -> None:
        time, arrival, device_time = times
        index = point.index
        if time == self._last_time[index]:
            time += 1
        self._last_time[index] = time
        if not mark & Mark.LATE:
            self._timekeeper.judged(point, time)
            if self.units.watching and (edge := self.units.live(point, reading.unit, time)) is not None:
                self.edges.append(edge)
            if self._ahead is not None:
                self._ahead.heard(index)
        if reading.seq != NO_SEQ:
            self._repeats.gap(index, reading.seq)
        self.batch.add((index, time, reading.value, int(reading.quality), arrival, device_time, reading.raw, reading.seq, int(mark)))

    def remember(self, readings: Readings) -> None:
        """Readings from before a restart: recognize their repeats, know how far each sensor was."""
        self._repeats.remember(readings)
        newest = self._timekeeper.newest
        live = (readings.mark & int(Mark.LATE)) == 0
        for index, time in zip(readings.sensor[live].tolist(), readings.time[live].tolist(), strict=True):
            newest[index] = max(newest[index], time)

    def adopt(self, alarms: Iterable[Alarm]) -> None:
        """The journal says that these devices' clocks or units are wrong: it ends when they are seen to be right."""
        standing = list(alarms)
        self.clocks.adopt(standing)
        for alarm in standing:
            if alarm.condition is Condition.SUSPECT_DATA and alarm.state.active:
                self.units.adopt((alarm.site, alarm.source))

    def missing(self) -> dict[tuple[str, str], int]:
        """How many readings of each (site, device) gaps in its `seq` say were lost before they reached us, since start."""
        return self._repeats.missing()

    def memory(self) -> Memory:
        """Everything held against repeats, for a checkpoint."""
        return self._repeats.memory()

    def recall(self, memory: Iterable[tuple[int, int, int, float]]) -> None:
        """Take up what `memory` gave."""
        self._repeats.recall(memory)
