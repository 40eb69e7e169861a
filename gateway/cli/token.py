"""`hazgate token`: what a person shows to the HTTP interface, or in a signed command."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any, Final

from adapters.clock import SystemClock
from adapters.codecs.alarm_json import time_text
from adapters.journal import Entry, Journal
from adapters.lock import DirectoryLock, InUse
from alerts import units
from alerts.ports import HazgateError, Permanent
from gateway import control
from gateway.backup import refuse_unfit
from gateway.config import Config, load
from gateway.desk import Tokens, known_people

EXAMPLES: Final = """\
examples:
  hazgate token create --config hazgate.yaml --person li
  hazgate token create --config hazgate.yaml --person wang --for 8h > token.txt

Of the token only a hash is kept: it is printed now and never again. It works at once, also while the gateway runs.

exit status: 0, or 2 for an unknown person or a configuration that is refused, 3 data directory in use, 4 journal damaged"""
LONGEST: Final = units.duration("1y")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to `hazgate`."""
    parser = subparsers.add_parser("token", help="make an API token for a person", description="API tokens of people in the site files.")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    create = verbs.add_parser(
        "create",
        help="make a token and print it, once",
        description="Makes a token for somebody of the site files and prints it on stdout.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    create.add_argument("--config", type=Path, required=True, metavar="FILE", help="the gateway's file")
    create.add_argument("--person", required=True, metavar="ID", help="whose token it is: an id of a site file's people")
    create.add_argument("--for", dest="lifetime", type=_lifetime, default="30d", metavar="DURATION", help="how long it works, at most 1y; default: %(default)s")
    create.set_defaults(run=run)


def _lifetime(text: str) -> int:
    try:
        lifetime = units.duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not 0 < lifetime <= LONGEST:
        raise argparse.ArgumentTypeError(f"a token works for more than nothing and at most 1y, not {text}")
    return lifetime


def run(arguments: argparse.Namespace) -> int:
    """Make a token as the arguments say; the exit status."""
    config = load(arguments.config)
    if not isinstance(config, Config):
        return _refuse(*map(str, config))
    try:
        made = create(config, arguments.person, arguments.lifetime)
    except control.Refused as error:
        return _refuse(str(error))
    except InUse as error:
        return _refuse(str(error), status=3)
    except Permanent as error:
        return _refuse(str(error), status=4)
    except (HazgateError, OSError) as error:
        return _refuse(str(error), status=1)
    print(made["token"])
    print(f"a token of {arguments.person}, good until {made['until']}; it is not shown again", file=sys.stderr)
    return 0


def create(config: Config, person: str, lifetime: int) -> dict[str, Any]:
    """A new token (`token`, `until`) by way of the running gateway, or straight into its journal if none runs.

    lifetime: ns. Raises `control.Refused` for an unknown person, InUse where a gateway holds the directory but does
    not answer, Transient, Permanent or OSError where the journal cannot be written.
    """
    data_dir = config.gateway.data_dir
    try:
        return control.ask(data_dir, {"ask": control.Ask.CREATE, "person": person, "for": lifetime})
    except control.NoGateway:
        pass
    people = known_people(list(config.sites))
    if person not in people:
        raise control.Refused(control.unknown(person, people))
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    lock = DirectoryLock(data_dir)
    try:
        refuse_unfit(data_dir)
        return asyncio.run(_keep(data_dir, person, lifetime))
    finally:
        lock.release()


async def _keep(data_dir: Path, person: str, lifetime: int) -> dict[str, Any]:
    journal = Journal(data_dir / "journal.db")
    await journal.start()
    try:
        text, kept = Tokens([]).create(person, SystemClock().now(), lifetime)
        await journal.commit(Entry(tokens=[kept]))
    finally:
        await journal.stop()
    return {"token": text, "until": time_text(kept.until)}


def _refuse(*sentences: str, status: int = 2) -> int:
    for sentence in sentences:
        print(sentence, file=sys.stderr)
    return status
