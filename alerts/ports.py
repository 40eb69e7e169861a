"""The ports: what the gateway needs of the outside, said by the one who needs it.

Small Protocols; each says what may be called when and on which thread. Two exception classes tell the one place
that retries what to do: `Transient` may work later, `Permanent` never will.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from alerts.alarm import NoticeKind, Quarantine, Tier
from alerts.reading import Readings


class HazgateError(Exception):
    """Root of what this program raises on purpose. Its text is one sentence for a person.

    HazgateError
    |- Transient
    `- Permanent
    """


class Transient(HazgateError):
    """The outside failed in a way that may pass: refused, timed out, busy, 5xx.

    retry_after: ns for which it asked not to be tried again, if it did.
    """

    def __init__(self, text: str, *, retry_after: int | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Permanent(HazgateError):
    """The outside said no in a way that will not change: bad address, rejected content, 4xx."""


class Clock(Protocol):
    """The gateway's clock. `now` advances with the monotonic clock and never steps by itself; any thread."""

    def now(self) -> int:
        """Nanoseconds since 1970, UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Aside:
    """Something received that is not recorded: goes to quarantine with its reason. `payload` is cut to 4 KiB, `size` is its full length in bytes."""

    topic: str
    reason: Quarantine
    detail: str
    payload: bytes
    size: int
    arrival: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A committed stretch of the record path: what one group commit made durable. Numbers rise; one that is missing had nothing left to be stored."""

    number: int
    readings: Readings


@dataclass(frozen=True, slots=True)
class Written:
    """What a store made of some frames. stored + duplicate + rejected is the number of their readings."""

    stored: int
    duplicate: int = 0
    rejected: tuple[tuple[int, str], ...] = ()
    """Position in the frames laid behind one another, and the store's own words."""


@dataclass(frozen=True, slots=True)
class Query:
    """A stretch of history: since <= time < until (ns). `sensor` None is all of them."""

    since: int
    until: int
    site: str | None = None
    sensor: str | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """The next piece of a history, in order of time. All that was held before `until` (ns) has now been given."""

    until: int
    readings: Readings


class Store(Protocol):
    """Where readings are kept. Called from the recorder's one thread only, `close` last.

    A store is opened for the frames of one spool. The `sensor` column of what goes in and comes out counts in the
    `Names` that the store was opened with.
    """

    def write(self, frames: Sequence[Frame]) -> Written:
        """Make the readings of these frames part of the store; the same frames again change nothing and answer the same.

        Numbers rise from call to call, except that what raised, or was never answered for, comes again. Raises
        Transient or Permanent; a refusal of single readings is in the answer, not raised.
        """
        ...

    def history(self, query: Query) -> Iterator[Stretch]:
        """The readings asked for, in order of time, in bounded pieces.

        The last piece reaches `query.until`. Each is read when it is asked for, so what is written in between is in
        the later ones; `write` may be called between two of them.
        """
        ...

    def count(self) -> int:
        """How many readings the store holds."""
        ...

    def close(self) -> None:
        """Give everything up; nothing may be called after it."""
        ...


@runtime_checkable
class Filed(Protocol):
    """A store that keeps its files in `data_dir`. Called as `Store` is."""

    def settle(self) -> None:
        """Have everything in the files themselves, so that they can be copied as they are before anything else is called."""
        ...

    def forget(self, before: int, through: int) -> int:
        """Give up what is wholly older than `before` (ns) and not needed to recognize a frame after `through`; returns how many files."""
        ...

    def tidy(self, now: int) -> bool:
        """Use a quiet moment (now: UTC, ns) to make what is kept quicker to read, for a second at most; whether there was anything to do.

        What is held stays the same, whenever it is interrupted. Raises as `Store.write`; a later call tries again.
        """
        ...


@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """A transition of an alarm as the journal has it; times in ns, `body` the public JSON."""

    sequence: int
    site: str
    alarm: str
    event: str
    at: int
    recorded_at: int
    body: bytes


@runtime_checkable
class EventStore(Protocol):
    """A store that keeps alarm events beside the readings. Called as `Store` is, and may raise as it does."""

    def write_events(self, events: Sequence[AlarmEvent]) -> None:
        """Keep these events; the same again changes nothing."""
        ...

    def last_event(self) -> int:
        """When (ns) the newest of the events it has, of the sites of this gateway, was recorded; 0 when it has none."""
        ...


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to one person over one channel (or, with `person` empty, one publication).

    The fields up to `channel` are its identity in the outbox. `step` counts the chain's steps from 0, `round` its
    repeats. `due` is when it may go out, ns; `sequence` that of the event it tells of.
    """

    site: str
    alarm: str
    occurrence: str
    annunciation: int
    kind: NoticeKind
    step: int
    round: int
    person: str
    channel: str
    to: str | None = None
    tier: Tier = Tier.YELLOW
    sequence: int = 0
    due: int = 0

    @property
    def key(self) -> str:
        """The outbox key of semantics 4.2, as text. It holds the person's address and stays in the outbox."""
        return "/".join(
            (self.site, self.occurrence, str(self.annunciation), self.kind, str(self.step), str(self.round), self.person, self.channel, self.to or "")
        )

    @property
    def id(self) -> str:
        """What the outside knows it by: the sequence of its event and a digest of the key, the same each time it is sent."""
        return f"{self.sequence}-{hashlib.sha256(self.key.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notice ready to be sent: its body and the key under which a repeat is recognized."""

    notice: Notice
    body: bytes
    idempotency_key: str
    may_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the far side said when it took a message."""

    text: str = ""
    details: dict[str, str] = field(default_factory=dict)


class Notifier(Protocol):
    """One channel to people. `send` may run concurrently with itself, on the loop's thread; it retries nothing."""

    async def send(self, delivery: Delivery) -> Receipt:
        """Hand the message over. Raises Transient or Permanent; must end within the channel's timeout."""
        ...

    async def close(self) -> None:
        """Give up connections. Called once, after the last send."""
        ...
