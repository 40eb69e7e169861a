"""A tank at the pressure of the atmosphere: liquid in, liquid out, and a gas space that breathes through its vent.

Mass balance for the liquid, moles of an ideal gas for the space above it (p V = n R T). Vent and relief valve pass moles
in proportion to the pressure that drives them, a laminar valve, so that a step is solved exactly and nothing rings
whatever its length. A vent that is blocked leaves the relief valve alone with the filling.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final

from alerts.reading import SECOND
from simulators.release import ATMOSPHERE, GAS_CONSTANT, ZERO_CELSIUS
from simulators.script_units import StorageSpec
from simulators.unit import Unit

DAY: Final = 86400.0
HOUR: Final = 3600.0


class StorageTank(Unit):
    """One tank of a farm. `vented` and `relieved` count moles that left through vent and relief valve (less what came in)."""

    QUANTITIES: ClassVar[Mapping[str, str]] = {"level": "%", "pressure": "kPa", "temperature": "degC"}
    KNOBS = frozenset({"inflow_m3_h", "outflow_m3_h", "vent_open", "heating_kw"})

    def __init__(self, spec: StorageSpec) -> None:
        self._spec = spec
        self._warming = spec.warming / SECOND
        self.inflow_m3_h = self.outflow_m3_h = self.heating_kw = 0.0
        self.vent_open = 1.0
        """Share of the vent that is free, 0 to 1."""
        self.liquid = spec.volume_m3 * spec.fill
        """m3."""
        self.spilled = 0.0
        """Liquid that did not fit, m3."""
        self.temperature = spec.temperature_c
        self.moles = ATMOSPHERE * 1e6 * self._space / self._warmth
        self.vented = self.relieved = 0.0
        self._elapsed = 0.0

    @property
    def _space(self) -> float:
        """Volume of the gas, m3; 0.1 % of the tank stays gas, so that a full tank has a pressure too."""
        return max(self._spec.volume_m3 - self.liquid, self._spec.volume_m3 / 1000)

    @property
    def _warmth(self) -> float:
        """R T, J/mol."""
        return GAS_CONSTANT * (self.temperature + ZERO_CELSIUS)

    @property
    def level(self) -> float:
        """% of the volume."""
        return 100 * self.liquid / self._spec.volume_m3

    @property
    def pressure(self) -> float:
        """Gauge pressure of the gas, kPa."""
        return (self.moles * self._warmth / self._space - ATMOSPHERE * 1e6) / 1000

    @property
    def ambient(self) -> float:
        """The mean with its daily swing, degC: coldest at the beginning, warmest 12 h later."""
        return self._spec.ambient_c - self._spec.swing_k * math.cos(2 * math.pi * self._elapsed / DAY)

    def step(self, seconds: float) -> None:
        """Fill, drain, warm, breathe."""
        self._elapsed += seconds
        wanted = self.liquid + (self.inflow_m3_h - self.outflow_m3_h) / HOUR * seconds
        self.liquid = min(self._spec.volume_m3, max(0.0, wanted))
        self.spilled += max(0.0, wanted - self._spec.volume_m3)
        heat = self._spec.density * self._spec.heat_capacity * max(self.liquid, 0.01)
        settled = self.ambient + self.heating_kw * self._warming / heat
        self.temperature += (settled - self.temperature) * (1 - math.exp(-seconds / self._warming))
        self.vented += self._pass(self._spec.vent_mol_s_kpa * self.vent_open, 0.0, seconds)
        if self.pressure > self._spec.relief_kpa:
            self.relieved += self._pass(self._spec.relief_mol_s_kpa, self._spec.relief_kpa, seconds)

    def _pass(self, conductance: float, against: float, seconds: float) -> float:
        """Moles that leave within `seconds` through `conductance` mol/(s kPa) towards `against` kPa gauge; negative when they come in."""
        at_rest = (ATMOSPHERE * 1e6 + against * 1000) * self._space / self._warmth
        rate = conductance * self._warmth / self._space / 1000
        gone = (self.moles - at_rest) * (1 - math.exp(-rate * seconds))
        self.moles -= gone
        return gone
