"""`hazgate schema`: what may stand in the files, and every name that events, alarms and refusals use."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from alerts import alarm
from alerts.reading import Quality
from alerts.site import Site
from alerts.units import UNITS
from gateway.config_profiles import SUPPLIED, profiles
from gateway.settings import Gateway

_EXAMPLES = """examples:
  hazgate schema site > site.schema.json    for completion in an editor: # yaml-language-server: $schema=site.schema.json
  hazgate schema config                     the same of the gateway's file
  hazgate schema events                     conditions, verbs, events, states, reasons of refusal"""

NAMES: Final[dict[str, type[Enum]]] = {
    "tiers": alarm.Tier,
    "colors": alarm.Color,
    "modes": alarm.Mode,
    "states": alarm.State,
    "conditions": alarm.Condition,
    "verbs": alarm.Verb,
    "events": alarm.EventKind,
    "reasons": alarm.Refusal,
    "quarantine": alarm.Quarantine,
    "roles": alarm.Role,
    "suppression": alarm.SuppressionKind,
    "verified": alarm.Verified,
    "notifications": alarm.NoticeKind,
}
"""Every enumeration of the public interface. Reasons stand in the order in which they are given when several apply."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the `hazgate` command line."""
    parser = subparsers.add_parser(
        "schema",
        help="print the JSON Schema of a file, or every name of the interface",
        description="Prints the JSON Schema of the gateway's file (config) or of a site file (site), or the names that events use (events).",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=sorted(SCHEMAS))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the schema `arguments.what` as JSON on stdout. Returns 0."""
    print(json.dumps(SCHEMAS[arguments.what](), indent=2, ensure_ascii=False))
    return 0


def config_schema() -> dict[str, Any]:
    """JSON Schema of hazgate.yaml."""
    return Gateway.model_json_schema()


def site_schema() -> dict[str, Any]:
    """JSON Schema of a site file as people write it: what profiles supply may be left out, and short forms are allowed."""
    schema = Site.model_json_schema()
    models = schema["$defs"]
    sensor = models["Sensor"]
    sensor["required"] = [key for key in sensor["required"] if key not in (*SUPPLIED, "range")]
    states = sorted(kind for kind, profile in profiles().items() if profile.discrete)
    sensor["if"] = {"properties": {"kind": {"enum": states}}}
    sensor["else"] = {"required": ["range"]}
    for key in SUPPLIED:
        sensor["properties"][key].pop("default", None)
    sensor["properties"]["kind"]["enum"] = sorted(profiles())
    tiers = sensor["properties"]["tiers"]
    tiers["properties"] = {"override_reason": sensor["properties"]["override_reason"]}
    tiers["propertyNames"] = {"anyOf": [tiers.get("propertyNames", {}), {"const": "override_reason"}]}
    _or_single(models["Person"]["properties"], "role")
    for tier in alarm.Tier:
        _or_single(models["Escalation"]["properties"], tier.value)
    reach = models["Person"]["properties"]["reach"]
    reach["items"] = {"anyOf": [{"type": "string"}, reach["items"]]}
    return schema


def _or_single(properties: dict[str, Any], key: str) -> None:
    """A list of one may be written as its only entry."""
    listed = properties[key]
    properties[key] = {"anyOf": [listed["items"], listed]}


def event_names() -> dict[str, list[Any]]:
    """Every name that the interface uses, by what it names."""
    names: dict[str, list[Any]] = {what: [member.value for member in members] for what, members in NAMES.items()}
    return {**names, "qualities": [quality.name.lower() for quality in Quality], "units": list(UNITS)}


SCHEMAS: Final[dict[str, Callable[[], dict[str, Any]]]] = {"config": config_schema, "site": site_schema, "events": event_names}
"""What `hazgate schema` can print."""
