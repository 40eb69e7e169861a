"""What devices send, compared with what the files say: every finding, and none where both agree."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from support.sites import T0, raw, sensor, site

from alerts import finding
from alerts.admit import Way
from alerts.alarm import Quarantine
from alerts.commissioning import agreeing, compare, listening_time
from alerts.finding import Finding, Found, Listened, Weight
from alerts.ports import Aside
from alerts.reading import MILLISECOND, SECOND, Quality, RawReading
from alerts.register import Point, Register
from alerts.survey import KEPT, MOST, Overheard, Survey
from gateway.cli.live import TITLES

HOUR = 3600.0
MENDS, NOTES = Weight.DISAGREES, Weight.NOTE


class Afternoon:
    """Somebody listens to the site `north` from `T0` on. Moments are seconds after it."""

    def __init__(self, *sensors: dict[str, Any], **changes: Any) -> None:
        self.register = Register([site(*(sensors or (sensor("GT-1"),)), **changes)])
        self.survey = Survey(self.register, T0)
        self.admission = Overheard(self.survey)

    def send(self, at: float, *readings: RawReading, device: str = "rtu-1", retained: bool = False) -> None:
        """One message."""
        self.admission.admit(("north", device), readings, T0 + round(at * SECOND), Way.RETAINED if retained else Way.LIVE)
        rows = self.admission.batch.take()
        if rows is not None:
            self.survey.admitted(rows)
        self.survey.told(self.admission.edges)
        self.admission.edges.clear()

    def every(self, period: float, identity: str = "GT-1", until: float = 30.0, device: str = "rtu-1", **changes: Any) -> None:
        """Readings of one sensor, stamped when they are sent unless `clock` says how far the clock is off."""
        off, value = changes.pop("clock", 0.0), changes.pop("value", 5.0)
        changes = {"unit": "%LEL"} | changes
        for n in range(math.ceil(until / period)):
            at = n * period
            self.send(at, raw(identity, value, at + off, **changes), device=device)

    def found(self, until: float = 30.0) -> list[Found]:
        """What differs when listening ends."""
        return compare(self.listened(until))

    def listened(self, until: float = 30.0) -> Listened:
        """What was heard until then."""
        return Listened(self.register, self.survey, T0 + round(until * SECOND), place)

    def kinds(self, until: float = 30.0) -> list[tuple[Finding, str, Weight]]:
        """(finding, subject, weight) of what differs."""
        return [(each.finding, each.subject, each.weight) for each in self.found(until)]


def place(point: Point) -> str:
    return f"topic/{point.sensor.device}"


def only(found: Iterable[Found]) -> Found:
    (one,) = found
    return one


def test_nothing_is_found_where_everything_is_as_the_file_says() -> None:
    day = Afternoon(sensor("GT-1"), sensor("PT-1", kind="pressure", gas=None, unit="MPa", range=[0, 2], device="rtu-2", interval="5s"))
    day.every(1)
    day.every(5, "PT-1", device="rtu-2", unit="MPa", value=1.0)
    assert day.found() == []
    assert agreeing(day.register, []) == 2


def test_a_device_of_which_nothing_came_is_one_finding_that_names_its_sensors() -> None:
    day = Afternoon(sensor("GT-1"), sensor("GT-2", device="rtu-2"), sensor("GT-3", device="rtu-2"))
    day.every(1)
    found = only(day.found())
    assert (found.finding, found.subject, found.sensors) == (Finding.NEVER_HEARD, "rtu-2", ("GT-2", "GT-3"))
    assert found.says == "nothing on topic/rtu-2; its sensors: GT-2, GT-3"
    assert agreeing(day.register, [found]) == 1


def test_a_sensor_whose_device_speaks_of_others_is_a_finding_of_its_own() -> None:
    day = Afternoon(sensor("GT-1"), sensor("GT-2"), sensor("GT-3"))
    day.every(1)
    assert [(each.subject, each.says) for each in day.found()] == [
        ("GT-2", "nothing on topic/rtu-1; rtu-1 sends 1 other sensor of the file"),
        ("GT-3", "nothing on topic/rtu-1; rtu-1 sends 1 other sensor of the file"),
    ]


def test_a_name_that_no_file_knows_is_held_against_the_one_that_is_missing() -> None:
    day = Afternoon(sensor("GT-101"), sensor("GT-102"))
    day.every(1, "GT-102")
    day.every(2, "GT101", value=7.5)
    missing, unknown = day.found()
    assert (missing.finding, missing.subject) == (Finding.NEVER_HEARD, "GT-101")
    assert missing.says == "rtu-1 sends GT101, which no file knows; is that this one?"
    assert (unknown.finding, unknown.subject, unknown.device) == (Finding.UNKNOWN_SENSOR, "GT101", "rtu-1")
    assert unknown.says == "no sensor of north has that id (is it GT-101?); it sends %LEL, every 2s or so, at last 7.5"


def test_a_new_name_is_not_taken_for_a_sensor_that_is_heard_under_its_own() -> None:
    day = Afternoon(sensor("GT-101"), sensor("GT-102"))
    day.every(1, "GT-101")
    day.every(1, "GT-102")
    day.every(1, "GT-103")
    assert only(day.found()).says == "no sensor of north has that id; it sends %LEL, every 1s or so, at last 5"


def test_readings_of_the_past_are_not_heard_now() -> None:
    day = Afternoon(sensor("GT-1"), sensor("GT-2"), sensor("GT-3"))
    day.every(1, "GT-3")
    day.send(1, raw("GT-1", 5, 1, unit="%LEL"), retained=True)
    day.send(2, raw("GT-2", 5, -50, unit="%LEL", historical=True), raw("GT-2", 5, -40, unit="%LEL", historical=True))
    assert [each.says for each in day.found()] == [
        "nothing of now: 1 reading of the past, retained or marked historical",
        "nothing of now: 2 readings of the past, retained or marked historical",
    ]


def test_who_listens_too_shortly_is_told_for_how_long() -> None:
    day = Afternoon(sensor("GT-1", interval="10m", stale="30m"))
    found = only(day.found())
    assert found.says == "nothing within 30s, and it sends every 10m: listen longer, --for 40m"
    day.every(600, until=1300)
    found = only(day.found(1300))
    assert (found.finding, found.weight) == (Finding.WRONG_INTERVAL, NOTES)
    assert found.says == "not judged: 3 readings within 21m 40s, and the file says every 10m; --for 50m would do"


def test_why_a_device_may_be_absent() -> None:
    day = Afternoon(sensor("GT-1"), sensor("GT-2", device="rtu-2"), sensor("GT-3", device="rtu-3"))
    day.every(1)
    day.survey.offline.add(("north", "rtu-2"))
    day.survey.at_another_site("nort", "rtu-3")
    two, three, elsewhere = day.found()
    assert two.says == "nothing on topic/rtu-2; it says that it is offline"
    assert three.says == "nothing on topic/rtu-3; a device of that name speaks under the site nort"
    assert (elsewhere.finding, elsewhere.subject, elsewhere.weight) == (Finding.UNKNOWN_SITE, "nort", NOTES)
    assert elsewhere.says == "in no file of this gateway; heard there: rtu-3"


def test_a_sensor_that_another_device_sends_is_heard_and_wrong() -> None:
    day = Afternoon(sensor("GT-1"), sensor("GT-2", device="rtu-2"))
    day.every(1)
    day.every(1, "GT-2", device="rtu-9")
    found = only(day.found())
    assert (found.finding, found.subject, found.configured, found.heard) == (Finding.WRONG_DEVICE, "GT-2", "rtu-2", "rtu-9")
    assert found.says == "the file says rtu-2, and rtu-9 sends it (30 readings, set aside)"


def test_a_unit_of_another_quantity_has_to_be_mended_and_one_that_converts_is_a_note() -> None:
    day = Afternoon(sensor("GT-1"), sensor("PT-1", kind="pressure", gas=None, unit="MPa", range=[0, 2], device="rtu-2"))
    day.every(1, unit="kPa")
    day.every(1, "PT-1", device="rtu-2", unit="kPa", value=900)
    quantity, converted = day.found()
    assert (quantity.finding, quantity.subject, quantity.weight) == (Finding.WRONG_QUANTITY, "GT-1", MENDS)
    assert quantity.says == "the file says %LEL, the device sends kPa; 30 of 30 readings set aside"
    assert (converted.finding, converted.weight, converted.says) == (Finding.UNIT_CONVERTED, NOTES, "the device sends kPa, which becomes MPa")
    assert agreeing(day.register, day.found()) == 1


def test_who_has_to_say_a_unit_and_does_not_is_found_and_who_need_not_is_a_note() -> None:
    both = (sensor("GT-1"), sensor("GT-2", device="rtu-2"), sensor("GT-3", device="rtu-2"))
    day = Afternoon(*both, devices=[{"id": "rtu-1", "unit": "required"}])
    for n in range(30):
        day.send(n, raw("GT-1", 5, n, unit="%LEL" if n % 3 else None))
        day.send(n, raw("GT-2", 5, n), raw("GT-3", 5, n), device="rtu-2")
    required, optional = day.found()
    assert (required.finding, required.subject, required.weight) == (Finding.UNIT_MISSING, "GT-1", MENDS)
    assert required.says == "rtu-1 has to say its unit, and 10 of 30 readings came without"
    assert (optional.finding, optional.subject, optional.weight) == (Finding.UNIT_MISSING, "rtu-2", NOTES)
    assert optional.says.startswith("says no unit with 2 sensors: those of the file are believed")


def test_a_loop_current_without_a_unit_is_as_it_should_be() -> None:
    day = Afternoon(sensor("GT-1", signal={"kind": "current"}))
    day.every(1, unit=None, value=12.0)
    assert day.found() == []


@pytest.mark.parametrize(
    ("quality", "value", "weight", "says"),
    [
        (Quality.BAD, math.nan, MENDS, "none of 30 readings has a value"),
        (Quality.UNCERTAIN, 5.0, MENDS, "no reading is good: uncertain ones may raise an alarm and never end one; `qualities` explains a device's own words"),
        (Quality.GOOD, math.inf, MENDS, "none of 30 readings has a value"),
    ],
)
def test_a_sensor_without_a_good_reading_is_found(quality: Quality, value: float, weight: Weight, says: str) -> None:
    day = Afternoon()
    day.every(1, quality=quality, value=value)
    found = only(day.found())
    assert (found.finding, found.weight, found.says) == (Finding.NO_VALUE, weight, says)


def test_now_and_then_no_value_is_a_note() -> None:
    day = Afternoon()
    for n in range(30):
        day.send(n, raw("GT-1", 5, n, unit="%LEL", quality=Quality.BAD if n % 10 == 0 else Quality.GOOD))
    assert [(each.weight, each.says) for each in day.found()] == [(NOTES, "3 of 30 readings without a value")]


def test_a_current_that_says_the_instrument_failed_is_named() -> None:
    day = Afternoon(sensor("GT-1", signal={"kind": "current", "codes": [{"means": "fault", "below": 3.6}]}))
    day.every(1, unit="mA", value=3.1)
    assert only(day.found()).says == "none of 30 readings has a value, at 3.1 mA"


def test_values_outside_the_range_are_found_and_noise_around_its_bottom_is_none() -> None:
    day = Afternoon(sensor("GT-1"), sensor("GT-2"), sensor("GT-3"))
    day.every(1, value=-2.5)
    day.every(1, "GT-2", value=100.5)
    day.every(1, "GT-3", value=-4)
    assert [(each.subject, each.says) for each in day.found()] == [
        ("GT-2", "the file says 0 to 100 %LEL, heard were 100.5 to 100.5"),
        ("GT-3", "the file says 0 to 100 %LEL, heard were -4 to -4"),
    ]


@pytest.mark.parametrize(
    ("period", "says"),
    [
        (5, "the file says every 1s, the device sends every 5s: 5 times as long"),
        (2, "the file says every 1s, the device sends every 2s: 2 times as long"),
        (0.1, "the file says every 1s, the device sends every 100ms: 10 times as often"),
        (1.3, None),
        (0.8, None),
    ],
)
def test_another_pace_than_the_files_is_found_with_its_factor(period: float, says: str | None) -> None:
    day = Afternoon()
    day.every(period)
    assert [each.says for each in day.found()] == ([] if says is None else [says])


def test_pace_goes_by_stamps_so_that_runs_sent_together_are_as_the_file_says() -> None:
    day = Afternoon()
    for n in range(0, 90, 10):
        day.send(n + 10, *(raw("GT-1", 5, n + each, unit="%LEL") for each in range(10)))
    assert day.found(90) == []


def test_pace_goes_by_arrival_where_stamps_are_missing_or_stand_still() -> None:
    day = Afternoon(sensor("GT-1"), sensor("GT-2"))
    for n in range(0, 30, 5):
        day.send(n, raw("GT-1", n, unit="%LEL"), raw("GT-2", n, 0, unit="%LEL"))
    found = [each for each in day.found() if each.finding is Finding.WRONG_INTERVAL]
    assert [(each.subject, each.heard) for each in found] == [("GT-1", 5.0), ("GT-2", 5.0)]


def test_far_too_few_readings_are_found_though_their_pace_cannot_be_measured() -> None:
    day = Afternoon()
    day.send(1, raw("GT-1", 5, 1, unit="%LEL"))
    day.send(20, raw("GT-1", 5, 20, unit="%LEL"))
    assert day.kinds() == [(Finding.WRONG_INTERVAL, "GT-1", MENDS)]
    assert only(day.found()).says == "the file says every 1s, and there came 2 readings within 30s"


def test_a_silence_longer_than_stale_is_found_wherever_it_lies() -> None:
    for begin, end in ((0, 40), (20, 60), (50, 91)):
        day = Afternoon()
        for n in range(91):
            if not begin <= n < end:
                day.send(n, raw("GT-1", 5, n, unit="%LEL"))
        found = only(day.found(90))
        assert (found.finding, found.configured) == (Finding.SILENT, 30.0)
        assert found.heard == pytest.approx(40, abs=1)


def test_a_silence_says_nothing_while_the_broker_was_away() -> None:
    day = Afternoon()
    day.every(1)
    day.survey.interruptions.append("the connection was lost")
    assert day.kinds(90) == [(Finding.INTERRUPTED, "broker", NOTES)]
    assert only(day.found(90)).says == "was away once (the connection was lost); what was published meanwhile was not heard here"


@pytest.mark.parametrize(
    ("off", "weight", "says"),
    [
        (8 * HOUR, MENDS, "its clock is 8h ahead; a whole number of half hours: look at its time zone"),
        (-5.5 * HOUR, MENDS, "its clock is 5h 30m behind; a whole number of half hours: look at its time zone"),
        (-700.0, MENDS, "its clock is 11m 40s behind"),
        (20.0, NOTES, "its clock is 20s ahead"),
    ],
)
def test_a_clock_that_is_off_is_found_with_what_it_looks_like(off: float, weight: Weight, says: str) -> None:
    day = Afternoon()
    day.every(1, clock=off)
    found = only(day.found())
    assert (found.finding, found.subject, found.weight, found.says) == (Finding.CLOCK_SKEW, "rtu-1", weight, says)
    assert found.heard == pytest.approx(off)
    assert agreeing(day.register, [found]) == 1


def test_a_clock_that_stands_still_is_found() -> None:
    day = Afternoon()
    for n in range(30):
        day.send(n, raw("GT-1", n, 0, unit="%LEL"))
    assert only(day.found()).says == "its clock stands still: several values came under one stamp"


def test_a_backlog_is_no_wrong_clock() -> None:
    day = Afternoon()
    day.send(0, *(raw("GT-1", 5, -600 + n, unit="%LEL", historical=True) for n in range(100)))
    day.every(1)
    assert day.found() == []


def test_what_cannot_be_read_and_what_nobody_publishes_to_is_found_by_topic() -> None:
    day = Afternoon()
    day.every(1)
    for _ in range(3):
        day.survey.unreadable(Aside("acme/head-1/up", Quarantine.UNREADABLE, "the value is no number", b"", 0, T0))
        day.survey.stray("hazgate/v1/north/rtu-1/reading", day.survey.strays)
    day.survey.stray("acme/other", day.survey.foreign)
    day.survey.refused = "the broker refuses the subscription to acme/#"
    assert day.kinds() == [
        (Finding.REFUSED, "broker", MENDS),
        (Finding.UNKNOWN_TOPIC, "hazgate/v1/north/rtu-1/reading", MENDS),
        (Finding.UNREADABLE, "acme/head-1/up", MENDS),
        (Finding.UNKNOWN_TOPIC, "acme/other", NOTES),
    ]
    assert [each.says for each in day.found()][1:3] == [
        "no device of the files publishes there; 3 messages",
        "3 readings or whole messages; the first: the value is no number",
    ]


def test_strangers_take_no_more_than_their_share_of_memory() -> None:
    day = Afternoon()
    day.every(1, until=2 * KEPT)
    for n in range(MOST + 50):
        day.send(0, raw(f"X-{n}", 5, 0))
        day.survey.stray(f"a/{n}", day.survey.foreign)
        day.survey.at_another_site(f"s{n}", "d")
    assert len(day.survey.voices) <= MOST + 2
    assert len(day.survey.foreign) == len(day.survey.elsewhere) == MOST
    assert len(day.survey.courses[0].stamps) == KEPT
    more = next(each for each in day.found() if each.subject == "and more")
    assert more.says.endswith("messages of what no file has, under further names")


def test_listening_takes_four_readings_of_the_slowest_sensor_within_bounds() -> None:
    spans = [listening_time(Register([site(sensor("GT-1"), sensor("GT-2", interval=interval))])) for interval in ("1s", "60s", "1h")]
    assert [each / SECOND for each in spans] == [30, 210, 600]


def test_spans_are_said_by_their_two_largest_units() -> None:
    said = [finding.span(round(seconds * SECOND)) for seconds in (0.04, 2.53, 12.2, 60, 90, 3600, 28860, 90000)]
    assert said == ["40ms", "2.5s", "12s", "1m", "1m 30s", "1h", "8h 1m", "1d 1h"]
    assert finding.span(999 * MILLISECOND) == "999ms"


def test_every_finding_has_a_title_and_its_line_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text(encoding="utf-8")
    assert [each for each in Finding if f"`{each}`" not in text] == []
    assert set(TITLES) == set(Finding)
