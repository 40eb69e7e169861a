"""Every kind against the figures and tiers it was copied from.

The tables below were copied from the same secondary sources as the profiles: agreement shows that our copying is right,
and nothing about the standards.
"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from alerts.alarm import Condition, Tier
from gateway.config_figure import Figure
from gateway.config_gases import gases
from gateway.config_profiles import profiles, standard

# gas: (kind of limit, its value, short-term value, immediately dangerous, first level, second level), mg/m3
TOXIC: dict[str, tuple[str, float, float | None, float | None, float, float]] = {
    "H2S": ("mac", 10, None, 430, 10, 20),
    "CO": ("twa", 20, 30, 1700, 20, 40),
    "Cl2": ("mac", 1, None, 88, 1, 2),
    "NH3": ("twa", 20, 30, 360, 20, 40),
    "SO2": ("twa", 5, 10, 270, 5, 10),
    "NO2": ("twa", 5, 10, 96, 5, 10),
    "NO": ("twa", 5, 10, 120, 5, 10),
    "C6H6": ("twa", 6, 10, 9800, 6, 12),
    "HCHO": ("oel", 2, None, 37, 2, 4),
    "CO2": ("twa", 9000, 18000, 92000, 9000, 18000),
    "HF": ("mac", 2, None, 500, 2, 4),
    "HCN": ("mac", 1, None, 56, 1, 2),
    "HCl": ("mac", 7.5, None, 150, 7.5, 15),
    "COCl2": ("mac", 0.5, None, 8, 0.5, 1),
    "C2H4O": ("twa", 0.6, 2, 1500, 0.6, 1.2),
    "C3H3N": ("twa", 1, 2, 1100, 1, 2),
    "CH3OH": ("twa", 25, 50, 33000, 25, 50),
    "toluene": ("twa", 50, 100, 7700, 50, 100),
    "xylene": ("twa", 50, 100, 4400, 50, 100),
    "O3": ("mac", 0.3, None, 20, 0.3, 0.6),
    "VCM": ("twa", 10, 25, None, 10, 20),
    "H2O2": ("oel", 1.5, None, 100, 1.5, 3),
    "phenol": ("oel", 10, None, 950, 10, 20),
}
# kind: (limits, deadband, what it is a part of, on-delay, off-delay, latch, stale)
START: dict[str, tuple[dict[str, float], float, str | None, str, str, bool, str]] = {
    "open_path": ({"high": 1, "high_high": 2}, 0.1, None, "0s", "60s", True, "30s"),
    "toxic_gas": ({}, 10, "limit", "0s", "60s", True, "30s"),
    "oxygen": ({"low_low": 18, "low": 19.5, "high": 23.5}, 0.2, None, "0s", "60s", True, "30s"),
    "flow": ({}, 5, "span", "15s", "15s", False, "60s"),
    "fire_water_pressure": ({}, 2, "span", "15s", "15s", False, "30s"),
    "fire_water_level": ({}, 2, "span", "15s", "60s", False, "60s"),
    "power": ({}, 2, "span", "5s", "30s", False, "60s"),
    "wind": ({"high": 13.8}, 1, None, "60s", "60s", False, "120s"),
}
B, Y, O, R = Tier.BLUE, Tier.YELLOW, Tier.ORANGE, Tier.RED  # noqa: E741 (the letters of the table below)
SIDES: dict[str, dict[str, Tier]] = {
    "open_path": {"high": O, "high_high": R, "rise": Y, "fall": Y},
    "oxygen": {"low_low": R, "low": O, "high": O, "high_high": R},
    "flow": {"low_low": O, "low": Y, "high": Y, "high_high": O, "rise": Y, "fall": Y},
    "fire_water_pressure": {"low_low": O, "low": Y, "high": Y, "high_high": Y, "rise": Y, "fall": Y, "predicted_low_low": B},
    "fire_water_level": {"low_low": O, "low": Y, "high": Y, "high_high": Y, "rise": Y, "fall": Y, "predicted_low_low": B},
    "power": {"low": O, "unusual_load": B},
    "wind": {"high": B, "high_high": Y},
    "smoke": {"fire": O},
    "heat": {"fire": O},
    "flame": {"fire": R},
    "manual_call_point": {"manual": R},
    "arc_fault": {"trip": O},
    "digital_state": {"trip": O, "off_normal": Y},
    "external_event": {"fire": O, "off_normal": Y},
}


def amount(figure: Figure | None) -> float | None:
    return None if figure is None else float(figure.value)


@pytest.mark.parametrize("gas", TOXIC)
def test_the_figures_of_a_toxic_gas_are_copied_rightly(gas: str) -> None:
    kind, limit, short, danger, first, second = TOXIC[gas]
    found = profiles()["toxic_gas"].gases[gases()[gas.casefold()].gas]
    assert amount(getattr(found, kind)) == limit
    assert (amount(found.stel), amount(found.idlh)) == (short, danger)
    assert (amount(found.limits.high), amount(found.limits.high_high)) == (first, second)


def test_the_table_of_toxic_gases_is_whole_and_each_of_its_names_is_a_gas() -> None:
    assert set(profiles()["toxic_gas"].gases) == {gases()[gas.casefold()].gas for gas in TOXIC}


@pytest.mark.parametrize("gas", TOXIC)
def test_the_first_level_of_a_toxic_gas_is_orange_and_red_for_those_that_kill_at_once(gas: str) -> None:
    known = standard({"kind": "toxic_gas", "gas": gas, "unit": "mg/m3"})
    assert known is not None
    assert known.tiers[Condition.HIGH] == (R if gas in {"Cl2", "HCN", "COCl2", "HF"} else O)
    assert known.tiers[Condition.HIGH_HIGH] == R
    assert known.tiers[Condition.STEL] == O


@pytest.mark.parametrize("kind", START)
def test_a_kind_starts_from_its_figures(kind: str) -> None:
    profile = profiles()[kind]
    limits = {name: amount(figure) for name, figure in dict(profile.limits).items() if figure is not None}
    delays = (profile.on_delay.value, profile.off_delay.value, profile.latch.value, profile.stale.value)
    assert (limits, amount(profile.deadband), profile.deadband.of, *delays) == START[kind]


@pytest.mark.parametrize("kind", SIDES)
def test_the_tiers_of_a_kind_are_those_of_the_table(kind: str) -> None:
    tiers = profiles()[kind].tiers
    assert {name: tiers[Condition(name)] for name in SIDES[kind]} == SIDES[kind]


@pytest.mark.parametrize("kind", ["smoke", "heat", "flame", "manual_call_point", "arc_fault", "digital_state", "external_event"])
def test_a_state_has_neither_unit_nor_limits(kind: str) -> None:
    profile = profiles()[kind]
    assert profile.discrete
    assert profile.units == ()
    assert not any(dict(profile.limits).values())


def walk(value: Any) -> list[Figure]:
    if isinstance(value, Figure):
        return [value]
    inner = dict(value).values() if isinstance(value, BaseModel | dict) else value if isinstance(value, tuple) else ()
    return [figure for each in inner for figure in walk(each)]


def test_every_figure_has_a_source_and_none_claims_a_review_that_nobody_made() -> None:
    found = [figure for held in (dict(profiles()), dict(gases())) for figure in walk(held)]
    assert len(found) > 300
    assert all(figure.source and figure.edition and figure.mark in {"V", "S", "M"} for figure in found)
    assert all(figure.reviewed is None for figure in found)
