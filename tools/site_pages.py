"""Writes docs/sites.md and a picture of each scenario under docs/sites/, from the scenarios, their sites and their simulated readings.

Run as `make site-pages`. The page comes from the files alone, so a test can hold it against them; the pictures are drawn
from `hazgate simulate --offline`, the same every time for the scenario's seed.
"""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import yaml

ROOT: Final = Path(__file__).resolve().parents[1]
SCENARIOS: Final = ROOT / "simulators" / "scenarios"
PAGE: Final = ROOT / "docs" / "sites.md"
PICTURES: Final = ROOT / "docs" / "sites"
SCREENS: Final = PICTURES / "screens"
SVG: Final = "{http://www.w3.org/2000/svg}"
PANELS, COLUMNS, POINTS = 8, 4, 90
WIDTH, HEIGHT, GAP = 220, 120, 12
COLORS: Final = {"red": "#c62828", "orange": "#e67700", "yellow": "#b8930a", "blue": "#1864ab"}
LONGEST: Final = 2 * 3600.0
"""Seconds of a picture: a day of 200 sensors would look the same and take a minute."""
INTRODUCTION: Final = """\
# The simulated sites

Hardware that nobody has at hand, played by `simulators/`: each scenario has a site, a course of events, and an oracle that says
which alarms it must cause, by when, and which it must not. `make site-pages` writes this page from them.

`hazgate demo NAME` plays a site of each kind with an incident of about a minute: broker, gateway, devices, a duty officer and the live
view, which is shown here as `make demo-screens` found it in a real run, a moment before something is done about the incident.
`hazgate simulate simulators/scenarios/NAME.yaml` plays a scenario that is marked live in real time against a broker of yours; with
`--offline FILE` any of them is written down in virtual time.

In the pictures of readings: up to eight sensors, first those whose alarms the scenario must cause. Horizontal lines are limits set in the
site's file, vertical ones phases of the scenario, and a triangle below marks the moment by which an alarm must have come, in the
color of its tier.
"""


@dataclass(frozen=True)
class Scenario:
    """A scenario's file and its site's, as they are written."""

    name: str
    script: dict[str, Any]
    site: dict[str, Any]
    about: tuple[str, ...]
    """What the site is, in a sentence, and what goes wrong, in paragraphs: what stands above the files."""

    @property
    def demo(self) -> str:
        """What the demo calls it, if it was made to be watched; else nothing."""
        return self.name.removesuffix("-demo") if f"-{self.name}".endswith("-demo") else ""

    @property
    def musts(self) -> list[dict[str, Any]]:
        """The alarms that it must cause."""
        return list(self.script.get("oracle", {}).get("must", []))


def scenarios() -> list[Scenario]:
    """All that are shipped: those made to be watched, the default one first, then the others, by name."""
    found = []
    for path in sorted(SCENARIOS.glob("*.yaml")):
        script = yaml.safe_load(path.read_text(encoding="utf-8"))
        site = path.parent / script["site"]
        about = (f"{_comment(site)[0].partition('. ')[0].rstrip('.')}.", *_comment(path))
        found.append(Scenario(path.stem, script, yaml.safe_load(site.read_text(encoding="utf-8")), about))
    return sorted(found, key=lambda scenario: (not scenario.demo, scenario.name != "demo"))


def _comment(path: Path) -> list[str]:
    """The paragraphs of the comment at the head of a file."""
    head = itertools.takewhile(lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines())
    return [" ".join(part.split()) for part in "\n".join(line.removeprefix("#") for line in head).split("\n\n")]


def page() -> str:
    """The text of docs/sites.md."""
    found = scenarios()
    table = ["| demo | site | what goes wrong |", "|---|---|---|", *(_row(scenario) for scenario in found if scenario.demo), ""]
    return "\n".join([INTRODUCTION, *table, *(line for scenario in found for line in _section(scenario))])


def _row(scenario: Scenario) -> str:
    command = "hazgate demo" if scenario.demo == "demo" else f"hazgate demo {scenario.demo}"
    return f"| [`{command}`](#{scenario.name}) | {scenario.about[0]} | {scenario.about[1]} |"


def _section(scenario: Scenario) -> list[str]:
    script, site = scenario.script, scenario.site
    kinds = Counter(str(sensor["kind"]).replace("_", " ") for sensor in site["sensors"])
    zones = ", ".join(f"{zone.get('name', zone['id'])} ({zone['hazard']})" for zone in site["zones"])
    musts = [f"`{must['alarm']}` {must.get('event', must.get('tier', 'raise'))} by {must['by']}" for must in scenario.musts]
    return [
        f"## {scenario.name}",
        "",
        f"{script['title']}{'; plays live' if script.get('live') else ''}.",
        "",
        f"{scenario.about[0]} {' '.join(scenario.about[1:])}",
        "",
        *_screen(scenario),
        f"![The simulated readings of {scenario.name}](sites/{scenario.name}.svg)",
        "",
        f"- Site `{site['site']}`, {site['name']}: {zones}.",
        f"- Sensors: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}.",
        f"- Course: {'; '.join(_event(event) for event in script['timeline'] if 'note' in event)}.",
        f"- Must cause: {', '.join(musts) or 'nothing'}.",
        "",
    ]


def _screen(scenario: Scenario) -> list[str]:
    """The live view and what the officer sees on it, in the picture's own words."""
    if not scenario.demo:
        return []
    view = ET.parse(SCREENS / f"{scenario.demo}.svg").find(f"{SVG}desc")  # noqa: S314 - our own picture
    seen = "" if view is None else str(view.text)
    return [f"![The live view of this demo](sites/screens/{scenario.demo}.svg)", "", f"What the officer sees: {seen}", ""]


def _event(event: dict[str, Any]) -> str:
    return f"{event['at']} {event['note']}"


def seconds(written: object) -> float:
    """A span as the files write it, such as 90s or 1h30m, or a number of seconds."""
    total, number = 0.0, ""
    for letter in f"{written}":
        if letter.isdigit() or letter == ".":
            number += letter
        elif letter in "smhd":
            total, number = total + float(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[letter], ""
    return total + float(number or 0)


Scale = Callable[[float], str]
Curves = dict[str, list[tuple[float, float | None]]]
"""Sensor -> seconds from the beginning, and the value or None."""


def readings(scenario: Scenario, span: float) -> Curves:
    """What the simulator makes of it in virtual time, by arrival."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "readings.jsonl"
        command = [sys.executable, "-m", "gateway.cli.main", "simulate", str(SCENARIOS / f"{scenario.name}.yaml")]
        subprocess.run([*command, "--seconds", str(int(span)), "--offline", str(file)], check=True, cwd=ROOT, stderr=subprocess.DEVNULL)  # noqa: S603 (our own command)
        curves: Curves = defaultdict(list)
        begin: float | None = None
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                reading = json.loads(line)
                at = reading.get("arrival", reading["time"]) / 1000  # without one it arrived when it was stamped
                begin = at if begin is None else begin
                value = reading["value"]
                curves[reading["sensor"]].append((at - begin, float(value) if isinstance(value, int | float) and math.isfinite(value) else None))
    return curves


def picture(scenario: Scenario) -> str:
    """The SVG."""
    span = min(seconds(scenario.script["duration"]), LONGEST)
    curves = readings(scenario, span)
    named = dict.fromkeys(str(must["alarm"]).partition(".")[0] for must in scenario.musts)
    sensors = {sensor["id"]: sensor for sensor in scenario.site["sensors"]}
    moved = sorted(sensors, key=lambda identity: -_movement(sensors[identity], curves.get(identity, [])))
    shown = [identity for identity in dict.fromkeys([*named, *moved]) if curves.get(identity)][:PANELS]
    rows = -(-len(shown) // COLUMNS)
    width, height = COLUMNS * (WIDTH + GAP) + GAP, rows * (HEIGHT + GAP) + GAP
    panels = [_panel(scenario, sensors[identity], curves[identity], span, index) for index, identity in enumerate(shown)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="DejaVu Sans Mono, monospace" font-size="10">'
    return "\n".join([head, f"<title>{escape(scenario.script['title'])}</title>", '<rect width="100%" height="100%" fill="#ffffff"/>', *panels, "</svg>", ""])


def _movement(sensor: dict[str, Any], curve: list[tuple[float, float | None]]) -> float:
    values = [value for _, value in curve if value is not None]
    low, high = sensor["range"]
    return (max(values) - min(values)) / (high - low) if values else 0.0


def _panel(scenario: Scenario, sensor: dict[str, Any], curve: list[tuple[float, float | None]], span: float, index: int) -> str:
    left, top = GAP + index % COLUMNS * (WIDTH + GAP), GAP + index // COLUMNS * (HEIGHT + GAP)
    limits = {name: float(value) for name, value in sensor.get("limits", {}).items() if isinstance(value, int | float)}
    values = [value for _, value in curve if value is not None]
    low, high = min([*values, *limits.values()], default=0.0), max([*values, *limits.values()], default=0.0)
    room = (high - low) * 0.06 or 1.0
    low, high = low - room, high + room

    def x(at: float) -> str:
        return f"{left + WIDTH * min(at / span, 1):.1f}"

    def y(value: float) -> str:
        return f"{top + 16 + (HEIGHT - 24) * (high - value) / (high - low):.1f}"

    parts = [f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="#fafafa" stroke="#dddddd"/>']
    phases = [seconds(event["at"]) for event in scenario.script["timeline"] if "phase" in event]
    parts += [f'<path d="M{x(at)} {top + 14}V{top + HEIGHT}" stroke="#cccccc"/>' for at in phases if 0 < at < span]
    for name, value in limits.items():
        color = COLORS["red" if name in ("high_high", "low_low") else "orange"]
        parts.append(f'<path d="M{left} {y(value)}h{WIDTH}" stroke="{color}" stroke-dasharray="4 3"/>')
    parts += [f'<polyline points="{run}" fill="none" stroke="#222222"/>' for run in _runs(curve, span, x, y)]
    for must in scenario.musts:
        if str(must["alarm"]).partition(".")[0] == sensor["id"] and "tier" in must and seconds(must["by"]) <= span:
            parts.append(f'<path d="M{x(seconds(must["by"]))} {top + HEIGHT - 8}l-4 8h8z" fill="{COLORS[must["tier"]]}"/>')
    shown = f"{sensor['id']} {sensor['unit']}  {min(values):g} to {max(values):g}" if values else f"{sensor['id']} {sensor['unit']}  no value"
    parts.append(f'<text x="{left + 4}" y="{top + 11}">{escape(shown)}</text>')
    return "\n".join(parts)


def _runs(curve: list[tuple[float, float | None]], span: float, x: Scale, y: Scale) -> list[str]:
    """Polylines: the lowest and highest value of each of `POINTS` stretches, broken where there is none."""
    stretches: dict[int, list[float]] = defaultdict(list)
    for at, value in curve:
        if value is not None:
            stretches[int(at / span * POINTS)].append(value)
    runs: list[list[str]] = [[]]
    for number in range(POINTS + 1):
        values = stretches.get(number, [])
        if not values and runs[-1] and len(curve) > POINTS:
            runs.append([])
        for value in dict.fromkeys((min(values), max(values)) if values else ()):
            runs[-1].append(f"{x((number + 0.5) / POINTS * span)},{y(value)}")
    return [" ".join(run) for run in runs if run]


def main() -> None:
    """Write page and pictures; pictures of scenarios that are gone are deleted."""
    PICTURES.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    for old in PICTURES.glob("*.svg"):
        old.unlink()
    for scenario in scenarios():
        (PICTURES / f"{scenario.name}.svg").write_text(picture(scenario), encoding="utf-8")


if __name__ == "__main__":
    main()
