"""`hazgate restore`: put a backup where a gateway's data belongs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from gateway.backup import restore
from gateway.cli.backup import work

EXAMPLES: Final = """\
examples:
  hazgate restore --config hazgate.yaml /mnt/backup/2026-01-15

No gateway may run, and data_dir must be empty or not there yet: move what it holds away first. Every file is compared
with its digest. What happened after the backup is not known to the gateway that starts on it: it says since when nobody
watched, and repeats, marked, messages that were open then.

exit status: 0; 1 it could not be read or written, 2 the configuration or the backup is refused, 3 data directory in use"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to `hazgate`."""
    parser = subparsers.add_parser(
        "restore",
        help="put a backup where a gateway's data belongs",
        description="Puts what `hazgate backup` wrote into an empty data_dir.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the backup")
    parser.add_argument("--config", type=Path, required=True, metavar="C", help="the gateway's file, usually hazgate.yaml")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Restore as the arguments say; the exit status."""
    return work(arguments, "restored", lambda config: restore(arguments.folder, config.gateway.data_dir, config.gateway.gateway))
