"""Alarms whose sensor has no trustworthy value any more, or one beyond its range."""

from __future__ import annotations

from support.alarms import Ward
from support.sites import sensor

from alerts.alarm import State, Tier


def test_a_lost_value_voids_the_acknowledgement_and_is_told_with_the_last_value() -> None:
    ward = Ward(sensor("GT-1"), sensor("GT-2"))
    ward.true("GT-1.high", 1, 30)
    ward.do("acknowledge", "GT-1.high")
    ward.facts.say("GT-1", value=37.5, healthy=False, good=False)
    assert ward.true("GT-1.stale", 40) == ["raise GT-1.stale N>AA", "value_lost GT-1.high AA>AU !"]
    alarm = ward["GT-1.high"]
    assert (alarm.value_lost, alarm.value, alarm.tier, alarm.annunciation, alarm.acknowledged_by) == (True, 37.5, Tier.ORANGE, 2, None)
    assert ward["GT-1.stale"].under == ("GT-1.high",)


def test_only_the_lead_is_told_of_the_lost_value() -> None:
    ward = Ward()
    ward.true("GT-1.high", 1, 30)
    ward.true("GT-1.high_high", 2, 60)
    events = ward.true("GT-1.bad_quality", 40)
    assert events == ["raise GT-1.bad_quality N>AA", "value_lost GT-1.high AU>AU", "value_lost GT-1.high_high AU>AU !"]


def test_a_silent_device_takes_the_value_of_every_alarm_of_its_sensors() -> None:
    ward = Ward(sensor("GT-1"), sensor("GT-2"), sensor("GT-3", device="rtu-2"))
    for head in ("GT-1", "GT-2", "GT-3"):
        ward.true(f"{head}.high", 1, 30)
    ward.true("rtu-1.offline", 40, members=("GT-1", "GT-2"))
    assert [ward[f"GT-{n}.high"].value_lost for n in (1, 2, 3)] == [True, True, False]


def test_the_value_is_back_when_the_last_sickness_has_ended() -> None:
    ward = Ward()
    ward.true("GT-1.high", 1, 30)
    ward.true("GT-1.stale", 40)
    ward.true("GT-1.bad_quality", 41)
    ward.false("GT-1.stale", 50)
    assert ward["GT-1.high"].value_lost
    ward.false("GT-1.bad_quality", 51)
    assert not ward["GT-1.high"].value_lost
    assert ward["GT-1.high"].state is State.ACTIVE_UNACKNOWLEDGED


def test_a_device_that_is_back_gives_its_sensors_their_values_unless_they_are_silent_themselves() -> None:
    ward = Ward(sensor("GT-1"), sensor("GT-2"))
    ward.true("GT-1.high", 1, 30)
    ward.true("GT-2.high", 1, 30)
    ward.true("rtu-1.offline", 40, members=("GT-1", "GT-2"))
    ward.true("GT-2.stale", 40, under="rtu-1.offline")
    ward.false("rtu-1.offline", 50)
    assert (ward["GT-1.high"].value_lost, ward["GT-2.high"].value_lost) == (False, True)


def test_an_alarm_raised_while_its_sensor_is_sick_has_no_value_to_trust() -> None:
    ward = Ward(sensor("PT-1", kind="pressure", tiers={"high": "yellow"}), sensor("PT-2"))
    ward.true("PT-1.bad_quality", 1)
    ward.true("PT-1.high", 2, 30)
    assert (ward["PT-1.high"].value_lost, ward["PT-1.high"].tier) == (True, Tier.ORANGE)


def test_a_latched_alarm_keeps_its_value_and_the_sickness_is_told() -> None:
    ward = Ward(sensor("GT-1"), sensor("GT-2"))
    ward.true("GT-1.high", 1, 30)
    ward.false("GT-1.high", 2, 10)
    assert ward.true("GT-1.stale", 40) == ["raise GT-1.stale N>AU !"]
    assert not ward["GT-1.high"].value_lost


def test_over_range_makes_the_lead_red_and_is_told_once() -> None:
    ward = Ward(sensor("GT-1", limits={"high": 25}))
    ward.true("GT-1.high", 1, 100)
    assert ward.over_range("GT-1.high", 1) == ["over_range GT-1.high AU>AU", "tier_raise GT-1.high AU>AU !"]
    assert (ward["GT-1.high"].tier, ward["GT-1.high"].over_range) == (Tier.RED, True)


def test_over_range_adds_no_message_where_red_is_told_already() -> None:
    ward = Ward()
    ward.true("GT-1.high", 1, 100)
    ward.true("GT-1.high_high", 1, 100)
    ward.do("acknowledge", "GT-1.high_high")
    assert ward.over_range("GT-1.high_high", 2) == ["over_range GT-1.high_high AA>AA"]
    assert [alarm.over_range for alarm in ward.book.alarms().values()] == [True, True]


def test_an_upper_alarm_of_a_sensor_beyond_its_range_is_raised_red() -> None:
    ward = Ward(sensor("GT-1", limits={"high": 25}))
    ward.facts.say("GT-1", over_range=True)
    assert ward.true("GT-1.high", 1, 100) == ["raise GT-1.high N>AU !"]
    assert ward["GT-1.high"].tier is Tier.RED
    assert ward.over_range("GT-1.high", 1) == ["over_range GT-1.high AU>AU"]


def test_over_range_of_an_alarm_that_does_not_stand_raises_it() -> None:
    ward = Ward()
    assert ward.over_range("GT-1.high_high", 1) == ["raise GT-1.high_high N>AU !", "over_range GT-1.high_high AU>AU"]


def test_no_limit_alarm_returns_beyond_the_range_until_somebody_has_measured() -> None:
    ward = Ward()
    ward.true("GT-1.high", 1, 100)
    ward.true("GT-1.high_high", 1, 100)
    ward.over_range("GT-1.high_high", 1)
    assert ward.false("GT-1.high_high", 9, 10) == []
    assert ward["GT-1.high_high"].state.active
    events = ward.do("verify", None, sensor="GT-1", args={"instrument": "MX-4", "value": 0})
    assert events == ["verify GT-1.high_high AU>AU", "return GT-1.high_high AU>LU"]
    assert ward["GT-1.high"].state.active


def test_an_end_that_was_withheld_is_forgotten_when_the_condition_is_true_again() -> None:
    ward = Ward()
    ward.true("GT-1.high_high", 1, 100)
    ward.over_range("GT-1.high_high", 1)
    ward.false("GT-1.high_high", 9, 10)
    ward.true("GT-1.high_high", 10, 90)
    assert ward.do("verify", None, sensor="GT-1", args={"instrument": "MX-4", "value": 80}) == ["verify GT-1.high_high AU>AU"]
