"""`hazgate`: finds the command and hands over; only the command that is run is imported."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Final

COMMANDS: Final = {
    "demo": "play an incident at a simulated site, with nothing to configure",
    "check": "validate a gateway's file and its site files",
    "run": "run the gateway",
    "simulate": "play a virtual site against a broker and judge the alarms",
    "replay": "judge a recording, offline and in virtual time",
    "export": "print readings or alarms of the past, or what was set aside",
    "journal": "verify, salvage or export the journal",
    "token": "make an API token for a person",
    "reload": "let the running gateway take up changed files",
    "backup": "copy everything a gateway keeps, while it runs",
    "restore": "put a backup where a gateway's data belongs",
    "schema": "print the JSON Schema of a file, or every name of the interface",
}
"""Commands and what they do, in the order of the help. Each has a module of its name with `add_parser`."""
NOTICE: Final = """\
What hazgate is not: it records, judges, tells people and keeps chasing them. It is not a gas detection and alarm system
(GDS) in the sense of GB/T 50493, not a fire alarm system, not a safety-instrumented system (SIS), and nobody has
certified or assessed it. It must not replace, delay or feed any of these; local alarms, the GDS panel and the SIS have
to work without it. Most of its default limits come from secondary sources: the site confirms each of them before use.
Its four colors are its own alarm tiers, neither the warning grades of an authority nor the enterprise's risk grades. It
drives annunciation only: there is no kind of output for a valve, pump, breaker or trip."""
EPILOG: Final = """\
examples:
  hazgate demo                                          a gas release at a simulated LPG pump area
  hazgate check hazgate.yaml && hazgate run hazgate.yaml
  hazgate token create --config hazgate.yaml --person li
`hazgate COMMAND --help` shows more."""


def version() -> str:
    """This program's version."""
    return metadata.version("hazgate")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (those of the process if left out) name; the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        parsed = _parser(given).parse_args(given)
        if parsed.version:
            print(f"hazgate {version()}\n\n{NOTICE}")
            return 0
        status: int = parsed.run(parsed)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # whoever read our output has seen enough; Python would complain about it once more when it closes stdout
        sys.stdout = None
        return 141
    return status


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hazgate",
        description="Alarm gateway for hazardous-chemical and major-hazard sites. `hazgate --version` says what it is not.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version, and what hazgate is not")
    subparsers = parser.add_subparsers(metavar="COMMAND", dest="command")
    named = next((word for word in given if not word.startswith("-")), None)
    for name, words in COMMANDS.items():
        if name == named:
            importlib.import_module(f"gateway.cli.{name}").add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=words)
    parser.set_defaults(run=lambda _parsed: _ask_for_a_command(parser))
    return parser


def _ask_for_a_command(parser: argparse.ArgumentParser) -> int:
    parser.print_help(sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
