"""What a failing sensor or device sends, fault by fault, and that it recovers."""

from __future__ import annotations

import math

import pytest

from alerts.reading import SECOND, Quality
from simulators.faults import FAULTS, NEEDS_VALUE, Failing, Fault, FaultKind, Sample

HOUR = 3600 * SECOND


def sample(at: float, value: float) -> Sample:
    return Sample("GT-1", round(at * SECOND), value, "%LEL")


def sent(fault: Fault, *times: int) -> list[list[Sample]]:
    """What goes out for readings of these seconds, whose value is the second."""
    failing = Failing(fault)
    return [failing.send(sample(at, float(at)), at * SECOND) for at in times]


@pytest.mark.parametrize("kind", list(FaultKind))
def test_outside_its_span_a_fault_changes_nothing(kind: FaultKind) -> None:
    before, after = sent(Fault(kind, 2 * SECOND, 4 * SECOND), 1, 4)
    assert (before, after) == ([sample(1, 1.0)], [sample(4, 4.0)])


def test_every_fault_has_its_effect() -> None:
    assert set(FAULTS) == set(FaultKind)
    assert set(FAULTS) > NEEDS_VALUE


def test_dropout_sends_nothing() -> None:
    assert sent(Fault(FaultKind.DROPOUT, SECOND), 1, 2) == [[], []]


def test_stuck_repeats_the_last_sound_value() -> None:
    assert [each[0].value for each in sent(Fault(FaultKind.STUCK, 2 * SECOND), 1, 2, 3)] == [1.0, 1.0, 1.0]


def test_nan_keeps_its_quality_and_bad_does_not() -> None:
    ((nan,),), ((bad,),) = sent(Fault(FaultKind.NAN, 0), 1), sent(Fault(FaultKind.BAD, 0), 1)
    assert math.isnan(nan.value)
    assert math.isnan(bad.value)
    assert (nan.quality, bad.quality) == (Quality.GOOD, Quality.BAD)


def test_every_seventh_reading_is_a_spike() -> None:
    values = [each[0].value for each in sent(Fault(FaultKind.SPIKE, 0, value=80), *range(1, 16))]
    assert [number for number, value in enumerate(values) if value == 80.0] == [0, 7, 14]
    assert values[1] == 2.0


def test_drift_grows_with_time() -> None:
    failing = Failing(Fault(FaultKind.DRIFT, 10 * SECOND, value=6.0))
    assert failing.send(sample(10, 5.0), 10 * SECOND)[0].value == 5.0
    assert failing.send(sample(610, 5.0), 610 * SECOND)[0].value == pytest.approx(6.0)


def test_a_saturated_head_shows_the_end_of_its_scale() -> None:
    assert sent(Fault(FaultKind.SATURATED, 0, value=100.0), 3) == [[sample(3, 100.0)]]


def test_calibration_gas_is_reached_to_90_percent_in_10_s_and_says_so() -> None:
    failing = Failing(Fault(FaultKind.CALIBRATION_GAS, 0, value=60.0))
    (reading,) = failing.send(sample(10, 0.0), 10 * SECOND)
    assert reading.value == pytest.approx(54.0)
    assert reading.quality is Quality.CALIBRATING


def test_a_wrong_clock_keeps_its_pace() -> None:
    ahead = sent(Fault(FaultKind.WRONG_CLOCK, 0, shift=8 * HOUR), 1, 2)
    behind = sent(Fault(FaultKind.WRONG_CLOCK, 0, shift=-8 * HOUR), 1, 2)
    assert [each[0].at for each in ahead] == [SECOND + 8 * HOUR, 2 * SECOND + 8 * HOUR]
    assert [each[0].at for each in behind] == [SECOND - 8 * HOUR, 2 * SECOND - 8 * HOUR]


def test_a_frozen_clock_stamps_everything_with_the_moment_it_stopped() -> None:
    assert [each[0].at for each in sent(Fault(FaultKind.FROZEN_CLOCK, 2 * SECOND), 2, 3, 9)] == [2 * SECOND] * 3


def test_a_duplicate_is_the_same_reading_twice() -> None:
    assert sent(Fault(FaultKind.DUPLICATE, 0), 1) == [[sample(1, 1.0), sample(1, 1.0)]]


def test_a_reordered_reading_comes_after_its_successor_and_none_is_lost() -> None:
    out = sent(Fault(FaultKind.REORDER, 0, 4 * SECOND), 1, 2, 3, 4)
    assert [[each.value for each in some] for some in out] == [[], [2.0, 1.0], [], [3.0, 4.0]]


def test_a_backlog_comes_whole_in_order_and_marked_before_the_next_live_reading() -> None:
    *silent, back = sent(Fault(FaultKind.BACKLOG, 2 * SECOND, 5 * SECOND), 2, 3, 4, 5)
    assert silent == [[], [], []]
    assert [(each.value, each.historical) for each in back] == [(2.0, True), (3.0, True), (4.0, True), (5.0, False)]
