"""What holds of every chase, whatever happens when: nothing told twice, nothing skipped, no silence without an answer."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from support.chasing import START, Timeline, build_site, with_chains

from alerts.alarm import Alarm, Condition, EventKind, NoticeKind, State, Tier
from alerts.chain import CHASING
from alerts.ports import Notice
from alerts.reading import SECOND

LONGEST_SILENCE = 600
"""The longest span, s, in the chains of the small site."""
OCCASIONS = ("raise", "chatter", "chatter under the same number", "return", "acknowledge", "expire", "subsume", "lead", "tier", "undelivered")
SCRIPTS = st.lists(st.tuples(st.integers(0, 400), st.sampled_from((Condition.HIGH_HIGH, Condition.LOW_LOW)), st.sampled_from(OCCASIONS)), max_size=25)


class Story:
    """Two alarms of one site to which things happen, as far as each makes sense in the state that the alarm is in."""

    def __init__(self) -> None:
        site = build_site(escalation=with_chains(orange={"steps": [{"tell": ["officer"]}, {"after": "120s", "tell": ["leader"]}], "repeat": "10m"}))
        self.line = Timeline(site)
        self.alarms: dict[Condition, Alarm] = {}
        self.hushed: set[Condition] = set()

    def tell(self, at: int, condition: Condition, occasion: str) -> None:
        """Let the occasion happen to the alarm of a condition at a time, in s, if its state allows it."""
        alarm = self.alarms.get(condition)
        if alarm is None:
            if occasion == "raise":
                self.annunciate(at, EventKind.RAISE, self.line.alarm(condition, Tier.ORANGE))
        elif occasion == "undelivered":
            self.fail(at, alarm)
        elif alarm.state.unacknowledged:
            self.unanswered(at, occasion, alarm)
        elif occasion == "expire":
            self.annunciate(at, EventKind.EXPIRE, replace(alarm, state=State.ACTIVE_UNACKNOWLEDGED, annunciation=alarm.annunciation + 1))
        elif occasion == "return":
            self.line.ended(at, alarm)
            del self.alarms[condition]

    def unanswered(self, at: int, occasion: str, alarm: Alarm) -> None:
        """Occasions of an alarm that nobody has acknowledged."""
        if occasion == "chatter":
            self.annunciate(at, EventKind.RE_RAISE, replace(alarm, annunciation=alarm.annunciation + 1))
        elif occasion == "chatter under the same number":
            self.annunciate(at, EventKind.VALUE_LOST, alarm)
        elif occasion == "lead":
            self.annunciate(at, EventKind.LEAD, alarm)
        elif occasion == "tier" and alarm.tier is Tier.ORANGE:
            self.annunciate(at, EventKind.TIER_RAISE, replace(alarm, tier=Tier.RED))
        elif occasion == "return":
            self.line.happens(at, EventKind.RETURN, replace(alarm, state=State.LATCHED_UNACKNOWLEDGED))
        elif occasion == "acknowledge":
            self.alarms[alarm.condition] = replace(alarm, state=State.ACTIVE_ACKNOWLEDGED)
            self.hushed.add(alarm.condition)
            self.line.acknowledged(at, alarm)
        elif occasion == "subsume":
            self.hushed.add(alarm.condition)
            self.line.happens(at, EventKind.SUBSUME, alarm)

    def annunciate(self, at: int, kind: EventKind, alarm: Alarm) -> None:
        """Let the alarm be told, as new or anew."""
        fresh = replace(alarm, started=self.line.sequence + 1) if kind is EventKind.RAISE else alarm
        self.alarms[alarm.condition] = fresh
        self.hushed.discard(alarm.condition)
        self.line.happens(at, kind, fresh, annunciates=True)

    def fail(self, at: int, alarm: Alarm) -> None:
        """Let the newest message of the alarm's chase reach nobody."""
        self.line.until(at)
        chasing = [notice for notice in self.line.notices() if notice.alarm == alarm.id and notice.kind in CHASING]
        if chasing:
            self.line.take(self.line.chaser.undelivered(chasing[-1], self.line.nanoseconds))


@given(SCRIPTS)
def test_no_notice_is_ever_told_twice(script: list[tuple[int, Condition, str]]) -> None:
    story, at = Story(), 0
    for wait, condition, occasion in script:
        at += wait
        story.tell(at, condition, occasion)
    story.line.until(at + 3000)
    keys = [notice.key for notice in story.line.notices()]
    assert len(set(keys)) == len(keys)


@given(SCRIPTS)
def test_no_red_or_orange_chase_goes_quiet_while_nobody_has_answered(script: list[tuple[int, Condition, str]]) -> None:
    """At every moment each alarm that is told and unanswered has a next call, no further off than the longest span of its chain."""
    story, at = Story(), 0
    for wait, condition, occasion in script:
        at += wait
        story.tell(at, condition, occasion)
        story.line.until(at)
        chased = {alarm.id for alarm in story.alarms.values() if alarm.condition not in story.hushed}
        dues = {name: chain.due for name, chain in story.line.chains.items() if chain.halted is None}
        assert dues.keys() == chased
        assert all(due is not None and START + at * SECOND < due <= START + (at + LONGEST_SILENCE) * SECOND for due in dues.values())


Schedule = list[tuple[int, Condition]]


def chase(raises: Schedule, stops: list[int], answers: Schedule, *, at_every_deadline: bool) -> list[Notice]:
    """Everything told until the last stop when the gateway looks at the clock at `stops`, at each event, and at each deadline or not."""
    line = Timeline()
    events = [(at, "raise", condition) for at, condition in raises] + [(at, "answer", condition) for at, condition in answers]
    for at, what, condition in sorted([*events, *((at, "look", Condition.HIGH) for at in stops)]):
        if at_every_deadline:
            line.until(at)
        line.jump(at)
        alarm = line.alarm(condition)
        if what == "raise" and alarm.id not in line.chains:
            line.raised(at, alarm)
        elif what == "answer" and alarm.id in line.chains:
            line.acknowledged(at, alarm)
    return line.notices()


SCHEDULE = st.lists(st.tuples(st.integers(0, 900), st.sampled_from((Condition.HIGH_HIGH, Condition.LOW_LOW, Condition.HIGH))), max_size=4)


@given(raises=SCHEDULE, answers=SCHEDULE, stops=st.lists(st.integers(0, 1000), max_size=12))
def test_how_often_the_clock_is_looked_at_changes_nothing_but_missed_repeats(raises: Schedule, answers: Schedule, stops: list[int]) -> None:
    """A coarse clock, or a gateway that was down, tells each step exactly as a fine one does; of missed repeats only the last."""
    fine = [notice.key for notice in chase(raises, [*stops, 2000], answers, at_every_deadline=True)]
    coarse = chase(raises, [*stops, 2000], answers, at_every_deadline=False)
    assert len({notice.key for notice in coarse}) == len(coarse)
    assert {notice.key for notice in coarse} <= set(fine)
    assert {key for key in fine if f"/{NoticeKind.REPEAT}/" not in key} == {notice.key for notice in coarse if notice.kind is not NoticeKind.REPEAT}
    assert bool([key for key in fine if f"/{NoticeKind.REPEAT}/" in key]) == bool([notice for notice in coarse if notice.kind is NoticeKind.REPEAT])
