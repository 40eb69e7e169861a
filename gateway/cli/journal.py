"""`hazgate journal`: holds the journal against itself and what was given away of it, saves a damaged one, exports it for an inquiry."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from adapters.clock import SystemClock
from adapters.codecs.alarm_json import time_text
from adapters.codecs.chain import Head, Unreadable, read_head
from adapters.journal_check import Report, verify
from adapters.journal_files import END
from adapters.journal_salvage import salvage
from adapters.lock import DirectoryLock, InUse
from adapters.signing import Sealer, read_key, trusted
from alerts.ports import HazgateError, Permanent
from gateway.backup import JOURNAL
from gateway.cli.moments import argument, take_spans
from gateway.cli.output import opened_output
from gateway.config import Config, load
from gateway.inquiry import Stretch, signed_lines, stretch
from gateway.timeline import timeline

SOUND, FAULTY, CONFIGURATION, IN_USE = 0, 1, 2, 3
_VERIFY: Final = """\
examples:
  hazgate journal verify --config hazgate.yaml
  hazgate journal verify --config hazgate.yaml --head 15000.9f86d081....Kq2w    as the status topic, health, or a log gave it

Every row of every file is held against the one before it, every signed head and closed year against the gateway's public
key, and each --head against the rows. A head that was kept elsewhere shows a tail that was cut off: nothing else can.
It works beside a running gateway and changes nothing.

exit status: 0 it holds; 1 it does not, with what is wrong, or it could not be read; 2 the configuration or a head is wrong"""
_SALVAGE: Final = """\
examples:
  hazgate journal salvage --config hazgate.yaml

The chain is kept up to the first row that is not sound, and of alarms, messages and tokens all that can be read. The old
files stay beside the journal, in a folder of their own, with the rows beyond that row as lines of JSON. The journal says
that it was done. A sound journal is left as it is. If it breaks off, call it again.

exit status: 0; 1 it could not be read or written; 2 the configuration is wrong; 3 a gateway uses the directory"""
_EXPORT: Final = """\
examples:
  hazgate journal export --config hazgate.yaml --since 2026-01-15T00:00:00+08:00 --until 2026-01-16T00:00:00+08:00 --output day.jsonl
  hazgate journal export --config hazgate.yaml --since -2h --format timeline

Every row is in it, suppressed and shelved alarms too, by when it was recorded. The lines of JSON can be verified without
hazgate, as docs/journal.md shows; the timeline gives each time in the site's zone and in UTC.

exit status: 0; 1 it could not be read or written, or rows in it do not follow one another; 2 the configuration or a time is wrong"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to `hazgate`."""
    parser = subparsers.add_parser(
        "journal", help="verify, salvage or export the journal", description="The journal of alarms: a chain of rows, closed into a file each year."
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    checked = _verb(verbs, "verify", "hold the journal against itself and what was given away of it", _VERIFY)
    checked.add_argument("--head", type=_head, action="append", default=[], metavar="H", help="a head that the gateway gave away; may be given more than once")
    checked.set_defaults(run=partial(_run, _verify))
    _verb(verbs, "salvage", "keep what is sound of a damaged journal", _SALVAGE).set_defaults(run=partial(_run, _salvage))
    exported = _verb(verbs, "export", "write the journal for an inquiry", _EXPORT)
    take_spans(exported)
    time = argument(SystemClock().now())
    exported.add_argument("--since", type=time, default=-END, metavar="T", help="2026-01-15T08:00:00Z, or -7d; the beginning if left out")
    exported.add_argument("--until", type=time, default=END, metavar="T", help="likewise; the end if left out")
    exported.add_argument("--format", choices=["jsonl", "timeline"], default="jsonl", help="default: %(default)s")
    exported.add_argument("--output", type=Path, metavar="FILE", help="default: stdout")
    exported.set_defaults(run=partial(_run, _export))


def _verb(verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, does: str, epilog: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=does, description=f"{does[0].upper()}{does[1:]}.", epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, metavar="C", help="the gateway's file, usually hazgate.yaml")
    return parser


def _head(text: str) -> Head:
    try:
        return read_head(text)
    except Unreadable as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _run(act: Callable[[Config, argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    config = load(arguments.config)
    if not isinstance(config, Config):
        for problem in config:
            print(problem, file=sys.stderr)
        return CONFIGURATION
    try:
        return act(config, arguments)
    except InUse as error:
        return _complain(str(error), IN_USE)
    except HazgateError as error:
        return _complain(str(error), FAULTY)


def _complain(sentence: str, status: int) -> int:
    print(f"hazgate journal: {sentence}", file=sys.stderr)
    return status


def _journal(config: Config) -> Path:
    return config.gateway.data_dir / JOURNAL


def _verify(config: Config, arguments: argparse.Namespace) -> int:
    path = _journal(config)
    if not path.parent.is_dir():
        return _complain(f"there is no journal in {path.parent}", FAULTY)
    report = verify(path, config.gateway.gateway, trusted(config.gateway.journal.key), arguments.head)
    for line in (*_coverage(report), *report.remarks):
        print(line)
    for finding in report.findings:
        print(f"{finding.fault.value.upper()} {finding.file}: {finding.sentence}")
    print("the journal does not hold" if report.findings else "the journal holds", file=sys.stderr)
    return FAULTY if report.findings else SOUND


def _coverage(report: Report) -> list[str]:
    """What was looked at, in words."""
    if not report.rows:
        return [f"no rows, in {', '.join(report.files) or 'no file'}"]
    span = f"recorded from {time_text(report.since)} to {time_text(report.until)}, in {', '.join(report.files)}"
    lines = [f"rows {report.first} to {report.last} ({report.rows} of them), {span}"]
    if report.head is not None:
        head = f"the newest is of row {report.head.sequence}, signed {time_text(report.head.at)} with the key {report.head.key}"
        lines.append(f"signed heads: {report.heads}; {head}; rows after it: {report.unsigned}")
    return lines


def _salvage(config: Config, _arguments: argparse.Namespace) -> int:
    path, clock = _journal(config), SystemClock()
    if not path.parent.is_dir():
        return _complain(f"there is no journal in {path.parent}", FAULTY)
    keys: Mapping[str, bytes] = {}
    with contextlib.suppress(Permanent):  # without a key signatures cannot be judged, and are kept as they are
        keys = trusted(config.gateway.journal.key)
    lock = DirectoryLock(path.parent)
    try:
        done = salvage(path, config.gateway.gateway, keys, clock.now())
    finally:
        lock.release()
    if done is None:
        print("nothing is wrong with the journal; it was left as it is", file=sys.stderr)
        return SOUND
    for why in done.why:
        print(f"found: {why}")
    print(f"kept {done.kept} rows, up to {done.last}, with the alarms, messages and tokens that could be read; {done.cut} readable rows do not count any more")
    for alarm in done.lost:
        print(f"LOST {alarm}: it was not normal when it was last heard of, and is not known any more; look at the place")
    print(f"the old files are in {done.folder}")
    return SOUND


def _export(config: Config, arguments: argparse.Namespace) -> int:
    if arguments.since >= arguments.until:
        return _complain("--since must be before --until", CONFIGURATION)
    with stretch(_journal(config), arguments.since, arguments.until) as wanted:
        _write(config, arguments, wanted)
        if wanted.broken:
            return _complain(f"{wanted.broken} of {wanted.count} rows do not follow the one before them; `hazgate journal verify` says more", FAULTY)
    print(f"rows: {wanted.count}", file=sys.stderr)
    return SOUND


def _write(config: Config, arguments: argparse.Namespace, wanted: Stretch) -> None:
    if arguments.format == "timeline":
        with opened_output(arguments.output) as output:
            output.writelines(f"{line}\n" for line in timeline(wanted, config.gateway.gateway, config.sites))
        return
    sealer = Sealer(read_key(config.gateway.journal.key), config.gateway.gateway, SystemClock().now)
    with opened_output(arguments.output) as output:
        output.writelines(line.decode() for line in signed_lines(wanted, sealer))
