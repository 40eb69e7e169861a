"""Chasing: who is told of an alarm, in which order, until somebody has answered for it.

`Chaser` turns what happened to alarms and the passing of time into notices. It sends nothing itself and remembers
nothing but `ChainState`s, one for each alarm that has been told in its present occurrence.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from alerts.alarm import LAST_RESORT_ONLY, Alarm, Event, EventKind, NoticeKind, State, Tier
from alerts.chain import ChainState, Halt, due_after_step, fits, halt_reason, inform_due, joined, opened, reopened, waits_at
from alerts.ports import Notice
from alerts.rota import Roster
from alerts.site import Chain, Site


@dataclass(frozen=True, slots=True)
class Orders:
    """What is to be done, in this order and in one transaction with the events that caused it.

    withdrawn: occurrences whose outstanding notices of the kinds in `CHASING` are taken back. notices: to be told,
    in order. chains: alarm id to its changed state, None when its occurrence is over.
    """

    notices: tuple[Notice, ...] = ()
    withdrawn: tuple[str, ...] = ()
    chains: Mapping[str, ChainState | None] = field(default_factory=lambda: MappingProxyType({}))


class Chaser:
    """The chains of one site, and of the gateway's own alarms where that site is their home.

    `chains` are the states of an earlier run, by alarm id: what fell due in between is told by the next call of
    `advance`, in order and each step once; everything later keeps its time. Repeats that fell due in between are told
    once, not one by one.
    """

    def __init__(self, site: Site, roster: Roster, chains: Mapping[str, ChainState] = MappingProxyType({})) -> None:
        self._site = site
        self._roster = roster
        self._kinds = {sensor.id: sensor.kind for sensor in site.sensors}
        self._agenda = _Agenda(chains.values())
        self._draft = _Draft(site)

    def events(self, events: Sequence[Event], now: int, failed: Collection[str] = ()) -> Orders:
        """Take in what happened to alarms, in order, and then call whoever is due at `now` (ns).

        `failed` names the channels that do not work: messages about failures go around them.
        """
        self._draft.failed = failed
        for event in events:
            self._event(event, now)
        return self.advance(now)

    def advance(self, now: int) -> Orders:
        """Do what has fallen due by `now` (ns): by deadline, then the worse tier, then the elder chain."""
        while (chain := self._agenda.first()) is not None and (due := chain.deadline) is not None and due <= now:
            self._keep(self._call(chain, due, now) if chain.due == due else self._inform(chain, now))
        return self._draft.seal()

    def undelivered(self, notice: Notice, now: int) -> Orders:
        """A message of a step reached nobody over any of its channels: go on to the next step at `now` (ns).

        Ignored when it is not a message of the step the chain now waits at, as when that step has passed on already.
        """
        chain = self._agenda.chains.get(notice.alarm)
        if chain is not None and waits_at(chain, notice):
            self._keep(self._call(chain, now, now, reached=()))
        return self.advance(now)

    def spent(self) -> list[ChainState]:
        """The chains that have called everybody and still go unanswered, by their alarms: what `escalation_exhausted` stands for."""
        return [self._agenda.chains[alarm] for alarm in sorted(self._agenda.spent)]

    def due(self) -> int | None:
        """When `advance` next has something to do, ns; None while nothing is to come."""
        chain = self._agenda.first()
        return None if chain is None else chain.deadline

    def _event(self, event: Event, now: int) -> None:
        alarm = event.alarm
        if alarm.condition in LAST_RESORT_ONLY:
            self._last_resort(event, now)
            return
        chain = self._agenda.chains.get(alarm.id)
        if chain is not None and chain.occurrence != alarm.occurrence:
            self._drop(chain)
            chain = None
        if event.annunciates and not alarm.suppression:
            self._annunciate(alarm, chain, now)
        elif chain is not None:
            self._follow(event, replace(chain, sequence=event.sequence), now)

    def _last_resort(self, event: Event, now: int) -> None:
        alarm = event.alarm
        if event.annunciates and not alarm.suppression:
            people = self._roster.people(self._site.last_resort.tell, now)
            self._draft.tell(opened(alarm, now), NoticeKind.RAISE, (0, 0), people, now)
        elif event.kind is EventKind.ACKNOWLEDGE:
            self._draft.withdrawn.append(alarm.occurrence)

    def _annunciate(self, alarm: Alarm, chain: ChainState | None, now: int) -> None:
        if chain is not None and chain.due is not None and chain.tier is alarm.tier:
            self._keep(self._again(alarm, chain, now))
            return
        state = opened(alarm, now) if chain is None else reopened(alarm, chain, now)
        entry = self._entry(state)
        nobody = state.tier is Tier.BLUE and not entry.steps
        after = entry.steps[0].after if entry.steps else 0
        self._keep(replace(state, due=None if nobody else now + after, inform_due=inform_due(state, entry)))

    def _again(self, alarm: Alarm, chain: ChainState, now: int) -> ChainState:
        """Tell the first step and all already called at once. The chase goes on: a chattering alarm cannot put off its next step."""
        repeated = chain.annunciation == alarm.annunciation
        chain = replace(chain, annunciation=alarm.annunciation, sequence=alarm.sequence, offset=chain.offset + int(repeated))
        if not chain.next_step and not chain.repeats:
            return chain
        first = [name for step in self._entry(chain).steps[:1] for name in step.tell]
        people = joined(self._roster.people(first, now), chain.told, chain.acknowledged)
        self._draft.tell(chain, NoticeKind.AGAIN, (max(0, chain.next_step - 1), chain.offset + chain.repeats), people, now)
        return replace(chain, told=joined(chain.told, people), acknowledged=())

    def _follow(self, event: Event, chain: ChainState, now: int) -> None:
        if event.alarm.state is State.NORMAL:
            self._draft.tell(chain, NoticeKind.OVER, (0, 0), chain.informed, now)
            self._drop(chain)
        elif event.kind is EventKind.ACKNOWLEDGE:
            self._acknowledge(event, chain, now)
        else:
            self._halt(chain, halt_reason(event, chain))

    def _acknowledge(self, event: Event, chain: ChainState, now: int) -> None:
        if event.by is not None:
            chain = replace(chain, acknowledged=joined(chain.acknowledged, (event.by,)))
        if chain.halted not in (Halt.SUBSUMED, Halt.SUPPRESSED):
            chain = replace(chain, news=chain.news + 1)
            readers = [person for person in chain.informed if person != event.by]
            self._draft.tell(chain, NoticeKind.INFORM, (0, chain.news), readers, now)
        answered = event.by is None or len(chain.acknowledged) >= self._entry(chain).acknowledgers
        self._halt(chain, Halt.ACKNOWLEDGED if answered and chain.halted is None else None)

    def _halt(self, chain: ChainState, reason: Halt | None) -> None:
        if reason is None:
            self._keep(chain)
            return
        self._draft.withdrawn.append(chain.occurrence)
        self._keep(replace(chain, halted=reason, due=None, inform_due=chain.inform_due if reason is Halt.ACKNOWLEDGED else None))

    def _call(self, chain: ChainState, at: int, now: int, reached: tuple[str, ...] | None = None) -> ChainState:
        """Take the next step, and every further one that a step with nobody to call passes on to; after the last, repeat.

        `at` is when it was due, `now` when it happens. `reached` is whom the chain has reached, if that is not `told`.
        """
        entry = self._entry(chain)
        for index in range(chain.next_step, len(entry.steps)):
            on_duty = self._roster.people(entry.steps[index].tell, now)
            called = [person for person in on_duty if person not in chain.acknowledged and self._draft.reach.get(person)]
            fresh = not set(called) <= set(chain.told)
            people = joined(called if fresh else (), chain.summoned if index == 0 else ())
            self._draft.tell(chain, NoticeKind.ESCALATE if index else chain.opening, (index, chain.offset), people, now)
            chain = replace(chain, next_step=index + 1, told=joined(chain.told, people))
            if fresh:
                return replace(chain, due=due_after_step(chain, entry, at))
        if not entry.repeat and (chain.told if reached is None else reached):
            return replace(chain, due=None)
        return self._repeat(chain, entry, at, now)

    def _repeat(self, chain: ChainState, entry: Chain, at: int, now: int) -> ChainState:
        """Call everybody the chain has called, and the last resort, together. Rounds missed before `now` are counted, not told."""
        missed = (now - at) // entry.repeat if entry.repeat else 0
        rounds = chain.repeats + missed + 1
        everybody = joined(chain.told, self._roster.people(self._site.last_resort.tell, now))
        people = [person for person in everybody if person not in chain.acknowledged] or everybody
        self._draft.tell(chain, NoticeKind.REPEAT, (len(entry.steps), chain.offset + rounds), people, now)
        due = at + (missed + 1) * entry.repeat if entry.repeat else None
        return replace(chain, repeats=rounds, told=joined(chain.told, everybody), due=due)

    def _inform(self, chain: ChainState, now: int) -> ChainState:
        entry = self._entry(chain)
        if chain.next_inform >= len(entry.inform):  # the file names fewer readers than when this was due
            return replace(chain, inform_due=None)
        people = self._roster.people(entry.inform[chain.next_inform].tell, now)
        self._draft.tell(chain, NoticeKind.INFORM, (chain.next_inform, chain.news), people, now)
        chain = replace(chain, next_inform=chain.next_inform + 1, informed=joined(chain.informed, people))
        return replace(chain, inform_due=inform_due(chain, entry))

    def _entry(self, chain: ChainState) -> Chain:
        """The first entry of the tier whose `when` fits the alarm, else the plain one."""
        kind = self._kinds.get(chain.sensor or "")
        entries = self._site.escalation.of(chain.tier)
        fitting = (entry for entry in entries if entry.when is not None and fits(entry.when, chain, kind))
        plain = (entry for entry in entries if entry.when is None)
        return next(fitting, None) or next(plain, Chain())

    def _keep(self, chain: ChainState) -> None:
        self._agenda.put(chain)
        self._draft.chains[chain.alarm] = chain

    def _drop(self, chain: ChainState) -> None:
        self._agenda.remove(chain)
        self._draft.chains[chain.alarm] = None
        if chain.halted is None:
            self._draft.withdrawn.append(chain.occurrence)


class _Agenda:
    """The chains by alarm id, and which is next. A deadline that a chain no longer has is passed over when it comes up."""

    def __init__(self, chains: Iterable[ChainState]) -> None:
        self.chains: dict[str, ChainState] = {}
        self._heap: list[tuple[int, int, int, str]] = []
        self.spent: set[str] = set()
        for chain in chains:
            self.put(chain)

    def put(self, chain: ChainState) -> None:
        self.chains[chain.alarm] = chain
        if chain.repeats and chain.halted is None:
            self.spent.add(chain.alarm)
        else:
            self.spent.discard(chain.alarm)
        if chain.deadline is not None:
            heapq.heappush(self._heap, (chain.deadline, -chain.tier.rank, chain.started, chain.alarm))

    def remove(self, chain: ChainState) -> None:
        del self.chains[chain.alarm]
        self.spent.discard(chain.alarm)

    def first(self) -> ChainState | None:
        """The chain with the earliest deadline, the worse tier and then the elder first; None if none has one."""
        while self._heap:
            deadline, _, _, alarm = self._heap[0]
            chain = self.chains.get(alarm)
            if chain is not None and chain.deadline == deadline:
                return chain
            heapq.heappop(self._heap)
        return None


class _Draft:
    """Orders in the making."""

    def __init__(self, site: Site) -> None:
        self.reach = {person.id: tuple(dict.fromkeys(person.reach)) for person in site.people}
        self.failed: Collection[str] = ()
        self._site = site.site
        self._clear()

    def _clear(self) -> None:
        self._notices: list[Notice] = []
        self.withdrawn: list[str] = []
        self.chains: dict[str, ChainState | None] = {}

    def tell(self, chain: ChainState, kind: NoticeKind, place: tuple[int, int], people: Iterable[str], now: int) -> None:
        """One notice for each person and each of that person's channels; `place` is step and round.

        News of failures goes around the channels that have failed, except to whoever has no other.
        """
        around = self.failed if chain.condition in LAST_RESORT_ONLY else ()
        for person in people:
            ways = self.reach.get(person, ())
            for reach in [way for way in ways if way.channel not in around] or ways:
                self._notices.append(
                    Notice(
                        site=self._site,
                        alarm=chain.alarm,
                        occurrence=chain.occurrence,
                        annunciation=chain.annunciation,
                        kind=kind,
                        step=place[0],
                        round=place[1],
                        person=person,
                        channel=reach.channel,
                        to=reach.to,
                        tier=chain.tier,
                        sequence=chain.sequence,
                        due=now,
                    )
                )

    def seal(self) -> Orders:
        withdrawn = tuple(dict.fromkeys(self.withdrawn))
        orders = Orders(tuple(self._notices), withdrawn, MappingProxyType(self.chains))
        self._clear()
        return orders
