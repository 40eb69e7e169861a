"""What is known of the clocks of devices, and saying when one is found wrong or right again (semantics 2.3)."""

from __future__ import annotations

from collections.abc import Iterable

from alerts.alarm import Alarm, Condition
from alerts.edge import Edge, EdgeKind
from alerts.reading import SECOND
from alerts.register import Point
from alerts.timing import Timekeeper


class Clocks:
    """The clocks of all devices, shared by everything that admits their readings. A clock found wrong or right again is in `edges`."""

    def __init__(self, sensors: int) -> None:
        self.timekeeper = Timekeeper(sensors)
        self._skewed: set[tuple[str, str]] = set()
        self.edges: list[Edge] = []

    def believed(self, device: tuple[str, str]) -> bool:
        """Whether the clock of this (site, device) is taken to be right."""
        return device not in self._skewed

    def judged(self, point: Point, skew: int | None, *, frozen: bool) -> None:
        """A live reading was stamped `skew` ns ahead of its arrival; None for a clock that is right. frozen: its stamps do not advance."""
        key = (point.site.site, point.sensor.device)
        if (skew is None) == (key not in self._skewed) and not frozen:
            return
        if skew is None:
            self._skewed.discard(key)
        elif key in self._skewed:
            return
        else:
            self._skewed.add(key)
        kind = EdgeKind.FALSE if skew is None else EdgeKind.TRUE
        at = self.timekeeper.newest[point.index]
        seconds = None if skew is None or frozen else skew / SECOND
        self.edges.append(Edge(*key, Condition.CLOCK_SKEW, kind, at, seconds))

    def adopt(self, alarms: Iterable[Alarm]) -> None:
        """The journal says that these devices' clocks are wrong: it ends when they are seen to be right."""
        self._skewed.update((alarm.site, alarm.source) for alarm in alarms if alarm.condition is Condition.CLOCK_SKEW and alarm.state.active)
