"""Loop currents: scaling, NAMUR NE 43's bands and the codes of single models, as tables and timelines (semantics 2.6)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from support.plant import Plant
from support.sites import T0, raw, register, sensor
from support.sites import site as site_of

from alerts.admit import Admission, Way
from alerts.alarm import Quarantine
from alerts.current import measure
from alerts.reading import SECOND, Quality, Readings
from gateway.config_profiles import complete, profiles, standard
from gateway.config_signals import CodeFigure, signal_maps

What = tuple[str, str | None, str, list[float]]
GAS: What = ("combustible_gas", "propane", "%LEL", [0, 100])
O2: What = ("oxygen", "oxygen", "%VOL", [0, 25])
PRESSURE: What = ("pressure", None, "MPa", [0, 2])


def on_a_loop(what: What, model: str | None = None, **changes: Any) -> dict[str, Any]:
    """A sensor X-1 on a current loop, its codes supplied as the loader does."""
    kind, gas, unit, span = what
    signal = {"kind": "current"} | ({} if model is None else {"map": model})
    given = {"kind": kind, "gas": gas, "unit": unit, "range": span, "interval": "1s", "signal": signal}
    known = standard(given)
    assert known is not None
    return sensor("X-1", off_delay="0s", deadband=0.01, **{**given, "signal": complete(given, known)["signal"], **changes})


def said(made: dict[str, Any], current: float) -> tuple[float | None, str | None]:
    value, quality = measure(site_of(made).sensors[0], current)
    return None if math.isnan(value) else round(value, 4), None if quality is None else quality.name.lower()


SCALED = [(4.0, 0.0), (8.0, 25.0), (12.0, 50.0), (20.0, 100.0), (3.8, -1.25), (3.6, -2.5), (20.5, 103.125), (20.9, 105.625)]


@pytest.mark.parametrize(("current", "value"), SCALED)
def test_a_current_is_scaled_over_the_range_and_a_little_beyond_it(current: float, value: float) -> None:
    assert said(on_a_loop(GAS), current) == (value, None)
    assert said(on_a_loop(PRESSURE), current) == (value / 50, None)


CODES = [
    (GAS, None, 3.59, (None, "bad")),
    (GAS, None, 0.0, (None, "bad")),
    (GAS, None, 21.0, (106.25, None)),
    (GAS, None, 23.0, (118.75, None)),
    (PRESSURE, None, 3.59, (None, "bad")),
    (PRESSURE, None, 20.9, (2.1125, None)),
    (PRESSURE, None, 21.0, (None, "bad")),
    (PRESSURE, "generic", 22.0, (None, "bad")),
    (GAS, "msa-ultima-x", 3.0, (None, "bad")),
    (GAS, "msa-ultima-x", 3.75, (None, "calibrating")),
    (GAS, "msa-ultima-x", 3.65, (-2.1875, None)),
    (GAS, "msa-ultima-x", 21.0, (106.25, None)),
    (O2, "msa-ultima-x", 3.75, (-0.3906, None)),
    (O2, "msa-ultima-x", 21.0, (None, "calibrating")),
    (O2, "msa-ultima-x", 21.5, (27.3438, None)),
    (GAS, "isc-ctx-300", 1.0, (None, "bad")),
    (GAS, "isc-ctx-300", 2.0, (None, "calibrating")),
    (GAS, "isc-ctx-300", 3.0, (None, "bad")),
    (GAS, "isc-ctx-300", 20.0, (100.0, None)),
]


@pytest.mark.parametrize(("what", "model", "current", "expected"), CODES)
def test_a_current_outside_the_measurement_means_what_ne_43_or_its_model_says(
    what: What, model: str | None, current: float, expected: tuple[float | None, str | None]
) -> None:
    assert said(on_a_loop(what, model), current) == expected


# model, what it means, the current in mA: copied from the same tables as the maps, so it holds our copying only
FIGURES = [
    ("generic", "fault", 3.6),
    ("generic", "fault", 21.0),
    ("msa-ultima-x", "fault", 3.0),
    ("msa-ultima-x", "calibrating", 3.75),
    ("msa-ultima-x", "calibrating", 21.0),
    ("msa-ultima-x", "over_range", 21.0),
    ("isc-ctx-300", "fault", 1.0),
    ("isc-ctx-300", "calibrating", 2.0),
    ("isc-ctx-300", "over_range", 20.0),
]


def test_the_codes_of_the_models_are_copied_rightly_and_say_where_they_come_from() -> None:
    codes: list[tuple[str, CodeFigure]] = [(model, code) for model, known in signal_maps().items() for code in known.codes]
    assert sorted((model, code.means, float(code.value)) for model, code in codes) == sorted(FIGURES)
    assert all(code.source and code.mark in {"V", "S", "M"} and code.reviewed is None for _, code in codes)
    assert {kind for _, code in codes for kind in code.kinds} <= set(profiles())


def test_the_sites_own_codes_go_before_those_of_the_model() -> None:
    own = {"means": "calibrating", "at_least": 3.5, "below": 3.7}
    given: dict[str, Any] = {"kind": "pressure", "unit": "MPa", "range": [0, 2], "signal": {"kind": "current", "codes": [own]}}
    known = standard(given)
    assert known is not None
    made = complete(given, known)
    assert said(sensor("X-1", **{**given, "signal": made["signal"]}), 3.55) == (None, "calibrating")


def admitted(made: dict[str, Any], *currents: float, unit: str | None = None) -> Readings | Quarantine:
    door = Admission(register(made))
    refused = door.admit(("north", "rtu-1"), [raw("X-1", current, n, unit=unit) for n, current in enumerate(currents)], T0, Way.LIVE)
    if refused:
        return refused[0][0].reason
    rows = door.batch.take()
    assert rows is not None
    return rows


def test_the_value_is_scaled_and_the_current_is_kept_beside_it() -> None:
    rows = admitted(on_a_loop(GAS), 8.0, 3.0)
    assert isinstance(rows, Readings)
    assert rows.raw.tolist() == [8.0, 3.0]
    np.testing.assert_array_equal(rows.value, [25.0, np.nan])
    assert rows.quality.tolist() == [Quality.GOOD, Quality.BAD]


def test_a_current_may_be_sent_in_milliamperes_amperes_or_without_a_unit_and_in_nothing_else() -> None:
    for unit, current in ((None, 8.0), ("mA", 8.0), ("A", 0.008)):
        rows = admitted(on_a_loop(GAS), current, unit=unit)
        assert isinstance(rows, Readings)
        assert rows.value.tolist() == [pytest.approx(25.0)]
    assert admitted(on_a_loop(GAS), 8.0, unit="%LEL") is Quarantine.WRONG_QUANTITY


def test_a_value_that_is_sent_as_such_has_no_current() -> None:
    rows = admitted(sensor("X-1"), 8.0)
    assert isinstance(rows, Readings)
    assert np.isnan(rows.raw).all()


def series(plant: Plant, *currents: float, start: float = 1) -> list[str]:
    return [text for n, current in enumerate(currents) for text in plant.at(start + n, current, "X-1")]


def test_a_fault_current_is_told_after_four_seconds_and_ends_with_a_measurement() -> None:
    plant = Plant(on_a_loop(GAS))
    assert series(plant, 6.0, 3.0, 3.0, 3.0, 3.0) == []
    assert plant.clock(6) == ["X-1.current_fault true 6"]
    assert plant.at(7, 3.0, "X-1") == []
    assert plant.at(8, 6.0, "X-1") == ["X-1.current_fault false 8"]


def test_a_fault_current_that_ends_sooner_is_nothing() -> None:
    plant = Plant(on_a_loop(GAS))
    assert series(plant, 6.0, 3.0, 3.0, 3.0, 6.0, 3.0, 6.0) == []
    assert plant.clock(20) == []


def test_under_range_down_to_3_6_ma_is_neither_a_fault_nor_out_of_range() -> None:
    plant = Plant(on_a_loop(PRESSURE, limits={"low": 0.2}))
    assert series(plant, *([3.6] * 8)) == ["X-1.low true 1"]


def test_a_fault_current_judges_no_low_limit_and_holds_what_stands() -> None:
    plant = Plant(on_a_loop(PRESSURE, limits={"low": 0.2}))
    assert series(plant, 12.0, 4.0, 0.0, 0.0, 0.0, 0.0) == ["X-1.low true 2"]
    assert plant.clock(7) == ["X-1.current_fault true 7"]
    assert plant.at(8, 12.0, "X-1") == ["X-1.current_fault false 8", "X-1.low false 8"]


def test_21_ma_is_a_fault_of_a_pressure_and_over_range_of_a_gas_at_once() -> None:
    pressure = Plant(on_a_loop(PRESSURE, limits={"high": 1.8}))
    assert series(pressure, *([21.0] * 4)) == []
    assert pressure.clock(5) == ["X-1.current_fault true 5"]
    gas = Plant(on_a_loop(GAS))
    assert series(gas, 21.0) == ["X-1.high true 1", "X-1.high_high true 1", "X-1.high_high over_range 1"]


def test_between_20_5_and_21_ma_every_upper_limit_is_true_and_nothing_is_at_fault() -> None:
    plant = Plant(on_a_loop(PRESSURE, limits={"high": 1.8, "high_high": 2}))
    assert series(plant, *([20.8] * 8)) == ["X-1.high true 1", "X-1.high_high true 1"]


def test_oxygen_that_calibrates_at_21_ma_is_not_over_range_and_is_told_to_have_no_value() -> None:
    plant = Plant(on_a_loop(O2, "msa-ultima-x", limits={"low": 19.5, "high": 23.5}))
    assert series(plant, 17.4, 21.0, 21.0, 21.0, 21.0) == []
    assert plant.clock(6) == ["X-1.bad_quality true 6"]


def test_what_the_device_calls_bad_is_bad_quality_though_its_current_measures() -> None:
    plant = Plant(on_a_loop(GAS))
    for second in range(1, 5):
        assert plant.at(second, 12.0, "X-1", quality=Quality.BAD) == []
    assert plant.clock(5) == ["X-1.bad_quality true 5"]


def test_no_value_of_two_kinds_is_one_sickness() -> None:
    plant = Plant(on_a_loop(GAS))
    assert series(plant, math.nan, math.nan, 3.0, 3.0) == []
    assert plant.clock(5) == ["X-1.current_fault true 5"]
    assert series(plant, math.nan, math.nan, math.nan, math.nan, math.nan, start=6) == []


def test_a_fault_that_waits_for_its_four_seconds_outlives_a_restart() -> None:
    before = Plant(on_a_loop(GAS))
    series(before, 6.0, 3.0, 3.0)
    after = Plant(on_a_loop(GAS))
    after.engine.restore(before.engine.checkpoint(), np.array([0]))
    after.engine.subscribed(T0 + 4 * SECOND)
    assert after.clock(6) == ["X-1.current_fault true 6"]


def test_a_state_is_called_by_its_name_and_a_value_between_two_has_none() -> None:
    valve = site_of(sensor("XV-1", kind="digital_state", unit=None, gas=None, limits={}, range=[0, 2], states={0: "open", 1: "closed"})).sensors[0]
    assert [valve.state(value) for value in (0.0, 1.0, 2.0, 0.5, math.inf)] == ["open", "closed", None, None, None]
