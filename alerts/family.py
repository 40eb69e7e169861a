"""Families: alarms of one sensor and side are told through one of them, the lead (semantics 4.1, 4.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from alerts.alarm import Alarm, Condition, State, SuppressionKind

_TOXIC, _COMBUSTIBLE, _OTHER = range(3)
KIND_RANK: Final = {"toxic_gas": _TOXIC, "combustible_gas": _COMBUSTIBLE, "open_path": _COMBUSTIBLE}
"""Of two alarms at one tier, toxic gas goes before combustible gas and that before everything else."""

_OUTWARD: Final = (
    (Condition.PREDICTED_HIGH, Condition.PREDICTED_LOW),
    (Condition.PREDICTED_HIGH_HIGH, Condition.PREDICTED_LOW_LOW),
    (Condition.RISE, Condition.FALL),
    (Condition.HIGH, Condition.LOW),
    (Condition.HIGH_HIGH, Condition.LOW_LOW),
)
OUTWARDNESS: Final = {condition: place for place, pair in enumerate(_OUTWARD) for condition in pair}
"""How far out on its side a condition lies: a forecast is the innermost, the outer limit the outermost."""

Kind = Callable[[Alarm], str | None]
"""Tells the kind of an alarm's sensor; None for an alarm of something else."""


def kind_rank(kind: str | None) -> int:
    """0 for toxic gas, 1 for combustible gas, 2 for the rest."""
    return KIND_RANK.get(kind or "", _OTHER)


def lead(members: Iterable[Alarm]) -> Alarm | None:
    """The member that is told for all: the worst unacknowledged one that is not shelved, else the worst active, else the worst.

    `members` are the alarms of one family and so of one sensor; those in state `normal` do not count. None for none.
    """
    standing = [alarm for alarm in members if alarm.state is not State.NORMAL]
    unanswered = [alarm for alarm in standing if alarm.state.unacknowledged and not _shelved(alarm)]
    active = [alarm for alarm in standing if alarm.state.active]
    return max(unanswered or active or standing, key=_severity, default=None)


def listing(alarms: Iterable[Alarm], kind: Kind) -> list[Alarm]:
    """Alarms in the order in which people read and hear of them: tier, unacknowledged first, toxic before combustible, elder first."""
    return sorted(alarms, key=lambda a: (-a.tier.rank, not a.state.unacknowledged, kind_rank(kind(a)), a.raised_at, a.started))


def _severity(alarm: Alarm) -> tuple[int, int, int, int]:
    return alarm.tier.rank, OUTWARDNESS.get(alarm.condition, 0), -alarm.raised_at, -alarm.started


def _shelved(alarm: Alarm) -> bool:
    return any(each.kind is SuppressionKind.SHELVED for each in alarm.suppression)
