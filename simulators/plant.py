"""The plant of a scenario: everything physical on the site, advanced together one step at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from alerts.reading import SECOND
from simulators.air import Air, Boxes
from simulators.equipment import Cabinet, Pump, Tank
from simulators.instrument import Delay, Lag
from simulators.refrigeration import Refrigeration
from simulators.release import GASES, Leak
from simulators.script import AirSpec, CabinetSpec, HeadsSpec, Phase, PlantSpec, PumpSpec, ReleaseSpec, TankSpec
from simulators.unit import Unit
from simulators.units import build

AIR_TEMPERATURE: Final = 20.0
"""degC, for the density of gas that has mixed with air."""

Truth = Callable[[], float]


class Head:
    """The measuring cell of a gas head: gas travels to it, then the cell responds with a first-order lag."""

    def __init__(self, delay: Delay, lag: Lag) -> None:
        self._delay = delay
        self._lag = lag

    def step(self, gas: float) -> None:
        """One more step with `gas` at the release's side of the way."""
        self._lag.step(self._delay.step(gas))

    def value(self) -> float:
        """What the cell shows, in the unit of its input, before noise."""
        return self._lag.value


class Plant:
    """Physics of one site, without randomness.

    `zones` says in which zone each sensor stands. `truth` has, for each sensor that `spec` binds, a function that
    gives its present value in the unit that `simulators.scenario.bindings` says.
    """

    def __init__(self, spec: PlantSpec, zones: Mapping[str, str], seconds: float = 0.1) -> None:
        """`seconds` is the length of a step."""
        self._seconds = seconds
        self._gas = GASES[spec.gas]
        self.truth: dict[str, Truth] = {steady.sensor: _constant(steady.value) for steady in spec.steady}
        self.air = {zone: Air(_boxes(air), seconds) for zone, air in spec.air.items()}
        self.tanks = {tank.id: self._tank(tank) for tank in spec.tanks}
        self.pumps = {pump.id: self._pump(pump) for pump in spec.pumps}
        self.units: dict[str, Unit] = {}
        for unit in spec.units:
            self.units[unit.id] = made = build(unit)
            self.truth |= {sensor: made.truth(quantity) for sensor, quantity in unit.measures.items()}
            if isinstance(made, Refrigeration):
                self.tanks[unit.id] = made.receiver
        self.cabinets = {cabinet.id: self._cabinet(cabinet) for cabinet in spec.cabinets}
        self._heads = [head for heads in spec.heads for head in self._make_heads(heads, zones)]
        self._downwind = {zone: (air.downwind, air.carried) for zone, air in spec.air.items() if air.downwind is not None}
        self._blown = dict.fromkeys(spec.air, 0.0)
        self._leak: tuple[ReleaseSpec, Leak] | None = None
        self.released = 0.0
        """Mass that came out of holes so far, kg."""
        self.airborne = 0.0
        """Share of it that stayed in the air, kg; the rest rained out."""

    def _tank(self, spec: TankSpec) -> Tank:
        tank = Tank(self._gas, spec.volume_m3, spec.fill, spec.temperature_c, spec.ambient_c)
        self.truth |= {spec.level: lambda: tank.level, spec.pressure: lambda: tank.gauge, spec.temperature: lambda: tank.temperature}
        return tank

    def _pump(self, spec: PumpSpec) -> Pump:
        pump = Pump(self.tanks[spec.suction], spec.shutoff_mpa, spec.rated_mpa, spec.flow_m3_h, spec.bypass)
        self.truth[spec.discharge] = lambda: pump.discharge(self._drawn(spec.id))
        return pump

    def _cabinet(self, spec: CabinetSpec) -> Cabinet:
        cabinet = Cabinet(spec.rated_a, spec.rise_k, spec.time_constant / SECOND, spec.ambient_c)
        cabinet.load, cabinet.residual = spec.load_a, spec.residual_ma
        cabinet.cable = cabinet.balance()
        self.truth |= {spec.residual: lambda: cabinet.residual, spec.cable: lambda: cabinet.cable}
        return cabinet

    def _make_heads(self, spec: HeadsSpec, zones: Mapping[str, str]) -> list[tuple[Head, Callable[[], float]]]:
        made = []
        for sensor, distance in spec.distance_m.items():
            air = self.air.get(zones[sensor])
            if air is None:
                self.truth[sensor] = _constant(0.0)
                continue
            head = Head(Delay(air.travel(distance), self._seconds), Lag(spec.t90 / SECOND, self._seconds))
            self.truth[sensor] = head.value
            made.append((head, self._gas_at(air, distance, spec.shows)))
        return made

    def _gas_at(self, air: Air, distance: float, unit: str) -> Truth:
        shown = self._gas.ppm if unit == "ppm" else self._gas.percent_lel
        return lambda: shown(air.at(distance), AIR_TEMPERATURE)

    def begin(self, phase: Phase) -> None:
        """Change what the phase says."""
        if phase.release is not None:
            self._leak = (phase.release, Leak(self._gas, phase.release.hole_mm))
        if phase.isolate is not None and self._leak is not None:
            self._leak[1].isolate(phase.isolate.trapped_kg)
        for pump in phase.stop:
            self.pumps[pump].stop()
        for cabinet, load in phase.load_a.items():
            self.cabinets[cabinet].load = load
        for target, knobs in phase.turn.items():
            (self.units.get(target) or self.air[target]).turn(knobs)

    def step(self) -> None:
        """Advance everything by one step."""
        for pump in self.pumps.values():
            pump.step(self._seconds)
        out = self._release()
        for tank in self.tanks.values():
            drawn = sum(pump.delivery for pump in self.pumps.values() if pump.tank is tank) * self._gas.liquid_density
            leaked = out / self._seconds if self._feeds(tank) else 0.0
            tank.step(self._seconds, 0.0, drawn + leaked)
        for cabinet in self.cabinets.values():
            cabinet.step(self._seconds)
        for unit in self.units.values():
            unit.step(self._seconds)
        for head, gas in self._heads:
            head.step(gas())

    def _release(self) -> float:
        """Let the leak flow into its zone and every zone's air move; returns the mass that came out, kg."""
        zone, out, airborne = None, 0.0, 0.0
        if self._leak is not None:
            spec, leak = self._leak
            zone, tank = spec.zone, self._origin(spec.source)
            out = leak.step(self._seconds, self._pressure(spec.source))
            airborne = out * self._gas.airborne_fraction(tank.temperature)
        blown, self._blown = self._blown, dict.fromkeys(self.air, 0.0)
        for name, air in self.air.items():
            before = air.vented
            air.step((airborne if name == zone else 0.0) + blown[name])
            if name in self._downwind:
                neighbor, carried = self._downwind[name]
                self._blown[neighbor] += carried * (air.vented - before)
        self.released += out
        self.airborne += airborne
        return out

    def _origin(self, source: str) -> Tank:
        return self.pumps[source].tank if source in self.pumps else self.tanks[source]

    def _pressure(self, source: str) -> float:
        return self.pumps[source].discharge(self._drawn(source)) if source in self.pumps else self.tanks[source].gauge

    def _feeds(self, tank: Tank) -> bool:
        return self._leak is not None and self._leak[1].feeding and self._origin(self._leak[0].source) is tank

    def _drawn(self, pump: str) -> float:
        """Volume flow, m3/s, that the leak takes behind this pump."""
        if self._leak is None or self._leak[0].source != pump or not self._leak[1].feeding:
            return 0.0
        return self._leak[1].rate / self._gas.liquid_density


def _constant(value: float) -> Truth:
    return lambda: value


def _boxes(spec: AirSpec) -> Boxes:
    return Boxes(
        near=spec.near_m3,
        far=spec.far_m3,
        exchange=spec.exchange_m3_s,
        ventilation=spec.ventilation_m3_s,
        radius=spec.radius_m,
        wind=spec.wind_m_s,
    )
