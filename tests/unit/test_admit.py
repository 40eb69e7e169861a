"""Admission and time: semantics 2.1 to 2.4."""

from __future__ import annotations

import math

import pytest
from support.alarms import standing
from support.sites import T0, raw, register, sensor

from alerts.admit import Admission, Way
from alerts.alarm import Condition, Quarantine, State
from alerts.edge import EdgeKind
from alerts.reading import NO_TIME, SECOND, Mark, RawReading, Readings

HOUR = 3600


class Door:
    """Admission of GT-1 and GT-2 on rtu-1, GT-3 on rtu-2."""

    def __init__(self) -> None:
        self.admission = Admission(register(sensor("GT-1"), sensor("GT-2"), sensor("GT-3", device="rtu-2")))

    def send(self, arrival: float, *readings: RawReading, device: str = "rtu-1", retained: bool = False) -> list[Quarantine]:
        """One message; the reasons of what was turned away."""
        rejected = self.admission.admit(("north", device), readings, T0 + round(arrival * SECOND), Way.RETAINED if retained else Way.LIVE)
        return [rejection.reason for rejection, _ in rejected]

    def rows(self) -> Readings:
        """What was admitted since the last call."""
        found = self.admission.batch.take()
        assert found is not None
        return found

    def marks(self) -> list[tuple[float, Mark]]:
        """(stored time in s after T0, mark) of what was admitted since the last call."""
        rows = self.rows()
        return [((t - T0) / SECOND, Mark(m)) for t, m in zip(rows.time.tolist(), rows.mark.tolist(), strict=True)]


def test_unknown_sensors_foreign_devices_and_other_quantities_are_turned_away_alone() -> None:
    door = Door()
    reasons = door.send(0, raw("GT-9", 1, 0), raw("GT-3", 1, 0), raw("GT-1", 1, 0, unit="kPa"), raw("GT-2", 1, 0))
    assert reasons == [Quarantine.UNKNOWN_SENSOR, Quarantine.WRONG_DEVICE, Quarantine.WRONG_QUANTITY]
    assert len(door.rows()) == 1
    assert door.admission.counts.received == 4


def test_a_value_outside_the_range_is_never_turned_away() -> None:
    door = Door()
    assert door.send(0, raw("GT-1", 1e6, 0), raw("GT-2", -1e6, 0)) == []
    assert len(door.rows()) == 2


def test_convertible_units_are_converted() -> None:
    door = Admission(register(sensor("PT-1", kind="pressure", unit="kPa")))
    door.admit(("north", "rtu-1"), [raw("PT-1", 2.5, 0, unit="bar")], T0, Way.LIVE)
    rows = door.batch.take()
    assert rows is not None
    assert rows.value[0] == pytest.approx(250)


def test_the_same_value_under_the_same_stamp_is_a_duplicate_also_when_it_is_no_value() -> None:
    door = Door()
    door.send(0, raw("GT-1", 5, 0), raw("GT-2", math.nan, 0))
    door.send(1, raw("GT-1", 5, 0), raw("GT-2", math.nan, 0))
    assert door.admission.counts.duplicate == 2
    assert len(door.rows()) == 2


def test_another_value_under_the_same_stamp_is_judged_and_stored_one_nanosecond_later() -> None:
    door = Door()
    door.send(0, raw("GT-1", 5, 0))
    door.send(0.5, raw("GT-1", 60, 0))
    rows = door.rows()
    assert (rows.time - T0).tolist() == [0, 1]
    assert door.admission.counts.conflict == 1


def test_from_the_third_value_under_one_stamp_the_clock_is_frozen_and_arrival_counts() -> None:
    door = Door()
    for n in range(4):
        door.send(n, raw("GT-1", n, 0))
    rows = door.rows()
    assert (rows.time - T0).tolist() == [0, 1, 2 * SECOND, 3 * SECOND]
    assert rows.device_time.tolist() == [NO_TIME, NO_TIME, T0, T0]
    assert not (rows.mark & Mark.LATE).any()
    (edge,) = door.admission.edges
    assert (edge.source, edge.condition, edge.kind) == ("rtu-1", Condition.CLOCK_SKEW, EdgeKind.TRUE)


def test_without_a_stamp_the_devices_seq_is_the_identity_and_with_neither_it_is_counted() -> None:
    door = Door()
    door.send(0, raw("GT-1", 5, seq=7))
    door.send(1, raw("GT-1", 5, seq=7))
    door.send(2, raw("GT-1", 5, seq=8))
    door.send(3, raw("GT-1", 5))
    counts = door.admission.counts
    assert (counts.duplicate, counts.unidentified) == (1, 1)
    assert door.marks() == [(0, Mark.UNTIMED), (2, Mark.UNTIMED), (3, Mark.UNTIMED)]


def test_a_gap_in_seq_is_counted_and_a_restart_of_the_device_is_none() -> None:
    door = Door()
    for n, seq in enumerate([5, 6, 9, 0, 1]):
        door.send(n, raw("GT-1", n, n, seq=seq))
    assert door.admission.missing() == {("north", "rtu-1"): 2}


def test_historical_and_retained_readings_are_late_at_their_own_time() -> None:
    door = Door()
    door.send(0, raw("GT-1", 5, -1, historical=True))
    door.send(0, raw("GT-2", 5, 0), retained=True)
    assert door.marks() == [(-1, Mark.LATE), (0, Mark.LATE)]


def test_more_than_two_seconds_behind_the_newest_of_its_sensor_is_late() -> None:
    door = Door()
    door.send(10, raw("GT-1", 5, 10), raw("GT-1", 5, 8), raw("GT-1", 5, 7.9))
    assert [mark for _, mark in door.marks()] == [Mark.NONE, Mark.NONE, Mark.LATE]


def test_a_catch_up_is_late_after_its_first_reading() -> None:
    door = Door()
    for n in range(5):
        door.send(2 * HOUR + n * 0.01, raw("GT-1", 5, n))
    assert [mark for _, mark in door.marks()] == [Mark.NONE, *[Mark.LATE] * 4]


@pytest.mark.parametrize("live", [False, True], ids=["alone", "beside live readings"])
def test_a_catch_up_in_runs_is_late_to_the_last_reading_and_no_wrong_clock(live: bool) -> None:
    door = Door()
    marks: list[list[Mark]] = []
    for part in range(6):
        at = 2 * HOUR + part / 100
        if live:
            door.send(at, raw("GT-1", part, at))
        door.send(at + 0.005, *(raw("GT-1", 60, 60 * part + n) for n in range(60)), *(raw("GT-2", 60, 60 * part + n) for n in range(60)))
        marks.append([mark for _, mark in door.marks()])
    assert not any(mark & Mark.LATE for mark in marks[0][:1])
    assert all(mark & Mark.LATE for part in marks[1:] for mark in (part[1:] if live else part))
    assert door.admission.edges == []


@pytest.mark.parametrize("offset", [8 * HOUR, -8 * HOUR])
def test_a_wrong_clock_is_judged_and_stored_at_arrival_and_told(offset: int) -> None:
    door = Door()
    for n in range(5):
        door.send(n, raw("GT-1", n, n + offset))
    assert door.marks() == [(n, Mark.NONE) for n in range(5)]
    (edge,) = door.admission.edges
    assert edge.value == pytest.approx(offset)


@pytest.mark.parametrize("offset", [8 * HOUR, -8 * HOUR])
def test_a_clock_that_steps_in_mid_operation_loses_at_most_one_reading_of_sight(offset: int) -> None:
    door = Door()
    for n in range(3):
        door.send(n, raw("GT-1", n, n))
    for n in range(3, 8):
        door.send(n, raw("GT-1", n, n + offset))
    marks = [mark for _, mark in door.marks()]
    assert marks[4:] == [Mark.NONE] * 4


def test_a_clock_that_was_set_right_again_is_believed_at_once() -> None:
    door = Door()
    for n in range(3):
        door.send(n, raw("GT-1", n, n + 8 * HOUR))
    door.send(3, raw("GT-1", 3, 3))
    assert door.marks()[-1] == (3, Mark.NONE)
    assert [edge.kind for edge in door.admission.edges] == [EdgeKind.TRUE, EdgeKind.FALSE]


def test_a_slow_back_fill_beside_live_readings_is_late() -> None:
    door = Door()
    for n in range(5):
        door.send(2 * HOUR + n, raw("GT-1", n, 2 * HOUR + n))
        door.send(2 * HOUR + n + 0.5, raw("GT-1", n, n))
    marks = [mark for _, mark in door.marks()]
    assert marks[0::2] == [Mark.NONE] * 5
    assert marks[1::2] == [Mark.LATE] * 5


def test_a_run_of_a_device_with_a_wrong_clock_keeps_its_spacing() -> None:
    door = Door()
    door.send(0, *(raw("GT-1", n, 8 * HOUR - 9 + n) for n in range(10)))
    door.send(10, *(raw("GT-1", n, 8 * HOUR + 1 + n) for n in range(10)))
    assert [time for time, _ in door.marks()] == list(range(-9, 11))


def test_sensors_of_one_device_in_messages_of_their_own_share_no_stamp_trouble() -> None:
    door = Door()
    for n in range(4):
        door.send(n, raw("GT-1", n, n - 8 * HOUR))
        door.send(n + 0.01, raw("GT-2", n, n - 8 * HOUR))
    assert not any(mark & Mark.LATE for _, mark in door.marks())


def test_what_was_remembered_over_a_restart_is_recognized() -> None:
    door = Door()
    door.send(0, raw("GT-1", 5, 0))
    rows = door.rows()
    after_frames, after_checkpoint = Door(), Door()
    after_frames.admission.remember(rows)
    after_checkpoint.admission.recall(door.admission.memory())
    for again in (after_frames, after_checkpoint):
        again.send(1, raw("GT-1", 5, 0))
        assert again.admission.counts.duplicate == 1


def test_a_long_run_that_the_broker_repeats_is_recognized_over_a_restart() -> None:
    door = Door()
    runs = [[raw("GT-1", n, 10 * part + n / 10) for n in range(100)] for part in range(2)]
    for part, run in enumerate(runs):
        door.send(10 * part + 10, *run)
    rows = door.rows()
    again = Door()
    again.admission.remember(rows)
    for run in runs:
        again.send(30, *run)
    assert again.admission.counts.duplicate == 200
    assert again.admission.batch.take() is None


def test_a_clock_that_was_wrong_before_a_restart_ends_when_it_is_right() -> None:
    door = Door()
    door.admission.adopt([standing("rtu-1.clock_skew", sensor=None, state=State.ACTIVE_ACKNOWLEDGED)])
    door.send(0, raw("GT-1", 1, 0))
    assert [(edge.source, edge.condition, edge.kind) for edge in door.admission.edges] == [("rtu-1", Condition.CLOCK_SKEW, EdgeKind.FALSE)]
