"""`hazgate replay`: what the alarms would have been, from a recording."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from adapters import registry
from adapters.clock import SystemClock
from adapters.codecs.alarm_json import event_bytes, time_text
from alerts.alarm import Event, Tier
from alerts.ports import HazgateError, Permanent, Query
from alerts.replay import Replay
from alerts.site import Site
from gateway.cli.moments import argument, take_spans
from gateway.config import Config, Severity, load, load_site
from gateway.history import opened
from gateway.replaying import Recording, WrongFile, recording, stored

_EXAMPLES = """\
examples:
  hazgate replay --site north.yaml day.csv > events.jsonl
  hazgate replay --site north.yaml month.parquet --output events.jsonl --json
  hazgate simulate simulators/scenarios/lpg-leak.yaml --offline leak.jsonl
  hazgate replay --site simulators/sites/lpg-leak.yaml leak.jsonl
  hazgate replay --site north.yaml --config hazgate.yaml --since -7d

A CSV file has a header with time,sensor,value[,quality]; JSON lines have those keys; so have the columns of Parquet. A
time is RFC 3339 or milliseconds since 1970. Virtual time is the largest stamp seen, so the rows should be in the order
in which they came; what comes behind that is late, as it is for the gateway.

exit status: 0; 1 nothing was judged, or it could not be read or written; 2 the file, the site or a time is wrong"""
TOLD = 5
"""Rows that could not be read and are named one by one."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to `hazgate`."""
    parser = subparsers.add_parser(
        "replay",
        help="judge a recording, offline and in virtual time",
        description="Judges recorded readings as the gateway would have judged them, and prints the alarm events as JSON lines.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    now = SystemClock().now()
    time = argument(now)
    take_spans(parser)
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="CSV, JSON lines or Parquet; its content says which")
    parser.add_argument("--site", type=Path, required=True, metavar="SITE", help="the site file whose sensors and limits judge it")
    parser.add_argument("--config", type=Path, metavar="C", help="replay the store of this gateway's file instead, with --since")
    parser.add_argument("--since", type=time, metavar="T", help="2026-01-15T08:00:00Z, or -7d")
    parser.add_argument("--until", type=time, default=now, metavar="T", help="likewise; now if left out")
    parser.add_argument("--output", type=Path, metavar="EVENTS", help="where the events go; default: stdout")
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object, last on stdout")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Replay what `arguments` name; the exit status."""
    if (arguments.file is None) == (arguments.config is None):
        return _complain("name a FILE, or the store with --config, --since and --until", 2)
    if arguments.config is not None and (arguments.since is None or arguments.since >= arguments.until):
        return _complain("--config needs --since, and it must be before --until", 2)
    site = load_site(arguments.site)
    if not isinstance(site, Site):
        for problem in site:
            if problem.severity is Severity.ERROR:
                print(problem, file=sys.stderr)
        return 2
    try:
        with _recording(arguments, site) as source, _output(arguments.output) as output:
            report = _Report(site, output)
            report.follow(source)
    except WrongFile as error:
        return _complain(str(error), 2)
    except HazgateError as error:
        return _complain(str(error), 1)
    return report.end(as_json=arguments.json)


def _complain(sentence: str, status: int) -> int:
    print(f"hazgate replay: {sentence}", file=sys.stderr)
    return status


@contextlib.contextmanager
def _recording(arguments: argparse.Namespace, site: Site) -> Iterator[Recording]:
    if arguments.file is not None:
        with recording(arguments.file) as file:
            yield file
        return
    config = load(arguments.config)
    if not isinstance(config, Config):
        raise WrongFile("\n".join(str(problem) for problem in config if problem.severity is Severity.ERROR))
    query = Query(arguments.since, arguments.until, site=site.site)
    with opened(Path(config.gateway.data_dir), registry.plain(config.gateway.store)) as source:
        yield Recording(0, iter(())) if source is None else stored(source, site, query)


@contextlib.contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO]:
    """Stdout, or a file that appears under its name only when it is complete."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise Permanent(f"cannot write {path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


class _Report:
    """Takes a recording through the replay, writes its events and counts."""

    def __init__(self, site: Site, output: BinaryIO) -> None:
        self._site = site
        self._output = output
        self._replay = Replay(site)
        self._unreadable = 0
        self._named: list[str] = []
        self._events = 0
        self._tiers: dict[Tier, Counter[str]] = {tier: Counter() for tier in Tier}

    def follow(self, source: Recording) -> None:
        """Judge it all; on a terminal, show how far it is and the time left."""
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
            task = progress.add_task("replay", total=source.size)
            for piece in source.pieces:
                for number, why in piece.unreadable:
                    self._unreadable += 1
                    if len(self._named) < TOLD:
                        self._named.append(f"line {number}: {why}")
                self._write(self._replay.feed(piece.rows))
                progress.update(task, completed=piece.reached)
            self._write(self._replay.end())

    def _write(self, events: list[Event]) -> None:
        for event in events:
            self._tiers[event.alarm.tier][event.kind] += 1
        self._events += len(events)
        self._output.write(b"".join(event_bytes(event, self._site) + b"\n" for event in events))

    def summary(self) -> dict[str, Any]:
        """What was read and what came of it."""
        tally = self._replay.tally
        aside = {"unreadable": self._unreadable, **tally.aside}
        return {
            "site": self._site.site,
            "read": tally.read + self._unreadable,
            "judged": tally.judged,
            "late": tally.late,
            "aside": {reason: count for reason, count in sorted(aside.items()) if count},
            "since": None if tally.since is None else time_text(tally.since),
            "until": None if tally.until is None else time_text(tally.until),
            "events": self._events,
            "transitions": {tier.value: dict(sorted(kinds.items())) for tier, kinds in self._tiers.items()},
        }

    def end(self, *, as_json: bool) -> int:
        """Say what came of it; the exit status."""
        found = self.summary()
        print(*_words(found, self._named), sep="\n", file=sys.stderr)
        if as_json:
            print(json.dumps(found))
        return 0 if found["judged"] else 1


def _words(found: dict[str, Any], named: list[str]) -> Iterator[str]:
    yield f"{found['read']} rows read, {found['judged']} judged, {found['late']} of them late; virtual time {found['since'] or '-'} to {found['until'] or '-'}"
    aside = ", ".join(f"{count} {reason}" for reason, count in found["aside"].items())
    yield f"set aside: {aside or 'nothing'}"
    yield from named
    more = found["aside"].get("unreadable", 0) - len(named)
    if more > 0:
        yield f"and {more} more that could not be read"
    for tier in reversed(Tier):
        kinds = ", ".join(f"{count} {kind}" for kind, count in found["transitions"][tier.value].items())
        yield f"{tier.value}: {kinds or 'no transition'}"
    if found["late"] * 2 > found["judged"]:
        yield "most of it is late: are the rows in the order in which they came, and is one stamp far ahead of the rest?"
    if not found["judged"]:
        yield "nothing was judged: no row named a sensor of this site with a time and a value that could be read"
