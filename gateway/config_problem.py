"""What can be wrong with a configuration, as one line for the person who wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Whether the gateway refuses to start over it."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One finding in one file; problems sort by place.

    `file` is the path as the person gave it, `line` counts from 1, `key` is the path of keys with dots, in which an
    entry of a list stands under its id (`sensors.GT-101.limits.high`) or, lacking one, its position from 0.
    """

    file: str
    line: int
    key: str
    sentence: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        mark = "warning: " if self.severity is Severity.WARNING else ""
        return f"{self.file}:{self.line}: {self.key}: {mark}{self.sentence}"


WHOLE_FILE = "(file)"
"""Stands for the key path where a file cannot be read at all."""
