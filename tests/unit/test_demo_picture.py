"""What the demo makes of what it hears: stages, notes, figures."""

from __future__ import annotations

import pytest
from support.demo import PLOT, at, event, heard, sensor, told

from alerts.alarm import EventKind, State
from gateway.api.models import BalanceBody
from gateway.demo.heard import instant
from gateway.demo.incident import Incident, Stage
from gateway.demo.picture import Picture, percentile

ACTIVE, SEEN, LATCHED, NORMAL = State.ACTIVE_UNACKNOWLEDGED, State.ACTIVE_ACKNOWLEDGED, State.LATCHED_ACKNOWLEDGED, State.NORMAL


def balance(received: int) -> BalanceBody:
    return BalanceBody(received=received, stored=received, spooled=0, pending=0, quarantined=0, duplicate=0, dropped=0, closes=True)


def test_an_incident_passes_through_its_stages_in_order() -> None:
    incident = Incident(PLOT.phases)
    incident.phase("quiet", at(0))
    incident.phase("leak", at(6))
    incident.event(event(EventKind.RAISE, "GT-1.high", 10, ACTIVE))
    incident.told(told("GT-1.high", 10.1))
    incident.event(event(EventKind.ACKNOWLEDGE, "GT-1.high", 15, SEEN))
    incident.phase("isolated", at(20))
    incident.event(event(EventKind.RETURN, "GT-1.high", 30, LATCHED))
    assert incident.stage is Stage.RETURNED
    assert not incident.over
    incident.event(event(EventKind.RESET, "GT-1.high", 32, NORMAL))
    assert list(Stage) == sorted(incident.reached, key=incident.reached.__getitem__)
    assert list(incident.names.values()) == ["quiet", "leak", "detected", "told", "acknowledged", "isolated", "returned", "reset", "over"]
    assert incident.over


def test_a_scenario_without_a_third_phase_has_no_remedy_and_later_phases_are_no_stages() -> None:
    assert Stage.REMEDY not in Incident(("quiet", "failing")).names
    incident = Incident(PLOT.phases)
    incident.phase("clear", at(30))
    assert incident.stage is None


def test_an_incident_is_not_over_while_one_of_its_alarms_stands() -> None:
    incident = Incident(PLOT.phases)
    for identity in ("GT-1.high", "GT-2.high"):
        incident.event(event(EventKind.RAISE, identity, 10, ACTIVE))
    stages = []
    for kind, identity, seconds, to in ((EventKind.RESET, "GT-1.high", 30, NORMAL), (EventKind.RETURN, "GT-2.high", 31, LATCHED)):
        incident.event(event(kind, identity, seconds, to))
        stages.append(incident.stage)
    assert stages == [Stage.DETECTED, Stage.RETURNED]
    incident.event(event(EventKind.RESET, "GT-2.high", 33, NORMAL))
    assert [incident.reached[stage] for stage in (Stage.RETURNED, Stage.RESET, Stage.OVER)] == [at(31), at(33), at(33)]


def test_families_that_end_apart_reach_the_stages_of_the_end_in_order() -> None:
    """One family latches and is reset before the other, which does not latch, returns."""
    incident = Incident(PLOT.phases)
    for identity in ("GT-1.high", "PT-1.high"):
        incident.event(event(EventKind.RAISE, identity, 10, ACTIVE))
    incident.event(event(EventKind.RESET, "GT-1.high", 30, NORMAL))
    incident.event(event(EventKind.RETURN, "PT-1.high", 40, NORMAL))
    assert incident.over
    assert [incident.reached[stage] for stage in (Stage.RETURNED, Stage.RESET, Stage.OVER)] == [at(40)] * 3


def test_an_alarm_after_the_end_takes_the_end_back() -> None:
    incident = Incident(PLOT.phases)
    incident.event(event(EventKind.RAISE, "PT-1.low", 10, ACTIVE))
    incident.event(event(EventKind.RETURN, "PT-1.low", 20, NORMAL))
    assert incident.over
    incident.event(event(EventKind.RAISE, "LT-1.low", 25, ACTIVE))
    assert incident.stage is Stage.DETECTED
    incident.event(event(EventKind.RETURN, "LT-1.low", 50, NORMAL))
    assert incident.reached[Stage.OVER] == at(50)


def test_a_sick_sensor_is_not_the_incident() -> None:
    incident = Incident(PLOT.phases)
    incident.event(event(EventKind.RAISE, "TT-1.bad_quality", 10, ACTIVE))
    incident.told(told("TT-1.bad_quality", 10))
    assert incident.reached == {}


def test_only_events_that_a_reading_causes_count_for_the_latency() -> None:
    picture = Picture(PLOT)
    picture.heard(heard(EventKind.RAISE, "GT-1.high", 10, ACTIVE))
    picture.heard(heard(EventKind.RAISE, "TT-1.bad_quality", 14, ACTIVE))
    picture.heard(heard(EventKind.ACKNOWLEDGE, "GT-1.high", 15, SEEN, by="li"))
    picture.heard(heard(EventKind.RETURN, "GT-1.high", 30, LATCHED))
    assert picture.latencies == pytest.approx([5.0, 5.0])
    assert picture.transitions == 4
    assert picture.occurrences == {"GT-1.high@1", "TT-1.bad_quality@1"}


def test_who_acknowledged_is_said_with_role_and_name() -> None:
    picture = Picture(PLOT)
    picture.names = {"li": "officer li 李工"}
    picture.heard(heard(EventKind.ACKNOWLEDGE, "GT-1.high", 15, SEEN, by="li"))
    assert picture.feed[-1].text == "officer li 李工 acknowledged GT-1.high (orange)"
    assert picture.acknowledged["GT-1.high@1"] == ("li", at(15))


def test_the_end_of_the_incident_is_said_once() -> None:
    picture = Picture(PLOT)
    picture.heard(heard(EventKind.RAISE, "GT-1.high", 10, ACTIVE))
    for _ in range(2):
        picture.heard(heard(EventKind.RESET, "GT-1.high", 30, NORMAL, by="li"))
    assert sum("the incident is over" in note.text for note in picture.feed) == 1


def test_messages_over_several_channels_are_one_note_once_they_had_time_to_come() -> None:
    picture = Picture(PLOT)
    picture.was_told(told("GT-1.high", 10, channel="phone"))
    picture.settle(at(10.1))
    assert list(picture.feed) == []
    picture.was_told(told("GT-1.high", 10.1, channel="desk"))
    picture.was_told(told("GT-1.high", 10.1, person="wang", kind="inform"))
    picture.settle(at(10.5))
    assert [note.text for note in picture.feed] == ["li told of GT-1.high over desk, phone", "wang informed of GT-1.high over desk"]
    assert picture.messages == 3


def test_a_curve_takes_each_value_once_and_knows_its_rate_over_ten_seconds() -> None:
    picture = Picture(PLOT)
    for second in (0, 1, 1, 2, 20, 25, 30):
        picture.take_sensors([sensor("GT-1", float(second), second)])
    curve = picture.curves["GT-1"]
    assert [value for _, value in curve.points] == [0, 1, 2, 20, 25, 30]
    assert curve.per_minute == pytest.approx(60.0)


def test_a_curve_without_values_has_no_rate() -> None:
    picture = Picture(PLOT)
    picture.take_sensors([sensor("GT-1", None)])
    assert picture.curves["GT-1"].per_minute == 0.0


def test_the_rate_of_readings_is_that_of_the_last_seconds() -> None:
    picture = Picture(PLOT)
    assert picture.readings_a_second == 0.0
    for second in range(20):
        picture.take_balance(balance(60 * second if second < 10 else 600), at(second))
    assert picture.readings_a_second == 0.0
    picture.take_balance(balance(660), at(20))
    assert picture.readings_a_second == pytest.approx(12.0)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 5.0), (0.99, 10.0), (0.0, 1.0), (0.1, 1.0), (0.11, 2.0)])
def test_a_percentile_is_the_least_value_that_the_share_does_not_exceed(share: float, expected: float) -> None:
    assert percentile([float(n) for n in range(10, 0, -1)], share) == expected


def test_nothing_has_no_percentile() -> None:
    assert percentile([], 0.5) is None


def test_times_are_read_to_the_millisecond() -> None:
    assert instant("2025-11-21T08:00:00.123Z") == at(0.123)
