"""What makes a sensor sick, and how it recovers: the bookkeeping that silence and quality share."""

from __future__ import annotations

from alerts.alarm import Condition
from alerts.detect.batch import Columns, Sick
from alerts.detect.limits import Limits
from alerts.edge import Edge, EdgeKind
from alerts.register import Register

CONDITION = {
    Sick.STALE: Condition.STALE,
    Sick.BAD: Condition.BAD_QUALITY,
    Sick.RANGE: Condition.OUT_OF_RANGE,
    Sick.CURRENT: Condition.CURRENT_FAULT,
}


class Health:
    """Sets and clears a sensor's sick bits and tells the edges. A sensor that turns sick first raises what its on-delays still held back."""

    def __init__(self, register: Register, columns: Columns, limits: Limits) -> None:
        self._register = register
        self._columns = columns
        self._limits = limits

    def is_sick(self, sensor: int, reason: Sick) -> bool:
        """Whether this reason stands."""
        return bool(self._columns.sick[sensor] & reason)

    def lose(self, sensor: int, reason: Sick, at: int, out: list[Edge]) -> None:
        """The sensor has no trustworthy value from `at` (ns) on, for this reason; nothing is told for the reason itself."""
        self._limits.lost(sensor, at, out)
        self._columns.sick[sensor] |= reason

    def sicken(self, sensor: int, reason: Sick, at: int, out: list[Edge], under: str | None = None) -> None:
        """As `lose`, and the condition is told; `under` names the alarm that is its cause."""
        if self.is_sick(sensor, reason):
            return
        self.lose(sensor, reason, at, out)
        out.append(self._edge(sensor, reason, EdgeKind.TRUE, at, under))

    def heal(self, sensor: int, reason: Sick, at: int, out: list[Edge]) -> None:
        """The reason is gone."""
        if not self.is_sick(sensor, reason):
            return
        self._columns.sick[sensor] &= ~int(reason) & 0xFF
        if reason in CONDITION:
            out.append(self._edge(sensor, reason, EdgeKind.FALSE, at, None))

    def own(self, sensor: int, reason: Sick, at: int, out: list[Edge]) -> None:
        """The cause it was listed under is over, and the reason still stands: now it is told as its own."""
        out.append(self._edge(sensor, reason, EdgeKind.TRUE, at, None))

    def _edge(self, sensor: int, reason: Sick, kind: EdgeKind, at: int, under: str | None) -> Edge:
        point = self._register[sensor]
        return Edge(point.site.site, point.sensor.id, CONDITION[reason], kind, at, under=under)
