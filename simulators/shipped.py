"""The scenarios that come with hazgate, and what `hazgate demo` calls those that play in real time."""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

FOLDER: Final = Path(__file__).parent / "scenarios"
DEFAULT: Final = "demo"
"""The scenario of a demo that names none."""
DEMO: Final = "-demo"
"""Ends the file names of scenarios that were made to be watched; the demo leaves it out."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """A scenario as a list shows it. name: what the demo calls it. live: whether it plays in real time."""

    name: str
    title: str
    path: Path
    live: bool

    @property
    def made_for_demo(self) -> bool:
        """Whether it was made to be watched."""
        return f"-{self.path.stem}".endswith(DEMO)


@functools.cache
def shipped() -> tuple[Shipped, ...]:
    """All of them, by name: first the demo's own, then the others that play in real time, then those that only play offline."""
    found = (_glance(path) for path in FOLDER.glob("*.yaml"))
    return tuple(sorted(found, key=lambda each: (not each.live, not each.made_for_demo, each.name != DEFAULT, each.name)))


def _glance(path: Path) -> Shipped:
    script = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Shipped(path.stem.removesuffix(DEMO), script["title"], path, live=script.get("live", False))


def playable(name: str) -> Shipped:
    """The scenario that the demo plays under `name`. Raises ValueError, in a sentence that says what there is."""
    live = {each.name: each for each in shipped() if each.live}
    if name in live:
        return live[name]
    offline = next((each for each in shipped() if each.path.stem == name and not each.live), None)
    if offline is not None:
        raise ValueError(f"{name} does not play in real time, only with hazgate simulate {offline.path} --offline FILE; here there are {', '.join(live)}")
    near = difflib.get_close_matches(name.removesuffix(DEMO), live, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(live)}"
    raise ValueError(f"{name!r} is no scenario that comes with hazgate; {hint}")
