"""Reading a scenario: its file, the site file it names, and whether the two fit together.

Everything wrong is told at once, one sentence each, with file and key path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alerts.alarm import Condition
from alerts.reading import MILLISECOND
from alerts.site import Id, Signal
from simulators import air
from simulators.script import LIVE_LIMIT, Script
from simulators.script_units import Span
from simulators.units import KINDS


class ScenarioError(ValueError):
    """A scenario that cannot be played. `sentences` says all that is wrong, one line each."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class Partial(BaseModel):
    """Base of what the simulator reads of a site file: the other keys are the gateway's business."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Point(Partial):
    """A sensor as its maker sees it. Keys that a profile could supply must stand in the site file here."""

    id: Id
    kind: str
    zone: Id
    device: Id
    unit: str
    range: tuple[float, float]
    interval: Span = Field(gt=0)
    signal: Signal = Signal()


class Named(Partial):
    """A zone, vote, rule or pair: something that can be the source of an alarm."""

    id: Id


class Place(Partial):
    """The site, reduced to what stands on it."""

    site: Id
    zones: tuple[Named, ...]
    sensors: tuple[Point, ...] = Field(min_length=1)
    votes: tuple[Named, ...] = ()
    rules: tuple[Named, ...] = ()
    pairs: tuple[Named, ...] = ()

    @property
    def devices(self) -> tuple[str, ...]:
        """Device ids, in the order of their first sensor."""
        return tuple(dict.fromkeys(point.device for point in self.sensors))

    @property
    def sources(self) -> frozenset[str]:
        """Every id of this site that an alarm may begin with."""
        named = (*self.zones, *self.votes, *self.rules, *self.pairs)
        return frozenset((*self.devices, *(point.id for point in self.sensors), *(item.id for item in named)))


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario that can be played. `name` is its file's name without the ending."""

    name: str
    script: Script
    place: Place


def load(path: Path) -> Scenario:
    """Read the scenario at `path` and its site file.

    Raises:
        ScenarioError: either cannot be read, has a wrong value, or the two do not fit together.
    """
    script = _model(path, Script)
    site_path = path.parent / script.site
    scenario = Scenario(path.stem, script, _model(site_path, Place))
    problems = [f"{path}: {problem}" for problem in check(scenario)]
    if problems:
        raise ScenarioError(problems)
    return scenario


M = TypeVar("M", bound=BaseModel)


def _model(path: Path, model: type[M]) -> M:
    try:
        return model.model_validate(_yaml(path))
    except ValidationError as error:
        raise ScenarioError([f"{path}: {_sentence(item['loc'], item['msg'])}" for item in error.errors()]) from None


def _yaml(path: Path) -> Any:
    try:
        with path.open(encoding="utf-8") as file:
            return yaml.safe_load(file)
    except OSError as error:
        raise ScenarioError([f"{path}: cannot be read: {error.strerror}"]) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ScenarioError([f"{path}: is not YAML: {' '.join(str(error).split())}"]) from None


def _sentence(where: tuple[int | str, ...], message: str) -> str:
    key = ".".join(str(part) for part in where) or "the file"
    message = message.removeprefix("Value error, ")
    return f"{key}: {message[:1].lower()}{message[1:]}"


def check(scenario: Scenario) -> list[str]:
    """Every reason why script and site do not fit together; empty when they do."""
    checks = (_times, _bindings, _units, _dials, _intervals, _equipment, _phases, _faults, _oracle)
    return [problem for one in checks for problem in one(scenario)]


def bindings(script: Script) -> Iterator[tuple[str, str]]:
    """(sensor, unit in which the plant computes it) for everything the plant binds, in file order. "" stands for any unit."""
    plant = script.plant
    for tank in plant.tanks:
        yield from ((tank.level, "%"), (tank.pressure, "MPa"), (tank.temperature, "degC"))
    for pump in plant.pumps:
        yield pump.discharge, "MPa"
    for cabinet in plant.cabinets:
        yield from ((cabinet.residual, "mA"), (cabinet.cable, "degC"))
    for unit in plant.units:
        yield from ((sensor, KINDS[unit.kind].QUANTITIES.get(quantity, "")) for sensor, quantity in unit.measures.items())
    for heads in plant.heads:
        yield from ((sensor, heads.shows) for sensor in heads.distance_m)
    yield from ((steady.sensor, "") for steady in plant.steady)


def _bindings(scenario: Scenario) -> Iterator[str]:
    bound = Counter(sensor for sensor, _ in bindings(scenario.script))
    known = {point.id for point in scenario.place.sensors}
    yield from (f"plant: {sensor} is no sensor of the site" for sensor in bound if sensor not in known)
    yield from (f"plant: {sensor} is bound {count} times" for sensor, count in bound.items() if count > 1)
    yield from (f"plant: nothing says what {sensor} measures" for sensor in sorted(known - bound.keys()))


def _units(scenario: Scenario) -> Iterator[str]:
    units = {point.id: point.unit for point in scenario.place.sensors}
    for sensor, wanted in bindings(scenario.script):
        if wanted and sensor in units and units[sensor] != wanted:
            yield f"plant: {sensor} is simulated in {wanted}, but the site file says {units[sensor]}"


def _dials(scenario: Scenario) -> Iterator[str]:
    kinds = dict.fromkeys(point.kind for point in scenario.place.sensors)
    yield from (f"plant.dials: noise and resolution of {kind} are missing" for kind in kinds if kind not in scenario.script.plant.dials)


def _intervals(scenario: Scenario) -> Iterator[str]:
    for point in scenario.place.sensors:
        if point.interval % scenario.script.tick:
            yield f"{scenario.script.site}: the interval of {point.id} is no multiple of {scenario.script.tick // MILLISECOND}ms"


def _times(scenario: Scenario) -> Iterator[str]:
    script = scenario.script
    if script.live and script.duration > LIVE_LIMIT:
        yield "duration: a scenario with `live: true` ends within 3m"
    starts = [phase.at for phase in script.timeline]
    if starts[0] != 0 or starts != sorted(set(starts)):
        yield "timeline: the first phase is at 0s and each later one begins after the one before"
    yield from (f"oracle.must: {must.alarm} is due after the scenario has ended" for must in script.oracle.must if must.by > script.duration)


def _equipment(scenario: Scenario) -> Iterator[str]:
    """What units measure, which knobs they have, and who may carry gas where."""
    plant = scenario.script.plant
    knobs = {unit.id: KINDS[unit.kind].KNOBS for unit in plant.units} | dict.fromkeys(plant.air, frozenset(air.KNOBS))
    for unit in plant.units:
        known = KINDS[unit.kind].QUANTITIES
        yield from (f"plant.units.{unit.id}: {quantity} is none of {', '.join(known)}" for quantity in unit.measures.values() if quantity not in known)
        yield from (f"plant.units.{unit.id}.at_start: {knob} is no knob of it" for knob in unit.at_start if knob not in knobs[unit.id])
    for zone, spec in plant.air.items():
        if spec.downwind is not None and spec.downwind not in plant.air:
            yield f"plant.air.{zone}: plant.air does not describe the zone {spec.downwind}"
    for phase in scenario.script.timeline:
        for target, settings in phase.turn.items():
            wrong = [knob for knob in settings if knob not in knobs.get(target, ())]
            yield from (f"timeline.{phase.phase}.turn: {target} has no {knob}" for knob in wrong)


def _phases(scenario: Scenario) -> Iterator[str]:
    plant = scenario.script.plant
    receivers = {unit.id for unit in plant.units if unit.kind == "refrigeration"}
    pumps, tanks = {pump.id for pump in plant.pumps}, {tank.id for tank in plant.tanks} | receivers
    cabinets = {cabinet.id for cabinet in plant.cabinets}
    yield from (f"plant.pumps: {pump.id} draws on {pump.suction}, which is no tank" for pump in plant.pumps if pump.suction not in tanks)
    for phase in scenario.script.timeline:
        where = f"timeline.{phase.phase}"
        if phase.release and phase.release.source not in pumps | tanks:
            yield f"{where}.release: {phase.release.source} is no pump and no tank"
        if phase.release and phase.release.zone not in plant.air:
            yield f"{where}.release: plant.air does not describe the zone {phase.release.zone}"
        yield from (f"{where}.stop: {pump} is no pump" for pump in phase.stop if pump not in pumps)
        yield from (f"{where}.load_a: {cabinet} is no cabinet" for cabinet in phase.load_a if cabinet not in cabinets)


def _faults(scenario: Scenario) -> Iterator[str]:
    sensors, devices = {point.id for point in scenario.place.sensors}, scenario.place.devices
    for fault in scenario.script.faults:
        if fault.sensor is not None and fault.sensor not in sensors:
            yield f"faults: {fault.sensor} is no sensor of the site"
        if fault.device is not None and fault.device not in devices:
            yield f"faults: {fault.device} is no device of the site"
        if fault.until is not None and fault.until <= fault.at:
            yield f"faults: {fault.who} recovers before it fails"


def _oracle(scenario: Scenario) -> Iterator[str]:
    for must in scenario.script.oracle.must:
        source, _, condition = must.alarm.rpartition(".")
        if source not in scenario.place.sources:
            yield f"oracle.must: {must.alarm} begins with no sensor, device, zone, vote or rule of the site"
        if condition not in {str(member) for member in Condition}:
            yield f"oracle.must: {must.alarm} ends with no condition of an alarm"
