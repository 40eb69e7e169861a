"""Colors, widths and words of the live view."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterable
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from alerts.alarm import Color
from alerts.reading import SECOND

CHIP: Final = {
    Color.RED: "bold grey100 on red3",
    Color.ORANGE: "bold grey0 on dark_orange",
    Color.YELLOW: "bold grey0 on yellow1",
    Color.BLUE: "bold grey100 on dodger_blue2",
    Color.GREY: "bold grey100 on grey42",
    Color.GREEN: "bold grey0 on green3",
}
"""Colors of a tier or zone as a background. The ink has a number of its own: what a terminal calls black or white, its theme may make grey."""
INK: Final = {
    Color.RED: "bold red1",
    Color.ORANGE: "bold dark_orange",
    Color.YELLOW: "yellow1",
    Color.BLUE: "dodger_blue1",
    Color.GREY: "grey58",
    Color.GREEN: "green3",
}
"""The same as ink."""
CHIP_WIDTH: Final = 8
RANK: Final = {color: rank for rank, color in enumerate(Color)}
"""0 for the worst."""

DIGITS: Final = ((500, 0), (20, 1), (5, 2))
"""Digits behind the point from which span on."""
MOST_DIGITS: Final = 3

_RULER: Final = Console(file=io.StringIO())
"""Wraps text; it writes nothing."""


def chip(color: str) -> Text:
    """A tier or color as a label."""
    return Text(f" {color.upper():<{CHIP_WIDTH - 2}} ", CHIP[Color(color)])


def fit(text: Text, width: int) -> Text:
    """Exactly `width` cells: cut with an ellipsis, or filled with blanks."""
    fitted = text.copy()
    fitted.truncate(max(0, width), overflow="ellipsis", pad=True)
    return fitted


def wrapped(text: Text, width: int) -> list[Text]:
    """The text in lines of at most `width` cells."""
    return list(text.wrap(_RULER, max(1, width)))


def row(cells: Iterable[tuple[Text | str, int]]) -> Text:
    """Cells side by side, each of its width with one blank between; those without width are left out."""
    return Text(" ").join(fit(cell if isinstance(cell, Text) else Text(cell), width) for cell, width in cells if width > 0)


def title(words: str, width: int, remark: str = "") -> Text:
    """The heading of a section."""
    line = Text.assemble((f" {words} ", "bold"), (f"{remark} " if remark else "", "dim"))
    line.append("─" * max(0, width - line.cell_len), "dim")
    return fit(line, width)


def filled(lines: list[Text], height: int, width: int) -> list[Text]:
    """Exactly `height` lines of `width` cells."""
    return [fit(line, width) for line in lines[:height]] + [Text(" " * width)] * max(0, height - len(lines))


def clock_text(at: int, timezone: str) -> str:
    """Time of day at the site."""
    return dt.datetime.fromtimestamp(at / SECOND, ZoneInfo(timezone)).strftime("%H:%M:%S")


def age_text(ns: int) -> str:
    """How long ago, in few characters."""
    seconds = max(0, ns // SECOND)
    return f"{seconds} s" if seconds < 100 else f"{seconds // 60} min"


def digits(span: float) -> int:
    """How many digits behind the point a value of such a range has."""
    return next((digits for least, digits in DIGITS if span >= least), MOST_DIGITS)


def number(value: float, span: float) -> str:
    """A value with as many digits as its range lets one read."""
    return f"{value:.{digits(span)}f}"
