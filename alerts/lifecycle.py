"""How one alarm lives: its six states, what moves it between them, and what is refused.

`TABLE` is the whole of it, one entry for each state and trigger. The functions below turn an entry into the alarm as
it stands afterwards; who is told of it is decided by the family (`alerts.family`, `alerts.ledger`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from alerts.alarm import LIMIT_CONDITIONS, ONE_SHOT, Alarm, Condition, Refusal, State, Tier

AUTO: Final = "auto"
"""Stands in `acknowledged_by` where nobody needs to answer: maintenance (BLUE), and what is listed under its cause."""

HOLDS_VALUE: Final = LIMIT_CONDITIONS | {Condition.STEL, Condition.FIRE, Condition.TRIP}
"""Conditions judged on a value that is there: they lose it when the sensor turns sick, and they latch where the sensor latches.

Rates, forecasts and averages are not among them: a break in the readings begins their window anew.
"""


class Trigger(StrEnum):
    """What can happen to an alarm: the columns of the table."""

    TRUE = "true"
    FALSE = "false"
    ACKNOWLEDGE = "acknowledge"
    RESET = "reset"
    VALUE_LOST = "value_lost"
    VOID = "void"
    """The acknowledgement no longer holds: it expired, was undone, or was given at a lower tier."""


@dataclass(frozen=True, slots=True)
class Move:
    """Where an alarm goes. `unlatched` is where one that does not latch goes instead; `again` counts an annunciation."""

    to: State
    unlatched: State | None = None
    again: bool = False


_N, _AU, _AA = State.NORMAL, State.ACTIVE_UNACKNOWLEDGED, State.ACTIVE_ACKNOWLEDGED
_RU, _LU, _LA = State.RETURNED_UNACKNOWLEDGED, State.LATCHED_UNACKNOWLEDGED, State.LATCHED_ACKNOWLEDGED

Cell = Move | Refusal | None
"""What a state makes of a trigger: it moves, it refuses a person, or nothing changes (None)."""

TABLE: Final[Mapping[tuple[State, Trigger], Cell]] = MappingProxyType(
    {
        (_N, Trigger.TRUE): Move(_AU, again=True),
        (_N, Trigger.FALSE): None,
        (_N, Trigger.ACKNOWLEDGE): Refusal.NOT_ACTIVE,
        (_N, Trigger.RESET): Refusal.NOT_LATCHED,
        (_N, Trigger.VALUE_LOST): None,
        (_N, Trigger.VOID): None,
        (_AU, Trigger.TRUE): None,
        (_AU, Trigger.FALSE): Move(_LU, unlatched=_RU),
        (_AU, Trigger.ACKNOWLEDGE): Move(_AA),
        (_AU, Trigger.RESET): Refusal.STILL_ACTIVE,
        (_AU, Trigger.VALUE_LOST): Move(_AU, again=True),
        (_AU, Trigger.VOID): None,
        (_AA, Trigger.TRUE): None,
        (_AA, Trigger.FALSE): Move(_LA, unlatched=_N),
        (_AA, Trigger.ACKNOWLEDGE): Refusal.ALREADY,
        (_AA, Trigger.RESET): Refusal.STILL_ACTIVE,
        (_AA, Trigger.VALUE_LOST): Move(_AU, again=True),
        (_AA, Trigger.VOID): Move(_AU, again=True),
        (_RU, Trigger.TRUE): Move(_AU, again=True),
        (_RU, Trigger.FALSE): None,
        (_RU, Trigger.ACKNOWLEDGE): Move(_N),
        (_RU, Trigger.RESET): Refusal.NOT_LATCHED,
        (_RU, Trigger.VALUE_LOST): None,
        (_RU, Trigger.VOID): None,
        (_LU, Trigger.TRUE): Move(_AU, again=True),
        (_LU, Trigger.FALSE): None,
        (_LU, Trigger.ACKNOWLEDGE): Move(_LA),
        (_LU, Trigger.RESET): Refusal.NOT_ACKNOWLEDGED,
        (_LU, Trigger.VALUE_LOST): None,
        (_LU, Trigger.VOID): None,
        (_LA, Trigger.TRUE): Move(_AU, again=True),
        (_LA, Trigger.FALSE): None,
        (_LA, Trigger.ACKNOWLEDGE): Refusal.ALREADY,
        # once a fresh good reading is outside the deadband; alerts.answer asks for it
        (_LA, Trigger.RESET): Move(_N),
        (_LA, Trigger.VALUE_LOST): None,
        (_LA, Trigger.VOID): None,
    }
)


def latching(condition: Condition, tier: Tier, *, configured: bool) -> bool:
    """Whether an alarm waits for a reset after its condition is over. BLUE never does, nor health, rates and the gateway's own."""
    return configured and tier is not Tier.BLUE and (condition in HOLDS_VALUE or condition in (Condition.VOTED, Condition.RULE))


def raised(alarm: Alarm, at: int, *, silent: bool) -> Alarm | None:
    """The alarm after its condition turned true at `at` (ns); None if it already was.

    `silent` is for what nobody needs to answer. It counts for a new occurrence only: what comes again after somebody
    had to answer it has to be answered again.
    """
    move = TABLE[alarm.state, Trigger.TRUE]
    if not isinstance(move, Move):
        return None
    fresh = alarm.state is State.NORMAL
    after = replace(_voided(alarm, move), raised_at=at if fresh else alarm.raised_at, returned_at=None)
    return acknowledged(after, AUTO, at) if fresh and silent else after


def returned(alarm: Alarm, at: int, *, latches: bool) -> Alarm | None:
    """The alarm after its condition was over at `at` (ns); None if it was not active.

    A value is there again, so nothing remains lost.
    """
    move = TABLE[alarm.state, Trigger.FALSE]
    if not isinstance(move, Move):
        return None
    to = move.to if latches or move.unlatched is None else move.unlatched
    return replace(alarm, state=to, returned_at=at, value_lost=False, over_range=False)


def acknowledged(alarm: Alarm, by: str, at: int) -> Alarm:
    """The alarm after `by` answered for it at `at` (ns). A one-shot condition is over with that. Call it only where the table allows."""
    move = TABLE[alarm.state, Trigger.ACKNOWLEDGE]
    to = move.to if isinstance(move, Move) else alarm.state
    if alarm.condition in ONE_SHOT:
        to = State.NORMAL
    return replace(alarm, state=to, acknowledged_at=at, acknowledged_by=by)


def reset(alarm: Alarm) -> Alarm:
    """The alarm after a reset; one that is not latched and answered for stays as it is."""
    move = TABLE[alarm.state, Trigger.RESET]
    return replace(alarm, state=move.to) if isinstance(move, Move) else alarm


def lost(alarm: Alarm) -> Alarm | None:
    """The alarm after its sensor has no trustworthy value any more: at least ORANGE, to be answered anew. None where that changes nothing."""
    move = TABLE[alarm.state, Trigger.VALUE_LOST]
    if not isinstance(move, Move) or alarm.value_lost:
        return None
    return replace(_voided(alarm, move), value_lost=True, tier=worse(alarm.tier, Tier.ORANGE))


def voided(alarm: Alarm) -> Alarm | None:
    """The alarm after its acknowledgement lapsed; None where there is none that could."""
    move = TABLE[alarm.state, Trigger.VOID]
    return _voided(alarm, move) if isinstance(move, Move) else None


def promoted(alarm: Alarm, tier: Tier) -> Alarm:
    """The alarm at a higher tier, to be told anew whether it was acknowledged at the lower one or not."""
    after = voided(alarm) or replace(alarm, annunciation=alarm.annunciation + 1)
    return replace(after, tier=tier)


def worse(one: Tier, other: Tier) -> Tier:
    """The more urgent of two tiers."""
    return max(one, other, key=lambda tier: tier.rank)


def _voided(alarm: Alarm, move: Move) -> Alarm:
    return replace(alarm, state=move.to, annunciation=alarm.annunciation + int(move.again), acknowledged_at=None, acknowledged_by=None)
