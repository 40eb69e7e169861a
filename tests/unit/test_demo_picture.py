"""What the demo makes of what it hears: stages, notes, figures."""

from __future__ import annotations

import pytest
from support.demo import at, event, heard, sensor, told

from alerts.alarm import EventKind, State
from gateway.api.models import BalanceBody
from gateway.demo.heard import instant
from gateway.demo.incident import Incident, Stage
from gateway.demo.picture import Picture, percentile

ACTIVE, SEEN, LATCHED, NORMAL = State.ACTIVE_UNACKNOWLEDGED, State.ACTIVE_ACKNOWLEDGED, State.LATCHED_ACKNOWLEDGED, State.NORMAL


def balance(received: int) -> BalanceBody:
    return BalanceBody(received=received, stored=received, spooled=0, pending=0, quarantined=0, duplicate=0, dropped=0, closes=True)


def test_an_incident_passes_through_its_stages_in_order() -> None:
    incident = Incident()
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
    assert incident.over


def test_an_incident_is_not_over_while_one_of_its_alarms_stands() -> None:
    incident = Incident()
    for identity in ("GT-1.high", "GT-2.high"):
        incident.event(event(EventKind.RAISE, identity, 10, ACTIVE))
    incident.event(event(EventKind.RESET, "GT-1.high", 30, NORMAL))
    assert incident.stage is Stage.RESET
    incident.event(event(EventKind.RETURN, "GT-2.high", 31, LATCHED))
    assert incident.stage is Stage.RESET
    assert Stage.RETURNED in incident.reached


def test_a_sick_sensor_is_not_the_incident() -> None:
    incident = Incident()
    incident.event(event(EventKind.RAISE, "TT-1.bad_quality", 10, ACTIVE))
    incident.told(told("TT-1.bad_quality", 10))
    assert incident.reached == {}


def test_only_events_that_a_reading_causes_count_for_the_latency() -> None:
    picture = Picture()
    picture.heard(heard(EventKind.RAISE, "GT-1.high", 10, ACTIVE))
    picture.heard(heard(EventKind.RAISE, "TT-1.bad_quality", 14, ACTIVE))
    picture.heard(heard(EventKind.ACKNOWLEDGE, "GT-1.high", 15, SEEN, by="li"))
    picture.heard(heard(EventKind.RETURN, "GT-1.high", 30, LATCHED))
    assert picture.latencies == pytest.approx([5.0, 5.0])
    assert picture.transitions == 4
    assert picture.occurrences == {"GT-1.high@1", "TT-1.bad_quality@1"}


def test_who_acknowledged_is_said_with_role_and_name() -> None:
    picture = Picture()
    picture.names = {"li": "officer li 李工"}
    picture.heard(heard(EventKind.ACKNOWLEDGE, "GT-1.high", 15, SEEN, by="li"))
    assert picture.feed[-1].text == "officer li 李工 acknowledged GT-1.high (orange)"
    assert picture.acknowledged["GT-1.high@1"] == ("li", at(15))


def test_the_end_of_the_incident_is_said_once() -> None:
    picture = Picture()
    picture.heard(heard(EventKind.RAISE, "GT-1.high", 10, ACTIVE))
    for _ in range(2):
        picture.heard(heard(EventKind.RESET, "GT-1.high", 30, NORMAL, by="li"))
    assert sum("the incident is over" in note.text for note in picture.feed) == 1


def test_messages_over_several_channels_are_one_note_once_they_had_time_to_come() -> None:
    picture = Picture()
    picture.was_told(told("GT-1.high", 10, channel="phone"))
    picture.settle(at(10.1))
    assert list(picture.feed) == []
    picture.was_told(told("GT-1.high", 10.1, channel="desk"))
    picture.was_told(told("GT-1.high", 10.1, person="wang", kind="inform"))
    picture.settle(at(10.5))
    assert [note.text for note in picture.feed] == ["li told of GT-1.high over desk, phone", "wang informed of GT-1.high over desk"]
    assert picture.messages == 3


def test_a_curve_takes_each_value_once_and_knows_its_rate_over_ten_seconds() -> None:
    picture = Picture()
    for second in (0, 1, 1, 2, 20, 25, 30):
        picture.take_sensors([sensor("GT-1", float(second), second)])
    curve = picture.curves["GT-1"]
    assert [value for _, value in curve.points] == [0, 1, 2, 20, 25, 30]
    assert curve.per_minute == pytest.approx(60.0)


def test_a_curve_without_values_has_no_rate() -> None:
    picture = Picture()
    picture.take_sensors([sensor("GT-1", None)])
    assert picture.curves["GT-1"].per_minute == 0.0


def test_the_rate_of_readings_is_that_of_the_last_seconds() -> None:
    picture = Picture()
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
