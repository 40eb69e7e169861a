"""Conversions between units, held against figures worked by hand and against a library made for it."""

from __future__ import annotations

import re

import pint
import pytest
from support.sites import T0, raw, register, sensor

from alerts.admit import Admission, Way
from alerts.alarm import Quarantine
from alerts.units import UNITS, Substance, conversion, molar_volume
from gateway.config_gases import find, gases

ATOMS = {"H": 1.008, "C": 12.011, "N": 14.007, "O": 15.999, "F": 18.998, "S": 32.06, "Cl": 35.45}
H2S = Substance(34.076, 4.0)
PINT = dict(
    pair.split(" is ")
    for pair in (
        *("%VOL is percent", "ppm is ppm", "mg/m3 is milligram/meter**3", "Pa is pascal", "kPa is kilopascal", "MPa is megapascal", "bar is bar"),
        *("m is meter", "mm is millimeter", "degC is degree_Celsius", "degF is degree_Fahrenheit", "m3/h is meter**3/hour", "L/min is liter/minute"),
        *("t/h is metric_ton/hour", "mA is milliampere", "A is ampere", "V is volt", "W is watt", "kW is kilowatt", "m/s is meter/second"),
    )
)
PAIRS = [(one, other) for one in PINT for other in PINT if UNITS[one][0] == UNITS[other][0]]


@pytest.fixture(scope="module")
def library() -> pint.UnitRegistry[float]:
    return pint.UnitRegistry()


@pytest.mark.parametrize(("given", "wanted"), PAIRS)
def test_our_factors_are_those_of_a_library_of_units(given: str, wanted: str, library: pint.UnitRegistry[float]) -> None:
    found = conversion(given, wanted)
    assert found is not None
    theirs = library.Quantity(37.5, PINT[given]).to(PINT[wanted]).magnitude
    assert 37.5 * found[0] + found[1] == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize(("celsius", "liters"), [(0, 22.414), (20, 24.055), (25, 24.465)])
def test_the_molar_volume_is_that_of_the_usual_tables(celsius: float, liters: float) -> None:
    assert molar_volume(celsius) == liters


@pytest.mark.parametrize(
    ("gas", "milligrams", "celsius", "ppm"),
    [("H2S", 10, 0, 6.58), ("H2S", 10, 20, 7.06), ("H2S", 10, 25, 7.18), ("CO", 20, 0, 16.0), ("CO", 20, 20, 17.2), ("CO", 20, 25, 17.5)],
)
def test_milligrams_become_ppm_by_molar_mass_and_reference_temperature(gas: str, milligrams: float, celsius: float, ppm: float) -> None:
    found = find(gas)
    assert found is not None
    known = Substance(float(found.molar_mass.value), None, celsius)
    there, back = conversion("mg/m3", "ppm", known), conversion("ppm", "mg/m3", known)
    assert there is not None
    assert back is not None
    assert milligrams * there[0] == pytest.approx(ppm, abs=0.05 if gas == "CO" else 0.005)
    assert there[0] * back[0] == pytest.approx(1)
    assert there[1] == back[1] == 0


def test_percent_of_the_explosive_limit_becomes_percent_of_volume_by_that_limit() -> None:
    methane = Substance(16.043, 5.0)
    factors = {pair: conversion(*pair, methane) or () for pair in (("%LEL", "%VOL"), ("%VOL", "%LEL"), ("ppm", "%LEL"))}
    assert [list(found) for found in factors.values()] == [pytest.approx([0.05, 0]), pytest.approx([20, 0]), pytest.approx([0.002, 0])]


@pytest.mark.parametrize(
    ("given", "wanted", "gas"),
    [
        ("mg/m3", "ppm", H2S),
        ("mg/m3", "ppm", Substance(None, None, 20)),
        ("%LEL", "%VOL", Substance(34.076)),
        ("kPa", "ppm", H2S),
        ("LEL.m", "%LEL", H2S),
        ("%", "%VOL", H2S),
        ("stone", "ppm", H2S),
    ],
)
def test_without_what_it_needs_nothing_is_converted(given: str, wanted: str, gas: Substance) -> None:
    assert conversion(given, wanted, gas) is None


def test_molar_masses_are_the_sums_of_their_atoms() -> None:
    for gas in gases().values():
        parts = re.findall(r"([A-Z][a-z]?)(\d*)", gas.formula)
        assert gas.molar_mass.value == pytest.approx(sum(ATOMS[atom] * int(count or 1) for atom, count in parts), abs=0.001)


def test_a_gas_is_found_by_formula_by_name_and_in_chinese() -> None:
    assert {found.gas for name in ("H2S", "h2s", "Hydrogen sulfide", "hydrogen_sulfide", "硫化氢") if (found := find(name))} == {"hydrogen_sulfide"}
    assert find("phlogiston") is None
    assert find(5) is None


def test_a_reading_is_converted_where_the_sensors_gas_allows_it_and_is_another_quantity_where_not() -> None:
    toxic = {"kind": "toxic_gas", "gas": "H2S", "unit": "mg/m3", "range": [0, 100]}
    known = sensor("H-1", **toxic, reference_temperature=20, molar_mass=34.076)
    door = Admission(register(known, sensor("H-2", **toxic, reference_temperature=20)))
    sent = [raw("H-1", 7.06, 0, unit="ppm"), raw("H-2", 7.06, 0, unit="ppm"), raw("H-1", 7.06, 1, unit="%LEL")]
    refused = door.admit(("north", "rtu-1"), sent, T0, Way.LIVE)
    assert [(rejection.reason, reading.sensor) for rejection, reading in refused] == [(Quarantine.WRONG_QUANTITY, "H-2"), (Quarantine.WRONG_QUANTITY, "H-1")]
    rows = door.batch.take()
    assert rows is not None
    assert rows.value.tolist() == [pytest.approx(10, abs=0.01)]
