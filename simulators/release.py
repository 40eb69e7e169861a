"""What comes out of a hole: a liquefied gas under its own or a pump's pressure, and how much of it stays in the air.

Sources: outflow of liquid through an orifice and its discharge coefficient, TNO "Yellow Book" (CPR 14E, 3rd ed.) ch. 2;
share that stays airborne as twice the adiabatic flash, the rule of thumb usually credited to T. Kletz; vapor pressure by
the Antoine equation with the constants of the NIST Chemistry WebBook, for propane 277.6 to 360.8 K. Property values are
those near 20 degC, rounded to what a simulator needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

ZERO_CELSIUS: Final = 273.15
"""K"""
ATMOSPHERE: Final = 0.101325
"""MPa"""
DISCHARGE: Final = 0.62
"""Discharge coefficient of a sharp-edged hole, liquid outflow."""
GAS_CONSTANT: Final = 8.314462618
"""J/(mol K)"""


@dataclass(frozen=True, slots=True)
class Gas:
    """A liquefied flammable or toxic gas.

    molar_mass: kg/mol. lel: lower explosive limit, %VOL in air. liquid_density: kg/m3. heat_capacity: of the
    liquid, kJ/(kg K). latent_heat: at the boiling point, kJ/kg. boiling_point: at 1 atm, K. antoine: A, B, C of
    log10(p / bar) = A - B / (T + C) with T in K.
    """

    molar_mass: float
    lel: float
    liquid_density: float
    heat_capacity: float
    latent_heat: float
    boiling_point: float
    antoine: tuple[float, float, float]

    def vapor_pressure(self, celsius: float) -> float:
        """Saturated pressure, MPa absolute, over liquid at `celsius` degC."""
        a, b, c = self.antoine
        return float(10 ** (a - b / (celsius + ZERO_CELSIUS + c))) / 10

    def flash_fraction(self, celsius: float) -> float:
        """Share of mass, 0 to 1, that boils at once when liquid of `celsius` degC comes out into the open."""
        superheat = celsius + ZERO_CELSIUS - self.boiling_point
        return min(1.0, max(0.0, self.heat_capacity * superheat / self.latent_heat))

    def airborne_fraction(self, celsius: float) -> float:
        """Share of mass that stays in the air as vapor and fine spray: twice the flash, at most all of it."""
        return min(1.0, 2 * self.flash_fraction(celsius))

    def percent_lel(self, concentration: float, celsius: float) -> float:
        """`concentration` kg/m3 in air of `celsius` degC and 1 atm, as % of the lower explosive limit."""
        return self.ppm(concentration, celsius) / 100 / self.lel

    def ppm(self, concentration: float, celsius: float) -> float:
        """`concentration` kg/m3 in air of `celsius` degC and 1 atm, as parts in a million by volume."""
        density = ATMOSPHERE * 1e6 * self.molar_mass / (GAS_CONSTANT * (celsius + ZERO_CELSIUS))
        return 1e6 * concentration / density


PROPANE: Final = Gas(
    molar_mass=0.0441, lel=2.1, liquid_density=500.0, heat_capacity=2.6, latent_heat=426.0, boiling_point=231.0, antoine=(4.53678, 1149.36, 24.906)
)
"""LEL 2.1 %VOL is NFPA 497's; IEC 60079-20-1 has 1.7, which would make every head read a quarter more."""

AMMONIA: Final = Gas(
    molar_mass=0.01703, lel=15.0, liquid_density=610.0, heat_capacity=4.74, latent_heat=1371.0, boiling_point=239.8, antoine=(4.86886, 1113.928, -10.409)
)
"""Antoine constants of the NIST Chemistry WebBook, 239.6 to 371.5 K."""

GASES: Final = {"propane": PROPANE, "ammonia": AMMONIA}
"""By the name that scenario files use."""


def orifice_rate(gas: Gas, hole_mm: float, gauge: float) -> float:
    """Liquid outflow, kg/s, through a round hole `hole_mm` wide under `gauge` MPa; 0 without overpressure.

    Bernoulli with a discharge coefficient: Cd A sqrt(2 rho dp). It holds for a short hole, in which the liquid has no
    time to boil.
    """
    area = math.pi / 4 * (hole_mm / 1000) ** 2
    return DISCHARGE * area * math.sqrt(2 * gas.liquid_density * max(0.0, gauge) * 1e6)


class Leak:
    """A hole that opens, flows, and after isolation drains what was trapped between the valves.

    `trapped` is that inventory, kg; it drains exponentially from the rate at which it was cut off, so that exactly
    `trapped` comes out in the end.
    """

    def __init__(self, gas: Gas, hole_mm: float) -> None:
        """A hole `hole_mm` wide, flowing from now on."""
        self._gas = gas
        self._hole_mm = hole_mm
        self.rate = 0.0
        """Present outflow, kg/s."""
        self._trapped: float | None = None

    def isolate(self, trapped: float) -> None:
        """Close the valves on both sides, leaving `trapped` kg between them."""
        self._trapped = trapped

    def step(self, seconds: float, gauge: float) -> float:
        """Mass, kg, that comes out during `seconds` with `gauge` MPa behind the hole (ignored once isolated)."""
        if self._trapped is None:
            self.rate = orifice_rate(self._gas, self._hole_mm, gauge)
            return self.rate * seconds
        if self._trapped <= 0 or self.rate <= 0:
            return 0.0
        kept = math.exp(-self.rate / self._trapped * seconds)
        out = self._trapped * (1 - kept)
        self._trapped -= out
        self.rate *= kept
        return out

    @property
    def feeding(self) -> bool:
        """Whether it still draws on the plant; once isolated it only drains the trapped liquid."""
        return self._trapped is None
