"""Fire water that is out while something burns or leaks: its low-low is RED then, and ORANGE otherwise."""

from __future__ import annotations

import pytest
from support.alarms import Ward
from support.sites import sensor

from alerts.alarm import Tier

MAIN = sensor(
    "FW-1",
    kind="fire_water_pressure",
    zone="main",
    unit="kPa",
    gas=None,
    range=[0, 1000],
    limits={"low_low": 300, "low": 500},
    tiers={"low_low": "orange", "low": "yellow"},
    latch=False,
)
LEAK = "GT-1.high_high"


def out(*heads: str) -> Ward:
    """A site whose fire water has fallen below its low-low."""
    ward = Ward(MAIN, *(sensor(head) for head in heads or ("GT-1",)))
    ward.true("FW-1.low_low", 1, 250)
    return ward


def test_by_itself_it_is_orange() -> None:
    assert out()["FW-1.low_low"].tier is Tier.ORANGE


def test_a_red_gas_alarm_anywhere_on_the_site_makes_it_red_and_tells_it_anew() -> None:
    ward = out()
    assert "tier_raise FW-1.low_low AU>AU !" in ward.true(LEAK, 2, 60)
    assert ward["FW-1.low_low"].tier is Tier.RED


def test_it_is_red_at_once_where_the_gas_was_first() -> None:
    ward = Ward(MAIN, sensor("GT-1"))
    ward.true(LEAK, 1, 60)
    ward.true("FW-1.low_low", 2, 250)
    assert ward["FW-1.low_low"].tier is Tier.RED


def test_what_somebody_had_acknowledged_as_orange_asks_again_as_red() -> None:
    ward = out()
    ward.do("acknowledge", "FW-1.low_low", at=2)
    assert "tier_raise FW-1.low_low AA>AU !" in ward.true(LEAK, 3, 60)


def test_a_gas_alarm_that_is_orange_leaves_it_orange_until_it_becomes_red_by_over_range() -> None:
    ward = out()
    ward.true("GT-1.high", 2, 30)
    before = ward["FW-1.low_low"].tier
    ward.over_range("GT-1.high", 3)
    assert [before, ward["FW-1.low_low"].tier] == [Tier.ORANGE, Tier.RED]


def test_it_stays_red_when_the_gas_is_over_for_a_tier_never_falls() -> None:
    ward = out()
    ward.true(LEAK, 2, 60)
    ward.false(LEAK, 3, 10)
    assert ward["FW-1.low_low"].tier is Tier.RED


@pytest.mark.parametrize("change", [{"commissioned": None}, {"kind": "level", "gas": None}])
def test_a_head_in_commissioning_and_a_tank_that_is_full_do_not_count(change: dict[str, object]) -> None:
    ward = Ward(MAIN, sensor("GT-1", **change))
    ward.true("FW-1.low_low", 1, 250)
    ward.true(LEAK, 2, 60)
    assert ward["FW-1.low_low"].tier is Tier.ORANGE


def test_its_low_is_yellow_whatever_burns() -> None:
    ward = Ward(MAIN, sensor("GT-1"))
    ward.true("FW-1.low", 1, 450)
    ward.true(LEAK, 2, 60)
    assert ward["FW-1.low"].tier is Tier.YELLOW
