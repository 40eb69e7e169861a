"""The balance: where every reading went that was ever received."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """What was found in one message: readings received in it, and those of them that go no further."""

    received: int = 0
    duplicate: int = 0
    dropped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.received + other.received, self.duplicate + other.duplicate, self.dropped + other.dropped)


@dataclass(frozen=True, slots=True)
class Balance:
    """Where every reading is, over the life of a spool. Each is counted where it happens, none from the others.

    spooled: synced to the spool, not yet confirmed by the store. pending: received, not yet synced. quarantined: ever
    set aside; an unreadable message counts as one.
    """

    received: int
    stored: int
    spooled: int
    pending: int
    quarantined: int
    duplicate: int
    dropped: int

    @property
    def closes(self) -> bool:
        """Whether everything received is accounted for."""
        return self.received == self.stored + self.spooled + self.pending + self.quarantined + self.duplicate + self.dropped
