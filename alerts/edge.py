"""What detection tells the lifecycle: a condition of a source became true, or false again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from alerts.alarm import Condition


class EdgeKind(StrEnum):
    """Which way a condition went, after its delays."""

    TRUE = "true"
    FALSE = "false"
    OVER_RANGE = "over_range"
    """An upper limit's sensor went to or past the top of its range; `condition` names the worst upper limit."""
    GROWN = "grown"
    """What was told of a past excursion has grown, and is no news by itself."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One change of one condition.

    at: event time, ns. value: the value that caused it, NaN-free. peak: the worst value since it became true.
    members: what a gathered cause stands for (sensors of an offline device). under: id of the alarm that is the
    cause of this one; such children are listed, not told. returned_at: for `past_excursion`, when it was over; first:
    the stamp (ns) of the reading that began it, by which it is known however it grows.
    """

    site: str
    source: str
    condition: Condition
    kind: EdgeKind
    at: int
    value: float | None = None
    peak: float | None = None
    members: tuple[str, ...] = ()
    under: str | None = None
    late: bool = False
    returned_at: int | None = None
    first: int | None = None

    @property
    def key(self) -> str:
        """Names the cause, so that judging the same reading twice after a crash does nothing."""
        return f"{self.site}/{self.source}.{self.condition}/{self.kind}/{self.at if self.first is None else self.first}"


@dataclass(frozen=True, slots=True)
class Latest:
    """What is known of a sensor now.

    value, time: of the newest live reading that had a value. good: whether that reading was of quality good (or
    calibrating, test) and arrived within 3 intervals of `now`. heard: whether anything live arrived since start.
    healthy: heard, not sick, with a value. over_range: the flag of semantics 2.6. arrival: of the newest reading, ns.
    per_minute: least-squares-free change of value a minute between the last two values, for display only.
    """

    value: float | None = None
    time: int | None = None
    arrival: int | None = None
    good: bool = False
    heard: bool = False
    healthy: bool = False
    over_range: bool = False
    per_minute: float | None = None


class Facts(Protocol):
    """What the lifecycle may ask of detection. Pure look-ups; callable at any time on the loop's thread."""

    def latest(self, site: str, sensor: str, now: int) -> Latest:
        """The sensor's present standing; a `Latest` of Nones for one never heard."""
        ...

    def verified(self, site: str, sensor: str, value: float, now: int) -> list[Edge]:
        """Take a value that a person measured on the spot.

        It clears over-range and stands for the missing good reading. Returns the edges it causes: conditions that
        are false at that value end, whatever their off-delay.
        """
        ...

    def clear_over_range(self, site: str, sensor: str) -> None:
        """A person has measured with an independent instrument: from here on the sensor's own readings count again."""
        ...

    def answered(self, site: str, device: str, now: int) -> None:
        """A person has answered for the past excursion of a device: what was told of it is told no more."""
        ...
