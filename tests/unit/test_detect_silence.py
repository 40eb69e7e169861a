"""Silence, quality and past excursions: semantics 2.4, 2.5, 4.3 as timelines."""

from __future__ import annotations

import math

from support.plant import Plant, told
from support.sites import T0, raw, sensor

from alerts.alarm import Condition
from alerts.edge import Edge, EdgeKind
from alerts.reading import SECOND, Quality

ALONE = sensor("GT-1")
PAIR = (sensor("GT-1"), sensor("GT-2"))


def test_stale_is_raised_at_the_last_arrival_plus_its_time_by_the_clock() -> None:
    plant = Plant(ALONE)
    plant.at(1, 5)
    assert plant.engine.due() <= T0 + 31 * SECOND
    assert plant.clock(30.9) == []
    assert plant.clock(31) == ["GT-1.stale true 31"]
    assert plant.clock(100) == []


def test_a_sensor_never_heard_is_stale_from_subscription_on() -> None:
    assert Plant(ALONE).clock(30) == ["GT-1.stale true 30"]


def test_any_live_reading_of_whatever_quality_restarts_the_stale_clock_and_ends_stale() -> None:
    plant = Plant(ALONE)
    plant.at(1, 5)
    plant.at(20, math.nan, quality=Quality.BAD)
    assert [text for text in plant.clock(40) if "stale" in text] == []
    assert [text for text in plant.clock(50) if "stale" in text] == ["GT-1.stale true 50"]
    assert "GT-1.stale false 60" in plant.at(60, math.nan)


def test_a_sensor_that_comes_back_while_everybody_is_silent_is_missed_again_by_the_clock() -> None:
    plant = Plant(*PAIR)
    plant.clock(40)
    plant.at(50, 5)
    assert plant.engine.due() <= T0 + 80 * SECOND
    assert "GT-1.stale true 80" in plant.clock(80)


def test_a_late_reading_refreshes_nothing() -> None:
    plant = Plant(ALONE)
    plant.at(1, 5)
    plant.at(20, 5, historical=True)
    assert plant.clock(31) == ["GT-1.stale true 31"]


def test_all_sensors_of_a_device_silent_together_are_one_offline_with_children() -> None:
    plant = Plant(*PAIR)
    plant.at(1, 5, "GT-1")
    plant.at(2, 5, "GT-2")
    edges = plant.engine.advance(T0 + 40 * SECOND)
    assert told(edges) == ["rtu-1.offline true 31", "GT-1.stale true 31", "GT-2.stale true 32"]
    assert edges[0].members == ("GT-1", "GT-2")
    assert [edge.under for edge in edges] == [None, "rtu-1.offline", "rtu-1.offline"]


def test_a_sensor_that_falls_silent_while_its_neighbor_speaks_is_stale_alone() -> None:
    plant = Plant(*PAIR)
    plant.at(1, 5, "GT-1")
    for second in range(1, 32):
        plant.at(second, 5, "GT-2")
    assert plant.clock(32) == []
    assert plant.engine.columns.sick.tolist() == [1, 0], "GT-1 was raised on the way, alone"


def test_a_reading_ends_offline_and_a_sensor_that_stays_silent_is_then_told_as_its_own() -> None:
    plant = Plant(*PAIR)
    plant.at(1, 5, "GT-1")
    plant.at(1, 5, "GT-2")
    plant.clock(31)
    assert plant.at(40, 5, "GT-1") == ["rtu-1.offline false 40", "GT-1.stale false 40"]
    seen = [text for second in range(41, 75) for text in plant.at(second, 5, "GT-1")]
    assert seen == ["GT-2.stale true 70"]


def test_the_orphan_of_an_offline_device_is_raised_without_a_cause_above_it() -> None:
    plant = Plant(*PAIR)
    plant.at(1, 5, "GT-1")
    plant.at(1, 5, "GT-2")
    plant.clock(31)
    plant.at(40, 5, "GT-1")
    edges = [edge for n in range(41, 75) for edge in plant.engine.judge(plant.batch(raw("GT-1", 5, n)))]
    assert [(edge.source, edge.condition, edge.kind, edge.under) for edge in edges] == [("GT-2", Condition.STALE, EdgeKind.TRUE, None)]


def test_a_device_that_falls_silent_again_takes_its_orphans_along() -> None:
    plant = Plant(*PAIR)
    plant.at(1, 5, "GT-1")
    plant.at(1, 5, "GT-2")
    plant.clock(31)
    plant.at(40, 5, "GT-1")
    assert plant.clock(75) == ["rtu-1.offline true 70", "GT-1.stale true 70"]


def test_a_declared_offline_is_believed_unless_a_sensor_spoke_within_its_interval() -> None:
    plant = Plant(*PAIR)
    plant.at(1, 5, "GT-1")
    edges: list[Edge] = []
    plant.engine.silence.declared_offline(("north", "rtu-1"), T0 + 1_500_000_000, edges)
    assert edges == []
    plant.engine.silence.declared_offline(("north", "rtu-1"), T0 + 3 * SECOND, edges)
    assert told(edges) == ["rtu-1.offline true 3"]
    assert plant.at(4, 5, "GT-2") == ["rtu-1.offline false 4"]


def test_while_the_broker_is_away_silence_is_listed_under_it_and_told_afterwards_if_it_lasts() -> None:
    plant = Plant(*PAIR)
    plant.at(1, 5, "GT-1")
    plant.at(1, 5, "GT-2")
    plant.engine.silence.cause = "north-01.broker_lost"
    assert {edge.under for edge in plant.engine.advance(T0 + 31 * SECOND)} == {"north-01.broker_lost"}
    plant.engine.silence.cause_over(T0 + 50 * SECOND)
    assert plant.clock(79) == []
    assert plant.clock(80) == ["rtu-1.offline true 80"], "one message for the device, not one for each sensor"


def test_no_value_for_four_seconds_is_bad_quality_and_ends_on_a_good_reading() -> None:
    plant = Plant(ALONE)
    plant.at(1, math.nan)
    plant.at(2, math.nan, quality=Quality.BAD)
    assert plant.clock(4.9) == []
    assert plant.clock(5) == ["GT-1.bad_quality true 5"]
    assert plant.at(6, 5, quality=Quality.UNCERTAIN) == []
    assert plant.at(7, 5) == ["GT-1.bad_quality false 7"]


def test_one_bad_reading_among_good_ones_raises_nothing() -> None:
    plant = Plant(ALONE)
    assert plant.series([5, math.nan, 5, 5, 5, 5, 5, 5]) == []


def test_bad_readings_hold_an_alarm_and_its_off_delay_begins_anew() -> None:
    plant = Plant(ALONE)
    plant.series([60, 5, 5, 5])
    plant.at(5, math.nan)
    plant.clock(9)
    assert plant.series([5, 5, 5, 5, 5], start=10) == ["GT-1.bad_quality false 10"]
    assert plant.at(15, 5) == ["GT-1.high_high false 15", "GT-1.high false 15"]


def test_a_late_excursion_is_one_message_for_its_device_with_span_and_peak() -> None:
    plant = Plant(*PAIR)
    plant.at(3600, 5, "GT-1")
    late = [raw("GT-1", value, 100 + n, historical=True) for n, value in enumerate([5, 30, 60, 55, 5])]
    (edge,) = plant.engine.judge(plant.batch(*late, arrival=3601))
    assert (edge.source, edge.condition, edge.late) == ("rtu-1", Condition.PAST_EXCURSION, True)
    assert ((edge.at - T0) / SECOND, ((edge.returned_at or 0) - T0) / SECOND, edge.peak) == (101, 103, 60)
    assert edge.members == ("GT-1.high", "GT-1.high_high")


def test_a_late_excursion_past_a_limit_that_does_not_latch_is_only_recorded() -> None:
    plant = Plant(sensor("PT-1", kind="pressure", latch=False))
    assert told(plant.engine.judge(plant.batch(raw("PT-1", 30, 1, historical=True), arrival=20))) == []
    (edge,) = plant.engine.judge(plant.batch(raw("PT-1", 55, 2, historical=True), arrival=20))
    assert edge.members == ("PT-1.high_high",)


def test_a_late_reading_touches_nothing_live() -> None:
    plant = Plant(ALONE)
    plant.at(100, 60)
    plant.engine.judge(plant.batch(raw("GT-1", 0, 50, historical=True), arrival=101))
    assert plant.engine.limits.active[0].tolist() == [False, False, True, True]
    assert plant.engine.latest("north", "GT-1", T0 + 101 * SECOND).value == 60


def test_silence_of_who_was_never_heard_counts_from_the_first_subscription() -> None:
    plant = Plant(ALONE)
    plant.engine.silence.cause = "north-01.broker_lost"
    assert plant.clock(25) == []
    plant.engine.silence.subscribed(T0 + 25 * SECOND)
    plant.engine.silence.cause_over(T0 + 25 * SECOND)
    assert plant.clock(54) == []
    assert plant.clock(55) == ["GT-1.stale true 55"]


def test_while_the_broker_is_away_again_no_silence_is_told_as_its_own() -> None:
    plant = Plant(sensor("GT-1"), sensor("GT-2", device="rtu-2"))
    silence = plant.engine.silence
    silence.cause = "north-01.broker_lost"
    plant.clock(31)
    silence.cause_over(T0 + 40 * SECOND)
    silence.cause = "north-01.broker_lost"
    assert plant.clock(600) == []
    silence.cause_over(T0 + 600 * SECOND)
    assert plant.clock(629) == []
    assert plant.clock(630) == ["GT-1.stale true 630", "GT-2.stale true 630"]
