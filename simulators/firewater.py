"""A fire-water main: a reservoir, a jockey pump that keeps the pressure, a main pump that starts when it falls.

The pumps have quadratic characteristics, water leaves through openings (hydrants, a broken pipe) as the root of the
pressure. The main finds its balance quickly, so its pressure relaxes with one time constant towards the point where
both agree; the reservoir loses what leaves and gains what is refilled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final

from simulators.script_units import FireWaterSpec
from simulators.unit import Unit

SETTLING: Final = 3.0
"""Time constant of the main's pressure, s."""
HOUR: Final = 3600.0


class FireWater(Unit):
    """Reservoir, pumps and main. Openings are given by what they would pass at the jockey pump's pressure."""

    QUANTITIES: ClassVar[Mapping[str, str]] = {"header": "MPa", "level": "m", "delivery": "m3/h"}
    KNOBS = frozenset({"demand_m3_h", "leak_m3_h", "refill_m3_h", "jockey", "available"})

    def __init__(self, spec: FireWaterSpec) -> None:
        self._spec = spec
        self.demand_m3_h = self.leak_m3_h = self.refill_m3_h = 0.0
        self.jockey = self.available = 1.0
        """1 while the jockey pump runs, and while the main pump can start."""
        self.started = False
        """The main pump runs until the scenario ends, as fire pumps are stopped by hand."""
        self.header = spec.jockey_mpa
        self.volume = spec.area_m2 * spec.level_m
        """Water in the reservoir, m3."""

    @property
    def level(self) -> float:
        """Water above the reservoir's floor, m."""
        return self.volume / self._spec.area_m2

    @property
    def delivery(self) -> float:
        """What leaves the openings, m3/h."""
        return self._out(self.header)

    def _out(self, pressure: float) -> float:
        return (self.demand_m3_h + self.leak_m3_h) * math.sqrt(max(0.0, pressure) / self._spec.jockey_mpa)

    def _in(self, pressure: float) -> float:
        """What the running pumps deliver into the main at `pressure` MPa, m3/h."""
        spec = self._spec
        main = _delivered(pressure, spec.main_mpa, spec.main_m3_h) if self.started else 0.0
        return main + self.jockey * _delivered(pressure, spec.jockey_mpa, spec.jockey_m3_h)

    def step(self, seconds: float) -> None:
        """Start the main pump if it is time, move the pressure, draw on the reservoir."""
        if self.header < self._spec.start_mpa and self.available > 0:
            self.started = True
        if self.available <= 0:
            self.started = False
        target = self._balance() if self.volume > 0 else 0.0
        self.header += (target - self.header) * (1 - math.exp(-seconds / SETTLING))
        drawn = min(self._in(self.header), self.delivery)
        self.volume = max(0.0, self.volume + (self.refill_m3_h - drawn) / HOUR * seconds)

    def _balance(self) -> float:
        """The pressure at which as much comes in as goes out, MPa; with no pump and no opening it stays."""
        if self.jockey <= 0 and not self.started and self._out(1.0) <= 0:
            return self.header
        low, high = 0.0, max(self._spec.jockey_mpa, self._spec.main_mpa)
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if self._in(middle) > self._out(middle) else (low, middle)
        return (low + high) / 2


def _delivered(pressure: float, shutoff: float, rated: float) -> float:
    """m3/h of a pump of `shutoff` MPa that delivers `rated` m3/h at 70 % of it."""
    return rated * math.sqrt(max(0.0, 1 - pressure / shutoff) / 0.3)
