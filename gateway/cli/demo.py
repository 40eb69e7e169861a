"""`hazgate demo`: an incident at a simulated site, with nothing to configure."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path
from typing import Final

from rich.console import Console

import simulators
from alerts.ports import HazgateError
from gateway.demo.audience import Reader, Screen
from gateway.demo.cast import Plan
from gateway.demo.picture import Picture
from gateway.demo.play import Demo
from gateway.demo.reckoning import Outcome

EXAMPLES: Final = """\
examples:
  hazgate demo                                 a live view; after the incident it goes on quietly until Ctrl-C
  hazgate demo --seconds 60                    the same, and it ends by itself
  hazgate demo --headless --json --seconds 60  progress lines on stderr; the last line on stdout is one JSON object

The site lives for N seconds; starting and counting take a few more. The incident needs 45. In the JSON object `published`
is counted by the simulators, `stored` by a query of the store, `notifications` by the receiver of the webhooks, the rest of
the balance by the gateway; `p50_ms` and `p99_ms` are milliseconds from a reading's time stamp to the receipt of the alarm
event that it caused, over MQTT, by another process (stamps are whole milliseconds; the simulators' own delay is included).

Broker, gateway, simulators and listener are processes of their own, on free ports of this machine, with their files in a
temporary folder. The broker is mosquitto if that is installed, else amqtt (pip install 'hazgate[demo]').

exit status: 0 if the incident's alarms came, it was over and the balance closed; else 1 with the reasons on stderr"""
SCENARIO: Final = Path(simulators.__path__[0]) / "scenarios" / "demo.yaml"
SITE: Final = Path(simulators.__path__[0]) / "sites" / "demo.yaml"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to `hazgate`."""
    parser = subparsers.add_parser(
        "demo",
        help="play an incident at a simulated site, with nothing to configure",
        description="A pump seal leaks at a simulated LPG station: broker, sensors, gateway, a duty officer and a live view. Nothing has to be configured.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=_seconds, metavar="N", help="for how long the site lives; left out: until Ctrl-C")
    parser.add_argument("--headless", action="store_true", help="no live view, plain lines on stderr; so it is, too, where stderr is no terminal")
    parser.add_argument("--json", action="store_true", help="print one JSON object last, on stdout")
    parser.set_defaults(run=run)


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"a whole number of seconds above 0, not {text!r}")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Play the demo as the arguments say; the exit status."""
    console = Console(stderr=True)
    picture = Picture()
    audience = Reader(picture) if arguments.headless or not console.is_terminal or console.is_dumb_terminal else Screen(picture, console)
    try:
        outcome = asyncio.run(_play(arguments.seconds, picture, audience))
    except HazgateError as error:
        print(error, file=sys.stderr)
        return 1
    _tell(outcome)
    if arguments.json:
        print(json.dumps(outcome.summary))
    return 1 if outcome.reasons else 0


async def _play(seconds: int | None, picture: Picture, audience: Reader | Screen) -> Outcome:
    demo = Demo(Plan(SCENARIO, "demo", SITE, seconds), picture, audience)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, demo.stop)
    return await demo.run(audience)


def _tell(outcome: Outcome) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(" ".join(f"{key} {'-' if value is None else value}" for key, value in outcome.summary.items()), file=sys.stderr)
        print(*(outcome.reasons or ["the incident's alarms came, it is over, and the balance closed"]), sep="\n", file=sys.stderr)
