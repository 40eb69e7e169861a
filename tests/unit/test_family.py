"""One side of a sensor is told through its lead: who leads, who is folded, what is told when that changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.alarms import Ward, standing
from support.sites import sensor

from alerts.alarm import Alarm, Condition, EventKind, State, Suppression, SuppressionKind, Tier
from alerts.edge import EdgeKind
from alerts.family import OUTWARDNESS, kind_rank, lead, listing
from alerts.ledger import Cause, Change

AU, AA, LA = State.ACTIVE_UNACKNOWLEDGED, State.ACTIVE_ACKNOWLEDGED, State.LATCHED_ACKNOWLEDGED


def led(*members: Alarm) -> str | None:
    found = lead(members)
    return None if found is None else found.condition


def high(**changes: Any) -> Alarm:
    return standing("GT-1.high", **({"tier": Tier.ORANGE, "state": AU} | changes))


def high_high(**changes: Any) -> Alarm:
    return standing("GT-1.high_high", **({"tier": Tier.RED, "state": AU} | changes))


def test_the_worst_unacknowledged_member_leads() -> None:
    assert led(high(), high_high()) == "high_high"
    assert led(high(), high_high(state=AA)) == "high"


def test_of_acknowledged_members_the_worst_active_one_leads() -> None:
    assert led(high(state=AA), high_high(state=LA)) == "high"


def test_of_returned_members_the_worst_leads() -> None:
    assert led(high(state=LA), high_high(state=LA)) == "high_high"


def test_a_shelved_member_does_not_lead_while_another_is_unacknowledged() -> None:
    shelved = high_high(tier=Tier.ORANGE, suppression=(Suppression(SuppressionKind.SHELVED),))
    assert led(shelved, high(tier=Tier.YELLOW)) == "high"


def test_normal_members_never_lead() -> None:
    assert led(high(state=State.NORMAL)) is None
    assert led() is None


def test_at_one_tier_the_outer_limit_leads_and_then_the_elder() -> None:
    assert led(high(tier=Tier.RED), high_high()) == "high_high"
    younger = replace(high(), raised_at=9, started=2)
    assert lead([younger, high()]) == high()


def test_forecasts_lie_inside_rates_and_rates_inside_limits() -> None:
    ordered = sorted((c for c in OUTWARDNESS if c in {"predicted_high", "predicted_high_high", "rise", "high", "high_high"}), key=OUTWARDNESS.__getitem__)
    assert ordered == ["predicted_high", "predicted_high_high", "rise", "high", "high_high"]
    assert OUTWARDNESS[Condition.LOW_LOW] == OUTWARDNESS[Condition.HIGH_HIGH]


def test_people_read_by_tier_then_unacknowledged_then_toxic_then_elder() -> None:
    kinds = {"CL-1": "toxic_gas", "GT-1": "combustible_gas"}
    alarms = [
        standing("PT-1.high", tier=Tier.YELLOW, state=AU),
        standing("GT-1.high", tier=Tier.ORANGE, state=AA),
        standing("GT-2.high", tier=Tier.ORANGE, state=AU, raised_at=5),
        standing("GT-3.high", tier=Tier.ORANGE, state=AU, raised_at=1),
        standing("GT-1.rise", tier=Tier.ORANGE, state=AU, raised_at=9),
        standing("CL-1.high", tier=Tier.ORANGE, state=AU, raised_at=9),
        standing("GT-1.high_high", state=AA),
    ]
    names = [alarm.id for alarm in listing(alarms, lambda alarm: kinds.get(alarm.source))]
    assert names == ["GT-1.high_high", "CL-1.high", "GT-1.rise", "GT-3.high", "GT-2.high", "GT-1.high", "PT-1.high"]


def test_open_path_counts_as_combustible() -> None:
    assert kind_rank("toxic_gas") < kind_rank("open_path") == kind_rank("combustible_gas") < kind_rank("pressure") == kind_rank(None)


def test_only_the_worst_of_what_one_reading_raises_is_told() -> None:
    """And it is written last, so that its number covers the ones folded under it."""
    ward = Ward()
    events = ward.edges(ward.edge("GT-1.high_high", EdgeKind.TRUE, 1, 60), ward.edge("GT-1.high", EdgeKind.TRUE, 1, 60))
    assert events == ["raise GT-1.high N>AU", "raise GT-1.high_high N>AU !"]
    assert ward["GT-1.high_high"].sequence == 42
    assert ward["GT-1.high_high"].first_out
    assert not ward["GT-1.high"].first_out


def test_a_worse_member_becomes_the_lead_and_subsumes_the_lower_one() -> None:
    ward = Ward()
    ward.true("GT-1.high", 1, 30)
    assert ward.true("GT-1.high_high", 2, 60) == ["raise GT-1.high_high N>AU !", "subsume GT-1.high AU>AU"]
    assert (ward["GT-1.high"].lead, ward["GT-1.high_high"].lead) == (False, True)


def test_a_lower_member_raised_under_an_unacknowledged_lead_is_listed_and_not_told() -> None:
    ward = Ward()
    ward.true("GT-1.high_high", 1, 60)
    assert ward.true("GT-1.high", 2, 60) == ["raise GT-1.high N>AU"]


def test_a_lower_member_raised_under_an_acknowledged_lead_is_told() -> None:
    ward = Ward()
    ward.true("GT-1.high_high", 1, 60)
    ward.do("acknowledge", "GT-1.high_high")
    assert ward.true("GT-1.rise", 2, 60) == ["raise GT-1.rise N>AU !"]
    assert ward["GT-1.rise"].lead


def test_acknowledging_the_lead_acknowledges_the_lower_ones_and_never_the_reverse() -> None:
    ward = Ward()
    ward.true("GT-1.high", 1, 30)
    ward.true("GT-1.high_high", 2, 60)
    assert ward.do("acknowledge", "GT-1.high") == ["acknowledge GT-1.high AU>AA"]
    ward.do("unacknowledge", "GT-1.high")
    assert ward.do("acknowledge", "GT-1.high_high") == ["acknowledge GT-1.high_high AU>AA", "acknowledge GT-1.high AU>AA"]


def test_the_lead_falls_silently_to_an_acknowledged_member() -> None:
    ward = Ward()
    ward.true("GT-1.high", 1, 30)
    ward.true("GT-1.high_high", 2, 60)
    ward.do("acknowledge", "GT-1.high_high")
    assert ward.false("GT-1.high_high", 3, 30) == ["return GT-1.high_high AA>LA"]
    assert (ward["GT-1.high"].lead, ward["GT-1.high_high"].lead) == (True, False)


def test_an_unacknowledged_member_that_moves_up_is_told_again() -> None:
    """Its earlier messages were withdrawn when it was subsumed, so this is a new annunciation."""
    ward = Ward(alarms=[high(lead=False, annunciation=1), high_high(tier=Tier.ORANGE, lead=True)])
    shelved = replace(ward["GT-1.high_high"], suppression=(Suppression(SuppressionKind.SHELVED),))
    ledger = ward.book._ledger
    ledger.write([Change(shelved, EventKind.SHELVE)], Cause(ward.moment, ward.moment, "li"))
    kinds = [(event.kind, event.alarm.id, event.annunciates) for event in ledger.close()]
    assert kinds == [(EventKind.SHELVE, "GT-1.high_high", False), (EventKind.SUBSUME, "GT-1.high_high", False), (EventKind.LEAD, "GT-1.high", True)]
    assert ward["GT-1.high"].annunciation == 2


def test_the_two_sides_of_a_sensor_are_two_families() -> None:
    ward = Ward(sensor("OX-1", kind="oxygen", limits={"low": 19.5, "high": 23.5}, range=[0, 30], deadband=0.2, unit="%VOL", gas=None))
    ward.true("OX-1.low", 1, 19)
    ward.true("OX-1.high", 2, 24)
    assert {ward["OX-1.low"].family, ward["OX-1.high"].family} == {"OX-1.down", "OX-1.up"}
    assert ward["OX-1.low"].lead
    assert ward["OX-1.high"].lead


def test_first_out_at_one_moment_is_toxic_before_combustible_then_file_order() -> None:
    heads = [sensor("GT-1"), sensor("GT-2"), sensor("CL-1", kind="toxic_gas", unit="ppm", gas="Cl2")]
    ward = Ward(*heads)
    ward.edges(*(ward.edge(f"{head}.high", EdgeKind.TRUE, 1, 30) for head in ("GT-2", "GT-1", "CL-1")))
    assert [alarm.id for alarm in ward.book.alarms().values()] == ["CL-1.high", "GT-1.high", "GT-2.high"]
    assert [alarm.first_out for alarm in ward.book.alarms().values()] == [True, False, False]


def test_only_the_first_alarm_of_a_quiet_zone_is_first_out() -> None:
    ward = Ward(sensor("GT-1"), sensor("GT-2"), sensor("GT-3", zone="tanks"))
    ward.true("GT-1.high", 1, 30)
    ward.true("GT-2.high", 2, 30)
    ward.true("GT-3.high", 3, 30)
    assert [ward[f"GT-{n}.high"].first_out for n in (1, 2, 3)] == [True, False, True]


@pytest.mark.parametrize("order", [("GT-1.high", "GT-1.high_high"), ("GT-1.high_high", "GT-1.high")])
def test_who_leads_does_not_depend_on_the_order_of_edges(order: tuple[str, str]) -> None:
    together, apart = Ward(), Ward()
    together.edges(*(together.edge(alarm, EdgeKind.TRUE, 1, 60) for alarm in order))
    for alarm in order:
        apart.true(alarm, 1, 60)
    assert {a: (x.state, x.lead) for a, x in together.book.alarms().items()} == {a: (x.state, x.lead) for a, x in apart.book.alarms().items()}
