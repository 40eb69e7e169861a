"""`hazgate backup`: a copy of everything a gateway keeps, while it runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from adapters.clock import SystemClock
from adapters.lock import InUse
from alerts.ports import HazgateError
from gateway.backup import Made, Refused, back_up
from gateway.config import Config, load

EXAMPLES: Final = """\
examples:
  hazgate backup --config hazgate.yaml /mnt/backup/2026-01-15

The folder must be empty or not there yet. All that had been acknowledged to the broker when the backup began is in it:
readings, alarms, messages, tokens. The files of the configuration are not, nor is a store outside data_dir. It is
finished when backup.json is there.

exit status: 0; 1 it could not be read or written, 2 the configuration or the folder is refused"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to `hazgate`."""
    parser = subparsers.add_parser(
        "backup",
        help="copy everything a gateway keeps, while it runs",
        description="Copies data_dir to another folder, consistently, beside a running gateway or without one.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="where to: empty, or not there yet")
    parser.add_argument("--config", type=Path, required=True, metavar="C", help="the gateway's file, usually hazgate.yaml")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Back up as the arguments say; the exit status."""
    return work(arguments, "backed up", lambda config: back_up(config.gateway.data_dir, config.gateway.gateway, arguments.folder, SystemClock().now()))


def work(arguments: argparse.Namespace, did: str, act: Callable[[Config], Made]) -> int:
    """Do something with the data of `arguments.config` and say what was done; the exit status."""
    config = load(arguments.config)
    if not isinstance(config, Config):
        for problem in config:
            print(problem, file=sys.stderr)
        return 2
    try:
        made = act(config)
    except (Refused, InUse) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, Refused) else 3
    except HazgateError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{did} {made.files} files, {made.bytes / 1e6:.1f} MB, as of {made.made}", file=sys.stderr)
    return 0
