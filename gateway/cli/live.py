"""`hazgate check --live`: what of the files agrees with what devices really send, found by listening for a while."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from adapters.clock import SystemClock
from alerts import units
from alerts.commissioning import agreeing, compare, listening_time
from alerts.finding import Finding, Found, Listened, Weight, many, span
from alerts.ports import HazgateError
from alerts.reading import SECOND
from alerts.register import Register
from gateway.config import Config
from gateway.listening import Tell, listen

TITLES: Final = {
    Finding.REFUSED: "not allowed to hear",
    Finding.INTERRUPTED: "interrupted",
    Finding.NEVER_HEARD: "never heard",
    Finding.UNKNOWN_SENSOR: "heard and unknown: sensors",
    Finding.UNKNOWN_SITE: "heard and unknown: sites",
    Finding.UNKNOWN_TOPIC: "heard and unknown: topics",
    Finding.WRONG_DEVICE: "from another device",
    Finding.WRONG_QUANTITY: "in a unit of another quantity",
    Finding.UNIT_MISSING: "without a unit",
    Finding.UNIT_CONVERTED: "in another unit, converted",
    Finding.UNREADABLE: "cannot be read",
    Finding.NO_VALUE: "without a good value",
    Finding.OUTSIDE_RANGE: "outside the range",
    Finding.WRONG_INTERVAL: "at another interval",
    Finding.SILENT: "silent for too long",
    Finding.CLOCK_SKEW: "clock",
}
"""What heads the lines of each finding."""


def seconds(text: str) -> int:
    """The type of `--for`: a span with its unit, in ns."""
    try:
        given = units.duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if given < SECOND:
        raise argparse.ArgumentTypeError(f"at least 1s, not {text!r}")
    return given


def check_live(config: Config, given: int | None) -> tuple[int, dict[str, Any]]:
    """Listen for `given` ns, or as long as the slowest sensor asks for; print the findings. The exit status, and what `--json` says of it."""
    broker = config.gateway.broker.url
    try:
        listened = asyncio.run(_interruptible(config, given or listening_time(Register(config.sites))))
    except HazgateError as error:
        print(f"cannot listen at {broker}: {error}; see that the broker runs, and that `broker` in {config.path} has its address and login", file=sys.stderr)
        return 2, {"ok": False, "broker": broker, "error": str(error)}
    found = compare(listened)
    for line in _lines(found, several=len(config.sites) > 1):
        print(line)
    agree, sensors = agreeing(listened.register, found), len(listened.register)
    wrong = sum(each.weight is Weight.DISAGREES for each in found)
    print(_summary(listened, (agree, sensors), found), file=sys.stderr)
    summary = {"ok": not wrong, "broker": broker, "seconds": round(listened.span / SECOND, 1), "sensors": sensors, "agree": agree}
    return 2 if wrong else 0, summary | {"findings": [asdict(each) for each in found]}


async def _interruptible(config: Config, duration: int) -> Listened:
    """Listen to the end, SIGINT or SIGTERM: what was heard until then is compared."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with _progress(config, duration) as tell:
        return await listen(config, SystemClock(), duration, stop, tell)


@contextlib.contextmanager
def _progress(config: Config, duration: int) -> Iterator[Tell]:
    """Shows on a terminal how far we are; elsewhere one line says what is going on."""
    sensors = sum(len(site.sensors) for site in config.sites)
    words = f"listening for {span(duration)} at {config.gateway.broker.url}"
    if not sys.stderr.isatty():
        print(words, file=sys.stderr, flush=True)
        yield lambda _elapsed, _heard: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[heard]} of {task.fields[sensors]} sensors heard"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"{words}, Ctrl-C ends it earlier", total=duration, heard=0, sensors=sensors)
        yield lambda elapsed, heard: bar.update(task, completed=elapsed, heard=heard)


def _lines(found: Sequence[Found], *, several: bool) -> Iterator[str]:
    """The findings as a table for people: what has to be mended, then the notes, each kind under its title."""
    for (weight, finding), group in groupby(found, key=lambda each: (each.weight, each.finding)):
        rows = [(*_columns(each, several=several), each.says) for each in group]
        yield f"{'note: ' if weight is Weight.NOTE else ''}{TITLES[finding]} ({len(rows)})"
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)][:-1]
        for *cells, says in rows:
            yield "  ".join(["", *(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True) if width), says])


def _columns(each: Found, *, several: bool) -> tuple[str, str]:
    """The subject, with its site where there is more than one, and the device if that is another word."""
    subject = f"{each.site}/{each.subject}" if several and each.site not in (None, each.subject) else each.subject
    return subject, each.device if each.device is not None and each.device != each.subject else ""


def _summary(listened: Listened, sensors: tuple[int, int], found: Sequence[Found]) -> str:
    wrong = sum(each.weight is Weight.DISAGREES for each in found)
    notes = many(len(found) - wrong, "note")
    return f"{sensors[0]} of {many(sensors[1], 'sensor')} heard as the file says, within {span(listened.span)}; {many(wrong, 'finding')} to mend, {notes}"
