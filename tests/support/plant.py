"""A detection engine fed in virtual time."""

from __future__ import annotations

from typing import Any

from support.sites import T0, raw, register

from alerts.admit import Admission, Way
from alerts.detect.engine import Engine
from alerts.edge import Edge
from alerts.reading import SECOND, RawReading, Readings


class Plant:
    """An engine fed in virtual time: `at(t, value, …)` and `clock(t)` return edges as short text."""

    def __init__(self, *sensors: dict[str, Any]) -> None:
        self.register = register(*sensors)
        self.engine = Engine(self.register, T0)
        self.admission = Admission(self.register)

    def batch(self, *readings: RawReading, arrival: float | None = None) -> Readings:
        """Admitted columns of these readings, arriving each at its stamp or all at `arrival` seconds."""
        for reading in readings:
            point = self.register.find("north", reading.sensor)
            assert point is not None
            moment = (reading.time or T0) if arrival is None else T0 + round(arrival * SECOND)
            self.admission.admit(("north", point.sensor.device), [reading], moment, Way.LIVE)
        batch = self.admission.batch.take()
        assert batch is not None
        return batch

    def at(self, time: float, value: float, identity: str = "GT-1", **changes: Any) -> list[str]:
        """One reading, judged, and the clock moved to its arrival."""
        readings = self.batch(raw(identity, value, time, **changes), arrival=changes.get("arrival"))
        return told(self.engine.judge(readings) + self.engine.advance(int(readings.arrival[-1])))

    def clock(self, time: float) -> list[str]:
        """Only the clock moves."""
        return told(self.engine.advance(T0 + round(time * SECOND)))

    def series(self, values: list[float], start: float = 1.0, step: float = 1.0) -> list[str]:
        """Readings of GT-1, one every `step` seconds."""
        return [text for n, value in enumerate(values) for text in self.at(start + n * step, value)]


def told(edges: list[Edge]) -> list[str]:
    """Edges as `source.condition kind seconds`."""
    return [f"{e.source}.{e.condition} {e.kind} {(e.at - T0) / SECOND:g}" for e in edges]
