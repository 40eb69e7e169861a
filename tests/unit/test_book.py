"""The book: what edges and the clock make of a site's alarms."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.alarms import FakeFacts, Ward, guarded, standing, told
from support.sites import T0, sensor

from alerts.alarm import Mode, Refusal, State, SuppressionKind, Tier
from alerts.book import Book
from alerts.command import Numbers
from alerts.edge import EdgeKind, Latest
from alerts.reading import SECOND

BLUE_TEMPERATURE = sensor("TT-1", kind="temperature", unit="degC", gas=None, tiers={"low": "blue"}, limits={"low": 5}, latch=True)


def test_an_incident_from_raise_to_reset() -> None:
    ward = Ward()
    assert ward.true("GT-1.high_high", 1, 60, peak=61.0) == ["raise GT-1.high_high N>AU !"]
    alarm = ward["GT-1.high_high"]
    assert (alarm.tier, alarm.value, alarm.peak, alarm.limit, alarm.unit, alarm.zone) == (Tier.RED, 60, 61, 50, "%LEL", "pumps")
    assert (alarm.started, alarm.sequence, alarm.annunciation, alarm.occurrence) == (41, 41, 1, "GT-1.high_high@41")
    assert ward.do("acknowledge", "GT-1.high_high", at=5, comment="going") == ["acknowledge GT-1.high_high AU>AA"]
    assert (ward["GT-1.high_high"].acknowledged_by, ward["GT-1.high_high"].comment) == ("li", "going")
    assert ward.false("GT-1.high_high", 20, 10) == ["return GT-1.high_high AA>LA"]
    assert ward["GT-1.high_high"].returned_at == T0 + 20 * SECOND
    assert ward.do("reset", "GT-1.high_high", at=30) == ["reset GT-1.high_high LA>N"]
    assert ward.states() == {}


def test_an_unlatched_alarm_ends_when_it_has_returned_and_was_answered() -> None:
    ward = Ward(sensor("PT-1", kind="pressure", latch=False))
    ward.true("PT-1.high", 1, 30)
    assert ward.false("PT-1.high", 2, 10) == ["return PT-1.high AU>RU"]
    assert ward.do("acknowledge", "PT-1.high") == ["acknowledge PT-1.high RU>N"]


def test_it_raises_again_within_its_occurrence_until_it_is_normal() -> None:
    ward = Ward()
    ward.true("GT-1.high", 1, 30)
    ward.false("GT-1.high", 2, 10)
    assert ward.true("GT-1.high", 3, 30) == ["re_raise GT-1.high LU>AU !"]
    assert (ward["GT-1.high"].annunciation, ward["GT-1.high"].occurrence) == (2, "GT-1.high@41")


def test_a_new_occurrence_has_a_new_name() -> None:
    ward = Ward(sensor("PT-1", kind="pressure", latch=False))
    ward.true("PT-1.high", 1, 30)
    ward.do("acknowledge", "PT-1.high")
    ward.false("PT-1.high", 2, 10)
    ward.true("PT-1.high", 3, 30)
    assert (ward["PT-1.high"].occurrence, ward["PT-1.high"].annunciation) == ("PT-1.high@44", 1)


def test_true_once_more_only_renews_value_and_peak() -> None:
    ward = Ward()
    ward.true("GT-1.high", 1, 30, peak=31.0)
    ward.book.touched()
    assert ward.true("GT-1.high", 2, 28, peak=35.0) == []
    assert (ward["GT-1.high"].value, ward["GT-1.high"].peak, ward["GT-1.high"].sequence) == (28, 35, 41)
    assert list(ward.book.touched()) == ["GT-1.high"]


def test_the_peak_of_a_low_alarm_is_the_lowest_value() -> None:
    ward = Ward(sensor("PT-1", kind="pressure", limits={"low": 20}, latch=False))
    ward.true("PT-1.low", 1, 19, peak=18.0)
    ward.false("PT-1.low", 2, 25)
    assert ward["PT-1.low"].peak == 18


def test_an_edge_that_ends_nothing_changes_nothing() -> None:
    ward = Ward()
    assert ward.false("GT-1.high", 1, 10) == []
    assert ward.book.touched() == {}


def test_events_carry_the_key_of_their_edge_and_no_two_the_same() -> None:
    ward = Ward()
    ward.true("GT-1.high", 1, 30)
    edge = ward.edge("GT-1.high_high", EdgeKind.TRUE, 2, 60)
    events = ward.book.edges([edge], ward.moment)
    assert [event.key for event in events] == [edge.key, f"{edge.key}+1"]


def test_numbers_are_shared_between_books() -> None:
    numbers, facts = Numbers(0), FakeFacts()
    ward = Ward()
    books = [Book(guarded(), facts, numbers), Book(guarded(), facts, numbers)]
    edge = ward.edge("GT-1.high", EdgeKind.TRUE, 1, 30)
    assert [book.edges([edge], ward.moment)[0].sequence for book in books] == [1, 2]


def test_touched_tells_each_change_once_and_those_back_to_normal() -> None:
    ward = Ward(sensor("PT-1", kind="pressure", latch=False))
    ward.true("PT-1.high", 1, 30)
    ward.false("PT-1.high", 2, 10)
    assert ward.book.touched()["PT-1.high"].state is State.RETURNED_UNACKNOWLEDGED
    assert ward.book.touched() == {}
    ward.do("acknowledge", "PT-1.high")
    assert ward.book.touched()["PT-1.high"].state is State.NORMAL


def test_a_blue_alarm_is_raised_acknowledged_and_is_over_when_it_returns() -> None:
    ward = Ward(BLUE_TEMPERATURE)
    assert ward.true("TT-1.low", 1, 4) == ["raise TT-1.low N>AA"]
    assert (ward["TT-1.low"].acknowledged_by, ward["TT-1.low"].feedback_due) == ("auto", None)
    assert ward.book.due() is None
    assert ward.false("TT-1.low", 2, 9) == ["return TT-1.low AA>N"]


def test_feedback_falls_due_as_the_chain_says() -> None:
    ward = Ward(escalation={"red": {"feedback_within": "24h"}, "orange": {}, "yellow": {}, "blue": {}})
    ward.true("GT-1.high_high", 1, 60)
    assert ward["GT-1.high_high"].feedback_due == T0 + 86_401 * SECOND


@pytest.mark.parametrize("condition", ["stale", "stuck", "bad_quality", "clock_skew"])
def test_health_conditions_never_latch(condition: str) -> None:
    ward = Ward(sensor("GT-1"), sensor("GT-2"))
    ward.true(f"GT-1.{condition}", 1, 900)
    ward.do("acknowledge", f"GT-1.{condition}")
    ward.false(f"GT-1.{condition}", 2)
    assert ward.states() == {}


def test_a_one_shot_condition_stands_until_acknowledged() -> None:
    ward = Ward()
    assert ward.true("gw-1.monitoring_gap", 1, 400.0, returned_at=T0) == ["raise gw-1.monitoring_gap N>AU !"]
    assert ward.false("gw-1.monitoring_gap", 2) == []
    assert (ward["gw-1.monitoring_gap"].zone, ward["gw-1.monitoring_gap"].sensor) == (None, None)
    assert ward.do("acknowledge", "gw-1.monitoring_gap") == ["acknowledge gw-1.monitoring_gap AU>N"]


def test_an_approved_change_is_journaled_and_over_at_once() -> None:
    ward = Ward(change={"by": "wang", "approved": "2025-11-20", "reason": "first installation"})
    assert ward.true("gw-1.config_changed", 1, 0.0) == ["raise gw-1.config_changed N>N"]
    assert ward.states() == {}
    assert ward.book.touched()["gw-1.config_changed"].tier is Tier.BLUE


def test_a_past_excursion_grows_and_is_told_again_when_it_turns_out_worse() -> None:
    ward = Ward()
    said = {"late": True, "returned_at": T0, "members": ("GT-1.high",)}
    assert ward.true("rtu-1.past_excursion", -60, 30, peak=30.0, **said) == ["raise rtu-1.past_excursion N>AU !"]
    assert ward["rtu-1.past_excursion"].tier == "yellow"
    assert ward.grown("rtu-1.past_excursion", -90, 33, peak=33.0, **said | {"returned_at": T0 + 9}) == []
    alarm = ward["rtu-1.past_excursion"]
    assert (alarm.raised_at, alarm.returned_at, alarm.peak, alarm.late) == (T0 - 90 * SECOND, T0 + 9, 33, True)
    worse = said | {"members": ("GT-1.high", "GT-1.high_high")}
    assert ward.grown("rtu-1.past_excursion", -90, 60, peak=60.0, **worse) == ["tier_raise rtu-1.past_excursion AU>AU !"]
    assert ward["rtu-1.past_excursion"].tier == "orange"


def test_of_a_past_excursion_that_was_answered_for_detection_is_told_and_what_has_grown_is_no_news() -> None:
    ward = Ward()
    said = {"late": True, "returned_at": T0, "members": ("GT-1.high",)}
    ward.true("rtu-1.past_excursion", -60, 30, peak=30.0, **said)
    ward.do("acknowledge", "rtu-1.past_excursion")
    assert ward.facts.measured == [("rtu-1", None)]
    assert ward.grown("rtu-1.past_excursion", -90, 33, peak=33.0, **said) == []
    assert ward.true("rtu-1.past_excursion", -50, 33, peak=33.0, **said) == ["raise rtu-1.past_excursion N>AU !"]


def test_a_child_is_listed_and_not_told() -> None:
    ward = Ward(sensor("GT-1"), sensor("GT-2"))
    assert ward.true("rtu-1.offline", 1, members=("GT-1", "GT-2")) == ["raise rtu-1.offline N>AU !"]
    assert ward.true("GT-1.stale", 1, under="rtu-1.offline") == ["raise GT-1.stale N>AA"]
    assert (ward["GT-1.stale"].under, ward["GT-1.stale"].acknowledged_by) == (("rtu-1.offline",), "auto")
    assert ward.false("GT-1.stale", 5) == ["return GT-1.stale AA>N"]


def test_a_child_whose_cause_is_gone_is_told_as_its_own() -> None:
    ward = Ward(sensor("GT-1"), sensor("GT-2"))
    ward.true("rtu-1.offline", 1, members=("GT-1", "GT-2"))
    ward.true("GT-1.stale", 1, under="rtu-1.offline")
    ward.false("rtu-1.offline", 5)
    assert ward.true("GT-1.stale", 35) == ["expire GT-1.stale AA>AU !"]
    assert ward["GT-1.stale"].under == ()


def test_commissioning_is_journaled_and_never_annunciates() -> None:
    ward = Ward(sensor("GT-1", commissioned=None), sensor("GT-2"))
    assert ward.true("GT-1.high_high", 1, 60) == ["raise GT-1.high_high N>AU"]
    alarm = ward["GT-1.high_high"]
    assert (alarm.mode, alarm.suppression[0].kind, alarm.first_out) == (Mode.COMMISSIONING, SuppressionKind.COMMISSIONING, False)
    ward.true("GT-2.high", 2, 30)
    assert ward["GT-2.high"].first_out


def test_one_sensor_in_service_is_enough_for_its_device_to_be_told() -> None:
    ward = Ward(sensor("GT-1", commissioned=None), sensor("GT-2"))
    assert ward.true("rtu-1.offline", 1, members=("GT-1", "GT-2")) == ["raise rtu-1.offline N>AU !"]
    bare = Ward(sensor("GT-1", commissioned=None))
    assert bare.true("rtu-1.offline", 1, members=("GT-1",)) == ["raise rtu-1.offline N>AU"]


def test_what_stands_when_a_sensor_comes_into_service_is_raised_then() -> None:
    before = Ward(sensor("GT-1", commissioned=None))
    before.true("GT-1.high_high", 1, 60)
    after = Ward(alarms=before.book.alarms().values())
    assert after.book.due() == 0
    assert after.clock(10) == ["re_raise GT-1.high_high AU>AU !"]
    assert (after["GT-1.high_high"].mode, after["GT-1.high_high"].suppression) == (Mode.REAL, ())
    assert after.book.due() is None


def test_an_acknowledgement_expires_if_the_condition_stays() -> None:
    ward = Ward()
    ward.true("GT-1.high", 1, 30)
    ward.do("acknowledge", "GT-1.high", at=10)
    assert ward.book.due() == T0 + (10 + 900) * SECOND
    assert ward.clock(909) == []
    assert ward.clock(910) == ["expire GT-1.high AA>AU !"]
    assert (ward["GT-1.high"].annunciation, ward.book.due()) == (2, None)


def test_an_acknowledgement_does_not_expire_once_the_condition_is_over() -> None:
    ward = Ward()
    ward.true("GT-1.high", 1, 30)
    ward.do("acknowledge", "GT-1.high", at=10)
    ward.false("GT-1.high", 20, 10)
    assert ward.book.due() is None


def test_a_deadline_survives_a_restart() -> None:
    before = Ward()
    before.true("GT-1.high", 1, 30)
    before.do("acknowledge", "GT-1.high", at=10)
    after = Ward(alarms=before.book.alarms().values())
    assert after.book.due() == before.book.due()
    assert after.clock(2000) == ["expire GT-1.high AA>AU !"]


def test_the_chain_that_fits_the_alarm_says_when_it_expires() -> None:
    red = [{"when": {"kind": "toxic_gas"}, "ack_expires": "1m"}, {"when": {"zone": "pumps"}, "ack_expires": "2m"}, {"ack_expires": "3m"}]
    escalation = {"red": red, "orange": {}, "yellow": {}, "blue": {}}
    ward = Ward(sensor("GT-1"), sensor("GT-2", zone="tanks"), escalation=escalation)
    for head in ("GT-1", "GT-2"):
        ward.true(f"{head}.high_high", 0, 60)
        ward.do("acknowledge", f"{head}.high_high")
    assert ward.clock(120) == ["expire GT-1.high_high AA>AU !"]
    assert ward.clock(180) == ["expire GT-2.high_high AA>AU !"]


def test_a_sick_red_capable_sensor_is_orange_when_repair_takes_too_long() -> None:
    ward = Ward(sensor("GT-1"), sensor("GT-2"))
    ward.true("GT-1.stale", 0)
    assert ward["GT-1.stale"].tier is Tier.YELLOW
    assert ward.book.due() == T0 + 8 * 3600 * SECOND
    assert ward.clock(8 * 3600) == ["tier_raise GT-1.stale AU>AU !"]
    assert (ward["GT-1.stale"].tier, ward["GT-1.stale"].annunciation, ward.book.due()) == (Tier.ORANGE, 2, None)


def test_the_last_healthy_head_falling_sick_makes_those_before_it_orange() -> None:
    ward = Ward(sensor("GT-1"), sensor("GT-2"))
    ward.true("GT-1.stale", 0)
    ward.facts.say("GT-1", healthy=False)
    ward.do("acknowledge", "GT-1.stale")
    ward.facts.say("GT-2", healthy=False)
    assert ward.true("GT-2.stale", 5) == ["raise GT-2.stale N>AU !", "tier_raise GT-1.stale AA>AU !"]
    assert (ward["GT-1.stale"].tier, ward["GT-2.stale"].tier) == (Tier.ORANGE, Tier.ORANGE)


@pytest.mark.parametrize("kind", list(EdgeKind))
@pytest.mark.parametrize("alarm", ["gone.high_high", "gone.stale", "gone.offline", "gone.past_excursion"])
def test_a_source_that_nobody_knows_breaks_nothing(kind: EdgeKind, alarm: str) -> None:
    ward = Ward()
    ward.edges(ward.edge(alarm, kind, 1, 60))
    ward.edges(ward.edge(alarm, EdgeKind.FALSE, 2, 60))
    assert ward.book.color(ward.moment).zones.keys() == {"pumps"}


def test_a_limit_of_an_unknown_sensor_is_red_and_told() -> None:
    ward = Ward()
    assert ward.true("gone.high", 1, 60) == ["raise gone.high N>AU !"]
    assert ward["gone.high"].tier is Tier.RED


def test_alarms_of_an_earlier_run_go_on_where_they_were() -> None:
    ward = Ward(alarms=[standing("GT-1.high_high", state=State.ACTIVE_ACKNOWLEDGED, acknowledged_by="li", acknowledged_at=T0, lead=True)])
    assert ward.book.touched() == {}
    assert ward.false("GT-1.high_high", 1, 10) == ["return GT-1.high_high AA>LA"]


def test_a_refused_command_leaves_no_trace() -> None:
    ward = Ward()
    ward.true("GT-1.high", 1, 30)
    ward.book.touched()
    assert ward.do("reset", "GT-1.high") is Refusal.STILL_ACTIVE
    assert (ward.book.touched(), ward.numbers.last) == ({}, 41)


def test_an_event_holds_the_alarm_after_it_and_both_clocks() -> None:
    ward = Ward()
    edge = ward.edge("GT-1.high", EdgeKind.TRUE, 1, 30)
    (event,) = ward.book.edges([edge], ward.moment + 5)
    assert (event.at, event.recorded_at, event.by, event.sequence) == (edge.at, ward.moment + 5, None, event.alarm.sequence)
    assert event.alarm == replace(ward["GT-1.high"])
    assert told([event]) == ["raise GT-1.high N>AU !"]


def test_the_facts_of_an_unheard_sensor_are_enough() -> None:
    ward = Ward()
    ward.facts.known["GT-1"] = Latest()
    ward.true("GT-1.high", 1, 30)
    ward.true("GT-1.stale", 2)
    assert ward["GT-1.high"].value == 30


def test_a_second_gap_in_watching_is_told_though_the_first_is_not_acknowledged() -> None:
    ward = Ward()
    assert ward.true("gw-1.monitoring_gap", 0, 60.0, returned_at=T0 + 60 * SECOND) == ["raise gw-1.monitoring_gap N>AU !"]
    assert ward.true("gw-1.monitoring_gap", 0, 90.0, returned_at=T0 + 90 * SECOND) == [], "the same gap, seen to be longer after a crash at start"
    assert ward.true("gw-1.monitoring_gap", 900, 400.0, returned_at=T0 + 1300 * SECOND) == ["re_raise gw-1.monitoring_gap AU>AU !"]
    alarm = ward["gw-1.monitoring_gap"]
    assert (alarm.annunciation, alarm.tier, alarm.value) == (2, "orange", 400)
    assert (alarm.raised_at, alarm.returned_at) == (T0 + 900 * SECOND, T0 + 1300 * SECOND)
    assert ward.do("acknowledge", "gw-1.monitoring_gap") == ["acknowledge gw-1.monitoring_gap AU>N"]


def test_a_second_catch_up_is_told_though_the_first_is_not_acknowledged() -> None:
    ward = Ward()
    first = {"late": True, "returned_at": T0 + 5 * SECOND, "members": ("GT-1.high_high",), "peak": 60.0}
    assert ward.true("rtu-1.past_excursion", 1, 60, **first) == ["raise rtu-1.past_excursion N>AU !"]
    second = {"late": True, "returned_at": T0 + 90 * SECOND, "members": ("GT-1.high",), "peak": 30.0}
    assert ward.true("rtu-1.past_excursion", 80, 30, **second) == ["re_raise rtu-1.past_excursion AU>AU !"]
    grown = second | {"returned_at": T0 + 95 * SECOND}
    assert ward.grown("rtu-1.past_excursion", 80, 31, **grown) == []
    assert ward["rtu-1.past_excursion"].members == ("GT-1.high", "GT-1.high_high"), "what was told first is still named"
