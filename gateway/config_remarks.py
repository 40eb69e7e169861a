"""What a sound site file leaves open: remarks that do not keep the gateway from starting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from alerts.alarm import Tier
from alerts.site import Person, Sensor, Zone
from gateway.config_draft import Finding
from gateway.config_site import SiteDraft
from gateway.settings import NEEDS_BROKER


def remark(draft: SiteDraft) -> None:
    """Note what is worth a second look."""
    for rule in REMARKS:
        draft.warnings(rule(draft))


def _change(draft: SiteDraft) -> Iterator[Finding]:
    if "change" not in draft.data:
        yield ("change",), "is missing; say who put this file to work, when it was approved and why: {by: …, approved: …, reason: …}"


def _broker(draft: SiteDraft) -> Iterator[Finding]:
    for keys, person in draft.entries("people", Person):
        kinds = [(draft.channels or {}).get(reach.channel) for reach in person.reach]
        if kinds and all(kind in NEEDS_BROKER for kind in kinds):
            yield (*keys, "reach"), f"every channel to {person.id} needs the broker; while it is away {person.id} cannot be told"


def _commissioning(draft: SiteDraft) -> Iterator[Finding]:
    waiting = [(keys, sensor) for keys, sensor in draft.entries("sensors", Sensor) if sensor.commissioned is None]
    if waiting:
        total = sum(1 for _ in draft.entries("sensors", Sensor))
        first = waiting[0][1].id
        yield ("sensors",), f"{len(waiting)} of {total} are in commissioning and alarm nobody ({first} is the first); write commissioned: once tested"


def _coverage(draft: SiteDraft) -> Iterator[Finding]:
    capable = Counter((sensor.zone, sensor.kind) for _, sensor in draft.entries("sensors", Sensor) if sensor.red_capable)
    for keys, zone in draft.entries("zones", Zone):
        most, kind = max(((number, kind) for (where, kind), number in capable.items() if where == zone.id), default=(zone.min_healthy, ""))
        if most < zone.min_healthy:
            yield (*keys, "min_healthy"), f"asks for {zone.min_healthy} healthy sensors of a kind, and of {kind} the zone has {most}"


def _repeat(draft: SiteDraft) -> Iterator[Finding]:
    for tier in (Tier.RED, Tier.ORANGE):
        for keys, chain in draft.chains.get(tier, ()):
            if chain.repeat is None:
                yield keys, "has no `repeat`; after the last step nobody is told again"


REMARKS: Final[tuple[Callable[[SiteDraft], Iterator[Finding]], ...]] = (_change, _broker, _commissioning, _coverage, _repeat)
"""Every remark about a site file."""
