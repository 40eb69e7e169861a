"""`hazgate check`: is this configuration fit to run?"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gateway.cli.live import check_live, seconds
from gateway.config import Config, Problem, Severity, effective_hash, load
from gateway.config_changes import Difference, differences, picture

_EXAMPLES = """examples:
  hazgate check hazgate.yaml          one line for each problem: FILE:LINE: key.path: sentence
  hazgate check new/hazgate.yaml --against hazgate.yaml   what it would change for people
  hazgate check hazgate.yaml --live   listen at the broker, and say what devices send otherwise than the files have it
  hazgate check hazgate.yaml --live --for 10m    for longer than the slowest sensor asks for
  hazgate check hazgate.yaml --json   any of these, and one JSON object on the last line

--live works beside a running gateway and without one: it hears what devices publish, and takes nothing from anybody.

exit status: 0 the gateway would start (warnings allowed), 2 it would refuse, or with --live something disagrees"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the `hazgate` command line."""
    parser = subparsers.add_parser(
        "check",
        help="validate a gateway's file and its site files",
        description="Reads the gateway's file and the site files it names, and lists every problem of all of them. Without --live it reads nothing else.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="the gateway's file, usually hazgate.yaml")
    parser.add_argument("--against", type=Path, metavar="OLD", help="also list every change of limit, delay, tier, latch, unit and recipient since this file")
    parser.add_argument("--live", action="store_true", help="also compare the files with what devices really send")
    parser.add_argument(
        "--for", type=seconds, dest="span", metavar="SPAN", help="how long to listen, such as 2m; default: as the slowest sensor asks for, 30s to 10m"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the problems of `arguments.config` on stdout and a summary on stderr. Returns 0, or 2 if there is an error, or something heard disagrees."""
    if arguments.span is not None and not arguments.live:
        print("--for says how long --live listens; write both", file=sys.stderr)
        return 2
    result = load(arguments.config)
    changes = _changes(arguments.against, result)
    if changes is None:
        return 2
    problems = result.warnings if isinstance(result, Config) else tuple(result)
    for problem in problems:
        print(problem)
    for change in changes:
        print(change)
    for line in _summary(arguments.config, result, problems):
        print(line, file=sys.stderr)
    status = 0 if isinstance(result, Config) else 2
    found = _object(result, problems) | ({"changes": [asdict(change) for change in changes]} if arguments.against else {})
    if arguments.live and isinstance(result, Config):
        status, found["live"] = check_live(result, arguments.span)
    if arguments.json:
        print(json.dumps(found | {"ok": status == 0}, ensure_ascii=False))
    return status


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
    found: dict[str, Any] = {"problems": [asdict(problem) for problem in problems]}
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
