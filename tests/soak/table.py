"""The table of a soak: for the screen, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.table import Table
from soak.runs import Row
from support.load import percentile

HEAD: Final = (
    "fault",
    "times",
    "acknowledged",
    "stored",
    "lost",
    "lost by the broker",
    "doubled",
    "alarms missed",
    "told twice outside the window",
    "repeats inside it",
    "recovery p50 / max",
    "resident before / after",
)


def cells(row: Row) -> list[str]:
    """A row's cells, under HEAD."""
    found = row.verdict
    recovery = f"{percentile(row.recovery, 0.5):.1f} / {max(row.recovery):.1f} s" if row.recovery else ""
    memory = f"{row.memory[0]:.0f} / {row.memory[1]:.0f} MiB"
    counts = (row.injected, found.acknowledged, found.stored, found.lost, found.broker, found.doubled, found.missed, found.told_twice, found.repeats)
    return [row.fault, *(f"{count:,}" for count in counts), recovery, memory]


def table(rows: Sequence[Row]) -> Table:
    """For the screen."""
    made = Table(*HEAD, title="soak")
    for column in made.columns[1:]:
        column.justify = "right"
    for row in rows:
        made.add_row(*cells(row), style="bold red" if row.promises else "")
    return made


def write(file: Path, rows: Sequence[Row]) -> None:
    """As Markdown."""
    lines = [HEAD, ("---", *["--:"] * (len(HEAD) - 1)), *map(cells, rows)]
    file.write_text("".join(f"| {' | '.join(line)} |\n" for line in lines))
