"""The pieces of plant as scenario files write them. Each one says what its sensors measure: `measures: {LT-101: level}`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, NonNegativeFloat, PositiveFloat

from alerts.reading import SECOND
from alerts.site import Duration, Id, Model


def _text(value: object) -> object:
    """Only text: a bare number would be taken for nanoseconds."""
    if not isinstance(value, str):
        raise ValueError("expected text with a unit, such as 30s")  # noqa: TRY004 - pydantic turns only ValueError into a finding
    return value


Span = Annotated[Duration, BeforeValidator(_text)]
"""A duration as files write it; ns once read."""
Share = Annotated[float, Field(gt=0, lt=1)]


class UnitBase(Model):
    """What every piece of plant has. measures: sensor -> one of the piece's quantities. at_start: knobs, where not the usual."""

    id: Id
    measures: dict[Id, str] = Field(default_factory=dict)
    at_start: dict[str, float] = Field(default_factory=dict)


class StorageSpec(UnitBase):
    """A tank at the pressure of the atmosphere: see `simulators.storage`. swing_k: half of the day's swing of the ambient."""

    kind: Literal["storage"]
    volume_m3: PositiveFloat
    fill: Share
    temperature_c: float
    ambient_c: float
    swing_k: NonNegativeFloat = 0.0
    warming: Span = 30 * 3600 * SECOND
    density: PositiveFloat = 740.0
    heat_capacity: PositiveFloat = 2.2
    vent_mol_s_kpa: PositiveFloat = 20.0
    relief_kpa: PositiveFloat
    relief_mol_s_kpa: PositiveFloat = 20.0


class RefrigerationSpec(UnitBase):
    """An ammonia plant: see `simulators.refrigeration`. cold_kj_k, warm_kj_k: heat capacities of its two sides."""

    kind: Literal["refrigeration"]
    load_kw: PositiveFloat
    evaporating_c: float
    condensing_c: float
    coolant_c: float
    cold_kj_k: PositiveFloat
    warm_kj_k: PositiveFloat
    receiver_m3: PositiveFloat
    fill: Share


class CircuitSpec(UnitBase):
    """An electrical circuit: see `simulators.circuit`. arc_ma: residual current that a full arc adds."""

    kind: Literal["circuit"]
    rated_a: PositiveFloat
    load_a: NonNegativeFloat
    rise_k: PositiveFloat
    time_constant: Span
    ambient_c: float
    residual_ma: NonNegativeFloat
    arc_ma: NonNegativeFloat = 200.0


class FireWaterSpec(UnitBase):
    """Reservoir, pumps and main: see `simulators.firewater`. start_mpa: where the main pump starts by itself."""

    kind: Literal["fire_water"]
    area_m2: PositiveFloat
    level_m: PositiveFloat
    jockey_mpa: PositiveFloat
    jockey_m3_h: PositiveFloat
    main_mpa: PositiveFloat
    main_m3_h: PositiveFloat
    start_mpa: PositiveFloat


class BoilerSpec(UnitBase):
    """A steam boiler: see `simulators.boiler`. water_kg: what the full drum holds."""

    kind: Literal["boiler"]
    water_kg: PositiveFloat
    fill: Share
    temperature_c: float
    feed_c: float
    relief_mpa: PositiveFloat
    relief_kg_h: PositiveFloat


class SpaceSpec(UnitBase):
    """A confined space: see `simulators.space`."""

    kind: Literal["confined_space"]
    volume_m3: PositiveFloat
    floor_m2: PositiveFloat
    ventilation_m3_s: NonNegativeFloat
    settling_m_s: NonNegativeFloat = 0.003


UnitSpec = Annotated[StorageSpec | RefrigerationSpec | CircuitSpec | FireWaterSpec | BoilerSpec | SpaceSpec, Field(discriminator="kind")]
