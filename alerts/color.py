"""The color of zones and of the site: the worst that stands, grey where we do not know, green only where we do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from alerts.alarm import Alarm, Color, Mode
from alerts.site import Sensor
from alerts.watch import Watch

_WORST_FIRST: Final = tuple(Color)


@dataclass(frozen=True, slots=True)
class ZoneColor:
    """One zone: its color, and how many `of` its sensors are in service: commissioned, heard and with a value."""

    color: Color
    in_service: int
    of: int


@dataclass(frozen=True, slots=True)
class SiteColor:
    """The site: its color, its zones by id in file order, and how many of its alarms are active and unacknowledged.

    Alarms of sensors in commissioning and the gateway's own are neither counted nor shown.
    """

    color: Color
    zones: Mapping[str, ZoneColor]
    active: int
    unacknowledged: int


def site_color(watch: Watch, now: int) -> SiteColor:
    """What the site shows at `now` (ns).

    A zone is red, orange or yellow by its worst alarm not normal; else grey if any of its RED-capable sensors is not
    in service, or none of its sensors at all; else blue; else green. The site takes the worst of its zones, and of alarms that lie in none.
    """
    alarms = [alarm for alarm in watch.standing.all.values() if alarm.mode is Mode.REAL and alarm.source != watch.sources.gateway]
    shown: dict[str | None, list[Color]] = {None: [Color.GREEN], **{zone: [] for zone in watch.sources.zones}}
    for alarm in alarms:
        for zone in _zones(watch, alarm):
            shown.setdefault(zone, []).append(Color(alarm.tier))
    sensors: dict[str, list[Sensor]] = {zone: [] for zone in watch.sources.zones}
    for sensor in watch.site.sensors:
        sensors.setdefault(sensor.zone, []).append(sensor)
    zones = {zone: _zone(watch, shown[zone], members, now) for zone, members in sensors.items()}
    return SiteColor(
        color=_worst([*(zone.color for zone in zones.values()), *shown[None]]),
        zones=zones,
        active=sum(alarm.state.active for alarm in alarms),
        unacknowledged=sum(alarm.state.unacknowledged for alarm in alarms),
    )


def _zones(watch: Watch, alarm: Alarm) -> set[str | None]:
    """The zones an alarm colors; that of a device in several zones colors them all."""
    if alarm.zone is not None:
        return {alarm.zone}
    return {sensor.zone for sensor in watch.sources.concerned(alarm.source, alarm.members)} or {None}


def _zone(watch: Watch, colors: Iterable[Color], sensors: list[Sensor], now: int) -> ZoneColor:
    serving = [_serves(watch, sensor, now) for sensor in sensors]
    blind = not any(serving) or any(watch.tiers.red_capable(sensor) and not serves for sensor, serves in zip(sensors, serving, strict=True))
    return ZoneColor(_worst([*colors, Color.GREY if blind else Color.GREEN]), sum(serving), len(sensors))


def _serves(watch: Watch, sensor: Sensor, now: int) -> bool:
    return sensor.commissioned is not None and watch.facts.latest(watch.site.site, sensor.id, now).healthy


def _worst(colors: Iterable[Color]) -> Color:
    return min(colors, key=_WORST_FIRST.index)
