"""Limits, delays, deadband, over-range: semantics 3 as timelines."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.alarms import standing
from support.plant import Plant, told
from support.sites import T0, raw, sensor

from alerts.alarm import Alarm, Condition, State, Tier
from alerts.detect.engine import Engine
from alerts.edge import Edge
from alerts.reading import SECOND, Quality


def test_a_value_at_the_limit_raises_at_its_own_time() -> None:
    plant = Plant(sensor("GT-1"))
    assert plant.at(1, 24.9) == []
    assert plant.at(2, 25.0) == ["GT-1.high true 2"]
    assert plant.at(3, 50.0) == ["GT-1.high_high true 3"]


def test_one_reading_past_both_limits_raises_both_the_worse_one_last() -> None:
    assert Plant(sensor("GT-1")).at(1, 60) == ["GT-1.high true 1", "GT-1.high_high true 1"]


def test_a_value_inside_the_deadband_neither_raises_nor_returns() -> None:
    plant = Plant(sensor("GT-1", off_delay="0s"))
    assert plant.series([30, 23.0, 24.9, 23.5]) == ["GT-1.high true 1"]
    assert plant.at(5, 22.9) == ["GT-1.high false 5"]
    assert plant.at(6, 24.9) == []


def test_the_low_side_mirrors_the_high_side() -> None:
    low = sensor("PT-1", kind="pressure", limits={"low": 10, "low_low": 5}, deadband=1, off_delay="0s")
    plant = Plant(low)
    assert plant.at(1, 10.1, "PT-1") == []
    assert plant.at(2, 10.0, "PT-1") == ["PT-1.low true 2"]
    assert plant.at(3, 5.0, "PT-1") == ["PT-1.low_low true 3"]
    assert plant.at(4, 6.0, "PT-1") == []
    assert plant.at(5, 6.1, "PT-1") == ["PT-1.low_low false 5"]
    assert plant.at(6, 11.1, "PT-1") == ["PT-1.low false 6"]


def test_the_off_delay_ends_only_on_a_fresh_good_reading_never_by_the_clock() -> None:
    plant = Plant(sensor("GT-1"))
    plant.series([30, 10, 10])
    assert plant.clock(20) == []
    assert plant.at(20, 10) == [], "17 s of silence began the off-delay anew"
    assert plant.series([10, 10, 10, 10], start=21) == []
    assert plant.at(25, 10) == ["GT-1.high false 25"]


def test_an_uncertain_reading_raises_but_does_not_return() -> None:
    plant = Plant(sensor("GT-1", off_delay="0s"))
    assert plant.at(1, 30, quality=Quality.UNCERTAIN) == ["GT-1.high true 1"]
    assert plant.at(2, 5, quality=Quality.UNCERTAIN) == []
    assert plant.at(3, 5) == ["GT-1.high false 3"]


def test_calibrating_and_test_quality_are_judged_as_good() -> None:
    plant = Plant(sensor("GT-1", off_delay="0s"))
    assert plant.at(1, 30, quality=Quality.CALIBRATING) == ["GT-1.high true 1"]
    assert plant.at(2, 5, quality=Quality.TEST) == ["GT-1.high false 2"]


def test_the_on_delay_needs_the_condition_without_a_break() -> None:
    plant = Plant(sensor("GT-1", on_delay="3s"))
    assert plant.series([30, 30, 10, 30, 30, 30]) == []
    assert plant.at(7, 30) == ["GT-1.high true 7"]


def test_the_on_delay_ends_by_the_clock_though_no_reading_comes() -> None:
    plant = Plant(sensor("GT-1", on_delay="3s"))
    assert plant.at(1, 30) == []
    assert plant.engine.due() == T0 + 4 * SECOND
    assert plant.clock(3.9) == []
    assert plant.clock(4) == ["GT-1.high true 4"]


def test_an_on_delay_that_was_over_before_the_value_fell_is_an_alarm() -> None:
    plant = Plant(sensor("GT-1", on_delay="3s", off_delay="0s"))
    batch = plant.batch(raw("GT-1", 30, 1), raw("GT-1", 30, 2), raw("GT-1", 30, 3), raw("GT-1", 10, 6), arrival=6)
    assert told(plant.engine.judge(batch)) == ["GT-1.high true 4", "GT-1.high false 6"]


def test_a_sensor_that_turns_sick_in_mid_on_delay_raises_then() -> None:
    plant = Plant(sensor("GT-1", on_delay="10s"))
    plant.at(1, 30)
    plant.at(2, math.nan)
    assert plant.clock(6) == ["GT-1.high true 6", "GT-1.bad_quality true 6"]


def test_an_excursion_between_two_good_readings_of_one_batch_is_an_excursion() -> None:
    plant = Plant(sensor("GT-1"))
    values = [10.0] * 20 + [60.0] + [10.0] * 20
    batch = plant.batch(*(raw("GT-1", value, 1 + n) for n, value in enumerate(values)))
    assert told(plant.engine.judge(batch)) == ["GT-1.high true 21", "GT-1.high_high true 21", "GT-1.high_high false 27", "GT-1.high false 27"]


def test_gas_at_the_top_of_its_range_goes_over_range_and_returns_only_after_a_measurement() -> None:
    plant = Plant(sensor("GT-1", off_delay="0s"))
    assert plant.at(1, 100) == ["GT-1.high true 1", "GT-1.high_high true 1", "GT-1.high_high over_range 1"]
    assert plant.series([0, 0, 0], start=2) == []
    plant.engine.clear_over_range("north", "GT-1")
    assert plant.at(5, 0) == ["GT-1.high_high false 5", "GT-1.high false 5"]


def test_over_range_waits_for_no_on_delay() -> None:
    plant = Plant(sensor("GT-1", on_delay="5s"))
    assert plant.at(1, 120) == ["GT-1.high true 1", "GT-1.high_high true 1", "GT-1.high_high over_range 1"]


def test_other_kinds_know_no_over_range_above_the_range_they_only_exceed_their_limits() -> None:
    level = sensor("LT-1", kind="level", limits={"high": 80, "high_high": 90}, off_delay="0s")
    plant = Plant(level)
    assert plant.at(1, 110, "LT-1") == ["LT-1.high true 1", "LT-1.high_high true 1"]
    assert plant.at(2, 50, "LT-1") == ["LT-1.high_high false 2", "LT-1.high false 2"]


def test_below_the_range_a_sensor_is_sick_and_no_low_limit_is_judged() -> None:
    low = sensor("PT-1", kind="pressure", limits={"low": 10}, off_delay="0s")
    plant = Plant(low)
    assert plant.at(1, -2.9, "PT-1") == ["PT-1.low true 1"]
    plant = Plant(low)
    assert plant.at(1, -3.1, "PT-1") == ["PT-1.out_of_range true 1"]
    assert plant.at(2, 50, "PT-1") == ["PT-1.out_of_range false 2"]


def test_a_measurement_from_the_spot_ends_what_is_false_at_its_value() -> None:
    plant = Plant(sensor("GT-1"))
    plant.at(1, 60)
    assert told(plant.engine.verified("north", "GT-1", 30.0, T0 + 9 * SECOND)) == ["GT-1.high_high false 9"]
    assert told(plant.engine.verified("north", "GT-1", 0.0, T0 + 10 * SECOND)) == ["GT-1.high false 10"]


def test_a_reading_out_of_order_never_withholds_an_alarm_and_leaves_the_ordered_state() -> None:
    plant = Plant(sensor("GT-1", off_delay="0s"))
    plant.at(10, 5)
    assert plant.at(9, 60, arrival=10.1) == ["GT-1.high true 9", "GT-1.high_high true 9"]
    assert plant.at(11, 5) == ["GT-1.high_high false 11", "GT-1.high false 11"]
    plant = Plant(sensor("GT-1", off_delay="0s"))
    plant.at(10, 60)
    assert plant.at(9, 5, arrival=10.1) == [], "an older low reading does not end a newer excursion"


def test_the_peak_is_the_worst_value_since_the_condition_began() -> None:
    plant = Plant(sensor("GT-1", off_delay="0s"))
    plant.at(1, 30)
    plant.at(2, 45)
    (edge,) = plant.engine.judge(plant.batch(raw("GT-1", 5, 3)))
    assert (edge.condition, edge.value, edge.peak) == (Condition.HIGH, 5, 45)


def test_what_a_limit_raised_ends_through_its_off_delay_when_a_changed_file_took_the_limit_out() -> None:
    plant = Plant(sensor("GT-1"))
    plant.at(1, 30)
    changed = Plant(sensor("GT-1", limits={"high_high": 50}))
    changed.engine.restore(plant.engine.checkpoint(), np.arange(1))
    assert changed.series([30, 30, 30, 30, 30], start=2) == []
    assert changed.at(7, 30) == ["GT-1.high false 7"]


def test_an_active_alarm_shows_its_sensors_newest_value_and_its_peak() -> None:
    plant = Plant(sensor("GT-1"))
    plant.series([30, 45, 40])
    alarm = Alarm("north", "GT-1", Condition.HIGH, Tier.ORANGE, State.ACTIVE_UNACKNOWLEDGED, value=30, peak=30)
    shown = plant.engine.as_stands(alarm)
    assert (shown.value, shown.peak) == (40, 45)
    latched = replace(alarm, state=State.LATCHED_ACKNOWLEDGED)
    assert plant.engine.as_stands(latched) is latched


def test_a_checkpoint_carries_running_delays_over_a_restart() -> None:
    plant = Plant(sensor("GT-1", on_delay="10s"))
    plant.at(1, 30)
    saved = plant.engine.checkpoint()
    again = Engine(plant.register, T0 + 5 * SECOND)
    again.restore(saved, np.arange(1))
    assert told(again.advance(T0 + 11 * SECOND)) == ["GT-1.high true 11"]


values = st.lists(st.tuples(st.floats(-10, 130), st.sampled_from([Quality.GOOD, Quality.UNCERTAIN, Quality.BAD])), min_size=1, max_size=40)


@settings(max_examples=150, deadline=None)
@given(values, st.lists(st.integers(1, 7), min_size=1, max_size=8), st.sampled_from(["0s", "2s"]))
def test_the_result_does_not_depend_on_how_the_stream_is_cut(stream: list[tuple[float, Quality]], cuts: list[int], on_delay: str) -> None:
    def play(sizes: list[int]) -> list[str]:
        plant = Plant(sensor("GT-1", on_delay=on_delay), sensor("GT-2", on_delay=on_delay))
        left = [raw(f"GT-{1 + n % 2}", value, 1 + n, quality=quality) for n, (value, quality) in enumerate(stream)]
        edges: list[Edge] = []
        turn = 0
        while left:
            size = sizes[turn % len(sizes)]
            now, left, turn = left[:size], left[size:], turn + 1
            for reading in now:
                edges += plant.engine.advance(reading.time or 0) if size == 1 else []
            edges += plant.engine.judge(plant.batch(*now))
        limits = {Condition.HIGH, Condition.HIGH_HIGH}
        return sorted(told([e for e in edges if e.condition in limits]))

    quiet = [(value, Quality.GOOD) for value, _ in stream]
    stream = quiet if on_delay != "0s" else stream
    assert play([1]) == play(cuts)


@pytest.mark.parametrize("batch", [1, 2, 5, 40])
def test_two_sensors_in_one_batch_do_not_touch_one_another(batch: int) -> None:
    plant = Plant(sensor("GT-1"), sensor("GT-2", device="rtu-2"))
    readings = [raw(f"GT-{1 + n % 2}", 60 if n % 2 else 5, 1 + n / 10) for n in range(40)]
    edges = [e for start in range(0, 40, batch) for e in plant.engine.judge(plant.batch(*readings[start : start + batch]))]
    assert {e.source for e in edges} == {"GT-2"}


def test_a_reading_without_a_value_begins_the_off_delay_anew() -> None:
    plant = Plant(sensor("GT-1"))
    plant.series([30, 5, 5, 5])
    plant.at(5, math.nan, quality=Quality.BAD)
    assert plant.series([5, 5, 5, 5, 5], start=6) == []
    assert plant.at(11, 5) == ["GT-1.high false 11"]


def test_what_a_person_measured_away_before_a_crash_raises_again_at_the_next_excursion() -> None:
    plant = Plant(sensor("GT-1"))
    plant.at(1, 100)
    plant.engine.adopt([])
    assert not plant.engine.latest("north", "GT-1", T0 + SECOND).over_range
    assert plant.at(2, 60) == ["GT-1.high true 2", "GT-1.high_high true 2"]


def test_over_range_that_nobody_verified_is_held_after_a_crash() -> None:
    plant = Plant(sensor("GT-1", off_delay="0s"))
    plant.engine.adopt([standing("GT-1.high", state=State.ACTIVE_ACKNOWLEDGED, over_range=True)])
    assert plant.series([5, 5, 5]) == []
    plant.engine.clear_over_range("north", "GT-1")
    assert plant.at(4, 5) == ["GT-1.high false 4"]
