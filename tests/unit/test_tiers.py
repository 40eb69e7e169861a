"""How urgent an alarm is: the second table of tiers, row by row, and what RED-capable means."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.alarms import Ward, guarded, standing
from support.sites import T0, sensor

from alerts.alarm import DOWN_FAMILY, UP_FAMILY, Condition, State, Tier
from alerts.reading import SECOND
from alerts.tiers import CALIBRATION, red_capable

PLAIN = sensor("PT-1", kind="pressure", unit="kPa", gas=None, tiers={"high": "yellow"}, limits={"high": 25})
WIND = sensor("W-1", kind="wind", unit="m/s", gas=None, tiers={}, limits={"high": 15})
HOUR = 3600 * SECOND


def tier(ward: Ward, alarm: str, **changes: Any) -> Tier:
    """The tier of such an alarm raised at `T0`, now."""
    changes.setdefault("zone", None)
    ward.book._watch.tiers.look_again()
    return ward.book._watch.tiers.of(standing(alarm, **({"raised_at": T0, "tier": Tier.BLUE} | changes)), ward.moment)


def gas(*heads: str, **changes: Any) -> Ward:
    """A ward with these gas heads in one zone."""
    return Ward(*(sensor(head) for head in heads), **changes)


@pytest.mark.parametrize("condition", ["stale", "bad_quality", "current_fault", "out_of_range"])
def test_a_sick_head_is_yellow_while_the_zone_keeps_enough(condition: str) -> None:
    ward = gas("GT-1", "GT-2")
    assert tier(ward, f"GT-1.{condition}") is Tier.YELLOW
    ward.facts.say("GT-2", healthy=False)
    assert tier(ward, f"GT-1.{condition}") is Tier.ORANGE


def test_the_zone_says_how_many_heads_are_enough() -> None:
    three = gas("GT-1", "GT-2", "GT-3", zones=[{"id": "pumps", "min_healthy": 2}])
    assert tier(three, "GT-1.stale") is Tier.YELLOW
    three.facts.say("GT-3", healthy=False)
    assert tier(three, "GT-1.stale") is Tier.ORANGE
    assert tier(gas("GT-1", zones=[{"id": "pumps", "min_healthy": 0}]), "GT-1.stale") is Tier.YELLOW


@pytest.mark.parametrize("other", [{"kind": "toxic_gas"}, {"commissioned": None}, {"zone": "tanks"}, {"tiers": {"high": "orange", "high_high": "orange"}}])
def test_only_heads_of_the_same_kind_and_zone_in_service_and_red_capable_stand_in(other: dict[str, Any]) -> None:
    assert tier(Ward(sensor("GT-1"), sensor("GT-2", **other)), "GT-1.stale") is Tier.ORANGE


def test_a_sick_sensor_that_is_not_red_capable_stays_yellow() -> None:
    ward = Ward(PLAIN)
    ward.now = 10 * 3600
    assert tier(ward, "PT-1.stale") is Tier.YELLOW


def test_a_red_capable_head_is_orange_after_the_time_for_repair() -> None:
    ward = gas("GT-1", "GT-2", zones=[{"id": "pumps", "repair_within": "2h"}])
    ward.now = 7199
    assert tier(ward, "GT-1.stale") is Tier.YELLOW
    ward.now = 7200
    assert tier(ward, "GT-1.stale") is Tier.ORANGE


def test_the_sickness_of_power_and_wind_calls_nobody() -> None:
    assert tier(Ward(WIND), "W-1.stale") is Tier.BLUE


def test_a_silent_device_has_the_worst_tier_of_its_sensors() -> None:
    mixed = Ward(PLAIN | {"device": "rtu-2"}, sensor("GT-1"), WIND | {"device": "rtu-3"})
    assert tier(mixed, "rtu-1.offline", members=("GT-1",)) is Tier.ORANGE
    assert tier(mixed, "rtu-2.offline") is Tier.YELLOW
    assert tier(mixed, "rtu-3.offline") is Tier.BLUE


@pytest.mark.parametrize("condition", ["stuck", "suspect_data", "inhibited"])
def test_doubt_about_a_head_is_yellow_where_it_could_be_red_and_blue_elsewhere(condition: str) -> None:
    assert tier(gas("GT-1"), f"GT-1.{condition}") is Tier.YELLOW
    assert tier(Ward(PLAIN), f"PT-1.{condition}") is Tier.BLUE


def test_calibration_without_a_permit_is_orange_after_an_hour() -> None:
    ward = gas("GT-1")
    ward.true("GT-1.inhibited", 0)
    assert ward.book.due() == T0 + CALIBRATION
    assert ward.clock(3600) == ["tier_raise GT-1.inhibited AU>AU !"]
    assert ward["GT-1.inhibited"].tier is tier(ward, "GT-1.inhibited") is Tier.ORANGE


@pytest.mark.parametrize(
    ("alarm", "value", "expected"),
    [
        ("gw-1.spool_filling", 89.9, Tier.YELLOW),
        ("gw-1.spool_filling", 90, Tier.ORANGE),
        ("gw-1.monitoring_gap", 299, Tier.YELLOW),
        ("gw-1.monitoring_gap", 300, Tier.ORANGE),
        ("gw-1.rota_gap", 86_400, Tier.ORANGE),
        ("gw-1.rota_gap", 86_401, Tier.YELLOW),
        ("rtu-1.clock_skew", -600, Tier.BLUE),
        ("rtu-1.clock_skew", -601, Tier.YELLOW),
        ("GT-1.calibration_due", 0, Tier.BLUE),
        ("GT-1.test_due", 1, Tier.YELLOW),
        ("gw-1.spool_filling", None, Tier.ORANGE),
        ("gw-1.monitoring_gap", None, Tier.ORANGE),
        ("gw-1.rota_gap", None, Tier.ORANGE),
        ("rtu-1.clock_skew", None, Tier.YELLOW),
        ("gw-1.config_changed", 0, Tier.YELLOW),
        ("gw-1.config_changed", 1, Tier.ORANGE),
        ("gw-1.config_changed", None, Tier.ORANGE),
        ("gw-1.notification_failed", 0, Tier.YELLOW),
        ("gw-1.notification_failed", 3, Tier.RED),
    ],
)
def test_a_number_grades_it_and_a_missing_number_is_the_worse_case(alarm: str, value: float | None, expected: Tier) -> None:
    assert tier(gas("GT-1"), alarm, value=value) is expected


def test_an_approved_change_is_blue_whatever_it_changed() -> None:
    ward = gas("GT-1", change={"by": "wang", "approved": "2025-11-20", "reason": "as agreed"})
    assert tier(ward, "gw-1.config_changed", value=3) is Tier.BLUE


@pytest.mark.parametrize(("value", "expected"), [("red", Tier.RED), ("orange", Tier.ORANGE), ("yellow", Tier.YELLOW), ("blue", Tier.YELLOW)])
def test_a_failed_message_has_the_tier_of_what_it_told_of(value: str, expected: Tier) -> None:
    ward = Ward(alarms=[standing("GT-1.high", tier=Tier(value), state=State.ACTIVE_UNACKNOWLEDGED)])
    assert tier(ward, "gw-1.escalation_exhausted", members=("GT-1.high",)) is expected


def test_a_failed_message_about_what_no_longer_stands_is_orange() -> None:
    assert tier(gas("GT-1"), "gw-1.escalation_missed", members=("GT-1.high",)) is Tier.ORANGE
    assert tier(gas("GT-1"), "gw-1.escalation_missed") is Tier.ORANGE


@pytest.mark.parametrize(
    ("expected", "conditions"),
    [
        (Tier.ORANGE, "broker_lost journal_failed record_lost canary_failed duplicate_gateway vote_lost low_coverage"),
        (Tier.YELLOW, "store_unreachable balance_open gateway_clock disk_low broker_dropping unreachable_person vote_degraded"),
        (Tier.BLUE, "unknown_sensor quarantine_filling drift commissioning unusual_load"),
        (Tier.RED, "voted"),
    ],
)
def test_conditions_with_one_tier(expected: Tier, conditions: str) -> None:
    assert {condition: tier(gas("GT-1"), f"gw-1.{condition}") for condition in conditions.split()} == dict.fromkeys(conditions.split(), expected)


@pytest.mark.parametrize(("members", "expected"), [(("GT-1.high",), Tier.YELLOW), (("GT-1.high", "GT-1.high_high"), Tier.ORANGE), ((), Tier.ORANGE)])
def test_a_past_excursion_is_graded_by_the_limits_it_passed(members: tuple[str, ...], expected: Tier) -> None:
    assert tier(gas("GT-1"), "rtu-1.past_excursion", members=members) is expected


def test_a_discrepancy_is_orange_where_the_pair_guards_high_high() -> None:
    pairs = [
        {"id": "P-1", "of": ["GT-1", "GT-2"], "tolerance": 3, "guards": "high_high"},
        {"id": "P-2", "of": ["GT-1", "GT-2"], "tolerance": 3},
    ]
    ward = gas("GT-1", "GT-2", pairs=pairs)
    assert [tier(ward, f"{pair}.discrepancy") for pair in ("P-1", "P-2", "P-9")] == [Tier.ORANGE, Tier.YELLOW, Tier.ORANGE]


def test_a_rule_has_the_tier_it_was_written_with() -> None:
    rule = {"id": "R-1", "zone": "pumps", "all": [{"kind": "combustible_gas", "condition": "high"}]}
    ward = gas("GT-1", rules=[rule, rule | {"id": "R-2", "tier": "orange"}])
    assert [tier(ward, f"{each}.rule") for each in ("R-1", "R-2", "R-9")] == [Tier.RED, Tier.ORANGE, Tier.RED]


@pytest.mark.parametrize("condition", sorted(UP_FAMILY | DOWN_FAMILY))
def test_limits_and_rates_have_the_tier_of_the_sensors_file(condition: Condition) -> None:
    ward = Ward(sensor("GT-1", tiers={condition: "orange"}))
    assert tier(ward, f"GT-1.{condition}") is Tier.ORANGE
    assert tier(Ward(sensor("GT-1", tiers={})), f"GT-1.{condition}") is Tier.YELLOW
    assert tier(ward, f"GT-9.{condition}") is Tier.RED


def test_a_site_may_choose_the_tier_of_a_sickness_but_not_hide_that_a_zone_is_blind() -> None:
    quiet = Ward(sensor("GT-1", tiers={"high_high": "red", "stale": "blue"}), sensor("GT-2"))
    assert tier(quiet, "GT-1.stale") is Tier.BLUE
    quiet.facts.say("GT-2", healthy=False)
    assert tier(quiet, "GT-1.stale") is Tier.ORANGE
    assert tier(Ward(sensor("GT-1", tiers={"stuck": "red"})), "GT-1.stuck") is Tier.RED


@pytest.mark.parametrize("condition", list(Condition))
def test_every_condition_of_every_source_has_a_tier(condition: Condition) -> None:
    for source in ("GT-1", "rtu-1", "pumps", "gw-1", "gone"):
        assert tier(gas("GT-1"), f"{source}.{condition}") in Tier


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, False),
        ({"votes": [{"id": "V-1", "of": ["PT-1"], "condition": "high", "vote": "1oo1"}]}, True),
        ({"votes": [{"id": "V-1", "of": ["PT-2"], "condition": "high", "vote": "1oo1"}]}, False),
        ({"rules": [{"id": "R-1", "zone": "pumps", "all": [{"kind": "pressure", "condition": "high"}]}]}, True),
        ({"rules": [{"id": "R-1", "zone": "pumps", "any": [{"sensor": "PT-1", "condition": "high"}]}]}, True),
        ({"rules": [{"id": "R-1", "zone": "pumps", "all": [{"sensor": "PT-2", "condition": "high"}]}]}, False),
        ({"rules": [{"id": "R-1", "zone": "pumps", "all": [{"kind": "pressure", "zone": "tanks", "condition": "high"}]}]}, False),
        ({"rules": [{"id": "R-1", "zone": "pumps", "tier": "orange", "all": [{"kind": "pressure", "condition": "high"}]}]}, False),
    ],
)
def test_a_vote_or_red_rule_over_a_sensor_makes_it_red_capable(changes: dict[str, Any], expected: bool) -> None:
    site = guarded(PLAIN, PLAIN | {"id": "PT-2", "zone": "tanks"}, **changes)
    assert red_capable(site, site.sensors[0]) is expected


@pytest.mark.parametrize(("tiers", "expected"), [({"fire": "red"}, True), ({"high": "red"}, True), ({"high_high": "red"}, False), ({"fire": "orange"}, False)])
def test_a_red_limit_counts_only_where_it_is_set(tiers: dict[str, str], expected: bool) -> None:
    site = guarded(PLAIN | {"tiers": tiers})
    assert red_capable(site, site.sensors[0]) is expected


def test_time_alone_raises_only_what_nobody_has_raised_yet() -> None:
    ward = gas("GT-1", "GT-2")
    tiers = ward.book._watch.tiers
    alarm = standing("GT-1.stale", state=State.ACTIVE_UNACKNOWLEDGED, tier=Tier.YELLOW, raised_at=T0)
    assert tiers.rises_at(alarm) == T0 + 8 * HOUR
    changes: list[dict[str, Any]] = [{"tier": Tier.ORANGE}, {"under": ("rtu-1.offline",)}, {"state": State.RETURNED_UNACKNOWLEDGED}]
    for change in changes:
        assert tiers.rises_at(replace(alarm, **change)) is None
    assert tiers.rises_at(standing("GT-1.high", state=State.ACTIVE_UNACKNOWLEDGED, tier=Tier.YELLOW)) is None


def test_heads_are_looked_at_anew_with_each_batch_of_edges() -> None:
    ward = gas("GT-1", "GT-2", "GT-3")
    ward.true("GT-1.stale", 1)
    ward.facts.say("GT-2", healthy=False)
    ward.facts.say("GT-3", healthy=False)
    ward.true("GT-1.bad_quality", 2)
    assert (ward["GT-1.stale"].tier, ward["GT-1.bad_quality"].tier) == (Tier.ORANGE, Tier.ORANGE)
