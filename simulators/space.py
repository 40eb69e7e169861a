"""A confined space: a pit, a tank being cleaned, a sewer. One well-mixed volume of air, solved exactly within a step.

Oxygen is used up (by rust, rot, people) or displaced by an inert gas; a toxic gas comes out of the sludge; work raises
dust, which the air carries off and which settles. Ventilation brings fresh air of 20.9 %VOL.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final

from simulators.script_units import SpaceSpec
from simulators.unit import Unit

FRESH: Final = 20.9
"""Oxygen in clean air, %VOL."""


class ConfinedSpace(Unit):
    """The air of the space."""

    QUANTITIES: ClassVar[Mapping[str, str]] = {"oxygen": "%VOL", "gas": "ppm", "dust": "mg/m3"}
    KNOBS = frozenset({"ventilation_m3_s", "inert_m3_s", "uptake_m3_s", "gas_m3_s", "dust_mg_s"})

    def __init__(self, spec: SpaceSpec) -> None:
        self._spec = spec
        self.ventilation_m3_s = spec.ventilation_m3_s
        self.inert_m3_s = self.uptake_m3_s = self.gas_m3_s = self.dust_mg_s = 0.0
        self.oxygen = FRESH
        self.gas = self.dust = 0.0

    def step(self, seconds: float) -> None:
        """Let everything come in, mix, and go out."""
        blown = self.ventilation_m3_s + self.inert_m3_s + self.gas_m3_s
        used = 100 * self.uptake_m3_s if self.oxygen > 0 else 0.0
        self.oxygen = max(0.0, self._mixed(self.oxygen, FRESH * self.ventilation_m3_s - used, blown, seconds))
        self.gas = self._mixed(self.gas, 1e6 * self.gas_m3_s, blown, seconds)
        self.dust = self._mixed(self.dust, self.dust_mg_s, blown + self._spec.settling_m_s * self._spec.floor_m2, seconds)

    def _mixed(self, now: float, source: float, out: float, seconds: float) -> float:
        """Concentration after `seconds` with `source` (concentration times m3/s) coming in and `out` m3/s going out."""
        if out <= 0:
            return now + source * seconds / self._spec.volume_m3
        settled = source / out
        return settled + (now - settled) * math.exp(-out * seconds / self._spec.volume_m3)
