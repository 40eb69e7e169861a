"""Tanks, pumps and electrical cabinets, as far as their sensors can see them."""

from __future__ import annotations

import math

from simulators.release import ATMOSPHERE, Gas

SPIN_DOWN = 1.5
"""Time constant with which a stopped pump loses speed, s."""


class Tank:
    """A pressure tank of liquefied gas: mass balance for its level, vapor pressure for its pressure.

    volume: m3. fill: share of the volume that is liquid at the start. temperature, ambient: degC. warming: time
    constant with which the content follows the ambient, s.
    """

    def __init__(self, gas: Gas, volume: float, fill: float, temperature: float, ambient: float) -> None:
        self._gas = gas
        self._capacity = volume * gas.liquid_density
        self.ambient = ambient
        self.mass = self._capacity * fill
        self.temperature = temperature
        self.warming = 20 * 3600.0

    def step(self, seconds: float, inflow: float, outflow: float) -> None:
        """Let `seconds` pass with `inflow` and `outflow` in kg/s. An empty tank stays empty."""
        self.mass = max(0.0, self.mass + (inflow - outflow) * seconds)
        self.temperature += (self.ambient - self.temperature) * (1 - math.exp(-seconds / self.warming))

    @property
    def level(self) -> float:
        """Liquid, % of the volume."""
        return 100 * self.mass / self._capacity

    @property
    def gauge(self) -> float:
        """Pressure above the atmosphere, MPa."""
        return self._gas.vapor_pressure(self.temperature) - ATMOSPHERE


class Pump:
    """A centrifugal pump on a tank, with a quadratic characteristic.

    shutoff: pressure rise without flow, MPa. rated: pressure rise, MPa, at `flow` m3/h, which passes through it at full
    speed. More flow (a leak behind it) costs pressure; both scale with the square of speed. bypass: share of the
    flow, 0 to 1, that returns to the tank.
    """

    def __init__(self, tank: Tank, shutoff: float, rated: float, flow: float, bypass: float = 0.0) -> None:
        self.tank = tank
        self._bypass = bypass
        self._shutoff = shutoff
        self._flow = flow / 3600
        self._resistance = (shutoff - rated) / self._flow**2
        self._target = 1.0
        self._speed = 1.0

    def stop(self) -> None:
        """Cut its power; it runs down."""
        self._target = 0.0

    def step(self, seconds: float) -> None:
        """Let the speed follow."""
        self._speed += (self._target - self._speed) * (1 - math.exp(-seconds / SPIN_DOWN))

    @property
    def delivery(self) -> float:
        """Flow that leaves the tank for where it is meant to go, m3/s."""
        return self._flow * self._speed * (1 - self._bypass)

    def discharge(self, leak: float) -> float:
        """Gauge pressure behind the pump, MPa, while `leak` m3/s escapes there."""
        rise = self._shutoff * self._speed**2 - self._resistance * (self._flow * self._speed + leak) ** 2
        return self.tank.gauge + max(0.0, rise)


class Cabinet:
    """A low-voltage cabinet: a cable that warms with the square of its load, and a residual current.

    One thermal time constant, as in the rating of cables for cyclic load (IEC 60853): heating at steady load is
    `rise` K at `rated` A. `time_constant` in s. load: A. residual: mA. ambient: degC. It starts in balance.
    """

    def __init__(self, rated: float, rise: float, time_constant: float, ambient: float) -> None:
        self._rated = rated
        self._rise = rise
        self._time_constant = time_constant
        self.ambient = ambient
        self.load = 0.0
        self.residual = 0.0
        self.cable = ambient

    def balance(self) -> float:
        """Cable temperature, degC, that the present load leads to in the end."""
        return self.ambient + self._rise * (self.load / self._rated) ** 2

    def step(self, seconds: float) -> None:
        """Let the cable warm or cool."""
        self.cable += (self.balance() - self.cable) * (1 - math.exp(-seconds / self._time_constant))
