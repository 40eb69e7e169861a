"""The live view fits every terminal and shows what a duty officer needs first."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from support.demo import PLOT, alarm, at, health, heard, sensor, site, told

from alerts.alarm import Color, EventKind, State
from gateway.api.models import BalanceBody, SensorHealth
from gateway.demo import screen
from gateway.demo.paint import INK
from gateway.demo.picture import Picture

ZONES = ("pumps", "tanks", "loading")
SIZES = [(80, 24), (100, 32), (130, 40), (200, 60), (60, 20), (20, 5), (1, 1)]


def incident() -> Picture:
    """In mid-incident: one alarm told and acknowledged, a worse one told, one sensor sick."""
    picture = Picture(PLOT)
    picture.site = site(*ZONES, color="red")
    picture.names = {"li": "officer li 李工"}
    for second in range(12):
        values = {f"GT-{zone}{n}": 5.0 * second if (zone, n) == (0, 0) else 0.0 for zone in range(3) for n in range(4)}
        picture.take_sensors(sensor(name, value, second, zone=ZONES[int(name[3])]) for name, value in values.items())
    sick = {"good": False, "health": SensorHealth.SICK, "sick": ["bad_quality"], "zone": "tanks"}
    picture.take_sensors([each if each.sensor != "GT-13" else sensor("GT-13", 0.0, 11, **sick) for each in picture.sensors])
    picture.incident.phase("quiet", at(0))
    picture.phase("leak", "the seal of pump P-1 fails", at(6))
    picture.heard(heard(EventKind.RAISE, "GT-00.high", 9, State.ACTIVE_UNACKNOWLEDGED))
    picture.was_told(told("GT-00.high", 9))
    picture.heard(heard(EventKind.ACKNOWLEDGE, "GT-00.high", 10, State.ACTIVE_ACKNOWLEDGED, by="li"))
    picture.was_told(told("GT-00.high_high", 10))
    picture.was_told(told("GT-00.high_high", 10, person="wang", kind="inform"))
    picture.settle(at(11))
    picture.alarms = [alarm("GT-00.high_high"), alarm("GT-00.high", State.ACTIVE_ACKNOWLEDGED, lead=False)]
    picture.take_balance(BalanceBody(received=700, stored=690, spooled=10, pending=0, quarantined=0, duplicate=0, dropped=0, closes=True), at(11))
    return picture


def drawn(picture: Picture, width: int, height: int) -> str:
    """The view as text; asserts that it is exactly of that size."""
    lines = screen.draw(picture, at(12), width, height)
    assert [line.cell_len for line in lines] == [width] * height
    return "\n".join(line.plain.rstrip() for line in lines)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_view_has_exactly_the_size_of_the_terminal(width: int, height: int) -> None:
    assert drawn(incident(), width, height)
    assert drawn(Picture(PLOT), width, height)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 32), (130, 40), (200, 60)])
def test_the_smallest_terminal_shows_all_that_matters(width: int, height: int) -> None:
    text = drawn(incident(), width, height)
    for words in (
        "SIMULATION",
        "off-delays shortened to 5 s",
        "北罐区",
        "GT-00.high_high",
        "ACTIVE",
        "55.0/20 %LEL",
        "told li",
        "bad quality",
        "+300",
        "12 sensors",
        "700 received = 690 stored + 10 spooled",
        "closes",
        "p50 5.0 ms",
        "officer li 李工 acknowledged GT-00.high",
        *ZONES,
    ):
        assert words in text, words


def test_the_progress_line_shows_when_each_stage_was_reached_and_what_has_passed() -> None:
    names, times = drawn(incident(), 80, 24).splitlines()[2:4]
    for stage, seconds in (("quiet", "0 s"), ("leak", "6 s"), ("detected", "9 s"), ("told", "9 s"), ("acknowledged", "10 s")):
        assert times[names.index(stage) :].startswith(seconds), stage
    assert times.endswith("12 s")


def test_a_large_terminal_shows_every_sensor_and_where_to_go() -> None:
    text = drawn(incident(), 200, 60)
    assert all(each.sensor in text for each in incident().sensors)
    assert "seal of pump P-1: stop the pumps, clear the area" in text
    assert "wang" in text


def test_a_folded_alarm_stands_below_its_lead() -> None:
    lines = drawn(incident(), 80, 24).splitlines()
    lead = next(n for n, line in enumerate(lines) if line.startswith(" RED     GT-00.high_high"))
    assert any("└ GT-00.high " in line for line in lines[lead + 1 : lead + 4])


def test_alarms_without_room_are_counted() -> None:
    picture = incident()
    picture.alarms = [alarm(f"GT-{n}.high") for n in range(30)]
    assert "… and 25 more" in drawn(picture, 80, 24)


def test_a_gateway_with_a_fault_point_is_shown_in_red() -> None:
    picture = incident()
    picture.health = health(ingesting=False, faults=["detect"])
    assert "FAULT POINT detect" in drawn(picture, 80, 24)


def test_a_broker_that_is_not_safe_is_said_so() -> None:
    picture = incident()
    picture.broker, picture.remark = "amqtt", "restarting the gateway is not safe on it"
    assert "broker amqtt: restarting the gateway is not safe on it" in drawn(picture, 140, 40)


def test_an_open_balance_is_loud() -> None:
    picture = incident()
    picture.take_balance(BalanceBody(received=700, stored=1, spooled=0, pending=0, quarantined=0, duplicate=0, dropped=0, closes=False), at(12))
    assert "OPEN" in drawn(picture, 80, 24)


@pytest.mark.parametrize("color", list(Color))
def test_every_color_of_a_zone_can_be_drawn_on_a_terminal(color: Color) -> None:
    picture = incident()
    picture.site = site(*ZONES, color=color)
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system="256")
    console.print(*screen.draw(picture, at(12), 80, 24), sep="\n")
    assert isinstance(console.file, io.StringIO)
    assert color.upper() in console.file.getvalue()


def test_a_stage_that_was_skipped_has_a_dash_once_the_incident_is_over() -> None:
    picture = Picture(PLOT)
    picture.phase("quiet", "", at(0))
    picture.heard(heard(EventKind.RAISE, "PT-1.high", 3, State.ACTIVE_UNACKNOWLEDGED))
    assert "-" not in drawn(picture, 110, 24).splitlines()[3]
    picture.heard(heard(EventKind.RETURN, "PT-1.high", 9, State.NORMAL))
    names, times = drawn(picture, 110, 24).splitlines()[2:4]
    assert times[names.index("reset") :].startswith("-")
    assert times[names.index("over") :].startswith("9 s")


def test_a_value_below_a_low_limit_has_the_color_of_its_alarm_and_stands_out_of_its_scale() -> None:
    picture = incident()
    limits = {"low_low": 18, "low": 19.5, "high": 23.5, "high_high": None}
    for second, value in enumerate((20.9, 20.9, 19.0, 17.1)):
        picture.take_sensors([sensor("OT-1", value, second, unit="%VOL", range=(0, 25), limits=limits)])
    picture.heard(heard(EventKind.RAISE, "OT-1.low", 2, State.ACTIVE_UNACKNOWLEDGED, sensor="OT-1", tier="orange"))
    picture.heard(heard(EventKind.RAISE, "OT-1.low_low", 3, State.ACTIVE_UNACKNOWLEDGED, sensor="OT-1", tier="red"))
    line = next(line for line in screen.draw(picture, at(12), 110, 34) if " OT-1 " in line.plain)
    assert " 17.1 %VOL" in line.plain
    colors = [str(span.style) for span in line.spans if line.plain[span.start : span.end].strip("▁▂▃▄▅▆▇█") == "" and span.end > span.start]
    assert colors[-2:] == [INK[Color.ORANGE], INK[Color.RED]]
    bars = [character for character in line.plain if character in "▁▂▃▄▅▆▇█"]
    assert bars[0] > bars[-1]


def test_zones_with_long_names_are_shown_whole_and_at_a_narrow_terminal_without_their_ids() -> None:
    picture = incident()
    names = ("屋面蒸发冷凝器平台", "环状管网北段(罐区)", "泵区")
    assert picture.site is not None
    picture.site = picture.site.model_copy(update={"zones": [zone.model_copy(update={"name": n}) for zone, n in zip(picture.site.zones, names, strict=True)]})
    wide, narrow = drawn(picture, 110, 34), drawn(picture, 80, 24)
    assert all(f"{name} {zone}" in wide for name, zone in zip(names, ZONES, strict=True))
    assert all(name in narrow for name in names)
    assert "泵区 loading" in narrow


def test_with_little_room_folded_alarms_share_the_line_of_their_lead_and_what_waits_keeps_its_instruction() -> None:
    picture = incident()
    waiting = [alarm(f"GT-{n}.high_high", place=f"place {n}") for n in range(2)]
    answered = [alarm(f"GT-{n}.high_high", State.ACTIVE_ACKNOWLEDGED, place=f"place {n}") for n in range(2, 6)]
    folded = [alarm(f"GT-{n}.high", State.ACTIVE_ACKNOWLEDGED, lead=False) for n in range(2)]
    picture.alarms = [*waiting, *answered, *folded]
    text = drawn(picture, 110, 31)
    assert "└" not in text
    assert "nobody told yet  + high" in text
    assert "place 0: stop the pumps" in text
    assert "place 2" not in text


def test_alarms_take_the_lines_that_zones_do_not_need() -> None:
    picture = incident()
    picture.alarms = [alarm(f"GT-{n}.high_high", place=f"place {n}") for n in range(4)]
    text = drawn(picture, 110, 34)
    assert all(each.sensor in text for each in picture.sensors)
    assert all(f"place {n}: stop the pumps" in text for n in range(4))


def test_a_sick_instrument_is_no_reason_to_do_what_its_limits_ask_for() -> None:
    picture = incident()
    picture.alarms = [alarm("GT-13.bad_quality", tier="yellow", limit=None)]
    text = drawn(picture, 110, 34)
    assert "seal of pump P-1: look at the instrument" in text
    assert "stop the pumps" not in text


def test_a_sensor_without_a_fresh_reading_is_not_green() -> None:
    picture = incident()
    picture.alarms = []
    picture.take_sensors([sensor("GT-00", 0.0, 11, good=False)])
    assert "○ GT-00  no good reading (last 0.0)" in drawn(picture, 110, 34)


@pytest.mark.parametrize("width", [80, 110, 200])
def test_whether_the_balance_closes_is_seen_however_long_it_is(width: int) -> None:
    picture = incident()
    counts = {"received": 1122456, "stored": 1107123, "spooled": 15000, "pending": 0, "quarantined": 3, "duplicate": 330, "dropped": 0}
    picture.take_balance(BalanceBody.model_validate(counts | {"closes": True}), at(12))
    balance, last = drawn(picture, width, 34).splitlines()[-2:]
    assert balance.startswith(" balance ✓ closes  1122456 received = 1107123 stored")
    assert ("…" in balance) == (width == 80)
    assert "…" not in last
