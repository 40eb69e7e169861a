"""`hazgate export`: readings, alarms or the quarantine of the past, from wherever they are kept."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from adapters import registry
from adapters.clock import SystemClock
from adapters.parquet import ParquetFile
from alerts.ports import HazgateError, Query
from gateway.cli.moments import argument, take_spans
from gateway.cli.output import opened_output
from gateway.config import Config, load
from gateway.history import opened
from gateway.tables import QUARANTINE, READINGS, Table, alarms_table, quarantine_table, readings_table, write_csv, write_jsonl

_EXAMPLES = """\
examples:
  hazgate export readings --config hazgate.yaml --since -1d --until 2026-01-15T08:00:00+08:00 > day.csv
  hazgate export readings --config hazgate.yaml --since -1d --sensor GT-101
  hazgate export readings --config hazgate.yaml --since -30d --format parquet --output month.parquet
  hazgate export alarms --config hazgate.yaml --since -7d --format jsonl
  hazgate export quarantine --config hazgate.yaml --since -1d

A time is RFC 3339 or a span back from now. Readings go by their own time, alarm events by when they were recorded, the
quarantine by arrival. It works beside a running gateway and without one.

exit status: 0; 1 it could not be read or written; 2 the configuration or a time is wrong"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to `hazgate`."""
    parser = subparsers.add_parser(
        "export",
        help="print readings or alarms of the past, or what was set aside",
        description="Prints what was recorded from one time up to, and without, another; what is still on its way to the store is included.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    now = SystemClock().now()
    time = argument(now)
    take_spans(parser)
    parser.add_argument("what", choices=["readings", "alarms", "quarantine"])
    parser.add_argument("--config", type=Path, required=True, metavar="C", help="the gateway's file, usually hazgate.yaml")
    parser.add_argument("--since", type=time, required=True, metavar="T", help="2026-01-15T08:00:00Z, or -7d")
    parser.add_argument("--until", type=time, default=now, metavar="T", help="likewise; now if left out")
    parser.add_argument("--site", metavar="ID", help="readings of this site only")
    parser.add_argument("--sensor", metavar="ID", help="readings of this sensor only")
    parser.add_argument("--format", choices=["csv", "jsonl", "parquet"], default="csv", help="default: %(default)s")
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: stdout; parquet needs a file")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Export what `arguments` ask for; the exit status."""
    config = load(arguments.config)
    if not isinstance(config, Config):
        for problem in config:
            print(problem, file=sys.stderr)
        return 2
    if arguments.since >= arguments.until:
        return _complain("--since must be before --until", 2)
    if arguments.format == "parquet" and arguments.output is None:
        return _complain("parquet needs --output FILE", 2)
    if arguments.what != "readings" and (arguments.site or arguments.sensor):
        return _complain("--site and --sensor choose among readings only", 2)
    _remark(config, arguments)
    try:
        _export(config, arguments)
    except HazgateError as error:
        return _complain(str(error), 1)
    return 0


def _complain(sentence: str, status: int) -> int:
    print(f"hazgate export: {sentence}", file=sys.stderr)
    return status


def _remark(config: Config, arguments: argparse.Namespace) -> None:
    """Say so when no file names what is asked for: it may be of the past, or a typing error."""
    configured = {(site.site, sensor.id) for site in config.sites for sensor in site.sensors}
    if not any(arguments.site in (None, site) and arguments.sensor in (None, sensor) for site, sensor in configured):
        what = "/".join(filter(None, (arguments.site, arguments.sensor)))
        print(f"hazgate export: no site file names {what}; what was recorded under that name is given", file=sys.stderr)


def _export(config: Config, arguments: argparse.Namespace) -> None:
    with _table(config, arguments) as table:
        if arguments.format == "parquet":
            with ParquetFile(arguments.output, table.columns) as file:
                _follow(_write_parquet(table, file), arguments)
        else:
            write = write_csv if arguments.format == "csv" else write_jsonl
            with opened_output(arguments.output) as output:
                _follow(write(table, output), arguments)


@contextlib.contextmanager
def _table(config: Config, arguments: argparse.Namespace) -> Iterator[Table]:
    since, until, data_dir = arguments.since, arguments.until, Path(config.gateway.data_dir)
    if arguments.what == "alarms":
        yield alarms_table(data_dir / "journal.db", since, until)
        return
    with opened(data_dir, registry.plain(config.gateway.store)) as source:
        if source is None:
            yield Table(QUARANTINE if arguments.what == "quarantine" else READINGS, iter(()))
        elif arguments.what == "quarantine":
            yield quarantine_table(source, since, until)
        else:
            units: dict[tuple[str, str], str] = {
                (site.site, sensor.id): sensor.unit for site in config.sites for sensor in site.sensors if sensor.unit is not None
            }
            yield readings_table(source, Query(since, until, arguments.site, arguments.sensor), units)


def _write_parquet(table: Table, file: ParquetFile) -> Iterator[int]:
    for columns, reached in table.pieces:
        file.write(columns)
        yield reached


def _follow(steps: Iterator[int], arguments: argparse.Namespace) -> None:
    """Take all steps; on a terminal, show how far they are."""
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(arguments.what, total=arguments.until - arguments.since)
        for reached in steps:
            progress.update(task, completed=reached - arguments.since)
