"""`hazgate reload`: let the running gateway take up changed files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from gateway import control
from gateway.config import Config, load

EXAMPLES: Final = """\
examples:
  hazgate check new/hazgate.yaml --against hazgate.yaml   what would change
  hazgate reload --config hazgate.yaml

The gateway reads its own files again, as on SIGHUP. It keeps the old ones if the new ones do not check, or take out a
sensor whose alarm is not normal or change its unit. All its parts stop in order and start anew, which takes a few
seconds; the broker keeps what comes meanwhile.

exit status: 0 it takes them up, 1 no gateway runs, 2 it keeps the old ones, and why"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to `hazgate`."""
    parser = subparsers.add_parser(
        "reload",
        help="let the running gateway take up changed files",
        description="Asks the gateway that runs on the file's data_dir to read its files again.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, required=True, metavar="C", help="the gateway's file, usually hazgate.yaml")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask for it; the exit status."""
    config = load(arguments.config)
    if not isinstance(config, Config):
        print("the old configuration stays:", *config, sep="\n", file=sys.stderr)
        return 2
    try:
        answer = control.ask(config.gateway.data_dir, {"ask": control.Ask.RELOAD})
    except control.NoGateway as error:
        print(error, file=sys.stderr)
        return 1
    except control.Refused as error:
        print(error, file=sys.stderr)
        return 2
    for reason in answer["refused"]:
        print(f"the old configuration stays: {reason}", file=sys.stderr)
    return 2 if answer["refused"] else 0
