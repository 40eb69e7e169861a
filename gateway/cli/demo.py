"""`hazgate demo`: an incident at a simulated site, with nothing to configure."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from typing import Final

from rich.console import Console

from alerts.ports import HazgateError
from alerts.reading import SECOND
from alerts.site import Site
from gateway.config import load_site
from gateway.demo.audience import Reader, Screen
from gateway.demo.cast import Plan
from gateway.demo.picture import Picture
from gateway.demo.play import Demo
from gateway.demo.plot import Plot, haste
from gateway.demo.reckoning import Outcome
from simulators.scenario import load
from simulators.shipped import DEFAULT, Shipped, playable, shipped

EXAMPLES: Final = """\
examples:
  hazgate demo                                 a live view; after the incident it goes on quietly until Ctrl-C
  hazgate demo --seconds 60                    the same, and it ends by itself
  hazgate demo ammonia                         another site, with an incident of its own
  hazgate demo --headless --json --seconds 60  progress lines on stderr; the last line on stdout is one JSON object

The site lives for N seconds; starting and counting take a few more. The incident needs as long as its title says. In the JSON object `published`
is counted by the simulators, `stored` by a query of the store, `notifications` by the receiver of the webhooks, the rest of
the balance by the gateway; `p50_ms` and `p99_ms` are milliseconds from a reading's time stamp to the receipt of the alarm
event that it caused, over MQTT, by another process (stamps are whole milliseconds; the simulators' own delay is included).

Broker, gateway, simulators and listener are processes of their own, on free ports of this machine, with their files in a
temporary folder. The broker is mosquitto if that is installed, else amqtt (pip install 'hazgate[demo]').

exit status: 0 if the incident's alarms came, it was over and the balance closed; else 1 with the reasons on stderr"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to `hazgate`."""
    parser = subparsers.add_parser(
        "demo",
        help="play an incident at a simulated site, with nothing to configure",
        description="An incident at a simulated site: broker, sensors, gateway, a duty officer and a live view. Nothing has to be configured.",
        epilog=f"{_listed()}\n\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = "what to play; left out: a pump seal leaks at an LPG station"
    parser.add_argument("scenario", nargs="?", type=_scenario, default=DEFAULT, metavar="SCENARIO", help=what)
    parser.add_argument("--seconds", type=_seconds, metavar="N", help="for how long the site lives; left out: until Ctrl-C")
    parser.add_argument("--headless", action="store_true", help="no live view, plain lines on stderr; so it is, too, where stderr is no terminal")
    parser.add_argument("--json", action="store_true", help="print one JSON object last, on stdout")
    parser.set_defaults(run=run)


def _listed() -> str:
    return "scenarios:\n" + "\n".join(f"  {each.name:<19}{each.title}" for each in shipped() if each.live)


def _scenario(name: str) -> Shipped:
    try:
        return playable(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"a whole number of seconds above 0, not {text!r}")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Play the demo as the arguments say; the exit status."""
    console = Console(stderr=True)
    plan, plot = planned(arguments.scenario, arguments.seconds)
    picture = Picture(plot)
    audience = Reader(picture) if arguments.headless or not console.is_terminal or console.is_dumb_terminal else Screen(picture, console)
    try:
        outcome = asyncio.run(_play(plan, picture, audience))
    except HazgateError as error:
        print(error, file=sys.stderr)
        return 1
    _tell(outcome)
    if arguments.json:
        print(json.dumps(outcome.summary))
    return 1 if outcome.reasons else 0


def planned(chosen: Shipped, seconds: int | None) -> tuple[Plan, Plot]:
    """What is played, for the cast and for the audience."""
    scenario = load(chosen.path)
    script = scenario.script
    site_file = (chosen.path.parent / script.site).resolve()
    site = load_site(site_file)
    hurried = haste(site) if isinstance(site, Site) else ()
    phases = tuple(phase.phase for phase in script.timeline)
    return Plan(chosen.path, scenario.place.site, site_file, seconds), Plot(script.title, phases, script.duration // SECOND, hurried)


async def _play(plan: Plan, picture: Picture, audience: Reader | Screen) -> Outcome:
    demo = Demo(plan, picture, audience)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, demo.stop)
    return await demo.run(audience)


def _tell(outcome: Outcome) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(" ".join(f"{key} {'-' if value is None else value}" for key, value in outcome.summary.items()), file=sys.stderr)
        print(*(outcome.reasons or ["the incident's alarms came, it is over, and the balance closed"]), sep="\n", file=sys.stderr)
