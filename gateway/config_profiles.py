"""Profiles: what a kind of sensor brings along, and how a site file's sensor is completed from it.

A profile is one YAML file beside the domain, alerts/profiles/{kind}.yaml. Each of its numbers carries where it comes
from. Its limits and delays hold unless the site file says otherwise; its `rate` only lends numbers to a sensor that
has a `rate:` of its own.
"""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import Field

from alerts import units
from alerts.alarm import LIMITS, Condition, Tier
from alerts.reading import SECOND
from alerts.site import Flag, Model, Text, UnitName
from gateway.config_figure import Figure
from gateway.config_gases import Gas, find, substance
from gateway.config_yaml import Document, parse


class LimitFigures(Model):
    """The standard's limits; a site's limit beyond one of them needs a reason."""

    low_low: Figure | None = None
    low: Figure | None = None
    high: Figure | None = None
    high_high: Figure | None = None


class RateFigures(Model):
    """Numbers for a sensor whose site file has `rate:`."""

    rise: Figure | None = None
    fall: Figure | None = None
    window: Figure | None = None
    minimum: Figure | None = None


class GasFigures(Model):
    """What differs for one gas of a kind whose figures depend on it.

    mac: maximum allowable concentration. twa, stel: 8 h and 15 min averages. oel: an exposure limit printed without
    its kind. idlh: immediately dangerous to life or health. All in the profile's first unit.
    """

    limits: LimitFigures
    mac: Figure | None = None
    twa: Figure | None = None
    stel: Figure | None = None
    oel: Figure | None = None
    idlh: Figure | None = None
    tiers: dict[Condition, Tier] = Field(default_factory=dict)


class Variant(Model):
    """What differs for sensors whose keys have one of the values named in `when`."""

    when: dict[Literal["reactive", "contents"], tuple[Flag | str, ...]]
    tiers: dict[Condition, Tier] = Field(default_factory=dict)
    on_delay: Figure | None = None


class Profile(Model):
    """Everything a kind of sensor brings along.

    units: what it may be read in, the profile's own numbers in the first of them; none for a state. gas: it measures
    one. of_gas: which one that always is. gases: what differs by gas, by its name in the table of gases. discrete: it
    sends a state (0, 1, …) and no measurement.
    """

    kind: Text
    gas: Flag = False
    of_gas: Text | None = None
    discrete: Flag = False
    units: tuple[UnitName, ...]
    limits: LimitFigures = LimitFigures()
    deadband: Figure
    on_delay: Figure
    off_delay: Figure
    latch: Figure
    stale: Figure
    rate: RateFigures = RateFigures()
    tiers: dict[Condition, Tier]
    variants: tuple[Variant, ...] = ()
    gases: dict[str, GasFigures] = Field(default_factory=dict)


@functools.cache
def profiles() -> Mapping[str, Profile]:
    """Every profile that is installed, by kind."""
    folder = importlib.resources.files("alerts") / "profiles"
    found = [_load(entry.name, entry.read_text(encoding="utf-8")) for entry in folder.iterdir() if entry.name.endswith(".yaml")]
    return {profile.kind: profile for profile in sorted(found, key=lambda profile: profile.kind)}


def _load(name: str, text: str) -> Profile:
    document = Document(name)
    parse(text, document)
    return Profile.model_validate(document.data)


@dataclass(frozen=True, slots=True)
class Standard:
    """A profile as it applies to one sensor: variant and gas chosen, numbers in the sensor's unit.

    `limits` are the standard's limits, `figures` where they come from; `tiers` the tiers it gives to conditions; `gas`
    that of the table, if it is in there. `converts` is False where its unit cannot be reached from the profile's.
    """

    profile: Profile
    limits: Mapping[str, float] = field(default_factory=dict)
    figures: LimitFigures = field(default_factory=LimitFigures)
    tiers: Mapping[Condition, Tier] = field(default_factory=dict)
    on_delay: Figure | None = None
    factor: float = 1.0
    gas: Gas | None = None
    converts: bool = True


@functools.lru_cache(maxsize=4096)
def _standard(kind: str, unit: object, variant: int | None, gas: str | None, known: units.Substance) -> Standard:
    profile = profiles()[kind]
    chosen = profile.variants[variant] if variant is not None else None
    special = profile.gases.get(gas or "")
    figures = profile.limits if special is None else special.limits
    conversion = units.conversion(profile.units[0], str(unit), known) if unit in profile.units else None
    limits = {}
    if conversion is not None:
        factor, offset = conversion
        given = {c: getattr(figures, c) for c in LIMITS}
        limits = {c.value: round(figure.value * factor + offset, 9) for c, figure in given.items() if figure is not None}
    return Standard(
        profile,
        limits,
        figures,
        {**profile.tiers, **(chosen.tiers if chosen else {}), **(special.tiers if special else {})},
        chosen.on_delay if chosen else None,
        conversion[0] if conversion else 1.0,
        find(gas),
        conversion is not None,
    )


def standard(raw: Mapping[str, Any]) -> Standard | None:
    """What the profile of a sensor, as the site file has it, means for it; None for a kind nobody knows."""
    kind = raw.get("kind")
    profile = profiles().get(kind) if isinstance(kind, str) else None
    if profile is None:
        return None
    unit = raw.get("unit")
    variants = enumerate(profile.variants)
    variant = next((n for n, v in variants if all(isinstance(raw.get(key), bool | str) and raw[key] in values for key, values in v.when.items())), None)
    gas = find(raw.get("gas", profile.of_gas)) if profile.gas else None
    return _standard(profile.kind, unit if isinstance(unit, str) else None, variant, gas and gas.gas, substance(raw, gas))


def complete(raw: Mapping[str, Any], known: Standard) -> dict[str, Any]:
    """A sensor of a site file with everything its profile supplies. Values that are not what they should be stay, to be refused in their place."""
    profile = known.profile
    whole = dict(raw)
    limits = raw.get("limits", {})
    if isinstance(limits, dict):
        whole["limits"] = {**known.limits, **limits}
    if profile.discrete:
        whole.setdefault("range", _extent(raw.get("states")))
    if profile.gas:
        _name_gas(whole, known)
    for key in ("off_delay", "latch"):
        whole.setdefault(key, getattr(profile, key).value)
    whole.setdefault("on_delay", (known.on_delay or profile.on_delay).value)
    whole.setdefault("stale", _stale(profile, raw))
    if "deadband" not in raw:
        whole["deadband"] = _amount(profile.deadband, whole, known.factor)
    if isinstance(raw.get("rate"), dict):
        whole["rate"] = {**_rate(profile.rate, whole, known.factor), **raw["rate"]}
    tiers = raw.get("tiers", {})
    if isinstance(tiers, dict):
        whole["tiers"] = {**known.tiers, **{key: tier for key, tier in tiers.items() if key != "override_reason"}}
    return whole


def _extent(states: object) -> list[float]:
    """From the least to the greatest number that stands for a state; 0 to 1 where none is written."""
    numbers = [float(key) for key in states if _number(key)] if isinstance(states, dict) else []
    return [min(numbers), max(numbers)] if len(set(numbers)) > 1 else [0.0, 1.0]


def _name_gas(whole: dict[str, Any], known: Standard) -> None:
    if known.profile.of_gas is not None:
        whole.setdefault("gas", known.profile.of_gas)
    if known.gas is not None:
        whole.setdefault("molar_mass", known.gas.molar_mass.value)
        if known.gas.lel is not None:
            whole.setdefault("lel", known.gas.lel.value)


def _stale(profile: Profile, raw: Mapping[str, Any]) -> object:
    """The profile's, or three intervals of a sensor that reports more slowly than that."""
    usual = str(profile.stale.value)
    try:
        slow = 3 * units.duration(str(raw.get("interval")))
    except ValueError:
        return usual
    return f"{slow / SECOND:.3f}s" if slow > units.duration(usual) else usual


def _amount(figure: Figure, whole: Mapping[str, Any], factor: float) -> float:
    """A number of the profile in the sensor's unit; 0 where what it is a part of is missing (and refused elsewhere)."""
    value = float(figure.value)
    if figure.of is None:
        return round(value * factor, 9)
    if figure.of == "span":
        span = whole.get("range")
        fits = isinstance(span, list) and len(span) == 2 and all(_number(end) for end in span)
        return round(value / 100 * abs(span[1] - span[0]), 9) if isinstance(span, list) and fits else 0.0
    limits = whole["limits"] if isinstance(whole.get("limits"), dict) else {}
    upper = [limits[key] for key in ("high", "high_high") if _number(limits.get(key))]
    return round(value / 100 * abs(min(upper)), 9) if upper else 0.0


def _rate(figures: RateFigures, whole: Mapping[str, Any], factor: float) -> dict[str, object]:
    lent: dict[str, object] = {}
    for key in ("rise", "fall"):
        figure = getattr(figures, key)
        if figure is not None:
            amount, per = str(figure.value).split("/")
            lent[key] = f"{_amount(figure.model_copy(update={'value': float(amount)}), whole, factor):.9f}/{per}"
    if figures.window is not None:
        lent["window"] = figures.window.value
    if figures.minimum is not None:
        lent["minimum"] = _amount(figures.minimum, whole, factor)
    return lent


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


SUPPLIED: Final = ("deadband", "on_delay", "off_delay", "latch", "stale")
"""Keys of a sensor that its profile fills in; `limits`, `rate` and `tiers` are merged by key."""


def origins(raw: Mapping[str, Any], known: Standard) -> dict[str, Figure]:
    """Key (`limits.high`, `deadband`) → the profile's figure, for each number that the site file left to its profile."""
    said = raw.get("limits")
    written = said if isinstance(said, dict) else {}
    left = {f"limits.{key}": getattr(known.figures, key) for key in known.limits if key not in written}
    scalars = {key: getattr(known.profile, key) for key in SUPPLIED if key not in raw}
    if "on_delay" in scalars and known.on_delay is not None:
        scalars["on_delay"] = known.on_delay
    return {**left, **scalars}
