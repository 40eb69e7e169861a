"""One turn of the pipeline: everything that came since the last one, and what the stages make of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from adapters.mqtt import ReplyTo
from alerts.alarm import Event, Refusal
from alerts.command import Command
from alerts.edge import Edge
from alerts.escalate import Orders
from alerts.ports import Aside, Notice
from alerts.reading import Readings

Inbound = tuple[str, bytes, bool, int, int, ReplyTo | None]
"""A message of the broker: topic, payload, retained, token for its PUBACK (0 for none), arrival in ns, where a command wants its answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """A person's command, and who waits for the answer: called with None once it is durable, or with the refusal."""

    command: Command
    answer: Callable[[Refusal | None], None]


class Fate(StrEnum):
    """How the sending of a notice ended."""

    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Settled:
    """A notice whose fate is known, its key in the outbox, and the far side's words."""

    notice: Notice
    key: str
    fate: Fate
    words: str


@dataclass(slots=True)
class Turn:
    """Filled from top to bottom by the stages in their order; nothing of it outlives the turn."""

    now: int
    messages: Sequence[Inbound] = ()
    glimpses: Sequence[Inbound] = ()
    """Messages that the second connection brought ahead of the first; they are judged, and recorded when the first brings them."""
    requests: Sequence[Request] = ()
    undelivered: Sequence[Notice] = ()
    edges: list[Edge] = field(default_factory=list)
    settled: Sequence[Settled] = ()
    readings: Readings | None = None
    ahead: Readings | None = None
    """What the glimpses hold."""
    until: int | None = None
    """How far detection's clock may go, ns, when readings of an earlier run are judged again; None for `now`."""
    asides: list[Aside] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    offline: list[tuple[str, str]] = field(default_factory=list)
    spoken: int | None = None
    """When a device last sent anything at all, ns, whatever became of it; None if none did."""
    events: list[Event] = field(default_factory=list)
    orders: list[tuple[str, Orders]] = field(default_factory=list)
    answers: list[tuple[Request, Refusal | None]] = field(default_factory=list)
