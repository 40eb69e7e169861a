"""MQTT topic patterns of devices: a filter whose levels may be `+`, or `{sensor}` for the level that names the sensor.

Sparkplug B's are `spBv1.0/{group}/+/{edge}` for an edge node and `spBv1.0/{group}/+/{edge}/{device}` for a device.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

SENSOR: Final = "{sensor}"
NAMESPACE: Final = "spBv1.0"
_ANY: Final = ("+", SENSOR)
_LEVEL: Final = re.compile(r"[^+#/{}\x00-\x1f\x7f]{1,200}")


@dataclass(frozen=True, slots=True)
class Pattern:
    """The levels of a topic of a device."""

    levels: tuple[str, ...]

    @property
    def filter(self) -> str:
        """What to subscribe to."""
        return "/".join("+" if level == SENSOR else level for level in self.levels)

    def match(self, levels: list[str]) -> bool:
        """Whether a topic, split at its slashes, is one of these."""
        return len(levels) == len(self.levels) and all(own in _ANY or own == level for own, level in zip(self.levels, levels, strict=True))

    def name(self, levels: list[str]) -> str | None:
        """What a matching topic says at `{sensor}`; None for a pattern without it."""
        return levels[self.levels.index(SENSOR)] if SENSOR in self.levels else None

    def overlaps(self, other: Pattern) -> bool:
        """Whether a topic can match both."""
        return len(self.levels) == len(other.levels) and all(a in _ANY or b in _ANY or a == b for a, b in zip(self.levels, other.levels, strict=True))

    def reaches(self, prefix: str) -> bool:
        """Whether a topic that begins with `prefix` can match."""
        return all(level in _ANY or level == own for level, own in zip(self.levels, prefix.split("/"), strict=False))


@dataclass(frozen=True, slots=True)
class Edge:
    """A Sparkplug B edge node, which numbers the messages of all its devices."""

    group: str
    node: str

    def topic(self, kind: str, device: str | None = None) -> str:
        """Where messages of that kind are published."""
        return "/".join((NAMESPACE, self.group, kind, self.node, *(() if device is None else (device,))))


def pattern(text: str) -> Pattern:
    """The pattern that a site file writes. Raises ValueError with a sentence."""
    levels = tuple(text.split("/"))
    if text.startswith("$"):
        raise ValueError("a topic that begins with $ belongs to the broker")
    if levels[0] == NAMESPACE:
        raise ValueError(f"topics under {NAMESPACE} are Sparkplug B's; write kind: sparkplug")
    for level in levels:
        if level not in _ANY and not _LEVEL.fullmatch(level):
            raise ValueError(f"{level[:40]!r} is no level of a device's topic; levels are names, + or {SENSOR}, without # and without empty ones")
    if levels.count(SENSOR) > 1:
        raise ValueError(f"{SENSOR} stands twice; one level names the sensor")
    if levels[0] in _ANY:
        raise ValueError("the first level is a name, or the gateway would hear everybody")
    return Pattern(levels)


def sparkplug(text: str) -> tuple[Edge, str | None]:
    """Edge node and device of a Sparkplug B topic; the device is None for what the node itself publishes. Raises ValueError with a sentence."""
    levels = text.split("/")
    named = [*levels[1:2], *levels[3:]]
    if len(levels) not in (4, 5) or levels[0] != NAMESPACE or levels[2] != "+" or not all(_LEVEL.fullmatch(level) for level in named):
        raise ValueError(f"expected {NAMESPACE}/GROUP/+/EDGE for an edge node or {NAMESPACE}/GROUP/+/EDGE/DEVICE for a device of it, not {text[:60]!r}")
    return Edge(levels[1], levels[3]), levels[4] if len(levels) == 5 else None
