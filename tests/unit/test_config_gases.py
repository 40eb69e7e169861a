"""What a site file must say of a gas, and what its kind then supplies."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.files import SITE, problems, sound, spoil

PT = SITE[SITE.index("  - id: PT-1") : SITE.index("  - id: RC-1")]


def with_sensor(**keys: str) -> str:
    """The site with a sensor X-1 instead of PT-1."""
    body = {"zone": "tank-area", "device": "rtu-1", "interval": "1s", "commissioned": "2026-01-15", **keys}
    lines = "".join(f"    {key}: {value}\n" for key, value in body.items())
    return spoil(SITE, PT, f"  - id: X-1\n{lines}")


def told(folder: Path, **keys: str) -> dict[str, str]:
    return {problem.key.removeprefix("sensors.X-1."): problem.sentence for problem in problems(folder, site=with_sensor(**keys))}


def test_limits_of_a_toxic_gas_come_in_ppm_at_the_reference_temperature(tmp_path: Path) -> None:
    keys = {"kind": "toxic_gas", "gas": "H2S", "unit": "ppm", "range": "[0, 100]", "reference_temperature": "20"}
    sensor = sound(tmp_path, site=with_sensor(**keys)).sites[0].sensors[1]
    assert sensor.limits.high == pytest.approx(7.06, abs=0.005)
    assert sensor.limits.high_high == pytest.approx(14.12, abs=0.01)
    assert sensor.deadband == pytest.approx(0.706, abs=0.001)
    assert sensor.substance == (34.076, 4.0, 20.0)


def test_a_limit_in_ppm_is_compared_with_the_standards_in_milligrams(tmp_path: Path) -> None:
    keys = {"kind": "toxic_gas", "gas": "H2S", "unit": "ppm", "range": "[0, 100]", "reference_temperature": "20"}
    assert told(tmp_path, **keys, limits="{high: 7, high_high: 14}") == {}
    assert list(told(tmp_path, **keys, limits="{high: 10, high_high: 14}")) == ["limits.high"]


def test_combustible_gas_may_be_read_in_percent_of_volume(tmp_path: Path) -> None:
    sensor = sound(tmp_path, site=with_sensor(kind="combustible_gas", gas="methane", unit='"%VOL"', range="[0, 5]")).sites[0].sensors[1]
    assert (sensor.limits.high, sensor.limits.high_high, sensor.deadband) == (1.25, 2.5, 0.1)


def test_a_mixture_says_its_explosive_limit_itself(tmp_path: Path) -> None:
    keys = {"kind": "combustible_gas", "gas": "naphtha", "unit": '"%VOL"', "range": "[0, 5]"}
    assert told(tmp_path, **keys) == {"lel": "is missing; the table of gases has no naphtha, so write its lower explosive limit in %VOL"}
    assert sound(tmp_path, site=with_sensor(**keys, lel="1.2")).sites[0].sensors[1].limits.high == pytest.approx(0.3)


def test_a_toxic_gas_outside_the_table_needs_limits_of_the_sites_own(tmp_path: Path) -> None:
    keys = {"kind": "toxic_gas", "gas": "arsine", "unit": "mg/m3", "range": "[0, 1]", "reference_temperature": "20"}
    assert told(tmp_path, **keys) == {"gas": "'arsine' has no limits in toxic_gas; write high and high_high"}
    assert told(tmp_path, **keys, limits="{high: 0.03, high_high: 0.06}") == {}


def test_a_toxic_gas_needs_its_name_and_reference_temperature(tmp_path: Path) -> None:
    assert set(told(tmp_path, kind="toxic_gas", unit="ppm", range="[0, 100]")) == {"gas", "reference_temperature"}


def test_oxygen_needs_no_gas_and_takes_no_other(tmp_path: Path) -> None:
    keys = {"kind": "oxygen", "unit": '"%VOL"', "range": "[0, 25]"}
    sensor = sound(tmp_path, site=with_sensor(**keys)).sites[0].sensors[1]
    assert (sensor.gas, sensor.limits.low_low, sensor.limits.low, sensor.limits.high, sensor.latch) == ("oxygen", 18, 19.5, 23.5, True)
    assert told(tmp_path, **keys, gas="O2") == {}
    assert told(tmp_path, **keys, gas="argon") == {"gas": "oxygen measures oxygen, not argon; leave the gas out"}


@pytest.mark.parametrize("kind", ["smoke", "heat", "flame", "manual_call_point", "arc_fault", "digital_state", "external_event"])
def test_a_kind_whose_alarms_are_not_judged_yet_says_so_at_every_check(kind: str, tmp_path: Path) -> None:
    found = told(tmp_path, kind=kind)
    assert list(found) == ["kind"]
    assert "it is recorded, and NO" in found["kind"]


def test_a_state_spans_its_states_and_has_no_unit(tmp_path: Path) -> None:
    keys = {"kind": "digital_state", "states": "{0: open, 1: closed, 2: bypassed}", "normal": "open"}
    assert sound(tmp_path, site=with_sensor(**keys)).sites[0].sensors[1].range == (0, 2)
    assert "has no unit" in told(tmp_path, **keys, unit="m")["unit"]
