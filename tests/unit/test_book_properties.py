"""Whatever edges, commands and clocks do to a book, in whatever order: these things hold."""

from __future__ import annotations

import itertools

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.alarms import Ward
from support.sites import sensor

from adapters.codecs.alarm_json import alarm_from_record, alarm_record
from alerts.alarm import LIMIT_CONDITIONS, SICK, Alarm, Event, EventKind, Refusal, State, Tier, Verb
from alerts.book import Book
from alerts.command import Command
from alerts.edge import EdgeKind
from alerts.lifecycle import TABLE, Move

LIMITS = ["high", "high_high", "low", "rise"]
SICKNESSES = ["stale", "bad_quality"]
SENSORS = [
    sensor("GT-1"),
    sensor("GT-2", commissioned=None),
    sensor("PT-1", kind="pressure", device="rtu-2", latch=False, tiers={"high": "yellow", "high_high": "red", "low": "blue"}),
]
ALARMS = [f"{s['id']}.{c}" for s in SENSORS for c in (*LIMITS, *SICKNESSES)] + ["rtu-1.offline", "gw-1.monitoring_gap", "rtu-1.past_excursion"]
REACHABLE = {(state, goal) for (state, _), cell in TABLE.items() if isinstance(cell, Move) for goal in (cell.to, cell.unlatched) if goal}


class BookMachine(RuleBasedStateMachine):
    """Random lives of a small site's alarms."""

    def __init__(self) -> None:
        super().__init__()
        self.ward = Ward(*SENSORS)
        self.events: list[Event] = []
        self.alarms: dict[str, Alarm] = {}

    def take(self, events: list[Event]) -> None:
        """Follow events and keep the records that were touched."""
        for event in events:
            self.follow(event)
        self.events += events
        for name, alarm in self.ward.book.touched().items():
            self.alarms[name] = alarm

    def follow(self, event: Event) -> None:
        """An event leads from the state before it, along the table, and only a reset ends a latching RED."""
        alarm = event.alarm
        if event.before is not alarm.state:
            one_shot = alarm.state is State.NORMAL and event.kind is EventKind.ACKNOWLEDGE
            silent = (event.before, alarm.state) == (State.NORMAL, State.ACTIVE_ACKNOWLEDGED) and event.kind is EventKind.RAISE
            assert (event.before, alarm.state) in REACHABLE or one_shot or silent
        latching_red = alarm.tier is Tier.RED and alarm.source == "GT-1" and alarm.condition in LIMIT_CONDITIONS
        if latching_red and alarm.state is State.NORMAL:
            assert event.kind is EventKind.RESET
        if event.annunciates:
            assert alarm.lead
            assert alarm.state.unacknowledged
            assert not alarm.suppression

    @rule(alarm=st.sampled_from(ALARMS), kind=st.sampled_from([EdgeKind.TRUE, EdgeKind.TRUE, EdgeKind.FALSE]), value=st.floats(0, 110), child=st.booleans())
    def edge(self, alarm: str, kind: EdgeKind, value: float, child: bool) -> None:
        """A condition turns true or false, perhaps as the child of another alarm."""
        self.ward.now += 1
        source, _, condition = alarm.partition(".")
        self.ward.facts.say(source, value=value, good=True, healthy=not (kind is EdgeKind.TRUE and condition in SICK))
        under = "rtu-1.offline" if child and condition == "stale" else None
        members = ("GT-1", "GT-2") if condition == "offline" else ()
        edge = self.ward.edge(alarm, kind, self.ward.now, value, under=under, members=members, late=condition == "past_excursion")
        self.take(self.ward.book.edges([edge], self.ward.moment))

    @rule(source=st.sampled_from(["GT-1", "GT-2"]), conditions=st.permutations(["high", "high_high", "rise"]))
    def surge(self, source: str, conditions: list[str]) -> None:
        """One reading at the top of the range raises a whole side at once."""
        self.ward.now += 1
        edges = [self.ward.edge(f"{source}.{condition}", EdgeKind.TRUE, self.ward.now, 100) for condition in conditions]
        edges.append(self.ward.edge(f"{source}.high_high", EdgeKind.OVER_RANGE, self.ward.now, 100))
        self.ward.facts.say(source, over_range=True)
        self.take(self.ward.book.edges(edges, self.ward.moment))

    @rule(
        verb=st.sampled_from(["acknowledge", "acknowledge", "unacknowledge", "reset", "shelve"]),
        alarm=st.sampled_from(ALARMS),
        by=st.sampled_from(["li", "wang", "gast"]),
    )
    def command(self, verb: str, alarm: str, by: str) -> None:
        """Somebody asks for something; a refusal changes nothing."""
        stood = self.ward.book.alarms().get(alarm)
        done = self.ward.book.command(Command(Verb(verb), "north", by, alarm=alarm), self.ward.moment)
        if isinstance(done, Refusal):
            assert self.ward.book.alarms().get(alarm) == stood
            assert self.ward.book.touched() == {}
        else:
            assert all(event.by == by for event in done)
            self.take(done)

    @rule(source=st.sampled_from(["GT-1", "PT-1"]), by=st.sampled_from(["li", "wang"]))
    def measure(self, source: str, by: str) -> None:
        """Somebody measures with an independent instrument."""
        done = self.ward.book.command(Command(Verb.VERIFY, "north", by, sensor=source, args={"instrument": "MX-4", "value": 0}), self.ward.moment)
        if not isinstance(done, Refusal):
            self.take(done)

    @rule(seconds=st.sampled_from([1, 60, 1000, 30_000]))
    def wait(self, seconds: int) -> None:
        """Time passes; afterwards nothing is overdue."""
        self.ward.now += seconds
        self.take(self.ward.book.advance(self.ward.moment))
        due = self.ward.book.due()
        assert due is None or due > self.ward.moment

    @rule()
    def restart(self) -> None:
        """What the records hold is all there is to know."""
        kept = [alarm_from_record(alarm_record(alarm)) for alarm in self.alarms.values() if alarm.state is not State.NORMAL]
        due = self.ward.book.due()
        self.ward.book = Book(self.ward.site, self.ward.facts, self.ward.numbers, alarms=kept, gateway="gw-1")
        assert self.ward.book.due() == due

    @invariant()
    def one_lead_for_each_family_that_stands(self) -> None:
        """Never two leads, never none."""
        standing = sorted(self.ward.book.alarms().values(), key=lambda alarm: alarm.family)
        for _, members in itertools.groupby(standing, key=lambda alarm: alarm.family):
            assert sum(alarm.lead for alarm in members) == 1

    @invariant()
    def every_alarm_that_stands_is_in_one_of_the_other_five_states(self) -> None:
        """And whether it was answered shows in its state."""
        for alarm in self.ward.book.alarms().values():
            assert alarm.state in State
            assert alarm.state is not State.NORMAL
            assert (alarm.acknowledged_by is None) == alarm.state.unacknowledged

    @invariant()
    def numbers_rise_strictly_and_without_a_gap(self) -> None:
        """The journal misses nothing."""
        numbers = [event.sequence for event in self.events]
        assert numbers == list(range(41, 41 + len(numbers)))

    @invariant()
    def what_was_touched_is_all_that_changed(self) -> None:
        """So the records on the disk are the alarms in memory."""
        assert {name: alarm for name, alarm in self.alarms.items() if alarm.state is not State.NORMAL} == dict(self.ward.book.alarms())

    @invariant()
    def over_range_is_red_somewhere(self) -> None:
        """A value that may be anything is never told at a lower tier."""
        for source in ("GT-1", "GT-2"):
            beyond = [alarm for alarm in self.ward.book.alarms().values() if alarm.source == source and alarm.over_range]
            assert not beyond or any(alarm.tier is Tier.RED for alarm in beyond)


BookMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBook = BookMachine.TestCase
