"""What the store suite ran against: a table of passed tests by capability and server, printed when the suite has run.

A test of the suite is marked with the capabilities that it needs and records the store that it ran on, so that the table
holds what happened and nothing that somebody claims.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

PROPERTY = "store suite"
CAPABILITIES = ("write", "read", "late", "recalls", "overwrite", "rejects")
CONFIG_LINE = "capabilities(*names): what a store must be able to do for this test"


def ran_on(request: pytest.FixtureRequest, store: str) -> tuple[str, tuple[str, list[str]]]:
    """What a test records of itself: the property's name, and the store with the capabilities that the test needs."""
    marker = request.node.get_closest_marker("capabilities")
    return PROPERTY, (store, list(marker.args) if marker else [])


def table(reports: Iterable[Any]) -> Iterator[str]:
    """Lines of the table for these reports of tests that were run; none if none of them belongs to the suite."""
    counts: dict[str, dict[str, list[int]]] = defaultdict(lambda: {name: [0, 0] for name in CAPABILITIES})
    for report in reports:
        for name, value in report.user_properties:
            if name == PROPERTY:
                store, needed = value
                for capability in needed:
                    counts[store][capability][0 if report.passed else 1] += 1
    if not counts:
        return
    rows = [["", *counts], *([capability, *(_cell(*counts[store][capability]) for store in counts)] for capability in CAPABILITIES)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield from ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _cell(passed: int, failed: int) -> str:
    return f"{passed} passed, {failed} FAILED" if failed else f"{passed} passed" if passed else "-"
