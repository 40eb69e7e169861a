"""An electrical circuit: conductor and joint warm with the square of the load, insulation fails slowly, arcs flash.

Conductor and joint have one thermal time constant, as in `simulators.equipment.Cabinet`. Growing residual current is a
straight line, as wet or aging insulation shows it over minutes. An arc adds its own leakage in bursts of one second in
two and heat to the joint; each burst counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from alerts.reading import SECOND
from simulators.equipment import Cabinet
from simulators.script_units import CircuitSpec
from simulators.unit import Unit

BURST = 2.0
"""Period of an arc, s: it burns for the first half."""


class Circuit(Unit):
    """One circuit. `arcs` counts bursts."""

    QUANTITIES: ClassVar[Mapping[str, str]] = {"current": "A", "residual": "mA", "cable": "degC"}
    KNOBS = frozenset({"load_a", "growth_ma_min", "arcing", "closed"})

    def __init__(self, spec: CircuitSpec) -> None:
        self._spec = spec
        self._cabinet = Cabinet(spec.rated_a, spec.rise_k, spec.time_constant / SECOND, spec.ambient_c)
        self._cabinet.load = self.load_a = spec.load_a
        self._cabinet.cable = self._cabinet.balance()
        self._leakage = spec.residual_ma
        self._arced = 0.0
        self._burned = False
        self.growth_ma_min = self.arcing = 0.0
        """How fast the residual current grows, mA a minute; how strong the arc is, 0 to 1."""
        self.closed = 1.0
        """0 opens the breaker."""
        self.arcs = 0

    @property
    def _burns(self) -> bool:
        return self.arcing > 0 and self.closed > 0 and self._arced % BURST < BURST / 2

    @property
    def current(self) -> float:
        """A."""
        return self.load_a * self.closed

    @property
    def residual(self) -> float:
        """mA; none with the breaker open."""
        return (self._leakage + (self._spec.arc_ma * self.arcing if self._burns else 0.0)) * self.closed

    @property
    def cable(self) -> float:
        """Temperature of the joint, degC."""
        return self._cabinet.cable

    def step(self, seconds: float) -> None:
        """Let the leakage grow, the arc flash and the joint warm; an arc of full strength doubles its heating."""
        self._leakage += self.growth_ma_min / 60 * seconds
        self._arced = self._arced + seconds if self.arcing > 0 else 0.0
        self.arcs += int(self._burns and not self._burned)
        self._burned = self._burns
        self._cabinet.load = self.current * (1 + self.arcing) ** 0.5
        self._cabinet.step(seconds)
