"""A site of thousands of sensors as an operator's file would hold it: every kind that is judged, most of it left to the profiles."""

from __future__ import annotations

from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

import yaml

PATTERN = Path(__file__).parents[2] / "docs" / "sites" / "every-kind.yaml"
NOT_JUDGED = {"smoke", "heat", "flame", "manual_call_point", "arc_fault", "digital_state", "external_event"}
A_DEVICE, A_ZONE = 20, 100
"""Sensors of a device and of a zone."""


def large_site(sensors: int, site: str = "north") -> dict[str, Any]:
    """The content of a site file of that many sensors, `S-0`, `S-1`, …: the shipped pattern of every kind, over and over.

    `S-0`, and every further sensor of its kind, is a combustible-gas head in %LEL that reads every second. Sensor n is read by device
    `rtu-{n // A_DEVICE}` and stands in zone `z-{n // A_ZONE}`.
    """
    made: dict[str, Any] = yaml.safe_load(PATTERN.read_text(encoding="utf-8"))
    kinds = [each for each in made["sensors"] if each["kind"] not in NOT_JUDGED]
    hazard = made["zones"][0] | {"source": made["sources"][0]["id"]}
    made["site"] = site
    made["zones"] = [hazard | {"id": f"z-{n}", "name": f"罐区 {n}"} for n in range(-(-sensors // A_ZONE))]
    made["sensors"] = [_placed(each, n) for n, each in islice(zip(count(), cycle(kinds)), sensors)]
    return made


def _placed(pattern: dict[str, Any], n: int) -> dict[str, Any]:
    own = {"id": f"S-{n}", "zone": f"z-{n // A_ZONE}", "device": f"rtu-{n // A_DEVICE}", "place": f"row {n // 10}, post {n % 10}"}
    return pattern | own | {"consequence": "explosive or toxic atmosphere", "action": "stop loading, isolate, clear the area"}


def as_text(value: dict[str, Any]) -> str:
    """It as YAML in blocks, without aliases."""
    return yaml.dump(value, Dumper=_Plain, allow_unicode=True, sort_keys=False)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True
