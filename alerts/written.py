"""How single values of a site or gateway file are read: spans with units, days, lists that may be one word.

Validators for pydantic models; each raises ValueError with a sentence that says what is expected.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Final

from pydantic import BeforeValidator, ValidationInfo

FROM_FILE: Final = "from file"
"""Validation context of a value that a person wrote: there a span, rate or size must carry its unit; in code it is a number in base units."""

ID: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$"
"""What an id looks like: it becomes a part of topics, file names and URLs."""
WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def quantity(parser: Callable[[str], int | float], example: str) -> BeforeValidator:
    """Reads text with a unit by `parser`; a number passes as it is, unless it comes out of a file. `example` is shown to who got it wrong."""

    def read(value: object, info: ValidationInfo) -> object:
        if isinstance(value, str):
            return parser(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and info.context != FROM_FILE:
            return value
        raise ValueError(f"expected {example}, with its unit, not {value!r}")

    return BeforeValidator(read)


def one_or_many(value: object) -> object:
    """A single word stands for a list of one."""
    return [value] if isinstance(value, str) else value


def day(value: object) -> object:
    """A date as YYYY-MM-DD; nothing else that happens to be convertible into one."""
    if isinstance(value, dt.date) or (isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value)):
        return value
    raise ValueError(f"expected a day such as 2026-01-15, not {value!r}")


def reasons(value: object) -> object:
    """Why something was overridden: a sentence, or a mapping from key to sentence; empty ones are none."""
    said = value.values() if isinstance(value, dict) and value else [value]
    if all(isinstance(text, str) and text.strip() for text in said):
        return value
    raise ValueError("expected a sentence that says why, or a mapping from key to sentence")


def weekdays(value: object) -> object:
    """`daily`, or a list of weekdays."""
    if value == "daily" or (isinstance(value, list | tuple) and value and all(name in WEEK for name in value)):
        return value
    raise ValueError(f"expected daily or a list of {', '.join(WEEK)}, not {value!r}")
