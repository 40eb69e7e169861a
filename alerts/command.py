"""What a person asks for, and who may ask for what (semantics 9). The same for HTTP, MQTT, links and messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from alerts.alarm import Refusal, Role, Tier, Verb
from alerts.reading import SECOND
from alerts.suppress import Shelvable

TOO_LATE: Final = 60 * SECOND
"""A command older than this is refused: it speaks of a state nobody looks at any more."""

BUILT: Final = frozenset({Verb.ACKNOWLEDGE, Verb.UNACKNOWLEDGE, Verb.VERIFY, Verb.RESET})
"""The verbs that this version carries out."""

SENSOR_VERBS: Final = frozenset({Verb.INHIBIT, Verb.UNINHIBIT, Verb.COMMISSION, Verb.REPLACE, Verb.CALIBRATED, Verb.VERIFY})
"""Verbs that may name a sensor in place of an alarm."""

BY_LINK: Final = frozenset({Verb.ACKNOWLEDGE, Verb.FEEDBACK})
"""All that a link or an answered message may do."""

_OFFICER: Final = frozenset(
    {
        Verb.ACKNOWLEDGE,
        Verb.UNACKNOWLEDGE,
        Verb.SILENCE,
        Verb.ATTEND,
        Verb.COMMENT,
        Verb.RAISE,
        Verb.VERIFY,
        Verb.FEEDBACK,
        Verb.RESET,
        Verb.SHELVE,
        Verb.UNSHELVE,
        Verb.TAKE_OVER,
    }
)
_LEADER: Final = _OFFICER | {Verb.SIGN_OFF, Verb.SIREN_OFF, Verb.PERMIT_OPEN, Verb.PERMIT_CLOSE, Verb.DRILL_START, Verb.DRILL_STOP}
_ENGINEER: Final = frozenset({Verb.INHIBIT, Verb.UNINHIBIT, Verb.COMMISSION, Verb.CALIBRATED, Verb.REPLACE})

VERBS: Final[Mapping[Role, frozenset[Verb]]] = MappingProxyType(
    {
        Role.OFFICER: _OFFICER,
        Role.LEADER: _LEADER,
        Role.ENGINEER: _ENGINEER,
        Role.MANAGER: frozenset(),
        Role.ADMINISTRATOR: frozenset(),
        Role.VIEWER: frozenset(),
        Role.UPSTREAM: frozenset(),
    }
)
"""Who may do what. An administrator keeps people and tokens and has no say over alarms."""

SHELVES: Final[Mapping[Role, frozenset[Shelvable]]] = MappingProxyType(
    {Role.OFFICER: frozenset({Tier.YELLOW, Tier.BLUE}), Role.LEADER: frozenset({Tier.ORANGE, Tier.YELLOW, Tier.BLUE})}
)
"""Up to which tier a role may shelve. RED is on nobody's list, and refused with its own reason."""

_POSITION: Final = {refusal: place for place, refusal in enumerate(Refusal)}


@dataclass(frozen=True, slots=True)
class Command:
    """One request. `by` is a person's id, known from session, token or topic, never from the body.

    occurrence, sequence: what the person saw; both may be left out except in a link. at: when it was sent, ns; None
    counts as arrival. args: the other keys of the body.
    """

    verb: Verb
    site: str
    by: str
    via: Literal["token", "mqtt", "link"] = "token"
    alarm: str | None = None
    sensor: str | None = None
    occurrence: str | None = None
    sequence: int | None = None
    at: int | None = None
    comment: str | None = None
    until: int | None = None
    args: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


class Numbers:
    """The journal's running row number: one series per gateway, shared by the books of all its sites."""

    def __init__(self, last: int) -> None:
        """`last` is the number of the newest row there is, 0 for none."""
        self.last = last

    def take(self) -> int:
        """The next number."""
        self.last += 1
        return self.last


def permitted(command: Command, roles: Iterable[Role], tier: Tier | None) -> bool:
    """Whether someone with these roles may ask for this. `tier` is that of the alarm, None where none stands."""
    if command.via == "link" and command.verb not in BY_LINK:
        return False
    held = [role for role in roles if command.verb in VERBS[role]]
    if command.verb is Verb.SHELVE and tier is not None and tier is not Tier.RED:
        return any(tier in SHELVES[role] for role in held)
    return bool(held)


def malformed(command: Command) -> bool:
    """Whether the request lacks what its verb needs, whatever stands on the site, or names a verb that is not built."""
    if command.verb not in BUILT:
        return True
    if (command.alarm is None) == (command.sensor is None) or (command.sensor is not None and command.verb not in SENSOR_VERBS):
        return True
    return command.via == "link" and (command.occurrence is None or command.sequence is None)


def first(refusals: Iterable[Refusal]) -> Refusal | None:
    """Of several reasons, the one that is given; None for none."""
    return min(refusals, key=_POSITION.__getitem__, default=None)
