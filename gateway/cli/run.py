"""`hazgate run`: the gateway, until it is told to stop."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvloop
from pydantic import BaseModel

from adapters.lock import InUse
from adapters.memory import one_heap
from adapters.secret import Secret
from alerts.ports import HazgateError, Permanent
from gateway import logs
from gateway.api.server import PortTaken
from gateway.app import App
from gateway.cli.main import NOTICE, version
from gateway.config import Config, load
from gateway.faults import UnknownFault

log = logging.getLogger("hazgate")

SWITCH: Final = 0.0005
"""Seconds after which a thread must give the interpreter to another that waits."""
STOPPED, FAILED, CONFIGURATION, IN_USE, DAMAGED, PORT = 0, 1, 2, 3, 4, 5
EXAMPLES: Final = """\
examples:
  hazgate run hazgate.yaml                  until SIGTERM or Ctrl-C; it stops in order within 10 s
  hazgate run hazgate.yaml 2>> hazgate.log  logs are JSON lines where stderr is no terminal

An unreachable broker or store never ends it.

exit status: 0 stopped, 2 configuration, 3 data directory in use, 4 journal damaged, 5 port taken"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to `hazgate`."""
    parser = subparsers.add_parser(
        "run",
        help="run the gateway",
        description="Takes readings in, records and judges them, tells people and keeps chasing them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="the gateway's file, usually hazgate.yaml")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the gateway of `arguments.config`; the exit status."""
    one_heap()
    logs.set_up()
    _say_what_it_is_not()
    config = load(arguments.config)
    if not isinstance(config, Config):
        for problem in config:
            print(problem, file=sys.stderr)
        return CONFIGURATION
    for warning in config.warnings:
        log.warning("%s", warning)
    try:
        for secret in secrets_in(config.gateway):
            secret.reveal()
    except Permanent as error:
        log.critical("%s", error)
        return CONFIGURATION
    return _run(config)


def _run(config: Config) -> int:
    # A commit's thread comes back for the interpreter several times; by default it would wait 5 ms each time.
    sys.setswitchinterval(SWITCH)
    try:
        uvloop.run(App(config).run())
    except UnknownFault as error:
        return _end(error, CONFIGURATION)
    except InUse as error:
        return _end(error, IN_USE)
    except Permanent as error:
        return _end(error, DAMAGED)
    except PortTaken as error:
        return _end(error, PORT)
    except (HazgateError, OSError) as error:
        return _end(error, FAILED)
    return STOPPED


def _end(error: Exception, status: int) -> int:
    log.critical("%s", error.strerror if isinstance(error, PortTaken) else error)
    return status


def _say_what_it_is_not() -> None:
    if sys.stderr.isatty():
        print(f"hazgate {version()}\n\n{NOTICE}\n", file=sys.stderr)
    else:
        log.info("hazgate %s. %s", version(), " ".join(NOTICE.split()))


def secrets_in(model: object) -> Iterator[Secret]:
    """Every secret that settings name, wherever in them."""
    if isinstance(model, Secret):
        yield model
    elif isinstance(model, BaseModel):
        for name in type(model).model_fields:
            yield from secrets_in(getattr(model, name))
    elif isinstance(model, dict | list | tuple):
        for value in model.values() if isinstance(model, dict) else model:
            yield from secrets_in(value)
