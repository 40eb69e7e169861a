"""Small sites for tests, as models and as files."""

from __future__ import annotations

from typing import Any

from alerts.reading import NO_SEQ, SECOND, Quality, RawReading, Readings
from alerts.register import Register
from alerts.site import Site

T0 = 1_763_712_000 * SECOND
"""A moment to count from: 2025-11-21T08:00:00Z."""

PEOPLE: list[dict[str, Any]] = [
    {"id": "li", "name": "李工", "role": "officer", "reach": ["desk", "phone"]},
    {"id": "wang", "name": "王主任", "role": "leader", "reach": ["phone", "desk"]},
]
ROTA: list[dict[str, Any]] = [
    {"role": "officer", "shifts": [{"people": ["li"], "from": "00:00", "to": "24:00", "days": "daily"}]},
    {"role": "leader", "shifts": [{"people": ["wang"], "from": "00:00", "to": "24:00", "days": "daily"}]},
]
ESCALATION: dict[str, Any] = {
    "red": {
        "inform": [{"after": "0s", "tell": ["leader"]}],
        "steps": [{"after": "0s", "tell": ["officer"]}, {"after": "60s", "tell": ["leader"]}],
        "repeat": "120s",
    },
    "orange": {"steps": [{"after": "0s", "tell": ["officer"]}, {"after": "120s", "tell": ["leader"]}], "repeat": "10m"},
    "yellow": {"steps": [{"after": "0s", "tell": ["officer"]}]},
    "blue": {},
}


def sensor(identity: str, **changes: Any) -> dict[str, Any]:
    """A combustible-gas head at 25/50 %LEL, latching, off-delay 5 s, reading every second; `changes` replace keys."""
    made = {
        "id": identity,
        "kind": "combustible_gas",
        "gas": "propane",
        "zone": "pumps",
        "device": "rtu-1",
        "unit": "%LEL",
        "range": [0, 100],
        "interval": "1s",
        "stale": "30s",
        "limits": {"high": 25, "high_high": 50},
        "deadband": 2,
        "on_delay": "0s",
        "off_delay": "5s",
        "latch": True,
        "tiers": {"high": "orange", "high_high": "red"},
        "commissioned": "2026-01-15",
    }
    return made | changes


def site(*sensors: dict[str, Any], **changes: Any) -> Site:
    """A site of these sensors with one officer (li) and one leader (wang); `changes` replace top-level keys."""
    zones = list(dict.fromkeys(s["zone"] for s in sensors))
    made: dict[str, Any] = {
        "site": "north",
        "timezone": "Asia/Shanghai",
        "zones": [{"id": zone} for zone in zones],
        "sensors": list(sensors),
        "people": PEOPLE,
        "rota": ROTA,
        "escalation": ESCALATION,
        "last_resort": {"tell": ["wang"]},
    }
    return Site.model_validate(made | changes)


def raw(identity: str, value: float, at: float | None = None, **changes: Any) -> RawReading:
    """A reading stamped `at` seconds after `T0`, or without a stamp."""
    time = None if at is None else T0 + round(at * SECOND)
    return RawReading(
        identity, value, time, changes.get("unit"), changes.get("quality", Quality.GOOD), changes.get("seq", NO_SEQ), changes.get("historical", False)
    )


def register(*sensors: dict[str, Any]) -> Register:
    """The register of one such site."""
    return Register([site(*sensors)])


def columns(readings: Readings | None) -> list[tuple[int, float]]:
    """(time after T0 in s, value) of each row, for comparison."""
    return [] if readings is None else [((t - T0) / SECOND, v) for t, v in zip(readings.time.tolist(), readings.value.tolist(), strict=True)]
