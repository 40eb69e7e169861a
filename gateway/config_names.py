"""Names in a site file: that every id is free to be one, and that whatever is named exists."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterator
from typing import Final

from alerts.alarm import LIMIT_CONDITIONS
from alerts.site import Clause, Device, Pair, Rule, Sensor, Source, Vote, Zone
from alerts.units import conversion
from gateway.config_draft import Finding
from gateway.config_site import SECTIONS, SiteDraft
from gateway.config_words import choice, nearest, shown
from gateway.config_yaml import Keys

RESERVED: Final = frozenset({"gateways", "alarms", "commands", "replies", "sirens", "drill"})
"""Words of the topic tree and the API; no id may be one of them."""

_ONE_SPACE: Final = ("sensors", "devices", "zones", "rules", "votes", "pairs")
"""Sections whose ids name sources of alarms, and so must differ from one another."""


def check_names(draft: SiteDraft) -> None:
    """Note every id that is taken or reserved and every name that stands for nothing."""
    for rule in RULES:
        draft.errors(rule(draft))


def reserved(keys: Keys, name: object) -> Iterator[Finding]:
    """A finding if a name is a word that topics need."""
    if isinstance(name, str) and name in RESERVED:
        yield keys, f"{name} is a word of the topics and no id; choose another"


def _reserved(draft: SiteDraft) -> Iterator[Finding]:
    yield from reserved(("site",), draft.data.get("site"))
    for section in SECTIONS:
        for keys, raw in _raw_entries(draft, section):
            yield from reserved((*keys, "id"), raw.get("id"))
    for keys, sensor in draft.entries("sensors", Sensor):
        yield from reserved((*keys, "device"), sensor.device)


def _raw_entries(draft: SiteDraft, section: str) -> Iterator[tuple[Keys, dict[str, object]]]:
    listed = draft.data.get(section)
    if isinstance(listed, list):
        for position, raw in enumerate(listed):
            if isinstance(raw, dict):
                yield (section, position), raw


def _unique(draft: SiteDraft) -> Iterator[Finding]:
    taken: dict[str, str] = {draft.gateway: "the gateway's own"} if draft.gateway else {}
    for section in _ONE_SPACE:
        yield from _taken(draft, section, taken)
    for section in ("people", "sources"):
        yield from _taken(draft, section, {})
    devices = draft.ids("devices")
    told: set[str] = set()
    for keys, sensor in draft.entries("sensors", Sensor):
        device = sensor.device
        if device in taken and device not in devices and device not in told:
            told.add(device)
            yield (*keys, "device"), f"{device} is already {taken[device]}; a device needs an id of its own"


def _taken(draft: SiteDraft, section: str, taken: dict[str, str]) -> Iterator[Finding]:
    for keys, raw in _raw_entries(draft, section):
        name = raw.get("id")
        if not isinstance(name, str):
            continue
        if name in taken:
            yield (*keys, "id"), f"{name} is already {taken[name]}; ids of {', '.join(_ONE_SPACE)} and the gateway must all differ"
        else:
            taken[name] = f"the id on line {draft.document.line((*keys, 'id'))}"


def _timezone(draft: SiteDraft) -> Iterator[Finding]:
    name = draft.single.get("timezone")
    if name is None:
        return
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = zoneinfo.available_timezones()
        yield ("timezone",), f"{shown(name)} is no time zone that this machine knows{nearest(name, known)}; write one such as Asia/Shanghai"


def _devices(draft: SiteDraft) -> Iterator[Finding]:
    publishing = {sensor.device for _, sensor in draft.entries("sensors", Sensor)}
    if "sensors" in draft.wrong:
        return
    for keys, device in draft.entries("devices", Device):
        if device.id not in publishing:
            yield (*keys, "id"), f"no sensor names the device {device.id}{nearest(device.id, publishing)}; correct the id or take the entry out"


def _zones(draft: SiteDraft) -> Iterator[Finding]:
    sources = draft.ids("sources")
    for keys, zone in draft.entries("zones", Zone):
        if zone.source is not None and zone.source not in sources:
            yield (*keys, "source"), choice(zone.source, sources, "source of hazard")
    for keys, source in draft.entries("sources", Source):
        if source.responsible and source.responsible not in draft.ids("people"):
            yield (*keys, "responsible"), choice(source.responsible, draft.ids("people"), "person")


def _votes(draft: SiteDraft) -> Iterator[Finding]:
    sensors = {sensor.id: sensor for _, sensor in draft.entries("sensors", Sensor)}
    for keys, vote in draft.entries("votes", Vote):
        yield from _members(draft, keys, vote.of)
        needed, members = (int(number) for number in vote.vote.split("oo"))
        if members != len(vote.of) or not 1 <= needed <= members:
            yield (
                (*keys, "vote"),
                f"{vote.vote} does not fit the {len(vote.of)} sensors of `of`; of three sensors two are 2oo3",
            )
        if vote.condition not in LIMIT_CONDITIONS:
            continue
        for position, name in enumerate(vote.of):
            if name in sensors and getattr(sensors[name].limits, vote.condition.value) is None:
                yield (*keys, "of", position), f"{name} has no {vote.condition.value} limit and could never vote"


def _members(draft: SiteDraft, keys: Keys, members: tuple[str, ...]) -> Iterator[Finding]:
    sensors = draft.ids("sensors")
    for position, name in enumerate(members):
        if name not in sensors:
            yield (*keys, "of", position), choice(name, sensors, "sensor")
        elif name in members[:position]:
            yield (*keys, "of", position), f"{name} stands twice; a sensor counts once"


def _pairs(draft: SiteDraft) -> Iterator[Finding]:
    sensors = {sensor.id: sensor for _, sensor in draft.entries("sensors", Sensor)}
    for keys, pair in draft.entries("pairs", Pair):
        yield from _members(draft, keys, pair.of)
        one, other = (sensors.get(name) for name in pair.of)
        if one and other and one.unit and other.unit and conversion(one.unit, other.unit) is None:
            yield (*keys, "of"), f"{one.id} is read in {one.unit} and {other.id} in {other.unit}; a pair measures the same"


def _rules(draft: SiteDraft) -> Iterator[Finding]:
    placed = {(sensor.zone, sensor.kind) for _, sensor in draft.entries("sensors", Sensor)}
    zones = draft.ids("zones")
    for keys, rule in draft.entries("rules", Rule):
        if rule.zone not in zones:
            yield (*keys, "zone"), choice(rule.zone, zones, "zone")
        if not rule.all and not rule.any:
            yield keys, "says neither `all` nor `any`; write the conditions that together make it true"
        for name, clauses in (("all", rule.all), ("any", rule.any), ("not", rule.none)):
            for position, clause in enumerate(clauses):
                yield from _clause(draft, (*keys, name, position), rule, clause, placed)


def _clause(draft: SiteDraft, keys: Keys, rule: Rule, clause: Clause, placed: set[tuple[str, str]]) -> Iterator[Finding]:
    zone = clause.zone or rule.zone
    if clause.zone is not None and clause.zone not in draft.ids("zones"):
        yield (*keys, "zone"), choice(clause.zone, draft.ids("zones"), "zone")
    elif clause.kind is not None and zone in draft.ids("zones") and (zone, clause.kind) not in placed and "sensors" not in draft.wrong:
        kinds = {kind for where, kind in placed if where == zone}
        yield (*keys, "kind"), f"no sensor of kind {clause.kind} stands in the zone {zone}{nearest(clause.kind, kinds)}; it could never be true"
    if clause.sensor is not None and clause.sensor not in draft.ids("sensors"):
        yield (*keys, "sensor"), choice(clause.sensor, draft.ids("sensors"), "sensor")


def _change(draft: SiteDraft) -> Iterator[Finding]:
    change = draft.single.get("change")
    if change is not None and change.by not in draft.ids("people"):
        yield ("change", "by"), choice(change.by, draft.ids("people"), "person")


def _sirens(draft: SiteDraft) -> Iterator[Finding]:
    for tier, names in draft.single.get("sirens", {}).items():
        for position, name in enumerate(names):
            if draft.channels is not None and name not in draft.channels:
                yield ("sirens", tier.value, position), choice(name, draft.channels, "channel")


RULES: Final[tuple[Callable[[SiteDraft], Iterator[Finding]], ...]] = (
    _reserved,
    _unique,
    _timezone,
    _devices,
    _zones,
    _votes,
    _pairs,
    _rules,
    _change,
    _sirens,
)
"""Every rule about names."""
