"""Profiles against the table of figures they were copied from (this holds our copying, not the standards), and how they apply."""

from __future__ import annotations

import importlib.resources
from typing import Any

import pytest

from alerts.alarm import Condition, Tier
from gateway.config_figure import Figure
from gateway.config_profiles import Profile, complete, origins, profiles, standard

KINDS = [
    *("arc_fault", "cable_temperature", "combustible_gas", "digital_state", "external_event", "fire_water_level", "fire_water_pressure"),
    *("flame", "flow", "heat", "level", "manual_call_point", "open_path", "oxygen", "power", "pressure", "residual_current", "smoke"),
    *("temperature", "toxic_gas", "wind"),
]
FIGURES: list[tuple[str, str, object, str | None]] = [
    ("combustible_gas", "limits.high", 25, None),
    ("combustible_gas", "limits.high_high", 50, None),
    ("combustible_gas", "deadband", 2, None),
    ("combustible_gas", "on_delay", "0s", None),
    ("combustible_gas", "off_delay", "60s", None),
    ("combustible_gas", "latch", True, None),
    ("combustible_gas", "stale", "30s", None),
    ("combustible_gas", "rate.rise", "5/m", None),
    ("combustible_gas", "rate.window", "60s", None),
    ("combustible_gas", "rate.minimum", 5, None),
    ("pressure", "deadband", 2, "span"),
    ("pressure", "on_delay", "15s", None),
    ("pressure", "off_delay", "15s", None),
    ("pressure", "latch", False, None),
    ("pressure", "stale", "30s", None),
    ("pressure", "rate.rise", "5/m", "span"),
    ("pressure", "rate.fall", "5/m", "span"),
    ("level", "deadband", 2, "span"),
    ("level", "on_delay", "15s", None),
    ("level", "off_delay", "60s", None),
    ("level", "latch", False, None),
    ("level", "stale", "60s", None),
    ("level", "rate.rise", "2/m", "span"),
    ("temperature", "deadband", 1, "span"),
    ("temperature", "on_delay", "60s", None),
    ("temperature", "off_delay", "60s", None),
    ("temperature", "latch", False, None),
    ("temperature", "stale", "120s", None),
    ("temperature", "rate.rise", "2/m", None),
    ("residual_current", "limits.high", 300, None),
    ("residual_current", "limits.high_high", 500, None),
    ("residual_current", "deadband", 5, "limit"),
    ("residual_current", "on_delay", "5s", None),
    ("residual_current", "off_delay", "30s", None),
    ("residual_current", "latch", True, None),
    ("residual_current", "stale", "60s", None),
    ("residual_current", "rate.rise", "50/m", None),
    ("cable_temperature", "limits.high", 70, None),
    ("cable_temperature", "limits.high_high", 100, None),
    ("cable_temperature", "deadband", 2, None),
    ("cable_temperature", "on_delay", "10s", None),
    ("cable_temperature", "off_delay", "60s", None),
    ("cable_temperature", "latch", True, None),
    ("cable_temperature", "stale", "60s", None),
    ("cable_temperature", "rate.rise", "5/m", None),
]
B, Y, O, R = Tier.BLUE, Tier.YELLOW, Tier.ORANGE, Tier.RED  # noqa: E741 - the letters of the table below
TIERS: list[tuple[str, dict[str, Any], dict[str, Tier]]] = [
    ("combustible_gas", {}, {"high": O, "high_high": R, "rise": Y, "fall": Y, "predicted_high": Y, "predicted_high_high": Y, "drift": B}),
    ("pressure", {}, {"low_low": O, "low": Y, "high": Y, "high_high": R, "rise": Y, "fall": Y, "predicted_high_high": O}),
    ("pressure", {"contents": "liquefied"}, {"high_high": R, "fall": O, "rise": Y}),
    ("pressure", {"contents": "toxic"}, {"fall": O}),
    ("level", {}, {"low_low": O, "low": Y, "high": Y, "high_high": R, "rise": Y, "fall": Y, "predicted_high_high": O}),
    ("temperature", {}, {"low_low": B, "low": B, "high": Y, "high_high": O, "rise": Y, "fall": Y, "predicted_high_high": Y}),
    ("temperature", {"reactive": True}, {"low": Y, "high": O, "high_high": R, "rise": O, "fall": O, "predicted_high_high": O}),
    ("residual_current", {}, {"high": Y, "high_high": O, "rise": B, "fall": B}),
    ("cable_temperature", {}, {"high": Y, "high_high": O, "rise": Y, "fall": Y}),
]


def figure(kind: str, key: str) -> Figure:
    at: Any = profiles()[kind]
    for part in key.split("."):
        at = getattr(at, part)
    assert isinstance(at, Figure)
    return at


def figures(profile: Profile) -> list[Figure]:
    holders: list[Any] = [profile, profile.limits, profile.rate, *profile.variants]
    return [value for holder in holders for value in dict(holder).values() if isinstance(value, Figure)]


def test_the_kinds_are_these_and_each_file_is_named_after_its_own() -> None:
    names = sorted(entry.name for entry in (importlib.resources.files("alerts") / "profiles").iterdir())
    assert list(profiles()) == KINDS
    assert names == [f"{kind}.yaml" for kind in KINDS]


@pytest.mark.parametrize(("kind", "key", "value", "of"), FIGURES)
def test_a_figure_is_copied_rightly(kind: str, key: str, value: object, of: str | None) -> None:
    assert (figure(kind, key).value, figure(kind, key).of) == (value, of)


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_says_where_it_comes_from_and_that_nobody_reviewed_it_yet(kind: str) -> None:
    for found in figures(profiles()[kind]):
        assert found.source
        assert found.edition
        assert found.mark in {"V", "S", "M"}
        assert found.reviewed is None


@pytest.mark.parametrize("kind", ["combustible_gas", "residual_current"])
def test_a_limit_that_claims_a_standard_names_it_with_its_edition(kind: str) -> None:
    for limit in (profiles()[kind].limits.high, profiles()[kind].limits.high_high):
        assert limit is not None
        assert limit.source.startswith("GB")
        assert limit.edition in {"2013", "2019"}
        assert limit.mark in {"V", "S"}


@pytest.mark.parametrize(("kind", "keys", "tiers"), TIERS)
def test_tiers_are_those_of_the_table(kind: str, keys: dict[str, Any], tiers: dict[str, Tier]) -> None:
    known = standard({"kind": kind, **keys})
    assert known is not None
    assert {name: known.tiers[Condition(name)] for name in tiers} == tiers


def whole(**keys: Any) -> dict[str, Any]:
    known = standard(keys)
    assert known is not None
    return complete(keys, known)


def test_percentages_are_taken_of_the_span_or_the_lowest_upper_limit() -> None:
    assert whole(kind="pressure", unit="MPa", range=[-0.5, 2])["deadband"] == pytest.approx(0.05)
    assert whole(kind="residual_current", unit="mA", range=[0, 1000])["deadband"] == pytest.approx(15)
    assert whole(kind="residual_current", unit="mA", range=[0, 1000], limits={"high": 200})["deadband"] == pytest.approx(10)


def test_figures_come_in_the_unit_of_the_sensor() -> None:
    amps = whole(kind="residual_current", unit="A", range=[0, 1])
    assert amps["limits"] == {"high": 0.3, "high_high": 0.5}
    assert amps["deadband"] == pytest.approx(0.015)
    fahrenheit = whole(kind="cable_temperature", unit="degF", range=[0, 300], rate={})
    assert fahrenheit["limits"] == {"high": 158, "high_high": 212}
    assert fahrenheit["deadband"] == pytest.approx(3.6)
    assert fahrenheit["rate"]["rise"] == "9.000000000/m"


def test_a_profile_lends_rates_only_to_a_sensor_that_asks_for_them() -> None:
    assert "rate" not in whole(kind="combustible_gas", unit="%LEL", range=[0, 100])
    asked = whole(kind="combustible_gas", unit="%LEL", range=[0, 100], rate={"window": "30s"})
    assert asked["rate"] == {"rise": "5.000000000/m", "window": "30s", "minimum": 5}


def test_a_reactive_content_is_told_of_sooner_because_it_may_become_red() -> None:
    assert whole(kind="temperature", unit="degC", range=[0, 200])["on_delay"] == "60s"
    assert whole(kind="temperature", unit="degC", range=[0, 200], reactive=True)["on_delay"] == "15s"


def test_what_the_site_wrote_is_no_default_any_more() -> None:
    raw = {"kind": "combustible_gas", "unit": "%LEL", "limits": {"high": 25, "high_high": None}, "stale": "30s"}
    known = standard(raw)
    assert known is not None
    assert sorted(origins(raw, known)) == ["deadband", "latch", "off_delay", "on_delay"]


@pytest.mark.parametrize("keys", [{}, {"kind": 5}, {"kind": ["level"]}, {"kind": "toxic"}])
def test_an_unknown_kind_has_no_standard(keys: dict[str, Any]) -> None:
    assert standard(keys) is None


@pytest.mark.parametrize(
    "keys",
    [
        {"range": "0-100"},
        {"range": [0, "x"]},
        {"limits": 5},
        {"limits": {"high": "x"}},
        {"tiers": 5},
        {"rate": 5},
        {"unit": 5},
        {"interval": 5},
        {"reactive": []},
        {"contents": {}},
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_completing_a_sensor_never_stumbles_over_what_is_wrong_in_it(kind: str, keys: dict[str, Any]) -> None:
    made = whole(kind=kind, **keys)
    assert all(made[key] == value for key, value in keys.items() if key not in {"limits", "tiers", "rate"})
