"""What a sensor of a site file must satisfy beyond the form of its keys: units, limits, deadband, delays, tiers.

Each rule yields where and what; the figures are those the product promises to refuse.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from alerts.alarm import LIMITS, Condition, Tier
from alerts.reading import SECOND
from alerts.site import Sensor
from alerts.units import span_text
from gateway.config_draft import Finding
from gateway.config_profiles import Standard
from gateway.config_site import SiteDraft
from gateway.config_words import choice, nearest, shown
from gateway.config_yaml import Keys

SLOWEST_GAS: Final = 30 * SECOND
LONGEST_RED_GAS: Final = 5 * SECOND
LONGEST_RED: Final = 15 * SECOND
_HIGH_SIDE: Final = frozenset({Condition.HIGH, Condition.HIGH_HIGH})


@dataclass(frozen=True, slots=True)
class Case:
    """One sensor under examination: its place, its profile's meaning, the file around it."""

    draft: SiteDraft
    keys: Keys
    sensor: Sensor
    standard: Standard

    def limits(self) -> dict[Condition, float]:
        """The limits that are set, from low_low to high_high."""
        given = {condition: getattr(self.sensor.limits, condition.value) for condition in LIMITS}
        return {condition: value for condition, value in given.items() if value is not None}

    def at(self, *keys: str) -> Keys:
        """The place of a key of this sensor."""
        return (*self.keys, *keys)


def check_sensors(draft: SiteDraft) -> None:
    """Note everything that is wrong with a sensor."""
    for keys, sensor in draft.entries("sensors", Sensor):
        case = Case(draft, keys, sensor, draft.standards[keys])
        for rule in RULES:
            draft.errors(rule(case))


def _zone(case: Case) -> Iterator[Finding]:
    zones = case.draft.ids("zones")
    if case.sensor.zone not in zones:
        yield case.at("zone"), choice(case.sensor.zone, zones, "zone")


def _unit(case: Case) -> Iterator[Finding]:
    """A value without its unit cannot be judged."""
    sensor, profile = case.sensor, case.standard.profile
    if profile.discrete:
        if sensor.unit is not None:
            yield case.at("unit"), f"{sensor.kind} is a state and has no unit; take it out"
    elif sensor.unit is None:
        yield from _left_out(case, "unit", f"the unit of its readings, one of {', '.join(profile.units)}")
    elif sensor.unit not in profile.units:
        yield case.at("unit"), f"{sensor.kind} is read in {' or '.join(profile.units)} by this version, not in {sensor.unit}"


def _gas(case: Case) -> Iterator[Finding]:
    """Limits depend on the gas, and its figures on the unit."""
    sensor, known = case.sensor, case.standard
    if not known.profile.gas:
        return
    if not sensor.gas:
        yield from _left_out(case, "gas", "the gas, such as propane, because its limits depend on it")
    elif known.profile.of_gas is not None and (known.gas is None or known.gas.gas != known.profile.of_gas):
        yield case.at("gas"), f"{sensor.kind} measures {known.profile.of_gas}, not {sensor.gas}; leave the gas out"
    elif known.profile.gases and (known.gas is None or known.gas.gas not in known.profile.gases):
        yield from _no_figures(case)
    elif not known.converts and sensor.unit in known.profile.units and known.profile.units[0] == "%LEL" and known.gas is None and sensor.lel is None:
        yield case.at("lel"), f"is missing; the table of gases has no {sensor.gas}, so write its lower explosive limit in %VOL"
    if sensor.unit in ("ppm", "mg/m3") and sensor.reference_temperature is None:
        yield from _left_out(case, "reference_temperature", f"the temperature in degC that the figures of a gas in {sensor.unit} refer to")


def _no_figures(case: Case) -> Iterator[Finding]:
    """A gas without a standard's figures: the site's own must be there."""
    missing = [key for key in ("high", "high_high") if getattr(case.sensor.limits, key) is None]
    if missing:
        names = case.standard.profile.gases
        yield (
            case.at("gas"),
            f"{shown(case.sensor.gas)} has no limits in {case.sensor.kind}{nearest(str(case.sensor.gas), names)}; write {' and '.join(missing)}",
        )


def _left_out(case: Case, key: str, what: str) -> Iterator[Finding]:
    """A finding unless something, refused elsewhere, is written there."""
    if not case.draft.raw(case.at(key)):
        yield case.at(key), f"is missing; write {what}"


def _range(case: Case) -> Iterator[Finding]:
    low, high = case.sensor.range
    if low >= high:
        yield case.at("range"), f"goes from {low:g} to {high:g}; the lower end comes first and differs from the upper"
        return
    for condition, value in case.limits().items():
        if not low <= value <= high:
            yield case.at("limits", condition.value), f"{value:g} is outside the range {low:g} to {high:g}; the instrument could never show it"


def _order(case: Case) -> Iterator[Finding]:
    ordered = list(case.limits().items())
    for (inner, value), (outer, beyond) in itertools.pairwise(ordered):
        if value >= beyond:
            yield case.at("limits", outer.value), f"{beyond:g} is not above {inner.value}, {value:g}; limits rise from low_low over low and high to high_high"


def _deadband(case: Case) -> Iterator[Finding]:
    """A deadband as wide as the way between two limits would keep the inner one from ever returning first."""
    limits, deadband = case.limits(), case.sensor.deadband
    for outer, inner in ((Condition.HIGH_HIGH, Condition.HIGH), (Condition.LOW_LOW, Condition.LOW)):
        if outer in limits and inner in limits and 0 < abs(limits[outer] - limits[inner]) <= deadband:
            way = abs(limits[outer] - limits[inner])
            yield case.at("deadband"), f"{deadband:g} must be less than the way from {inner.value} to {outer.value}, {way:g}"
    if Condition.HIGH in limits and Condition.LOW in limits and 0 < limits[Condition.HIGH] - limits[Condition.LOW] <= 2 * deadband:
        half = (limits[Condition.HIGH] - limits[Condition.LOW]) / 2
        yield case.at("deadband"), f"{deadband:g} must be less than half the way from low to high, {half:g}"


def _on_delay(case: Case) -> Iterator[Finding]:
    sensor = case.sensor
    if sensor.on_delay >= sensor.stale:
        yield case.at("on_delay"), f"{span_text(sensor.on_delay)} must be shorter than stale, {span_text(sensor.stale)}, or silence would come first"
    longest = LONGEST_RED_GAS if case.standard.profile.gas else LONGEST_RED
    red = [condition.value for condition in case.limits() if sensor.tier(condition) is Tier.RED]
    if red and sensor.on_delay > longest and not case.draft.excused(case.at("on_delay")):
        yield (
            case.at("on_delay"),
            f"{span_text(sensor.on_delay)} delays {', '.join(red)}, a RED alarm, by more than {span_text(longest)}; shorten it or say why in override_reason",
        )


def _pace(case: Case) -> Iterator[Finding]:
    sensor = case.sensor
    if case.standard.profile.gas and sensor.interval > SLOWEST_GAS:
        yield case.at("interval"), f"{span_text(sensor.interval)} is too slow for a gas; it must report at least every {span_text(SLOWEST_GAS)}"
    if sensor.stale <= sensor.interval:
        yield case.at("stale"), f"{span_text(sensor.stale)} must be longer than the interval, {span_text(sensor.interval)}, or every pause would be a silence"


def _standard(case: Case) -> Iterator[Finding]:
    """A limit may be sharper than the profile's standard, never looser without a reason; taking one out is the loosest."""
    written = case.draft.raw(case.at("limits"))
    if not isinstance(written, dict):
        return
    for condition in LIMITS:
        bound, key = case.standard.limits.get(condition.value), condition.value
        value = getattr(case.sensor.limits, key)
        if bound is None or key not in written or case.draft.excused(case.at("limits", key)):
            continue
        figure = getattr(case.standard.figures, key)
        told = f"looser than {bound:g} {case.sensor.unit} ({figure.source})"
        if written[key] is None:
            yield case.at("limits", key), f"is taken out, which is {told}; leave it in or say why in limits.override_reason"
        elif value is not None and (value > bound if condition in _HIGH_SIDE else value < bound):
            yield case.at("limits", key), f"{value:g} is {told}; tighten it or say why in limits.override_reason"


def _tiers(case: Case) -> Iterator[Finding]:
    """A tier may be raised; RED and ORANGE are lowered only for a reason."""
    written = case.draft.raw(case.at("tiers"))
    for condition, usual in case.standard.tiers.items():
        chosen = case.sensor.tiers.get(condition, usual)
        if not isinstance(written, dict) or condition.value not in written or chosen.rank >= usual.rank or not usual.urgent:
            continue
        if not case.draft.excused(case.at("tiers", condition.value)):
            yield case.at("tiers", condition.value), f"lowers {usual.value} to {chosen.value}; leave it or say why in tiers.override_reason"


def _when(case: Case) -> Iterator[Finding]:
    sensors = case.draft.ids("sensors")
    for condition, state in case.sensor.when.items():
        keys = case.at("when", condition.value)
        if case.sensor.tier(condition) is Tier.RED:
            yield keys, f"{condition.value} is RED, and a RED alarm holds always; take the `when` out"
        if set(state) != {"sensor", "is"}:
            yield keys, "expected the state that must hold, such as {sensor: XV-1, is: closed}"
        elif state["sensor"] not in sensors:
            yield (*keys, "sensor"), choice(state["sensor"], sensors, "sensor")


def _rate(case: Case) -> Iterator[Finding]:
    rate = case.sensor.rate
    if rate is not None and rate.rise is None and rate.fall is None:
        yield case.at("rate"), "says neither rise nor fall; write one, such as rise: 5/m"


def _signal(case: Case) -> Iterator[Finding]:
    low, high = case.sensor.signal.raw
    if low >= high:
        yield case.at("signal", "raw"), f"goes from {low:g} to {high:g} mA; the current of the lower end of the range comes first, such as [4, 20]"


def _states(case: Case) -> Iterator[Finding]:
    sensor = case.sensor
    if sensor.normal is not None and sensor.normal not in sensor.states.values():
        yield case.at("normal"), f"{shown(sensor.normal)} is none of the sensor's states"


RULES: Final[tuple[Callable[[Case], Iterator[Finding]], ...]] = (
    _zone,
    _unit,
    _gas,
    _range,
    _order,
    _deadband,
    _on_delay,
    _pace,
    _standard,
    _tiers,
    _when,
    _rate,
    _signal,
    _states,
)
"""Every rule about one sensor; a later kind of check is one more entry."""
