"""People, rota and escalation of a site file: whether an alarm reaches somebody, and enough of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from alerts.alarm import Role, Tier
from alerts.site import Person, Rota, Shift, Telling, When
from alerts.written import WEEK
from gateway.config_draft import Finding
from gateway.config_profiles import profiles
from gateway.config_site import SiteDraft
from gateway.config_words import choice, nearest, shown
from gateway.config_yaml import Keys

FEWEST: Final = 2
"""People, and channels, that a RED chain must reach."""
_DAY: Final = 24 * 60
_WEEK: Final = 7 * _DAY


def check_people(draft: SiteDraft) -> None:
    """Note everything by which an alarm could find nobody."""
    for rule in RULES:
        draft.errors(rule(draft))


def _reach(draft: SiteDraft) -> Iterator[Finding]:
    if draft.channels is None:
        return
    for keys, person in draft.entries("people", Person):
        for position, reach in enumerate(person.reach):
            if reach.channel not in draft.channels:
                yield (*keys, "reach", position), choice(reach.channel, draft.channels, "channel", "the gateway's `notify`")


def _duty(draft: SiteDraft) -> Iterator[Finding]:
    """Whoever stands for a role must hold it."""
    people = {person.id: person for _, person in draft.entries("people", Person)}
    for keys, rota in draft.entries("rota", Rota):
        for group in ("shifts", "overrides", "strong"):
            for position, turn in enumerate(getattr(rota, group)):
                for place, name in enumerate(turn.people):
                    where = (*keys, group, position, "people", place)
                    if name not in draft.ids("people"):
                        yield where, choice(name, draft.ids("people"), "person")
                    elif name in people and rota.role not in people[name].role:
                        held = ", ".join(people[name].role)
                        yield where, f"{name} is {held}, not {rota.role}; give {name} that role or take {name} off this rota"


def _told(draft: SiteDraft) -> Iterator[Finding]:
    """Every `tell` names roles and people that exist, and whoever holds them."""
    for keys, telling in _tellings(draft):
        for position, name in enumerate(telling):
            where = (*keys, "tell", position)
            if name in tuple(Role):
                if not _holders(draft, Role(name)):
                    yield where, f"nobody here is {name}; give somebody that role or name people"
            elif name not in draft.ids("people"):
                yield where, f"{shown(name)} is neither a role nor a person of this file{nearest(name, [*Role, *draft.ids('people')])}"


def _tellings(draft: SiteDraft) -> Iterator[tuple[Keys, tuple[str, ...]]]:
    for chains in draft.chains.values():
        for keys, chain in chains:
            for part in ("inform", "steps"):
                told: tuple[Telling, ...] = getattr(chain, part)
                yield from (((*keys, part, position), telling.tell) for position, telling in enumerate(told))
    last = draft.single.get("last_resort")
    if last is not None:
        yield ("last_resort",), last.tell


def _holders(draft: SiteDraft, role: Role) -> list[str]:
    if draft.wrong & {"people", "rota"}:
        return ["somebody whose entry is wrong"]
    return [person.id for _, person in draft.entries("people", Person) if role in person.role]


def _entries(draft: SiteDraft) -> Iterator[Finding]:
    """Each tier has exactly one plain entry, the last: what no `when` matches falls to it."""
    for tier, chains in draft.chains.items():
        plain = [keys for keys, chain in chains if chain.when is None]
        raw = draft.raw(("escalation", tier.value))
        if not isinstance(raw, dict | list) or len(chains) != (len(raw) if isinstance(raw, list) else 1):
            continue
        if not plain:
            yield ("escalation", tier.value), "has no entry without `when`; add one at the end for every other alarm"
        elif len(plain) > 1:
            yield plain[0], "is an entry without `when`, and so is a later one; only the last entry of a tier goes without"
        elif chains[-1][0] != plain[0]:
            yield plain[0], "has no `when` and stands before others, which would never be reached; put it last"


def _when(draft: SiteDraft) -> Iterator[Finding]:
    for chains in draft.chains.values():
        for keys, chain in chains:
            if chain.when is not None:
                yield from _matches(draft, (*keys, "when"), chain.when)


def _matches(draft: SiteDraft, keys: Keys, when: When) -> Iterator[Finding]:
    if when.zone is None and when.kind is None and when.condition is None:
        yield keys, "is empty; name a zone, kind or condition, or leave `when` out"
    if when.zone is not None and when.zone not in draft.ids("zones"):
        yield (*keys, "zone"), choice(when.zone, draft.ids("zones"), "zone")
    if when.kind is not None and when.kind not in profiles():
        yield (*keys, "kind"), f"{shown(when.kind)} is no kind of sensor that this version knows{nearest(when.kind, profiles())}"


def _reached(draft: SiteDraft) -> Iterator[Finding]:
    """Nobody is told of nothing but BLUE; a RED chain reaches two people by two channels at any hour that its roles are filled."""
    if draft.wrong & {"people", "rota"} or not draft.ids("people"):
        return
    board = _Board(draft)
    for tier, chains in draft.chains.items():
        if tier is Tier.BLUE:
            continue
        for keys, chain in chains:
            tell = tuple(name for step in chain.steps for name in step.tell)
            if _meant(draft, tell):
                yield from _chain_reached(board, keys, tell, tier)
    last = draft.single.get("last_resort")
    if last is not None and _meant(draft, last.tell) and not any(board.reach.get(name) for name in board.everybody(last.tell)):
        yield ("last_resort", "tell"), "nobody told here has a `reach`; give one of them a channel"


def _meant(draft: SiteDraft, tell: tuple[str, ...]) -> bool:
    """Whether every name of a `tell` stands for somebody; if not, that is the problem, and not whom the rest reaches."""
    return all(_holders(draft, Role(name)) if name in tuple(Role) else name in draft.ids("people") for name in tell)


def _chain_reached(board: _Board, keys: Keys, tell: tuple[str, ...], tier: Tier) -> Iterator[Finding]:
    if not any(board.reach.get(name) for name in board.everybody(tell)):
        yield (*keys, "steps"), f"tells nobody who can be reached; a {tier.value} alarm needs at least one step with somebody who has a `reach`"
        return
    if tier is not Tier.RED:
        return
    there = {minute: board.reachable(tell, minute) for minute in board.minutes(tell)}
    people = {minute: len(reach) for minute, reach in there.items()}
    channels = {minute: len(frozenset().union(*reach.values())) for minute, reach in there.items()}
    if min(people.values()) < FEWEST:
        yield (*keys, "steps"), f"reaches {_least(people, 'person', 'people')}; a RED chain must reach {FEWEST}"
    elif min(channels.values()) < FEWEST:
        yield (*keys, "steps"), f"reaches its people over {_least(channels, 'channel', 'channels')}; a RED chain needs {FEWEST}, in case one fails"


def _least(counts: dict[int, int], one: str, many: str) -> str:
    """The smallest count, and when in the week if it is not always so."""
    number, minute = min((count, minute) for minute, count in counts.items())
    told = f"only {number} {one}" if number == 1 else f"{number} {many}"
    if len(set(counts.values())) == 1:
        return told
    return f"{told} on {WEEK[minute // _DAY]} at {minute % _DAY // 60:02}:{minute % 60:02}"


@dataclass(frozen=True, slots=True)
class _Turn:
    """When in a week a shift runs, in minutes from Monday 00:00, and who of it may be the only one there."""

    spans: tuple[tuple[int, int], ...]
    people: tuple[str, ...]
    rotates: bool


class _Board:
    """The weekly pattern of a rota, without its exceptions: who is there at a minute of the week."""

    def __init__(self, draft: SiteDraft) -> None:
        people = [person for _, person in draft.entries("people", Person)]
        self.reach = {person.id: frozenset(reach.channel for reach in person.reach) for person in people}
        self._holders = {role: tuple(person.id for person in people if role in person.role) for role in Role}
        self._turns: dict[str, list[_Turn]] = {}
        for _, rota in draft.entries("rota", Rota):
            self._turns.setdefault(rota.role, []).extend(_turn(shift) for shift in rota.shifts)

    def everybody(self, tell: tuple[str, ...]) -> set[str]:
        """Whoever may ever be meant by roles and ids."""
        found: set[str] = set()
        for name in tell:
            turns = self._turns.get(name)
            if name in tuple(Role):
                found.update(self._holders[Role(name)] if turns is None else [person for turn in turns for person in turn.people])
            else:
                found.add(name)
        return found

    def minutes(self, tell: tuple[str, ...]) -> list[int]:
        """The minutes of the week at which the answer may change and every told role is filled; -1, anybody ever on duty, if there is none."""
        roles = [name for name in tell if name in self._turns]
        starts = sorted({edge % _WEEK for name in roles for turn in self._turns[name] for span in turn.spans for edge in span} | {0})
        return [minute for minute in starts if all(self._there(name, minute) is not None for name in roles)] or [-1]

    def reachable(self, tell: tuple[str, ...], minute: int) -> dict[str, frozenset[str]]:
        """Whoever is there at a minute of the week and has channels → those."""
        return {name: self.reach[name] for name in self.on_duty(tell, minute) if self.reach.get(name)}

    def on_duty(self, tell: tuple[str, ...], minute: int) -> set[str]:
        """Whoever is there at a minute of the week; of those who take turns one, one who is there already if possible."""
        if minute < 0:
            return self.everybody(tell)
        found = {name for name in tell if name not in tuple(Role)}
        turns = []
        for name in tell:
            there = self._there(name, minute)
            if there is not None and there.rotates:
                turns.append(there)
            elif there is not None:
                found.update(there.people)
            elif name in tuple(Role):
                found.update(self._holders[Role(name)])
        for turn in turns:
            if not found & set(turn.people):
                found.add(min(turn.people, key=lambda name: len(self.reach.get(name, ()))))
        return found

    def _there(self, role: str, minute: int) -> _Turn | None:
        turns = self._turns.get(role, ())
        return next((turn for turn in turns if any(since <= at < until for since, until in turn.spans for at in (minute, minute + _WEEK))), None)


def _turn(shift: Shift) -> _Turn:
    since, until = _minute(shift.start), _minute(shift.to)
    length = until - since if until > since else until + _DAY - since
    days = range(7) if shift.days == "daily" else [WEEK.index(day) for day in shift.days]
    spans = tuple((day * _DAY + since, day * _DAY + since + length) for day in days)
    return _Turn(spans, shift.people, shift.rotate is not None and len(shift.people) > 1)


def _minute(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


RULES: Final[tuple[Callable[[SiteDraft], Iterator[Finding]], ...]] = (_reach, _duty, _told, _entries, _when, _reached)
"""Every rule about who is told."""
