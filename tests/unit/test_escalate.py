"""Who is told, when: a timeline for each rule of the chase. Times are seconds since the alarm."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from support.chasing import RED, START, Timeline, build_site, told, with_chains, with_rota

from alerts.alarm import LAST_RESORT_ONLY, Condition, Event, EventKind, NoticeKind, State, Suppression, SuppressionKind, Tier
from alerts.chain import ChainState
from alerts.escalate import Chaser
from alerts.reading import SECOND
from alerts.rota import Roster

RAISE, AGAIN, ESCALATE, REPEAT, INFORM, OVER = NoticeKind
NIGHT_ONLY = [{"people": ["li"], "from": "22:00", "to": "06:00"}]


def test_a_red_alarm_calls_officer_then_leader_then_everybody_every_two_minutes() -> None:
    line = Timeline()
    line.raised(0, line.alarm())
    line.until(420)
    assert told(line.notices()) == [
        (0, RAISE, "li"),
        (0, INFORM, "an"),
        (60, ESCALATE, "wang"),
        *[(at, REPEAT, person) for at in (180, 300, 420) for person in ("li", "wang", "bo")],
    ]


def test_a_person_is_told_over_all_channels_at_once() -> None:
    line = Timeline()
    notices = line.raised(0, line.alarm()).notices
    assert [(notice.channel, notice.to) for notice in notices if notice.person == "li"] == [("desk", None), ("phone", "+86 1")]
    assert {(notice.site, notice.alarm, notice.occurrence, notice.tier, notice.sequence) for notice in notices} == {
        ("north", "GT-101.high_high", "GT-101.high_high@41", Tier.RED, 41)
    }


def test_acknowledging_withdraws_the_steps_and_stops_the_chase() -> None:
    line = Timeline()
    line.raised(0, line.alarm())
    assert line.acknowledged(59, line.alarm()).withdrawn == ("GT-101.high_high@41",)
    assert line.until(1e6) == []
    assert line.chaser.due() is None


def test_readers_are_told_of_the_acknowledgement_and_of_the_end_but_not_called() -> None:
    line = Timeline()
    line.raised(0, line.alarm())
    assert told(line.acknowledged(30, line.alarm()).notices) == [(30, INFORM, "an")]
    ended = line.ended(90, line.alarm())
    assert told(ended.notices) == [(90, OVER, "an")]
    assert (dict(ended.chains), ended.withdrawn) == ({"GT-101.high_high": None}, ())


def test_whoever_acknowledges_is_not_informed_of_it() -> None:
    line = Timeline()
    line.raised(0, line.alarm())
    assert line.acknowledged(30, line.alarm(), by="an").notices == ()


def test_news_still_to_come_is_told_after_the_acknowledgement_too() -> None:
    red = RED | {"inform": [{"tell": ["an"]}, {"after": "5m", "tell": ["bo"]}]}
    line = Timeline(build_site(escalation=with_chains(red=red)))
    line.raised(0, line.alarm())
    line.acknowledged(30, line.alarm())
    assert told(line.until(1e6)) == [(300, INFORM, "bo")]


@pytest.mark.parametrize("tier", [Tier.ORANGE, Tier.RED])
def test_a_returned_red_or_orange_alarm_is_chased_on(tier: Tier) -> None:
    line = Timeline()
    line.raised(0, line.alarm(tier=tier))
    assert line.happens(30, EventKind.RETURN, line.alarm(tier=tier, state=State.RETURNED_UNACKNOWLEDGED)).withdrawn == ()
    assert [person for _, kind, person in told(line.until(125)) if kind is ESCALATE] == ["wang"]


@pytest.mark.parametrize("state", [State.RETURNED_UNACKNOWLEDGED, State.LATCHED_UNACKNOWLEDGED])
def test_a_yellow_alarm_is_left_alone_once_it_has_returned(state: State) -> None:
    line = Timeline(build_site(escalation=with_chains(yellow={"steps": [{"tell": ["officer"]}, {"after": "60s", "tell": ["leader"]}]})))
    yellow = line.alarm(tier=Tier.YELLOW)
    line.raised(0, yellow)
    assert line.happens(30, EventKind.RETURN, replace(yellow, state=state)).withdrawn == (yellow.occurrence,)
    assert line.until(1e6) == []


def test_blue_calls_nobody() -> None:
    line = Timeline()
    assert line.raised(0, line.alarm(tier=Tier.BLUE)).notices == ()
    assert line.chaser.due() is None


def test_a_step_with_nobody_on_duty_passes_on_at_once() -> None:
    """It is 16:00 at the site and the officer comes at 22:00; the leader's own time is not waited for, the repeat counts from his call."""
    line = Timeline(build_site(rota=with_rota(officer=NIGHT_ONLY)))
    line.raised(0, line.alarm())
    assert told(line.notices()) == [(0, ESCALATE, "wang"), (0, INFORM, "an")]
    assert told(line.until(120)) == [(120, REPEAT, "wang"), (120, REPEAT, "bo")]


def test_a_step_whose_people_were_all_called_before_passes_on_at_once() -> None:
    steps = [{"tell": ["officer"]}, {"after": "60s", "tell": ["li"]}, {"after": "90s", "tell": ["leader"]}]
    line = Timeline(build_site(escalation=with_chains(red={"steps": steps, "repeat": "120s"})))
    line.raised(0, line.alarm())
    assert told(line.until(179)) == [(60, ESCALATE, "wang")]


def test_a_last_step_with_nobody_new_passes_on_to_the_repeat() -> None:
    steps = [{"tell": ["officer"]}, {"after": "60s", "tell": ["li"]}]
    line = Timeline(build_site(escalation=with_chains(red={"steps": steps, "repeat": "120s"})))
    line.raised(0, line.alarm())
    assert told(line.until(180)) == [(60, REPEAT, "li"), (60, REPEAT, "bo"), (180, REPEAT, "li"), (180, REPEAT, "bo")]


def test_a_person_who_cannot_be_reached_does_not_hold_up_a_step() -> None:
    people = [{"id": "li", "role": "officer"}, {"id": "wang", "role": "leader", "reach": ["phone"]}, {"id": "bo", "role": "manager", "reach": ["phone"]}]
    line = Timeline(build_site(people=people))
    line.raised(0, line.alarm())
    assert told(line.notices()) == [(0, ESCALATE, "wang")]


@pytest.mark.parametrize("tier", [Tier.RED, Tier.ORANGE, Tier.YELLOW])
def test_a_chain_that_reaches_nobody_tells_the_last_resort_at_once(tier: Tier) -> None:
    chain = {"steps": [{"tell": ["officer"]}, {"after": "10m", "tell": ["officer"]}]}
    line = Timeline(build_site(rota=with_rota(officer=NIGHT_ONLY), escalation=with_chains(red=chain, orange=chain, yellow=chain)))
    line.raised(0, line.alarm(tier=tier))
    assert told(line.notices()) == [(0, REPEAT, "bo")]


def test_a_chain_of_a_higher_tier_without_any_step_tells_the_last_resort() -> None:
    line = Timeline(build_site(escalation=with_chains(orange={"repeat": "60s"})))
    line.raised(0, line.alarm(tier=Tier.ORANGE))
    assert told(line.until(60)) == [(60, REPEAT, "bo")]
    assert told(line.notices())[0] == (0, REPEAT, "bo")


def test_a_chain_that_has_called_everybody_is_spent_until_somebody_answers() -> None:
    line = Timeline()
    first, second = line.alarm(), line.alarm(Condition.LOW_LOW)
    line.raised(0, first)
    line.raised(10, second)
    line.until(179)
    assert line.chaser.spent() == []
    line.until(200)
    assert [chain.alarm for chain in line.chaser.spent()] == [first.id, second.id]
    line.acknowledged(210, first)
    assert [chain.alarm for chain in line.chaser.spent()] == [second.id]
    line.ended(220, second)
    assert line.chaser.spent() == []


def test_an_undelivered_step_passes_on_at_once_and_later_steps_keep_their_time() -> None:
    steps = [{"tell": ["officer"]}, {"after": "60s", "tell": ["leader"]}, {"after": "120s", "tell": ["an"]}]
    line = Timeline(build_site(escalation=with_chains(red={"steps": steps, "repeat": "5m"})))
    (failed, other) = line.raised(0, line.alarm()).notices
    line.now = 5
    assert told(line.take(line.chaser.undelivered(failed, line.nanoseconds)).notices) == [(5, ESCALATE, "wang")]
    assert line.take(line.chaser.undelivered(other, line.nanoseconds)).notices == ()
    assert told(line.until(419)) == [(120, ESCALATE, "an")]


def test_an_undelivered_only_step_goes_to_the_last_resort_once() -> None:
    line = Timeline()
    notices = line.raised(0, line.alarm(tier=Tier.YELLOW)).notices
    line.now = 5
    assert [told(line.take(line.chaser.undelivered(notice, line.nanoseconds)).notices) for notice in notices] == [[(5, REPEAT, "li"), (5, REPEAT, "bo")], []]


def test_an_undelivered_message_of_an_acknowledged_alarm_or_to_a_reader_moves_nothing() -> None:
    line = Timeline()
    notices = line.raised(0, line.alarm()).notices
    reader = next(notice for notice in notices if notice.kind is INFORM)
    assert line.chaser.undelivered(reader, line.nanoseconds).notices == ()
    line.acknowledged(3, line.alarm())
    assert line.chaser.undelivered(notices[0], line.nanoseconds).notices == ()


@pytest.mark.parametrize("kind", [EventKind.EXPIRE, EventKind.UNACKNOWLEDGE, EventKind.VALUE_LOST, EventKind.RE_RAISE])
def test_an_acknowledgement_that_is_void_starts_the_chain_anew_and_calls_the_acknowledger_too(kind: EventKind) -> None:
    """The readers of `inform`, told once in an occurrence, are not told of it again."""
    line = Timeline()
    line.raised(0, line.alarm())
    line.acknowledged(30, line.alarm(), by="wang")
    line.happens(900, kind, line.alarm(annunciation=2), annunciates=True)
    assert told(line.notices())[-2:] == [(900, AGAIN, "li"), (900, AGAIN, "wang")]
    assert told(line.until(1080)) == [(960, REPEAT, "li"), (960, REPEAT, "wang"), (960, REPEAT, "bo")] + [(1080, REPEAT, p) for p in ("li", "wang", "bo")]


def test_with_nobody_on_duty_at_the_first_step_the_acknowledger_is_called_and_the_step_passes_on() -> None:
    line = Timeline(build_site(rota=with_rota(officer=[{"people": ["li"], "from": "16:00", "to": "16:10"}])))
    line.raised(0, line.alarm())
    line.acknowledged(30, line.alarm(), by="li")
    expired = line.happens(900, EventKind.EXPIRE, line.alarm(annunciation=2), annunciates=True)
    assert told(expired.notices) == [(900, AGAIN, "li"), (900, ESCALATE, "wang")]


def test_a_chattering_alarm_cannot_put_off_the_leader_or_the_last_resort() -> None:
    """Raised again every 20 s while nobody answers: who was called hears of each, and the next step comes when it was due."""
    line = Timeline()
    line.raised(0, line.alarm())
    for count in range(1, 10):
        line.happens(20 * count, EventKind.RE_RAISE, line.alarm(annunciation=1 + count), annunciates=True)
    line.until(181)
    chase = told(line.notices())
    assert next(entry for entry in chase if entry[1] is ESCALATE) == (60, ESCALATE, "wang")
    assert next(entry for entry in chase if entry[1] is REPEAT)[0] == 180
    assert [person for at, _, person in chase if at == 80] == ["li", "wang"]
    assert len({notice.key for notice in line.notices()}) == len(line.notices())


def test_a_tier_that_rises_starts_the_chain_of_that_tier_and_informs_its_readers() -> None:
    line = Timeline()
    line.raised(0, line.alarm(tier=Tier.ORANGE))
    line.happens(50, EventKind.TIER_RAISE, line.alarm(), annunciates=True)
    assert told(line.until(111)) == [(110, ESCALATE, "wang")]
    assert told(line.notices()) == [(0, RAISE, "li"), (50, AGAIN, "li"), (50, INFORM, "an"), (110, ESCALATE, "wang")]


def test_readers_are_informed_again_when_the_tier_rises_again() -> None:
    orange = {"inform": [{"tell": ["an"]}], "steps": [{"tell": ["officer"]}], "repeat": "10m"}
    line = Timeline(build_site(escalation=with_chains(orange=orange)))
    line.raised(0, line.alarm(tier=Tier.ORANGE))
    line.acknowledged(10, line.alarm(tier=Tier.ORANGE))
    line.happens(50, EventKind.TIER_RAISE, line.alarm(), annunciates=True)
    notices = [notice for notice in line.notices() if notice.person == "an"]
    assert told(notices) == [(0, INFORM, "an"), (10, INFORM, "an"), (50, INFORM, "an")]
    assert len({notice.key for notice in notices}) == 3


def test_a_subsumed_alarm_is_no_longer_told_and_is_told_anew_when_it_leads_again() -> None:
    """The keys differ even though the alarm's annunciation does not."""
    line = Timeline()
    high = line.alarm(Condition.HIGH, Tier.ORANGE)
    line.raised(0, high)
    assert line.happens(130, EventKind.SUBSUME, high).withdrawn == (high.occurrence,)
    assert line.until(690) == []
    line.happens(700, EventKind.LEAD, high, annunciates=True)
    assert told(line.until(820)) == [(820, ESCALATE, "wang")]
    assert told(line.notices()) == [(0, RAISE, "li"), (120, ESCALATE, "wang"), (700, AGAIN, "li"), (820, ESCALATE, "wang")]
    assert len({notice.key for notice in line.notices()}) == len(line.notices())


def test_an_alarm_acknowledged_under_its_lead_remembers_who_did() -> None:
    line = Timeline()
    high = line.alarm(Condition.HIGH, Tier.ORANGE)
    line.raised(0, high)
    line.happens(10, EventKind.SUBSUME, high)
    line.acknowledged(20, high, by="wang")
    line.happens(700, EventKind.LEAD, replace(high, annunciation=2), annunciates=True)
    assert told(line.notices())[-2:] == [(700, AGAIN, "li"), (700, AGAIN, "wang")]


def test_two_acknowledgers_the_chase_goes_on_without_the_first_until_the_second() -> None:
    line = Timeline(build_site(escalation=with_chains(red=RED | {"acknowledgers": 2})))
    line.raised(0, line.alarm())
    assert line.acknowledged(30, line.alarm(), by="li").withdrawn == ()
    assert told(line.until(180)) == [(60, ESCALATE, "wang"), (180, REPEAT, "wang"), (180, REPEAT, "bo")]
    assert line.acknowledged(200, line.alarm(), by="li").withdrawn == ()
    assert line.acknowledged(210, line.alarm(), by="wang").withdrawn == ("GT-101.high_high@41",)
    assert line.until(1e6) == []


@pytest.mark.parametrize("condition", sorted(LAST_RESORT_ONLY))
def test_conditions_of_the_chase_itself_are_told_once_to_the_last_resort(condition: Condition) -> None:
    line = Timeline()
    alarm = line.alarm(condition, source="north-01", sensor=None, zone=None)
    notices = line.raised(0, alarm).notices
    assert [(notice.kind, notice.person, notice.channel) for notice in notices] == [(RAISE, "bo", "phone"), (RAISE, "bo", "desk")]
    assert (line.chaser.due(), dict(line.chains)) == (None, {})
    assert line.acknowledged(5, alarm, by="bo").withdrawn == (alarm.occurrence,)


@pytest.mark.parametrize(("failed", "ways"), [({"phone"}, ["desk"]), ({"desk"}, ["phone"]), ({"desk", "phone"}, ["phone", "desk"])])
def test_news_of_failures_goes_around_failed_channels_while_there_is_another(failed: set[str], ways: list[str]) -> None:
    line = Timeline()
    alarm = line.alarm(Condition.NOTIFICATION_FAILED, source="north-01", sensor=None, zone=None)
    event = Event(EventKind.RAISE, alarm, State.NORMAL, START, START, annunciates=True)
    assert [notice.channel for notice in line.chaser.events([event], START, failed).notices] == ways
    raised = Event(EventKind.RAISE, line.alarm(), State.NORMAL, START, START, annunciates=True)
    assert [notice.channel for notice in line.chaser.events([raised], START, failed).notices if notice.person == "li"] == ["desk", "phone"]


def test_a_suppressed_alarm_is_not_told() -> None:
    line = Timeline()
    suppressed = line.alarm(suppression=(Suppression(SuppressionKind.COMMISSIONING),))
    orders = line.raised(0, suppressed)
    assert (orders.notices, dict(orders.chains)) == ((), {})


def test_shelving_stops_a_running_chain_but_never_one_of_red() -> None:
    line = Timeline()
    shelf = (Suppression(SuppressionKind.SHELVED),)
    for tier, condition in ((Tier.ORANGE, Condition.HIGH), (Tier.RED, Condition.HIGH_HIGH)):
        line.raised(0, line.alarm(condition, tier))
        line.happens(1, EventKind.SHELVE, line.alarm(condition, tier, suppression=shelf))
    assert {notice.tier for notice in line.until(130)} == {Tier.RED}


def test_an_entry_for_zone_kind_and_condition_comes_before_the_plain_one() -> None:
    def only(person: str, **when: str) -> dict[str, object]:
        return {"steps": [{"tell": [person]}], "repeat": "60s"} | ({"when": when} if when else {})

    red = [only("li"), only("wang", zone="elsewhere"), only("an", kind="combustible_gas", condition="high_high"), only("bo", zone="tanks")]
    line = Timeline(build_site(escalation=with_chains(red=red)))
    alarms = [line.alarm(), line.alarm(Condition.HIGH), line.alarm(Condition.FIRE, zone=None, sensor=None, source="V-1")]
    assert [line.raised(0, alarm).notices[0].person for alarm in alarms] == ["an", "bo", "li"]


def test_a_new_occurrence_is_told_as_new_even_if_the_end_of_the_old_one_was_not_seen() -> None:
    line = Timeline()
    line.raised(0, line.alarm())
    orders = line.raised(30, line.alarm(started=70))
    assert [notice.kind for notice in orders.notices] == [RAISE, RAISE, INFORM]
    assert orders.withdrawn == ("GT-101.high_high@41",)


def test_events_of_alarms_that_were_never_told_do_nothing() -> None:
    line = Timeline()
    child = line.alarm(Condition.STALE, Tier.YELLOW, state=State.ACTIVE_ACKNOWLEDGED)
    assert line.happens(0, EventKind.RAISE, child).chains == {}
    assert line.ended(5, child).notices == ()


def test_at_one_instant_red_is_called_before_lower_tiers() -> None:
    line = Timeline()
    for number, tier in enumerate((Tier.YELLOW, Tier.ORANGE, Tier.RED)):
        line.raised(0, line.alarm(source=f"GT-{number}", tier=tier))
    chaser = Chaser(line.site, Roster(line.site), {k: replace(c, due=c.started, next_step=0, told=()) for k, c in line.chains.items()})
    assert [notice.tier for notice in chaser.advance(START).notices] == [Tier.RED] * 2 + [Tier.ORANGE] * 2 + [Tier.YELLOW] * 2


def test_steps_that_fell_due_while_down_are_told_at_once_in_order_and_the_rest_keep_their_time() -> None:
    """Down from 10 s to 70 s; the state has been through JSON in between."""
    steps = [{"tell": ["officer"]}, {"after": "30s", "tell": ["leader"]}, {"after": "60s", "tell": ["an"]}, {"after": "90s", "tell": ["bo"]}]
    site = build_site(escalation=with_chains(red={"steps": steps, "repeat": "60s"}))
    before = Timeline(site)
    before.raised(0, before.alarm())
    kept = {name: msgspec.json.decode(msgspec.json.encode(chain), type=ChainState) for name, chain in before.chains.items()}
    assert kept == before.chains
    line = Timeline(site, kept)
    assert line.chaser.due() == START + 30 * SECOND
    assert told(line.jump(70).notices) == [(70, ESCALATE, "wang"), (70, ESCALATE, "an")]
    assert line.jump(70).notices == ()
    assert told(line.until(149)) == [(90, ESCALATE, "bo")]


def test_repeats_missed_while_down_are_told_once_and_the_next_keeps_its_time() -> None:
    line = Timeline()
    line.raised(0, line.alarm())
    line.until(60)
    missed = line.jump(3600).notices
    assert {notice.round for notice in missed} == {29}
    assert told(missed) == [(3600, REPEAT, "li"), (3600, REPEAT, "wang"), (3600, REPEAT, "bo")]
    assert told(line.until(3660))[0] == (3660, REPEAT, "li")


def test_a_spent_chain_of_an_earlier_run_is_spent_still() -> None:
    before = Timeline()
    before.raised(0, before.alarm())
    before.until(200)
    line = Timeline(before.site, before.chains)
    assert [chain.alarm for chain in line.chaser.spent()] == ["GT-101.high_high"]


def test_a_chain_goes_on_though_the_file_names_fewer_readers_than_before_the_restart() -> None:
    red = RED | {"inform": [{"tell": ["an"]}, {"after": "5m", "tell": ["bo"]}]}
    line = Timeline(build_site(escalation=with_chains(red=red)))
    line.raised(0, line.alarm())
    again = Timeline(build_site(), line.chains)
    assert [kind for at, kind, _ in told(again.until(420)) if at > 60] == [REPEAT] * 9
