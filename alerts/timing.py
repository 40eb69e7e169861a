"""When a reading happened: live, late, or from a device whose clock is wrong (semantics 2.3).

Time decides where a reading is stored, never whether it counts. Out of the live window only the device's pace can
tell a catch-up (stamps run faster than arrivals) from a wrong clock (both keep step).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from alerts.reading import NO_TIME
from alerts.register import Point


class Placing(StrEnum):
    """Where a reading belongs."""

    LIVE = "live"
    LATE = "late"
    WRONG_CLOCK = "wrong_clock"
    """Live, but at its arrival: the stamp cannot be believed."""


@dataclass(slots=True)
class Pace:
    """What is known of one device's clock.

    inside: arrival of its newest reading within the live window. outside: per sensor (and under None for the device)
    stamp and arrival of the newest one outside of it, and what was made of it. skew: stamp minus arrival (ns) while its
    clock is wrong.
    """

    inside: int = NO_TIME
    outside: dict[int | None, tuple[int, int, Placing]] = field(default_factory=dict)
    skew: int | None = None


class Timekeeper:
    """Places readings in time, sensor by sensor and device by device, in order of arrival."""

    def __init__(self, sensors: int) -> None:
        self.newest: list[int] = [NO_TIME] * sensors
        self.paces: dict[tuple[str, str], Pace] = {}

    def place(self, point: Point, stamp: int, newest_stamp: int, arrival: int) -> Placing:
        """Judge one stamped reading; `newest_stamp` is the newest stamp of this sensor in the same message.

        A reading behind what was already judged is late, unless its device has sent nothing but stamps outside the
        window since: then its clock was set back, and the pace decides (else a clock set back 8 h would be deaf for
        8 h).
        """
        timing = point.site.timing
        pace = self._pace(point)
        behind = stamp < self.newest[point.index] - timing.reorder
        if abs(arrival - stamp) <= max(timing.live_window, 3 * point.sensor.interval):
            pace.inside = arrival
            if behind:
                return Placing.LATE
            pace.skew = None
            return Placing.LIVE
        before = pace.outside.get(point.index) or pace.outside.get(None)
        if before is None:
            placing = Placing.LATE if behind else Placing.WRONG_CLOCK
        elif before[:2] == (newest_stamp, arrival):
            placing = before[2]  # of the same message: a run has one pace
        elif (behind and pace.inside > before[1]) or (newest_stamp != before[0] and abs(newest_stamp - before[0]) > 2 * (arrival - before[1])):
            placing = Placing.LATE
        else:
            placing, pace.skew = Placing.WRONG_CLOCK, newest_stamp - arrival
        pace.outside[point.index] = pace.outside[None] = (newest_stamp, arrival, placing)
        return placing

    def judged(self, point: Point, time: int) -> None:
        """A live reading was judged at `time`."""
        self.newest[point.index] = max(self.newest[point.index], time)

    def kept_step(self, point: Point, time: int, arrival: int) -> None:
        """Live readings up to `time`, the last of which came at `arrival`, were inside the live window and in order."""
        self.judged(point, time)
        pace = self._pace(point)
        pace.inside = max(pace.inside, arrival)

    def skew(self, point: Point) -> int | None:
        """How far the device's clock is off (ns, positive is ahead), or None while it is believed."""
        return self._pace(point).skew

    def _pace(self, point: Point) -> Pace:
        key = (point.site.site, point.sensor.device)
        found = self.paces.get(key)
        if found is None:
            found = self.paces[key] = Pace()
        return found
