"""What was published and acknowledged, and when: the publisher's own record, which the store is compared with afterwards."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

NORMAL, HIGH = 1.0, 60.0
PARTS = 1_000_000
"""A reading's value is NORMAL or HIGH and its serial number divided by this: no two values are the same, and each names its reading."""


class Ledger:
    """Readings by serial number: the sensor (its place among `names`), the time (ms) and when the PUBACK came (s of the loop's clock; 0: never)."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self.sensor = array("i")
        self.time = array("q")
        self.acknowledged = array("d")
        self.trips: dict[str, int] = {}
        """Of the one reading above the limit, by sensor."""
        self._last = dict.fromkeys(range(len(self.names)), 0)

    def __len__(self) -> int:
        return len(self.sensor)

    def enter(self, sensor: int, now: int, base: float) -> tuple[int, bytes]:
        """The serial number and the payload of a new reading at `now` (ms), or 1 ms after the sensor's last one if that is later."""
        serial = len(self.sensor)
        stamp = self._last[sensor] = max(now, self._last[sensor] + 1)
        self.sensor.append(sensor)
        self.time.append(stamp)
        self.acknowledged.append(0.0)
        if base == HIGH:
            self.trips[self.names[sensor]] = serial
        return serial, f'{{"sensor":"{self.names[sensor]}","value":{base + serial / PARTS!r},"time":{stamp}}}'.encode()
