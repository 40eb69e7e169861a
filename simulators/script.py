"""The scenario file, as it is written: frozen models that refuse unknown keys.

Numbers carry their unit in the key; times are durations with a unit and count from the beginning of the run.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from alerts.alarm import EventKind, Tier
from alerts.reading import MILLISECOND
from alerts.site import Id, Model
from simulators.faults import NEEDS_VALUE, FaultKind
from simulators.script_units import Span, UnitSpec

LIVE_LIMIT = 180_000_000_000
"""Longest scenario that may be played in real time, ns: nobody waits longer for a verdict."""


class AirSpec(Model):
    """A zone in which gas may be released: see `simulators.air.Boxes`.

    Of what its ventilation carries off, the share `carried` blows on into the zone `downwind`.
    """

    near_m3: PositiveFloat
    far_m3: PositiveFloat
    exchange_m3_s: PositiveFloat
    ventilation_m3_s: PositiveFloat
    radius_m: PositiveFloat
    wind_m_s: PositiveFloat
    downwind: Id | None = None
    carried: float = Field(0.0, ge=0, le=1)


class HeadsSpec(Model):
    """Gas heads of one make: time to 90 % of a step, and each one's distance from the release in its zone."""

    t90: Span
    shows: Literal["%LEL", "ppm"] = "%LEL"
    distance_m: dict[Id, float] = Field(min_length=1)


class TankSpec(Model):
    """A pressure tank and the sensors on it: see `simulators.equipment.Tank`."""

    id: Id
    volume_m3: PositiveFloat
    fill: float = Field(gt=0, lt=1)
    temperature_c: float
    ambient_c: float
    level: Id
    pressure: Id
    temperature: Id


class PumpSpec(Model):
    """A pump, the tank it draws on and the gauge behind it: see `simulators.equipment.Pump`."""

    id: Id
    suction: Id
    shutoff_mpa: PositiveFloat
    rated_mpa: PositiveFloat
    flow_m3_h: PositiveFloat
    bypass: float = Field(0.0, ge=0, le=1)
    discharge: Id


class CabinetSpec(Model):
    """An electrical cabinet and its sensors: see `simulators.equipment.Cabinet`."""

    id: Id
    rated_a: PositiveFloat
    load_a: PositiveFloat
    rise_k: PositiveFloat
    time_constant: Span
    ambient_c: float
    residual_ma: float = Field(ge=0)
    residual: Id
    cable: Id


class SteadySpec(Model):
    """A sensor on which nothing happens: its mean, in its own unit."""

    sensor: Id
    value: float


class DialSpec(Model):
    """Noise (one standard deviation), resolution and drift an hour of all instruments of a kind, in their unit.

    t90: how slowly those on `units` follow; gas heads have theirs in `heads`.
    """

    noise: float = Field(ge=0)
    resolution: PositiveFloat
    drift_per_hour: float = 0.0
    t90: Span = 0


class PlantSpec(Model):
    """What stands on the site. Every sensor of the site file is bound to exactly one thing here."""

    gas: Literal["propane", "ammonia"] = "propane"
    air: dict[Id, AirSpec] = Field(default_factory=dict)
    heads: tuple[HeadsSpec, ...] = ()
    tanks: tuple[TankSpec, ...] = ()
    pumps: tuple[PumpSpec, ...] = ()
    cabinets: tuple[CabinetSpec, ...] = ()
    units: tuple[UnitSpec, ...] = ()
    steady: tuple[SteadySpec, ...] = ()
    dials: dict[str, DialSpec]


class ReleaseSpec(Model):
    """A hole opens: in the pipe behind a pump, or in the liquid part of a tank or of a refrigeration plant's receiver."""

    zone: Id
    source: Id
    hole_mm: PositiveFloat


class IsolateSpec(Model):
    """The valves on both sides of the hole close."""

    trapped_kg: float = Field(ge=0)


class Phase(Model):
    """A stretch of the incident, and what changes at its beginning.

    `load_a` sets cabinets' loads, A. `turn` sets knobs of units, and the air flows of zones: {T-1: {inflow_m3_h: 200}}.
    """

    at: Span
    phase: Id
    note: str = ""
    release: ReleaseSpec | None = None
    isolate: IsolateSpec | None = None
    stop: tuple[Id, ...] = ()
    load_a: dict[Id, PositiveFloat] = Field(default_factory=dict)
    turn: dict[Id, dict[str, float]] = Field(default_factory=dict)


class FaultSpec(Model):
    """A sensor, or a device with all of its sensors, fails: from `at`, to `until` or the end of the run.

    value: what some faults show, in the sensor's unit: see `simulators.faults`. ahead, behind: how far a wrong clock is off.
    """

    sensor: Id | None = None
    device: Id | None = None
    kind: FaultKind
    at: Span
    until: Span | None = None
    value: float | None = None
    ahead: Span | None = None
    behind: Span | None = None

    @property
    def who(self) -> str:
        """The sensor or device."""
        return self.sensor or self.device or ""

    @property
    def shift(self) -> int:
        """How far the clock is off, ns; positive is ahead."""
        return (self.ahead or 0) - (self.behind or 0)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.sensor is None) == (self.device is None):
            raise ValueError("name either a sensor or a device")
        if (self.value is not None) != (self.kind in NEEDS_VALUE):
            raise ValueError(f"{self.kind} {'needs a' if self.kind in NEEDS_VALUE else 'takes no'} value")
        if (self.ahead is not None) + (self.behind is not None) != (self.kind is FaultKind.WRONG_CLOCK):
            raise ValueError("a wrong_clock, and no other fault, is either ahead or behind")
        return self


class Must(Model):
    """An alarm event that the scenario has to cause. `tier` None takes any."""

    alarm: str
    event: EventKind = EventKind.RAISE
    by: Span
    tier: Tier | None = None


class MustNot(Model):
    """Alarms that it must not cause: an id or a pattern with `*`, and the tier above which they are wrong (None: any)."""

    alarm: str
    above: Tier | None = None


class Oracle(Model):
    """What a gateway has to make of the scenario.

    An alarm that `must` names is exempt from the patterns of `must_not`, not from ids given there in full.
    """

    must: tuple[Must, ...] = ()
    must_not: tuple[MustNot, ...] = ()


class Script(Model):
    """A whole scenario file. `site` is the site file's path, relative to this file. tick: step of the simulation."""

    site: str
    title: str
    seed: int
    duration: Span
    tick: Span = Field(100 * MILLISECOND, gt=0)
    live: bool = False
    plant: PlantSpec
    timeline: tuple[Phase, ...] = Field(min_length=1)
    faults: tuple[FaultSpec, ...] = ()
    oracle: Oracle
