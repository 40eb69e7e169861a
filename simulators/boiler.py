"""A steam boiler: heat into saturated water, steam out, feed water in, and a safety valve.

Energy and mass balance of the water; the little steam above it is neglected. Vapor pressure: W. Wagner and A. Pruss, J.
Phys. Chem. Ref. Data 22, 1993 (IAPWS SR1-86), good from the triple to the critical point. Latent heat by K. Watson's
rule from 2257 kJ/kg at 100 degC.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final

from simulators.release import ATMOSPHERE, ZERO_CELSIUS
from simulators.script_units import BoilerSpec
from simulators.unit import Unit

CRITICAL_K: Final = 647.096
CRITICAL_MPA: Final = 22.064
COEFFICIENTS: Final = ((-7.85951783, 1.0), (1.84408259, 1.5), (-11.7866497, 3.0), (22.6807411, 3.5), (-15.9618719, 4.0), (1.80122502, 7.5))
WATER: Final = 4.4
"""Heat capacity of water between 100 and 200 degC, kJ/(kg K)."""
HOUR: Final = 3600.0


def steam_pressure(celsius: float) -> float:
    """Saturated pressure of water, MPa absolute, at `celsius` degC below the critical point."""
    kelvin = celsius + ZERO_CELSIUS
    rest = 1 - kelvin / CRITICAL_K
    return CRITICAL_MPA * math.exp(CRITICAL_K / kelvin * sum(a * rest**power for a, power in COEFFICIENTS))


def latent_heat(celsius: float) -> float:
    """kJ/kg to boil water at `celsius` degC."""
    return float(2257.0 * ((CRITICAL_K - celsius - ZERO_CELSIUS) / (CRITICAL_K - 373.15)) ** 0.38)


class Boiler(Unit):
    """The drum. `steamed` and `fed` count water that left as steam and came in, kg."""

    QUANTITIES: ClassVar[Mapping[str, str]] = {"pressure": "MPa", "level": "%", "temperature": "degC"}
    KNOBS = frozenset({"firing_kw", "steam_kg_h", "feed_kg_h"})

    def __init__(self, spec: BoilerSpec) -> None:
        self._spec = spec
        self.temperature = spec.temperature_c
        self.mass = spec.water_kg * spec.fill
        self.firing_kw = self.steam_kg_h = self.feed_kg_h = 0.0
        self.steamed = self.fed = 0.0

    @property
    def pressure(self) -> float:
        """Gauge, MPa."""
        return steam_pressure(self.temperature) - ATMOSPHERE

    @property
    def level(self) -> float:
        """% of the drum's water."""
        return 100 * self.mass / self._spec.water_kg

    @property
    def relief(self) -> float:
        """Steam through the safety valve, kg/h: wide open 3 % above its set pressure."""
        lift = (self.pressure - self._spec.relief_mpa) / (0.03 * self._spec.relief_mpa)
        return self._spec.relief_kg_h * min(1.0, max(0.0, lift))

    def step(self, seconds: float) -> None:
        """Fire, boil, feed. An empty drum neither makes steam nor warms."""
        steam = min((self.steam_kg_h + self.relief) / HOUR * seconds, self.mass)
        feed = self.feed_kg_h / HOUR * seconds
        heat = self.firing_kw * seconds - steam * latent_heat(self.temperature) - feed * WATER * (self.temperature - self._spec.feed_c)
        self.mass += feed - steam
        self.steamed, self.fed = self.steamed + steam, self.fed + feed
        if self.mass > 0:
            self.temperature += heat / (self.mass * WATER)
