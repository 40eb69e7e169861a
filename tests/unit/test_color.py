"""What a zone and a site show: the worst that stands, grey where nobody knows, green only where somebody does."""

from __future__ import annotations

import pytest
from support.alarms import Ward
from support.sites import sensor

from alerts.alarm import Color
from alerts.color import ZoneColor
from alerts.edge import Latest

PRESSURE = sensor("PT-1", kind="pressure", unit="kPa", gas=None, tiers={"high": "yellow", "high_high": "orange", "low": "blue"}, zone="tanks", latch=False)


def shown(ward: Ward) -> dict[str, str]:
    state = ward.book.color(ward.moment)
    return {"": str(state.color), **{zone: str(each.color) for zone, each in state.zones.items()}}


def test_a_quiet_site_that_is_heard_is_green() -> None:
    ward = Ward(sensor("GT-1"), PRESSURE)
    assert shown(ward) == {"": "green", "pumps": "green", "tanks": "green"}


def test_the_site_takes_the_worst_of_its_zones() -> None:
    ward = Ward(sensor("GT-1"), PRESSURE)
    ward.true("PT-1.high", 1, 30)
    assert shown(ward) == {"": "yellow", "pumps": "green", "tanks": "yellow"}
    ward.true("GT-1.high_high", 2, 60)
    assert shown(ward) == {"": "red", "pumps": "red", "tanks": "yellow"}


def test_an_alarm_colors_until_it_is_normal() -> None:
    ward = Ward(sensor("GT-1"))
    ward.true("GT-1.high", 1, 30)
    ward.do("acknowledge", "GT-1.high")
    ward.false("GT-1.high", 2, 10)
    assert shown(ward)["pumps"] == "orange"
    ward.do("reset", "GT-1.high")
    assert shown(ward)["pumps"] == "green"


def test_a_returned_alarm_that_nobody_answered_still_colors() -> None:
    ward = Ward(PRESSURE)
    ward.true("PT-1.high", 1, 30)
    ward.false("PT-1.high", 2, 10)
    assert shown(ward)["tanks"] == "yellow"


@pytest.mark.parametrize("known", [Latest(), Latest(heard=True), Latest(heard=True, value=1.0, healthy=False)])
def test_a_red_capable_sensor_that_is_unheard_or_sick_makes_its_zone_grey(known: Latest) -> None:
    ward = Ward(sensor("GT-1"), sensor("GT-2"))
    ward.facts.known["GT-1"] = known
    assert ward.book.color(ward.moment).zones["pumps"] == ZoneColor(Color.GREY, in_service=1, of=2)


def test_a_red_capable_sensor_in_commissioning_makes_its_zone_grey() -> None:
    ward = Ward(sensor("GT-1", commissioned=None), sensor("GT-2"))
    assert ward.book.color(ward.moment).zones["pumps"] == ZoneColor(Color.GREY, in_service=1, of=2)


def test_a_sensor_that_could_never_be_red_leaves_its_zone_as_it_is() -> None:
    ward = Ward(PRESSURE, PRESSURE | {"id": "PT-2"})
    ward.facts.say("PT-1", healthy=False)
    assert ward.book.color(ward.moment).zones["tanks"] == ZoneColor(Color.GREEN, in_service=1, of=2)


def test_a_zone_in_which_no_sensor_serves_is_grey() -> None:
    ward = Ward(PRESSURE)
    ward.facts.say("PT-1", healthy=False)
    assert ward.book.color(ward.moment).zones["tanks"] == ZoneColor(Color.GREY, in_service=0, of=1)


def test_yellow_is_worse_than_grey_and_grey_worse_than_blue() -> None:
    ward = Ward(sensor("GT-1"), PRESSURE | {"zone": "pumps"})
    ward.true("PT-1.low", 1, 1)
    assert shown(ward)["pumps"] == "blue"
    ward.facts.say("GT-1", healthy=False)
    assert shown(ward)["pumps"] == "grey"
    ward.true("PT-1.high", 2, 30)
    assert shown(ward)["pumps"] == "yellow"


def test_an_alarm_in_commissioning_neither_colors_nor_counts() -> None:
    ward = Ward(sensor("GT-1", commissioned=None))
    ward.true("GT-1.high_high", 1, 60)
    state = ward.book.color(ward.moment)
    assert (state.color, state.active, state.unacknowledged) == (Color.GREY, 0, 0)


def test_a_silent_device_colors_every_zone_it_has_sensors_in() -> None:
    ward = Ward(sensor("GT-1"), sensor("GT-2", zone="tanks"), sensor("GT-3", zone="yard", device="rtu-2"))
    ward.true("rtu-1.offline", 1, members=("GT-1", "GT-2"))
    assert shown(ward) == {"": "orange", "pumps": "orange", "tanks": "orange", "yard": "green"}


def test_the_gateways_own_alarms_color_no_zone_and_no_site() -> None:
    ward = Ward()
    ward.true("gw-1.broker_lost", 1)
    state = ward.book.color(ward.moment)
    assert (state.color, state.active) == (Color.GREEN, 0)


def test_an_alarm_of_nobody_knows_what_colors_the_site() -> None:
    ward = Ward()
    ward.true("gone.high_high", 1, 60)
    assert shown(ward) == {"": "red", "pumps": "green"}


def test_active_and_unacknowledged_alarms_are_counted() -> None:
    ward = Ward(sensor("GT-1"), PRESSURE)
    ward.true("GT-1.high", 1, 30)
    ward.do("acknowledge", "GT-1.high")
    ward.true("PT-1.high", 2, 30)
    ward.true("PT-1.high_high", 3, 60)
    ward.false("PT-1.high_high", 4, 30)
    state = ward.book.color(ward.moment)
    assert (state.active, state.unacknowledged) == (2, 2)
