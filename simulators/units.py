"""Every piece of plant by the kind that scenario files write. A new one is a module, a model and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simulators.boiler import Boiler
from simulators.circuit import Circuit
from simulators.firewater import FireWater
from simulators.refrigeration import Refrigeration
from simulators.script_units import BoilerSpec, CircuitSpec, FireWaterSpec, RefrigerationSpec, SpaceSpec, StorageSpec, UnitSpec
from simulators.space import ConfinedSpace
from simulators.storage import StorageTank
from simulators.unit import Unit

KINDS: Final[Mapping[str, type[Unit]]] = {
    "storage": StorageTank,
    "refrigeration": Refrigeration,
    "circuit": Circuit,
    "fire_water": FireWater,
    "boiler": Boiler,
    "confined_space": ConfinedSpace,
}
"""For what can be checked before anything is built: quantities and knobs."""


def build(spec: UnitSpec) -> Unit:
    """The piece of plant, with its knobs at their start."""
    unit = _bare(spec)
    unit.turn(spec.at_start)
    return unit


def _bare(spec: UnitSpec) -> Unit:
    match spec:
        case StorageSpec():
            return StorageTank(spec)
        case RefrigerationSpec():
            return Refrigeration(spec)
        case CircuitSpec():
            return Circuit(spec)
        case FireWaterSpec():
            return FireWater(spec)
        case BoilerSpec():
            return Boiler(spec)
        case SpaceSpec():
            return ConfinedSpace(spec)
