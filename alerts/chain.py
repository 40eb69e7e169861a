"""How far the chase after one alarm has come, and the small decisions that need nothing but that.

Values only, and deadlines instead of delays: what the journal keeps of a chain is enough to go on with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from alerts.alarm import Alarm, Condition, Event, EventKind, NoticeKind, Tier
from alerts.ports import Notice
from alerts.site import Chain, When

CHASING: Final = frozenset({NoticeKind.RAISE, NoticeKind.AGAIN, NoticeKind.ESCALATE, NoticeKind.REPEAT})
"""What an acknowledgement withdraws while it is still outstanding; INFORM and OVER are news and are never withdrawn."""


class Halt(StrEnum):
    """Why nobody further is being called."""

    ACKNOWLEDGED = "acknowledged"
    SUBSUMED = "subsumed"
    SUPPRESSED = "suppressed"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class ChainState:
    """How far the chase after one alarm has come. Times are ns.

    annunciation, sequence: of the newest event told of. opening: the kind of the first step's notices. started:
    where the steps' `after` counts from. next_step: the first step not yet taken. due: when the next step or repeat
    is; None when there is none. offset, repeats: repeats told, and what keeps `round` from being used twice when a
    chain starts twice within one annunciation. told: whom the steps called. summoned: who had acknowledged before
    and is called with the first step. acknowledged: who has since. informed, next_inform, inform_started,
    inform_due, news: the same for the readers of `inform`; `news` counts what they have been told.
    """

    alarm: str
    occurrence: str
    annunciation: int
    sequence: int
    tier: Tier
    condition: Condition
    zone: str | None
    sensor: str | None
    started: int
    opening: NoticeKind = NoticeKind.RAISE
    next_step: int = 0
    due: int | None = None
    offset: int = 0
    repeats: int = 0
    told: tuple[str, ...] = ()
    summoned: tuple[str, ...] = ()
    acknowledged: tuple[str, ...] = ()
    halted: Halt | None = None
    inform_started: int = 0
    next_inform: int = 0
    inform_due: int | None = None
    informed: tuple[str, ...] = ()
    news: int = 0

    @property
    def deadline(self) -> int | None:
        """The earlier of the next call and the next news; None when neither is to come."""
        return min((at for at in (self.due, self.inform_due) if at is not None), default=None)


def opened(alarm: Alarm, now: int) -> ChainState:
    """The chain of an alarm that is first told in its occurrence, at `now` (ns); nothing is due yet."""
    return ChainState(
        alarm=alarm.id,
        occurrence=alarm.occurrence,
        annunciation=alarm.annunciation,
        sequence=alarm.sequence,
        tier=alarm.tier,
        condition=alarm.condition,
        zone=alarm.zone,
        sensor=alarm.sensor,
        started=now,
        inform_started=now,
    )


def reopened(alarm: Alarm, chain: ChainState, now: int) -> ChainState:
    """The chain anew within its occurrence. Readers of `inform` are told anew only when the tier has risen."""
    anew = replace(
        opened(alarm, now),
        opening=NoticeKind.AGAIN if chain.next_step else chain.opening,
        offset=chain.offset + chain.repeats + 1 if chain.annunciation == alarm.annunciation else 0,
        summoned=chain.acknowledged,
        informed=chain.informed,
        news=chain.news,
    )
    if alarm.tier.rank > chain.tier.rank:
        return replace(anew, news=chain.news + 1)
    return replace(anew, inform_started=chain.inform_started, next_inform=chain.next_inform)


def halt_reason(event: Event, chain: ChainState) -> Halt | None:
    """Why the chain is to stop at an event that is no acknowledgement; None if it goes on or has stopped already."""
    alarm = event.alarm
    if chain.halted not in (None, Halt.ACKNOWLEDGED):
        return None
    if event.kind is EventKind.SUBSUME:
        return Halt.SUBSUMED
    if alarm.suppression and alarm.tier is not Tier.RED:
        return Halt.SUPPRESSED
    if event.kind is EventKind.RETURN and not alarm.tier.urgent and chain.halted is None:
        return Halt.RETURNED
    return None


def waits_at(chain: ChainState, notice: Notice) -> bool:
    """Whether the notice belongs to the step that the chain took last, with no repeat since."""
    if chain.halted is not None or chain.repeats or notice.kind not in CHASING:
        return False
    return (notice.occurrence, notice.annunciation, notice.step) == (chain.occurrence, chain.annunciation, chain.next_step - 1)


def due_after_step(chain: ChainState, entry: Chain, at: int) -> int | None:
    """When the next step or the first repeat is due, after a step taken at `at`."""
    if chain.next_step < len(entry.steps):
        return chain.started + entry.steps[chain.next_step].after
    return at + entry.repeat if entry.repeat else None


def inform_due(chain: ChainState, entry: Chain) -> int | None:
    """When the next entry of `inform` is to be told, ns; None when all have been."""
    return chain.inform_started + entry.inform[chain.next_inform].after if chain.next_inform < len(entry.inform) else None


def fits(when: When, chain: ChainState, kind: str | None) -> bool:
    """Whether an entry for `when` is for this chain's alarm; `kind` is that of its sensor, None where it has none."""
    return when.zone in (None, chain.zone) and when.kind in (None, kind) and when.condition in (None, chain.condition)


def joined(*groups: Iterable[str]) -> tuple[str, ...]:
    """All of them in order, each once."""
    return tuple(dict.fromkeys(person for group in groups for person in group))
