"""Paths into a decoded JSON document: the part of JSONPath (RFC 9535) that says exactly one place.

`$` is the message and `@` the element that `each` is at. Behind it stand `.name`, `['any name']`, `[0]` and `[-1]`;
in `each`, and only there, also `[*]`: every element of an array. Filters, slices and `..` are left out, because a
mapping that must find its values is a program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

_STEP: Final = re.compile(r"""\.([^\W\d][\w-]*)|\['([^'\\]+)'\]|\["([^"\\]+)"\]|\[(-?\d{1,6})\]|\[(\*)\]""")
EVERY: Final = None
"""The step that `[*]` stands for."""


class Nothing:
    """What a path finds where the document has nothing; null is something."""


NOTHING: Final = Nothing()


@dataclass(frozen=True, slots=True)
class Path:
    """One place. steps: names and positions from the root on. relative: it begins at the element, not at the message."""

    steps: tuple[str | int | None, ...]
    relative: bool

    def find(self, message: Any, element: Any) -> Any:
        """What stands there, or NOTHING."""
        at = element if self.relative else message
        for step in self.steps:
            try:
                at = at[step]
            except (KeyError, IndexError, TypeError):
                return NOTHING
        return at

    def each(self, message: Any) -> Iterator[Any]:
        """Every element, for a path with `[*]`. A place that is not there, or is no array, has none."""
        yield from _each(message, self.steps)


def compiled(text: str, *, several: bool = False) -> Path:
    """The path that a site file writes; `several` allows `[*]`. Raises ValueError with a sentence."""
    if text[:1] not in ("$", "@"):
        raise ValueError(f"{text[:40]!r} is no path; it begins with $ (the message) or @ (the element of `each`), such as $.data.value")
    steps: list[str | int | None] = []
    position = 1
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise ValueError(f"{text[position : position + 20]!r} in the path {text[:40]!r} is no step; steps are .name, ['any name'] and [0]")
        name, single, double, number, every = match.groups()
        if every and not several:
            raise ValueError(f"the path {text[:40]!r} says several places; [*] stands in `each` only")
        steps.append(EVERY if every else int(number) if number else name or single or double)
        position = match.end()
    return Path(tuple(steps), relative=text[0] == "@")


def _each(at: Any, steps: tuple[str | int | None, ...]) -> Iterator[Any]:
    for position, step in enumerate(steps):
        if step is EVERY:
            for element in at if isinstance(at, list) else ():
                yield from _each(element, steps[position + 1 :])
            return
        try:
            at = at[step]
        except (KeyError, IndexError, TypeError):
            return
    yield at
