"""What a new configuration changes that decides who is told of what: limits, delays, tiers, latches, units, recipients."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from alerts.alarm import LIMITS, Condition, Tier
from alerts.site import Site

SENSOR: Final = ("unit", "range", "limits", "deadband", "on_delay", "off_delay", "latch", "stale", "tiers", "commissioned")
"""Keys of a sensor that decide when somebody is told of it."""
UPWARD: Final = frozenset({Condition.HIGH, Condition.HIGH_HIGH})

Picture = Mapping[str, Mapping[str, Any]]
"""Site → key such as `sensors.GT-1.limits.high` → value, as JSON has it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One changed key. `before` or `after` is None where there is none. loosens_red: it makes a red alarm later, milder or impossible."""

    site: str
    key: str
    before: Any
    after: Any
    loosens_red: bool = False

    def __str__(self) -> str:
        """As a line for people."""
        words = f"{self.site}: {self.key}: {_text(self.before)} -> {_text(self.after)}"
        return f"{words} (loosens a red limit)" if self.loosens_red else words


def picture(sites: Iterable[Site]) -> dict[str, dict[str, Any]]:
    """What is compared, of each site. JSON keeps it as it is."""
    return {site.site: dict(_of_site(site.model_dump(mode="json", by_alias=True))) for site in sites}


def differences(old: Picture, new: Picture) -> list[Difference]:
    """Every changed key, by site and name; a sensor or person that came or went is one change."""
    found: list[Difference] = []
    for site in sorted({*old, *new}):
        before, after = old.get(site, {}), new.get(site, {})
        keys = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
        heads = [key for key in keys if (key in before) != (key in after) and key.count(".") == 1]
        news = set(heads)
        found += [
            Difference(site, key, before.get(key), after.get(key), _loosens(key, before, after))
            for key in keys
            if key in news or ".".join(key.split(".")[:2]) not in news
        ]
    return found


def _of_site(site: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for sensor in site["sensors"]:
        head = f"sensors.{sensor['id']}"
        yield head, sensor["kind"]
        for key in SENSOR:
            value = sensor[key]
            if isinstance(value, dict):
                yield from ((f"{head}.{key}.{inner}", each) for inner, each in value.items() if each is not None and inner != "override_reason")
            elif value is not None:
                yield f"{head}.{key}", value
    yield from ((f"devices.{device['id']}.unit", device["unit"]) for device in site["devices"] if device["unit"] == "required")
    for person in site["people"]:
        yield f"people.{person['id']}", {"role": person["role"], "reach": person["reach"]}
    for key in ("rota", "escalation", "last_resort"):
        yield key, site[key]


def _loosens(key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a change of this key takes from a sensor's red alarms."""
    what, _, rest = key.partition(".")
    if what != "sensors":
        return False
    sensor, _, field = rest.partition(".")
    head = f"sensors.{sensor}"
    red = [limit for limit in LIMITS if _is_red(before, head, limit)]
    if not red or head not in before:
        return False
    if field in ("", "unit"):
        return True
    if field in ("on_delay", "commissioned"):
        return _weaker(key, before, after)
    group, _, name = field.partition(".")
    if group == "tiers":
        return name in red and after.get(key) != Tier.RED
    return group == "limits" and name in red and _looser(Condition(name), before[key], after.get(key))


def _is_red(picture: Mapping[str, Any], head: str, limit: Condition) -> bool:
    return picture.get(f"{head}.limits.{limit}") is not None and picture.get(f"{head}.tiers.{limit}") == Tier.RED


def _weaker(key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """A longer on-delay, or a sensor taken out of service."""
    if key.endswith(".commissioned"):
        return key in before and key not in after
    return bool(after.get(key, 0) > before.get(key, 0))


def _looser(limit: Condition, before: float, after: float | None) -> bool:
    if after is None:
        return True
    return after > before if limit in UPWARD else after < before


def _text(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
