"""What a new configuration changes for people, and which of it loosens a red limit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.apps import site_file, write
from support.sites import ESCALATION, sensor, site

from gateway.cli.main import main
from gateway.config_changes import differences, picture


def changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, bool]:
    """Key → whether it loosens red, between two versions of GT-1."""
    old, new = picture([site(sensor("GT-1") | before)]), picture([site(sensor("GT-1") | after)])
    return {each.key: each.loosens_red for each in differences(json.loads(json.dumps(old)), new)}


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({}, {}, {}),
        ({}, {"limits": {"high": 20, "high_high": 50}}, {"sensors.GT-1.limits.high": False}),
        ({}, {"limits": {"high": 30, "high_high": 50}}, {"sensors.GT-1.limits.high": False}),
        ({}, {"limits": {"high": 25, "high_high": 60}}, {"sensors.GT-1.limits.high_high": True}),
        ({}, {"limits": {"high": 25, "high_high": 40}}, {"sensors.GT-1.limits.high_high": False}),
        ({}, {"limits": {"high": 25}}, {"sensors.GT-1.limits.high_high": True}),
        ({"limits": {"low": 5}, "tiers": {"low": "red"}}, {"limits": {"low": 4}, "tiers": {"low": "red"}}, {"sensors.GT-1.limits.low": True}),
        ({"limits": {"low": 5}, "tiers": {"low": "red"}}, {"limits": {"low": 6}, "tiers": {"low": "red"}}, {"sensors.GT-1.limits.low": False}),
        ({}, {"tiers": {"high": "orange", "high_high": "orange"}}, {"sensors.GT-1.tiers.high_high": True}),
        ({}, {"tiers": {"high": "red", "high_high": "red"}}, {"sensors.GT-1.tiers.high": False}),
        ({}, {"on_delay": "5s"}, {"sensors.GT-1.on_delay": True}),
        ({"on_delay": "5s"}, {}, {"sensors.GT-1.on_delay": False}),
        ({}, {"off_delay": "9s", "latch": False}, {"sensors.GT-1.off_delay": False, "sensors.GT-1.latch": False}),
        ({}, {"commissioned": None}, {"sensors.GT-1.commissioned": True}),
        ({}, {"place": "north wall"}, {}),
    ],
)
def test_a_change_of_a_sensor(before: dict[str, Any], after: dict[str, Any], found: dict[str, bool]) -> None:
    assert changed(before, after) == found


def test_a_sensor_that_came_or_went_is_one_change_and_a_lost_red_one_loosens() -> None:
    both, one = picture([site(sensor("GT-1"), sensor("GT-2"))]), picture([site(sensor("GT-1"))])
    assert [str(each) for each in differences(both, one)] == ['north: sensors.GT-2: "combustible_gas" -> nothing (loosens a red limit)']
    assert [str(each) for each in differences(one, both)] == ['north: sensors.GT-2: nothing -> "combustible_gas"']


def test_recipients_are_changes() -> None:
    slower = ESCALATION | {"red": ESCALATION["red"] | {"repeat": "180s"}}
    assert [each.key for each in differences(picture([site(sensor("GT-1"))]), picture([site(sensor("GT-1"), escalation=slower)]))] == ["escalation"]


def test_a_unit_that_need_not_be_said_any_more_is_a_change() -> None:
    asked, left = (picture([site(sensor("GT-1"), devices=devices)]) for devices in ([{"id": "rtu-1", "unit": "required"}], []))
    assert [str(each) for each in differences(asked, left)] == ['north: devices.rtu-1.unit: "required" -> nothing']


def test_check_lists_them_against_an_older_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old").mkdir()
    old = write(tmp_path / "old", site_file(sensor("GT-1", limits={"high": 20, "high_high": 40})))
    new = write(tmp_path, site_file(sensor("GT-1")))
    assert main(["check", str(new), "--against", str(old), "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:-1] == ["north: sensors.GT-1.limits.high: 20.0 -> 25.0", "north: sensors.GT-1.limits.high_high: 40.0 -> 50.0 (loosens a red limit)"]
    assert [change["key"] for change in json.loads(lines[-1])["changes"]] == ["sensors.GT-1.limits.high", "sensors.GT-1.limits.high_high"]
    old.write_text("{")
    assert main(["check", str(new), "--against", str(old)]) == 2
    assert "nothing can be compared" in capsys.readouterr().err
