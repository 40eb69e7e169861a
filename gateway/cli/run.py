"""`hazgate run`: the gateway, until it is told to stop."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Final

import uvloop

from adapters.lock import InUse
from adapters.memory import one_heap, thaw
from adapters.signing import open_key, public_path
from alerts.ports import HazgateError, Permanent
from gateway import logs
from gateway.api.server import PortTaken
from gateway.app import App
from gateway.cli.main import NOTICE, version
from gateway.config import Config, load
from gateway.faults import UnknownFault
from gateway.reload import secrets_in

log = logging.getLogger("hazgate")

SWITCH: Final = 0.0005
"""Seconds after which a thread must give the interpreter to another that waits."""
STOPPED, FAILED, CONFIGURATION, IN_USE, DAMAGED, PORT = 0, 1, 2, 3, 4, 5
EXAMPLES: Final = """\
examples:
  hazgate run hazgate.yaml                  until SIGTERM or Ctrl-C; it stops in order within 10 s
  hazgate run hazgate.yaml 2>> hazgate.log  logs are JSON lines where stderr is no terminal

SIGHUP, or `hazgate reload`, takes up changed files. An unreachable broker or store never ends it.

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
        _show_key(config.gateway.journal.key)
    except Permanent as error:
        log.critical("%s", error)
        return CONFIGURATION
    return _run(config)


def _show_key(path: Path) -> None:
    new = not path.exists()
    key = open_key(path)
    log.info("%s the key %s; its public half is %s", "made" if new else "the journal's heads are signed with", key.id, public_path(path))
    if new:
        log.warning("keep a copy of %s somewhere else: what the journal says is held against it", public_path(path))


def _run(config: Config) -> int:
    # A commit's thread comes back for the interpreter several times; by default it would wait 5 ms each time.
    sys.setswitchinterval(SWITCH)
    try:
        _generations(config)
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


def _generations(config: Config) -> None:
    """Run a gateway, then one on each configuration that the last one took up; on the old one again if it cannot start on the new."""
    old: Config | None = None
    while True:
        app = App(config)
        try:
            uvloop.run(app.run())
        except (HazgateError, OSError) as error:
            if old is None or app.started:
                raise
            log.error("cannot run on the changed configuration (%s); the old one stays", error)  # noqa: TRY400 - the sentence says it all
            config, old = old, None
        else:
            if app.next is None:
                return
            config, old = app.next, config
        del app
        thaw()


def _end(error: Exception, status: int) -> int:
    log.critical("%s", error.strerror if isinstance(error, PortTaken) else error)
    return status


def _say_what_it_is_not() -> None:
    if sys.stderr.isatty():
        print(f"hazgate {version()}\n\n{NOTICE}\n", file=sys.stderr)
    else:
        log.info("hazgate %s. %s", version(), " ".join(NOTICE.split()))
