"""A device with `unit: required`: what it sends without a unit may raise, never ends anything, and puts the device in doubt."""

from __future__ import annotations

import json
from typing import Any

from support.alarms import standing
from support.live import live_events
from support.sites import T0, raw, sensor, site

from alerts.admit import Admission, Way
from alerts.alarm import Condition, State
from alerts.edge import EdgeKind
from alerts.reading import MILLISECOND, SECOND, Quality, RawReading
from alerts.register import Register
from alerts.site import Site

REQUIRED = [{"id": "rtu-1", "unit": "required"}]


def place(*sensors: dict[str, Any], devices: list[dict[str, str]] | None = None) -> Site:
    return site(*(sensors or (sensor("GT-1"), sensor("GT-2"), sensor("GT-3", device="rtu-2"))), devices=REQUIRED if devices is None else devices)


class Door:
    """Admission of GT-1 and GT-2 on rtu-1, which must say its unit, and of GT-3 on rtu-2, which need not."""

    def __init__(self, where: Site | None = None) -> None:
        self.admission = Admission(Register([where or place()]))

    def send(self, at: float, *readings: RawReading, device: str = "rtu-1", retained: bool = False) -> list[Quality]:
        """The qualities with which the readings of one message are admitted."""
        rejected = self.admission.admit(("north", device), readings, T0 + round(at * SECOND), Way.RETAINED if retained else Way.LIVE)
        rows = self.admission.batch.take()
        assert not rejected
        assert rows is not None
        return [Quality(quality) for quality in rows.quality.tolist()]

    def edges(self) -> list[tuple[str, EdgeKind]]:
        """(source, kind) of what admission found since the last call, all of it suspect data."""
        found = list(self.admission.edges)
        self.admission.edges.clear()
        assert all(edge.condition is Condition.SUSPECT_DATA for edge in found)
        return [(edge.source, edge.kind) for edge in found]


def alarm_of(events: list[bytes], condition: str) -> list[tuple[str, str, str]]:
    """(source, event, tier) of the events about one condition."""
    found = [json.loads(event) for event in events]
    return [(event["alarm"].rpartition(".")[0], event["event"], event["tier"]) for event in found if event["condition"] == condition]


def rows(*values: tuple[int, float, str | None]) -> list[dict[str, Any]]:
    """Messages of GT-1: second, value, unit."""
    begin = T0 // MILLISECOND
    made = [
        {"sensor": "GT-1", "device": "rtu-1", "value": value, "time": begin + 1000 * at, "arrival": begin + 1000 * at, "unit": unit}
        for at, value, unit in values
    ]
    return [{key: value for key, value in row.items() if value is not None} for row in made]


def test_without_its_unit_a_reading_is_uncertain_and_without_a_value_it_stays_bad() -> None:
    door = Door()
    sent = [raw("GT-1", 5, 0), raw("GT-2", 5, 0, quality=Quality.CALIBRATING)]
    assert door.send(0, *sent) == [Quality.UNCERTAIN, Quality.UNCERTAIN]
    assert door.send(1, raw("GT-1", 5, 1, quality=Quality.BAD), raw("GT-2", 5, 1, unit="%LEL")) == [Quality.BAD, Quality.GOOD]


def test_a_device_that_need_not_say_its_unit_is_believed_without() -> None:
    door = Door()
    assert door.send(0, raw("GT-3", 5, 0), device="rtu-2") == [Quality.GOOD]
    assert door.edges() == []


def test_a_device_is_in_doubt_from_its_first_live_reading_without_a_unit_until_every_sensor_has_said_it() -> None:
    door = Door()
    door.send(0, raw("GT-1", 5, 0), raw("GT-2", 5, 0))
    assert door.edges() == [("rtu-1", EdgeKind.TRUE)]
    assert not door.admission.believes(("north", "rtu-1"))
    door.send(1, raw("GT-1", 5, 1, unit="%LEL"), raw("GT-2", 5, 1))
    assert door.edges() == []
    door.send(2, raw("GT-2", 5, 2, unit="%LEL"))
    assert door.edges() == [("rtu-1", EdgeKind.FALSE)]
    assert door.admission.believes(("north", "rtu-1"))


def test_the_past_puts_nobody_in_doubt() -> None:
    door = Door()
    assert door.send(0, raw("GT-1", 5, -10, historical=True)) == [Quality.UNCERTAIN]
    assert door.send(1, raw("GT-2", 5, -10), retained=True) == [Quality.UNCERTAIN]
    assert door.edges() == []


def test_a_loop_current_has_to_say_mA_and_what_has_no_unit_need_not() -> None:  # noqa: N802 - mA is a unit
    where = place(sensor("GT-1", signal={"kind": "current"}), sensor("XV-1", kind="digital_state", unit=None, gas=None, limits={}, range=[0, 1]))
    door = Door(where)
    assert door.send(0, raw("GT-1", 12, 0), raw("XV-1", 1, 0)) == [Quality.UNCERTAIN, Quality.GOOD]
    assert door.send(1, raw("GT-1", 12, 1, unit="mA")) == [Quality.GOOD]
    assert door.edges() == [("rtu-1", EdgeKind.TRUE), ("rtu-1", EdgeKind.FALSE)]


def in_doubt(where: Site) -> Door:
    """A gateway that starts anew while the journal holds `rtu-1.suspect_data`, and such an alarm of a sensor."""
    door = Door(where)
    door.admission.adopt([standing("rtu-1.suspect_data", state=State.ACTIVE_UNACKNOWLEDGED), standing("GT-3.suspect_data", state=State.ACTIVE_UNACKNOWLEDGED)])
    return door


def test_after_a_restart_the_doubt_stands_until_every_sensor_has_said_its_unit() -> None:
    door = in_doubt(place())
    door.send(0, raw("GT-1", 5, 0, unit="%LEL"))
    assert door.edges() == []
    door.send(1, raw("GT-2", 5, 1, unit="%LEL"))
    assert door.edges() == [("rtu-1", EdgeKind.FALSE)]


def test_a_file_that_asks_for_no_unit_any_more_ends_the_doubt_with_the_next_reading() -> None:
    door = in_doubt(place(devices=[]))
    door.send(0, raw("GT-1", 5, 0))
    assert door.edges() == [("rtu-1", EdgeKind.FALSE)]


def test_gas_is_told_without_its_unit_and_is_over_only_with_it() -> None:
    calm = [(at, 0.0, None) for at in range(2, 40)]
    events = live_events(place(), rows((0, 0.0, "%LEL"), (1, 60.0, None), *calm))
    assert ("GT-1", "raise", "red") in alarm_of(events, "high_high")
    assert "return" not in [event for _, event, _ in alarm_of(events, "high_high")]
    said = [(at, 0.0, "%LEL") for at in range(40, 60)]
    events = live_events(place(), rows((0, 0.0, "%LEL"), (1, 60.0, None), *calm, *said))
    assert ("GT-1", "return", "red") in alarm_of(events, "high_high")
    assert alarm_of(events, "suspect_data") == [("rtu-1", "raise", "yellow"), ("rtu-1", "return", "yellow")]
