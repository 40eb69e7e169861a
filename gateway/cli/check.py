"""`hazgate check`: is this configuration fit to run?"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gateway.config import Config, Problem, Severity, effective_hash, load
from gateway.config_changes import Difference, differences, picture

_EXAMPLES = """examples:
  hazgate check hazgate.yaml          one line for each problem: FILE:LINE: key.path: sentence
  hazgate check new/hazgate.yaml --against hazgate.yaml   what it would change for people
  hazgate check hazgate.yaml --json   the same, and one JSON object on the last line

exit status: 0 the gateway would start (warnings allowed), 2 it would refuse"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the `hazgate` command line."""
    parser = subparsers.add_parser(
        "check",
        help="validate a gateway's file and its site files",
        description="Reads the gateway's file and the site files it names, and nothing else, and lists every problem of all of them.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="the gateway's file, usually hazgate.yaml")
    parser.add_argument("--against", type=Path, metavar="OLD", help="also list every change of limit, delay, tier, latch, unit and recipient since this file")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the problems of `arguments.config` on stdout and a summary on stderr. Returns 0, or 2 if there is an error."""
    result = load(arguments.config)
    changes = _changes(arguments.against, result)
    if changes is None:
        return 2
    problems = result.warnings if isinstance(result, Config) else tuple(result)
    for problem in problems:
        print(problem)
    for change in changes:
        print(change)
    if arguments.json:
        found = _object(result, problems) | ({"changes": [asdict(change) for change in changes]} if arguments.against else {})
        print(json.dumps(found, ensure_ascii=False))
    for line in _summary(arguments.config, result, problems):
        print(line, file=sys.stderr)
    return 0 if isinstance(result, Config) else 2


def _changes(against: Path | None, result: Config | list[Problem]) -> list[Difference] | None:
    """What changed since the older file; None, said on stderr, if that cannot be read."""
    if against is None or not isinstance(result, Config):
        return []
    old = load(against)
    if not isinstance(old, Config):
        print(f"{against} is refused itself, so nothing can be compared with it:", *old, sep="\n", file=sys.stderr)
        return None
    return differences(picture(old.sites), picture(result.sites))


def _summary(path: Path, result: Config | list[Problem], problems: tuple[Problem, ...]) -> list[str]:
    counts = Counter(problem.severity for problem in problems)
    found = f"{_many(counts[Severity.ERROR], 'error')} and {_many(counts[Severity.WARNING], 'warning')}"
    if not isinstance(result, Config):
        return [f"{path} is refused: {found}"]
    lines = [f"{path} is fit to run: {found}"]
    for site in result.sites:
        unreviewed = _many(result.unreviewed(site.site), "limit")
        lines.append(f"site {site.site}: {_many(len(site.sensors), 'sensor')}; {unreviewed} taken from a profile without anybody's review")
    return lines


def _object(result: Config | list[Problem], problems: tuple[Problem, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {"ok": isinstance(result, Config), "problems": [asdict(problem) for problem in problems]}
    if isinstance(result, Config):
        found["hash"] = effective_hash(result)
        found["sites"] = [
            {
                "site": site.site,
                "sensors": len(site.sensors),
                "commissioning": sum(sensor.commissioned is None for sensor in site.sensors),
                "unreviewed_limits": result.unreviewed(site.site),
            }
            for site in result.sites
        ]
    return found


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
