"""The site file as frozen models: what is guarded, by what, and who is told.

A `Sensor` here is effective: its profile has already been merged in by the loader, so every number that detection
needs is present. Spans are ns, rates per second. Unknown keys are errors. What takes more than one key to judge
(semantics 3.4, 7.1, 8.1) is checked by the loader, which knows file and line.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, StringConstraints, WithJsonSchema

from alerts import units
from alerts.alarm import Condition, Role, Tier
from alerts.written import ID, day, one_or_many, quantity, reasons, weekdays

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Id = Annotated[str, StringConstraints(pattern=ID)]
Duration = Annotated[
    int,
    quantity(units.duration, "a duration such as 30s"),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h|d|w|y)$", "examples": ["30s", "10m"]}),
]
Rate = Annotated[
    float, quantity(units.rate, "a rate such as 5/m"), WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?/(s|m|h)$", "examples": ["5/m"]})
]
Number = Annotated[float, Strict()]
Count = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]
Day = Annotated[dt.date, BeforeValidator(day)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
UnitName = Literal[
    "%LEL", "LEL.m", "%VOL", "ppm", "mg/m3", "Pa", "kPa", "MPa", "bar", "%", "m", "mm", "degC", "degF", "m3/h", "L/min", "t/h", "mA", "A", "V", "W", "kW", "m/s"
]
OverrideReason = Annotated[str | dict[str, str], BeforeValidator(reasons)]
Spell = Annotated[Duration, Field(gt=0)]
"""A duration that cannot be nothing."""


class Model(BaseModel):
    """Base of every model of a file: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Zone(Model):
    """A part of the site with one hazard and one color."""

    id: Id
    name: str = ""
    hazard: str = ""
    min_healthy: Count = Field(1, ge=0, description="healthy RED-capable sensors of a kind the zone must keep")
    repair_within: Spell = Field(units.duration("8h"), description="after this a sick RED-capable sensor is ORANGE")
    flammable: Flag = False
    toxic: Flag = False
    source: str | None = None


class Source(Model):
    """A registered source of major hazard."""

    id: Id
    name: str
    level: Count = Field(ge=1, le=4)
    filing: str = ""
    responsible: str = ""


class Codec(Model):
    """How a device's own payload is read, and where it is published. docs/codecs.md says what each kind takes."""

    kind: Literal["json", "mapped", "senml", "sparkplug"] = "json"
    topic: str | None = Field(None, description="the device's own topic; + for any level, {sensor} for the level that names the sensor")
    paths: dict[str, str] = Field({}, description="mapped: what stands where, such as {value: $.v, time: $.ts}")
    values: dict[Id, str] = Field({}, description="mapped: the path of each sensor's value in one object")
    names: dict[str, Id] = Field({}, description="the device's name of a sensor, and the sensor's id")
    units: dict[str, UnitName] = Field({}, description="mapped, senml: the device's word for a unit, and ours")
    qualities: dict[str, Literal["good", "uncertain", "bad", "calibrating", "test"]] = Field(
        {}, description="mapped: the device's word for a quality, and ours"
    )
    time: Literal["ms", "s", "rfc3339"] = "ms"


class Device(Model):
    """What publishes: settings of one device. A device that only sensors name needs no entry."""

    id: Id
    codec: Codec = Codec()
    unit: Literal["required", "optional"] = "optional"


class Limits(Model):
    """The four limits in the sensor's unit; None is "not judged"."""

    low_low: Number | None = None
    low: Number | None = None
    high: Number | None = None
    high_high: Number | None = None
    override_reason: OverrideReason | None = Field(None, description="why a limit is looser than the standard of the kind")


class RateLimit(Model):
    """Rise and fall over a window."""

    rise: Rate | None = None
    fall: Rate | None = None
    window: Spell = units.duration("60s")
    minimum: Number | None = None
    method: Literal["least_squares", "theil_sen"] = "least_squares"


class Signal(Model):
    """What the device sends: the value itself, or the raw loop current."""

    kind: Literal["direct", "current"] = "direct"
    raw: tuple[Number, Number] = (4.0, 20.0)
    map: str | None = None


class Sensor(Model):
    """One measuring point, complete with what its profile supplied.

    `range` is the span of the instrument in `unit`; `interval` the time between its readings; `stale` the silence
    after which it is sick.
    """

    id: Id
    kind: str
    zone: Id
    device: Id
    unit: UnitName | None = None
    gas: str | None = None
    reference_temperature: Number | None = Field(None, ge=-50, le=100, description="degC that a gas's mg/m3 and ppm refer to")
    molar_mass: Number | None = Field(None, gt=0, description="of the gas, in g/mol; left out, the table of gases supplies it")
    lel: Number | None = Field(None, gt=0, le=100, description="of the gas, in %VOL; left out, the table of gases supplies it")
    range: tuple[Number, Number]
    interval: Spell
    limits: Limits = Limits()
    deadband: Number = Field(0.0, ge=0)
    on_delay: Duration = 0
    off_delay: Duration = 0
    latch: Flag = False
    stale: Spell
    rate: RateLimit | None = None
    response_time: Spell | None = None
    tiers: dict[Condition, Tier] = {}
    signal: Signal = Signal()
    when: dict[Condition, dict[str, str]] = {}
    contents: Literal["ordinary", "liquefied", "toxic"] = "ordinary"
    reactive: Flag = False
    states: dict[Count, str] = {}
    normal: str | None = None
    owner: str = ""
    place: str = ""
    consequence: str = ""
    action: str = ""
    commissioned: Day | None = None
    tested: Day | None = None
    calibrated: Day | None = None
    test_interval: Spell | None = None
    calibration_interval: Spell | None = None
    override_reason: OverrideReason | None = None

    @property
    def gas_kind(self) -> bool:
        """Whether a value at the top of the range must be taken as anything above it (semantics 2.6)."""
        return self.kind in ("combustible_gas", "open_path", "toxic_gas", "oxygen")

    @property
    def substance(self) -> units.Substance:
        """What unit conversions need of its gas."""
        return units.Substance(self.molar_mass, self.lel, self.reference_temperature)

    def tier(self, condition: Condition) -> Tier:
        """The tier of a limit condition; YELLOW where neither profile nor site says one."""
        return self.tiers.get(condition, Tier.YELLOW)

    @property
    def red_capable(self) -> bool:
        """Whether any limit that is set has tier RED."""
        return any(
            getattr(self.limits, c) is not None and self.tier(c) is Tier.RED for c in (Condition.LOW_LOW, Condition.LOW, Condition.HIGH, Condition.HIGH_HIGH)
        )


class Vote(Model):
    """NooM over sensors' conditions. It confirms; it never withholds a member's own alarm."""

    id: Id
    of: tuple[Id, ...] = Field(min_length=1)
    condition: Condition
    vote: Annotated[str, StringConstraints(pattern=r"^\d+oo\d+$")]
    within: Duration = units.duration("30s")
    latch: Flag = True
    off_delay: Duration = units.duration("10s")


class Clause(Model):
    """One condition inside a rule."""

    kind: str | None = None
    sensor: Id | None = None
    zone: Id | None = None
    condition: Condition
    count: Count = Field(1, ge=1)


class Rule(Model):
    """Several conditions of one zone that together mean something worse."""

    id: Id
    zone: Id
    all: tuple[Clause, ...] = ()
    any: tuple[Clause, ...] = ()
    none: tuple[Clause, ...] = Field((), alias="not")
    within: Duration = units.duration("30s")
    tier: Tier = Tier.RED
    action: str = ""
    latch: Flag = True
    off_delay: Duration = units.duration("10s")


class Pair(Model):
    """Two sensors that measure the same and should agree."""

    id: Id
    of: tuple[Id, Id]
    tolerance: Number = Field(gt=0)
    guards: Condition | None = None


class Reach(Model):
    """One way to a person: a channel and, where it needs one, an address."""

    channel: str
    to: str | None = None


def _reach(value: object) -> object:
    return {"channel": value} if isinstance(value, str) else value


class Person(Model):
    """Somebody who can be told and may act."""

    id: Id
    name: str = ""
    role: Annotated[tuple[Role, ...], BeforeValidator(one_or_many)]
    reach: tuple[Annotated[Reach, BeforeValidator(_reach)], ...] = ()


class Shift(Model):
    """Who is on duty from when to when, in the site's wall-clock time. `from` equal to `to`, or 00:00 to 24:00, is all day."""

    people: tuple[Id, ...] = Field(min_length=1)
    start: Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = Field(alias="from")
    to: Annotated[str, StringConstraints(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
    days: Annotated[Literal["daily"] | tuple[Weekday, ...], BeforeValidator(weekdays)] = "daily"
    rotate: Literal["day", "week"] | None = None
    handover: str | None = None


class Override(Model):
    """A change of the rota for a while, and why."""

    people: tuple[Id, ...] = Field(min_length=1)
    since: str
    until: str
    reason: str = ""


class Rota(Model):
    """Who stands for a role, when."""

    role: Role
    shifts: tuple[Shift, ...] = Field(min_length=1)
    overrides: tuple[Override, ...] = ()
    strong: tuple[Override, ...] = ()


class Telling(Model):
    """One step of a chain: after how long, whom. `tell` takes roles and people's ids."""

    after: Duration = 0
    tell: tuple[str, ...] = Field(min_length=1)


class When(Model):
    """Which alarms an escalation entry is for; None matches all."""

    zone: Id | None = None
    kind: str | None = None
    condition: Condition | None = None


class Chain(Model):
    """What happens for one tier until somebody has acted."""

    when: When | None = None
    inform: tuple[Telling, ...] = ()
    steps: tuple[Telling, ...] = ()
    repeat: Spell | None = None
    ack_expires: Spell | None = None
    verify_within: Spell | None = None
    feedback_within: Spell | None = None
    acknowledgers: Count = Field(1, ge=1, le=2)


def _chains(value: object) -> object:
    return [value] if isinstance(value, dict) else value


Chains = Annotated[tuple[Chain, ...], BeforeValidator(_chains), Field(min_length=1)]


class Escalation(Model):
    """One chain, or a list whose last entry carries no `when`, for each tier."""

    red: Chains
    orange: Chains
    yellow: Chains
    blue: Chains

    def of(self, tier: Tier) -> tuple[Chain, ...]:
        """The entries of a tier, in file order."""
        chains: tuple[Chain, ...] = getattr(self, tier.value)
        return chains


class LastResort(Model):
    """Who is told when nobody else has acted."""

    tell: tuple[str, ...] = Field(min_length=1)


class Change(Model):
    """Who put this configuration to work, and why."""

    by: Id
    approved: Day | None = None
    reason: Text


class Timing(Model):
    """How readings' times are judged (semantics 2.3)."""

    live_window: Duration = units.duration("60s")
    reorder: Duration = units.duration("2s")


class Work(Model):
    """Bounds on what people may take out of service."""

    max_shelve: Duration = units.duration("8h")
    max_inhibit: Duration = units.duration("4h")
    response_band: Number = Field(20.0, gt=0)
    take_over_within: Duration = units.duration("15m")


class Site(Model):
    """A whole site, as its file says with all profiles merged in."""

    site: Id
    name: str = ""
    timezone: str
    zones: tuple[Zone, ...] = Field(min_length=1)
    sensors: tuple[Sensor, ...] = Field(min_length=1)
    devices: tuple[Device, ...] = ()
    votes: tuple[Vote, ...] = ()
    rules: tuple[Rule, ...] = ()
    pairs: tuple[Pair, ...] = ()
    sources: tuple[Source, ...] = ()
    people: tuple[Person, ...] = Field(min_length=1)
    rota: tuple[Rota, ...] = Field(min_length=1)
    escalation: Escalation
    last_resort: LastResort
    change: Change | None = None
    timing: Timing = Timing()
    work: Work = Work()
    sirens: dict[Tier, tuple[str, ...]] = {}
    templates: dict[str, dict[str, str]] = {}
