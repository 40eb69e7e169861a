"""`hazgate simulate`: a virtual site against any broker, judged by what a gateway made of it."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

from adapters.clock import SystemClock
from alerts.reading import SECOND
from simulators.links import Broker, Unreachable
from simulators.run import Live, Outcome, Progress, run_live, run_offline
from simulators.scenario import Scenario, ScenarioError, load

EXAMPLES = """\
examples:
  hazgate simulate simulators/scenarios/lpg-leak.yaml
      play the leak in real time against mqtt://127.0.0.1:1883 and compare the alarms with the scenario's oracle
  hazgate simulate simulators/scenarios/demo.yaml --broker mqtts://rtu:secret@broker.example:8883 --json
      the same against a broker with TLS and a login, with one JSON object at the end
  hazgate simulate simulators/scenarios/demo.yaml --seconds 0
      go on quietly after the incident until Ctrl-C
  hazgate simulate simulators/scenarios/lpg-leak.yaml --seed 7 --offline leak.jsonl
      write the readings in virtual time, for `hazgate replay`

exit status: 0 if the alarms were those of the oracle (or the file is written), else 1 with the difference on stderr
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to `hazgate`."""
    parser = subparsers.add_parser(
        "simulate",
        help="play a virtual site against a broker and judge the alarms",
        description="Play a virtual site in real time against a broker, then compare the alarms seen with those the scenario must and must not cause.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenario", type=Path, help="scenario file (YAML)")
    parser.add_argument("--broker", type=_broker, default="mqtt://127.0.0.1:1883", metavar="URL", help="default: %(default)s")
    parser.add_argument("--seed", type=int, metavar="N", help="other noise, same incident; default: the scenario's")
    parser.add_argument("--seconds", type=_seconds, metavar="N", help="publish that long in place of the scenario's duration; 0: until stopped")
    parser.add_argument("--offline", type=Path, metavar="FILE", help="write the readings as JSON lines in virtual time instead")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.set_defaults(run=run)


def _broker(url: str) -> Broker:
    try:
        return Broker.parse(url)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seconds(text: str) -> int:
    """Whole seconds, 0 or more, in ns."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a whole number of seconds, not {text!r}")
    return int(text) * SECOND


def run(arguments: argparse.Namespace) -> int:
    """Play the scenario as the arguments say; the exit status."""
    try:
        scenario = load(arguments.scenario)
    except ScenarioError as error:
        return _refuse(*error.sentences)
    seed = scenario.script.seed if arguments.seed is None else arguments.seed
    duration = scenario.script.duration if arguments.seconds is None else arguments.seconds
    if arguments.offline is not None:
        return _offline(scenario, seed, duration, arguments)
    if not scenario.script.live:
        return _refuse(f"{arguments.scenario}: the scenario is not meant for real time (no `live: true`); use --offline FILE")
    return _live(scenario, seed, duration, arguments)


def _refuse(*sentences: str) -> int:
    print(*sentences, sep="\n", file=sys.stderr)
    return 1


def _offline(scenario: Scenario, seed: int, duration: int, arguments: argparse.Namespace) -> int:
    if not duration:
        return _refuse("--seconds 0 has no end: --offline needs one")
    try:
        with arguments.offline.open("w", encoding="utf-8") as file:
            readings = run_offline(scenario, seed, duration, file)
    except OSError as error:
        return _refuse(f"{arguments.offline} cannot be written: {error.strerror}")
    print(f"{readings} readings of {duration // SECOND} s written to {arguments.offline}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(_head(scenario, seed, duration) | {"readings": readings}))
    return 0


def _live(scenario: Scenario, seed: int, duration: int, arguments: argparse.Namespace) -> int:
    teller = _Teller(terminal=sys.stderr.isatty())
    try:
        outcome = asyncio.run(_interruptible(scenario, seed, duration, arguments.broker, teller))
    except Unreachable as error:
        return _refuse(str(error))
    teller.end(outcome)
    if arguments.json:
        print(json.dumps(_summary(_head(scenario, seed, outcome.elapsed), outcome)))
    return 1 if outcome.differences else 0


async def _interruptible(scenario: Scenario, seed: int, duration: int, broker: Broker, teller: _Teller) -> Outcome:
    """Run until the end, SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return await run_live(scenario, Live(broker, seed, duration, SystemClock().now, stop), teller.tell)


class _Teller:
    """The progress line on stderr: rewritten every second on a terminal, one line a phase elsewhere."""

    def __init__(self, *, terminal: bool) -> None:
        self._erase = "\r\x1b[K" if terminal else ""
        self._phase = ""

    def tell(self, progress: Progress) -> None:
        text = f"{progress.elapsed / SECOND:5.0f} s  {progress.phase}: {progress.published} readings confirmed, {progress.events} alarm events"
        began = progress.phase != self._phase
        self._phase = progress.phase
        if began:
            print(f"{self._erase}{progress.elapsed / SECOND:5.1f} s  {progress.phase}: {progress.note}", file=sys.stderr, flush=True)
        elif self._erase:
            print(f"{self._erase}{text}", end="", file=sys.stderr, flush=True)

    def end(self, outcome: Outcome) -> None:
        """Say how it ended, and every difference."""
        print(f"{self._erase}{outcome.elapsed / SECOND:5.1f} s  {outcome.published} readings confirmed in {outcome.messages} messages", file=sys.stderr)
        if outcome.unconfirmed:
            print(f"{outcome.unconfirmed} readings were not confirmed by the broker", file=sys.stderr)
        print(*(outcome.differences or ["the alarms are those of the scenario"]), sep="\n", file=sys.stderr)


def _head(scenario: Scenario, seed: int, elapsed: int) -> dict[str, Any]:
    return {"scenario": scenario.name, "site": scenario.place.site, "seed": seed, "seconds": round(elapsed / SECOND, 1)}


def _summary(head: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    alarms = [{"alarm": seen.alarm, "event": seen.event, "tier": seen.tier, "seconds": round(seen.at / SECOND, 3)} for seen in outcome.sightings]
    counts = {"messages": outcome.messages, "published": outcome.published, "unconfirmed": outcome.unconfirmed}
    return head | counts | {"alarms": alarms, "ok": not outcome.differences, "differences": outcome.differences}
