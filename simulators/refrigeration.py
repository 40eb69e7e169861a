"""An ammonia refrigeration plant: an evaporator that takes up heat, a compressor, a condenser, and the receiver under it.

Two heat balances. The cold side warms with the store's load and cools with the compressor, whose capacity follows the
suction pressure; the warm side takes both the heat and the compressor's work and gives it up through the condenser. Both
pressures are those of saturated ammonia at the two temperatures; without cooling water the high side climbs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from simulators.equipment import Tank
from simulators.release import AMMONIA, ATMOSPHERE, ZERO_CELSIUS
from simulators.script_units import RefrigerationSpec
from simulators.unit import Unit


class Refrigeration(Unit):
    """The circuit. `receiver` is the tank of liquid under the condenser, which a release may draw on."""

    QUANTITIES: ClassVar[Mapping[str, str]] = {"suction": "MPa", "discharge": "MPa", "receiver_level": "%", "discharge_temperature": "degC"}
    KNOBS = frozenset({"running", "cooling", "load_kw"})

    def __init__(self, spec: RefrigerationSpec) -> None:
        self._spec = spec
        self.running = self.cooling = 1.0
        """Share of the compressors that run, and of the condenser that is cooled, 0 to 1."""
        self.load_kw = spec.load_kw
        self.evaporating = spec.evaporating_c
        self.condensing = spec.condensing_c
        self.receiver = Tank(AMMONIA, spec.receiver_m3, spec.fill, spec.condensing_c, spec.condensing_c)
        self.receiver.warming = 600.0

    @property
    def suction(self) -> float:
        """Gauge pressure before the compressor, MPa."""
        return AMMONIA.vapor_pressure(self.evaporating) - ATMOSPHERE

    @property
    def discharge(self) -> float:
        """Gauge pressure behind it, MPa."""
        return AMMONIA.vapor_pressure(self.condensing) - ATMOSPHERE

    @property
    def receiver_level(self) -> float:
        """Liquid, % of the receiver."""
        return self.receiver.level

    @property
    def discharge_temperature(self) -> float:
        """Temperature of the compressed gas, degC: isentropic, exponent 1.3 for ammonia."""
        ratio = (self.discharge + ATMOSPHERE) / (self.suction + ATMOSPHERE)
        return float((self.evaporating + ZERO_CELSIUS) * ratio ** (0.3 / 1.3) - ZERO_CELSIUS)

    @property
    def capacity(self) -> float:
        """Heat taken up at present, kW: nominal at the design's suction pressure and in proportion to it."""
        design = AMMONIA.vapor_pressure(self._spec.evaporating_c)
        return self.running * self._spec.load_kw * AMMONIA.vapor_pressure(self.evaporating) / design

    @property
    def work(self) -> float:
        """Power of the compressor, kW, half as good as Carnot's machine."""
        lift = max(0.0, self.condensing - self.evaporating)
        return self.capacity * 2 * lift / (self.evaporating + ZERO_CELSIUS)

    def step(self, seconds: float) -> None:
        """Move both heat balances. The condenser is solved exactly, the slow cold side by its present slope."""
        spec = self._spec
        self.evaporating += (self.load_kw - self.capacity) * seconds / spec.cold_kj_k
        heat = self.capacity + self.work
        conductance = max(1e-6, self.cooling * self._nominal)
        settled = spec.coolant_c + heat / conductance
        self.condensing += (settled - self.condensing) * (1 - math.exp(-seconds * conductance / spec.warm_kj_k))
        self.receiver.ambient = self.condensing

    @property
    def _nominal(self) -> float:
        """Conductance of the whole condenser, kW/K, that holds the design's condensing temperature."""
        spec = self._spec
        lift = spec.condensing_c - spec.evaporating_c
        heat = spec.load_kw * (1 + 2 * lift / (spec.evaporating_c + ZERO_CELSIUS))
        return heat / (spec.condensing_c - spec.coolant_c)
