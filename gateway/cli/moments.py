"""Times on the command line: RFC 3339, or a span back from now."""

from __future__ import annotations

import argparse
import datetime as dt
import re
from collections.abc import Callable
from typing import Final

from alerts import units

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def moment(text: str, now: int) -> int:
    """A time in ns: `2026-01-15T08:00:00+08:00`, or `-7d` counted from `now`. Raises ValueError that says what is expected."""
    if text.startswith("-"):
        return now - units.duration(text[1:])
    try:
        given = dt.datetime.fromisoformat(text)
    except ValueError:
        given = None
    if given is None or given.tzinfo is None:
        raise ValueError(f"expected a time with its offset, as 2026-01-15T08:00:00Z, or a span back from now, as -7d, not {text!r}")
    return (given - _EPOCH) // dt.timedelta(microseconds=1) * 1000


def take_spans(parser: argparse.ArgumentParser) -> None:
    """Let the parser take `-7d` for the value of an option: it would look for an option of that name."""
    parser._negative_number_matcher = re.compile(r"-\d")  # noqa: SLF001 - argparse offers this for numbers only, and nothing public


def argument(now: int) -> Callable[[str], int]:
    """The type of an option that takes a moment, for argparse: a wrong one is a usage error with its sentence."""

    def read(text: str) -> int:
        try:
            return moment(text, now)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read
