"""The live view fits every terminal and shows what a duty officer needs first."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from support.demo import alarm, at, heard, sensor, site, told

from alerts.alarm import Color, EventKind, State
from gateway.api.models import BalanceBody, Health, SensorHealth
from gateway.demo import screen
from gateway.demo.picture import Picture

ZONES = ("pumps", "tanks", "loading")
SIZES = [(80, 24), (100, 32), (130, 40), (200, 60), (60, 20), (20, 5), (1, 1)]


def incident() -> Picture:
    """In mid-incident: one alarm told and acknowledged, a worse one told, one sensor sick."""
    picture = Picture()
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
    assert drawn(Picture(), width, height)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 32), (130, 40), (200, 60)])
def test_the_smallest_terminal_shows_all_that_matters(width: int, height: int) -> None:
    text = drawn(incident(), width, height)
    for words in (
        "SIMULATION",
        "off-delays shortened to 5 s",
        "北罐区",
        "GT-00.high_high",
        "ACTIVE",
        "55/20 %LEL",
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
    known = {"ingesting": False, "obstacles": {}, "gateway": "g", "version": "1", "boot": "b", "since": "s", "at": "a", "link": "up"}
    picture.health = Health.model_validate(known | {"store": "reachable", "faults": ["detect"], "warnings": 0, "journal_head": ""})
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
