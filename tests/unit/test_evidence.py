"""Which readings are kept longest: those of sensors in alarm, and around it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.recording import readings
from support.sites import T0

from alerts.evidence import AROUND, OPEN, Evidence
from alerts.reading import SECOND

NAMES = [("north", "GT-1"), ("north", "GT-2")]


def kept(evidence: Evidence, *facts: tuple[int, float]) -> list[bool]:
    """Of (sensor's number, seconds after T0), which are evidence."""
    return [bool(each) for each in evidence.holds(readings(*((sensor, at, 1.0) for sensor, at in facts)), NAMES)]


def test_five_minutes_before_and_after_an_alarm_belong_to_it_and_only_to_its_sensor() -> None:
    evidence = Evidence([("north", "GT-1", T0 + 1000 * SECOND, T0 + 1010 * SECOND), ("south", "GT-2", 0, OPEN)])
    assert kept(evidence, (0, 699), (0, 700), (0, 1005), (0, 1310), (0, 1311), (1, 1005)) == [False, True, True, True, False, False]


def test_an_alarm_that_stands_has_no_end_and_one_without_a_beginning_no_beginning() -> None:
    assert kept(Evidence([("north", "GT-1", T0, OPEN)]), (0, -301), (0, 10**9 - 1)) == [False, True]
    assert kept(Evidence([("north", "GT-1", -(2**63), T0)]), (0, -(10**9)), (0, 300), (0, 301)) == [True, True, False]


def test_without_alarms_nothing_is_evidence() -> None:
    assert kept(Evidence(()), (0, 1), (1, 1)) == [False, False]


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 5000), st.integers(0, 700)), max_size=8),
    st.lists(st.tuples(st.integers(0, 1), st.integers(-1000, 7000)), min_size=1, max_size=30),
)
def test_it_is_as_if_every_alarm_were_looked_at_for_every_reading(alarms: list[tuple[tuple[str, str], int, int]], facts: list[tuple[int, int]]) -> None:
    evidence = Evidence([(*name, T0 + since * SECOND, T0 + (since + span) * SECOND) for name, since, span in alarms])
    around = AROUND // SECOND
    wanted = [any(name == NAMES[sensor] and since - around <= at <= since + span + around for name, since, span in alarms) for sensor, at in facts]
    assert kept(evidence, *facts) == wanted


@pytest.mark.parametrize("empty", [Evidence(()), Evidence([("north", "GT-1", T0, T0)])])
def test_no_readings_are_no_evidence(empty: Evidence) -> None:
    assert len(empty.holds(readings((0, 1.0, 1.0)).take(np.empty(0, np.intp)), NAMES)) == 0
