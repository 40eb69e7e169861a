"""Scenario files are checked in sentences, the oracle compares, and the shipped scenarios do what they promise."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.alarm import EventKind, Tier
from alerts.reading import SECOND, Quality
from simulators.oracle import Ledger, Sighting, differences
from simulators.plant import Plant
from simulators.scenario import ScenarioError, load
from simulators.script import Must, MustNot, Oracle
from simulators.virtual import play

SIMULATORS = Path(__file__).parents[2] / "simulators"
LEAKS = [SIMULATORS / "scenarios" / f"{name}.yaml" for name in ("demo", "lpg-leak")]


def _copy() -> dict[str, Any]:
    script: dict[str, Any] = yaml.safe_load((SIMULATORS / "scenarios/lpg-leak.yaml").read_text(encoding="utf-8"))
    script["site"] = str(SIMULATORS / "sites/lpg-leak.yaml")
    return script


def _load(tmp_path: Path, script: dict[str, Any]) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(script), encoding="utf-8")
    load(path)


@pytest.mark.parametrize(
    ("keys", "value", "sentence"),
    [
        (("duration",), 70, "duration: expected text with a unit, such as 30s"),
        (("durration",), "70s", "durration: extra inputs are not permitted"),
        (("duration",), "4m", "duration: a scenario with `live: true` ends within 3m"),
        (("duration",), "60s", "oracle.must: GT-101.high is due after the scenario has ended"),
        (("timeline", 1, "at"), "0s", "timeline: the first phase is at 0s and each later one begins after the one before"),
        (("timeline", 1, "release", "source"), "P-999", "timeline.leak.release: P-999 is no pump and no tank"),
        (("timeline", 1, "release", "zone"), "tank-area", "timeline.leak.release: plant.air does not describe the zone tank-area"),
        (("timeline", 2, "stop"), ["P-9"], "timeline.isolated.stop: P-9 is no pump"),
        (("timeline", 2, "load_a"), {"C-9": 10}, "timeline.isolated.load_a: C-9 is no cabinet"),
        (("plant", "steady"), [{"sensor": "XX-1", "value": 1}], "plant: XX-1 is no sensor of the site"),
        (("plant", "steady"), [{"sensor": "GT-101", "value": 1}], "plant: GT-101 is bound 2 times"),
        (("plant", "cabinets", 0, "cable"), "RC-401", "plant: nothing says what CT-401 measures"),
        (("plant", "tanks", 0, "level"), "PT-301", "plant: PT-301 is simulated in %, but the site file says MPa"),
        (("plant", "pumps", 0, "suction"), "V-9", "plant.pumps: P-301 draws on V-9, which is no tank"),
        (("plant", "dials", "level"), None, "plant.dials.level: input should be a valid dictionary or instance of DialSpec"),
        (("faults", 0, "sensor"), "GT-999", "faults: GT-999 is no sensor of the site"),
        (("timeline", 1, "turn"), {"T-9": {"inflow_m3_h": 1}}, "timeline.leak.turn: T-9 has no inflow_m3_h"),
        (("timeline", 1, "turn"), {"pump-area": {"wind": 1}}, "timeline.leak.turn: pump-area has no wind"),
        (("plant", "air", "pump-area", "downwind"), "moon", "plant.air.pump-area: plant.air does not describe the zone moon"),
        (("faults", 0), {"device": "rtu-9", "kind": "bad", "at": "1s"}, "faults: rtu-9 is no device of the site"),
        (("faults", 0), {"kind": "bad", "at": "1s"}, "faults.0: name either a sensor or a device"),
        (("faults", 0), {"sensor": "GT-101", "kind": "spike", "at": "1s"}, "faults.0: spike needs a value"),
        (("faults", 0), {"sensor": "GT-101", "kind": "bad", "at": "1s", "value": 3}, "faults.0: bad takes no value"),
        (("faults", 0), {"sensor": "GT-101", "kind": "wrong_clock", "at": "1s"}, "faults.0: a wrong_clock, and no other fault, is either ahead or behind"),
        (
            ("faults", 0),
            {"sensor": "GT-101", "kind": "bad", "at": "1s", "ahead": "8h"},
            "faults.0: a wrong_clock, and no other fault, is either ahead or behind",
        ),
        (("faults", 0, "until"), "1s", "faults: GT-203 recovers before it fails"),
        (("oracle", "must", 0, "alarm"), "GT-999.high", "oracle.must: GT-999.high begins with no sensor, device, zone, vote or rule of the site"),
        (("oracle", "must", 0, "alarm"), "GT-101.hi", "oracle.must: GT-101.hi ends with no condition of an alarm"),
    ],
)
def test_a_wrong_scenario_is_refused_with_its_key_and_a_sentence(tmp_path: Path, keys: tuple[str | int, ...], value: object, sentence: str) -> None:
    script: Any = _copy()
    place = script
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    with pytest.raises(ScenarioError) as caught:
        _load(tmp_path, script)
    assert f"{tmp_path}/wrong.yaml: {sentence}" in caught.value.sentences


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"kind": "volcano"}, "plant.units.0: input tag 'volcano' found using 'kind' does not match any of the expected tags"),
        ({"measures": {"LT-201": "smell"}}, "plant.units.V-9: smell is none of level, pressure, temperature"),
        ({"measures": {"LT-201": "pressure"}}, "plant: LT-201 is simulated in kPa, but the site file says %"),
        ({"at_start": {"speed": 3}}, "plant.units.V-9.at_start: speed is no knob of it"),
    ],
)
def test_a_unit_that_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    tank = {"kind": "storage", "id": "V-9", "volume_m3": 10, "fill": 0.5, "temperature_c": 20, "ambient_c": 20, "relief_kpa": 4}
    script = _copy()
    script["plant"]["units"] = [tank | changes]
    with pytest.raises(ScenarioError) as caught:
        _load(tmp_path, script)
    assert any(sentence in told for told in caught.value.sentences), caught.value.sentences


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    script = _copy()
    del script["plant"]["dials"]["level"]
    script["faults"][0]["sensor"] = "GT-999"
    with pytest.raises(ScenarioError) as caught:
        _load(tmp_path, script)
    assert len(caught.value.sentences) == 2


def test_a_file_that_is_missing_or_no_yaml_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"none\.yaml: cannot be read: No such file or directory"):
        load(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("a: [1,", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"broken\.yaml: is not YAML"):
        load(tmp_path / "broken.yaml")


def test_a_sensor_whose_interval_the_simulation_cannot_keep_is_refused(tmp_path: Path) -> None:
    site = yaml.safe_load((SIMULATORS / "sites/lpg-leak.yaml").read_text(encoding="utf-8"))
    site["sensors"][0]["interval"] = "250ms"
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site), encoding="utf-8")
    script = _copy() | {"site": "site.yaml"}
    with pytest.raises(ScenarioError, match="the interval of GT-101 is no multiple of 100ms"):
        _load(tmp_path, script)


ORACLE = Oracle(
    must=(Must(alarm="GT-1.high", by="10s", tier=Tier.ORANGE), Must(alarm="GT-1.high", event=EventKind.RETURN, by="30s")),
    must_not=(MustNot(alarm="*", above=Tier.BLUE), MustNot(alarm="GT-9.high_high")),
)
SOURCES = frozenset({"GT-1", "GT-2", "GT-9", "rtu-1"})
RAISED = Sighting("GT-1.high", EventKind.RAISE, Tier.ORANGE, 8 * SECOND)
RETURNED = Sighting("GT-1.high", EventKind.RETURN, Tier.ORANGE, 29 * SECOND)


def _judge(*sightings: Sighting, elapsed: int = 40 * SECOND) -> list[str]:
    ledger = Ledger()
    for sighting in sightings:
        ledger.add(sighting)
    return differences(ORACLE, ledger.sightings(), SOURCES, elapsed)


def test_the_alarms_that_must_come_in_time_are_no_difference() -> None:
    assert _judge(RAISED, RETURNED) == []


def test_a_missing_alarm_is_named_with_its_time() -> None:
    assert _judge(RAISED) == ["GT-1.high: return was due by 30.0 s and never came"]


def test_a_late_alarm_is_named_with_how_late() -> None:
    late = dataclasses.replace(RAISED, at=12_500_000_000)
    assert _judge(late, RETURNED) == ["GT-1.high: raise (orange) was due by 10.0 s and came 2.5 s late, at 12.5 s"]


def test_a_repeat_does_not_make_an_alarm_late() -> None:
    assert _judge(RAISED, dataclasses.replace(RAISED, at=20 * SECOND), RETURNED) == []


def test_an_alarm_of_another_tier_is_a_difference() -> None:
    red = dataclasses.replace(RAISED, tier=Tier.RED)
    assert _judge(red, RETURNED) == ["GT-1.high: raise (orange) was due by 10.0 s; it came at 8.0 s, but as red"]


def test_an_alarm_not_yet_due_when_the_run_was_stopped_is_named_so() -> None:
    assert _judge(RAISED, elapsed=20 * SECOND) == ["GT-1.high: return was due by 30.0 s, but the run was stopped at 20.0 s"]


def test_an_unexpected_alarm_is_named_once_at_its_worst() -> None:
    mild = Sighting("GT-2.stale", EventKind.RAISE, Tier.YELLOW, 5 * SECOND)
    worse = Sighting("GT-2.stale", EventKind.TIER_RAISE, Tier.ORANGE, 6 * SECOND)
    assert _judge(RAISED, RETURNED, mild, worse) == ["GT-2.stale: tier_raise (orange) at 6.0 s was not expected"]


def test_a_ban_spares_its_tier_events_that_begin_nothing_and_the_gateways_own_alarms() -> None:
    blue = Sighting("rtu-1.clock_skew", EventKind.RAISE, Tier.BLUE, SECOND)
    ended = Sighting("GT-2.high", EventKind.RESET, Tier.ORANGE, SECOND)
    gateway = Sighting("north-01.config_changed", EventKind.RAISE, Tier.YELLOW, SECOND)
    assert _judge(RAISED, RETURNED, blue, ended, gateway) == []


def test_a_ban_on_one_alarm_holds_whatever_its_tier() -> None:
    far = Sighting("GT-9.high_high", EventKind.RAISE, Tier.BLUE, SECOND)
    assert _judge(RAISED, RETURNED, far) == ["GT-9.high_high: raise (blue) at 1.0 s was not expected"]


def _series(path: Path) -> tuple[dict[str, list[tuple[int, float]]], dict[str, dict[str, Any]]]:
    """Good values of each sensor over the scenario with their times, and each sensor's entry of the site file."""
    scenario = load(path)
    series: dict[str, list[tuple[int, float]]] = {point.id: [] for point in scenario.place.sensors}
    for _, _, batches in play(scenario, scenario.script.seed, scenario.script.duration):
        for sample in (sample for batch in batches for sample in batch.samples if sample.quality is Quality.GOOD):
            series[sample.sensor].append((sample.at, sample.value))
    site = yaml.safe_load((path.parent / scenario.script.site).read_text(encoding="utf-8"))
    return series, {sensor["id"]: sensor for sensor in site["sensors"]}


@pytest.mark.parametrize("path", LEAKS, ids=lambda path: path.stem)
def test_readings_cross_the_limits_in_time_and_fall_in_time_for_the_oracle(path: Path) -> None:
    """A limit is crossed 1 s or more before the alarm is due; the last value inside the deadband is off-delay + 2 s older than a return that is due."""
    series, sensors = _series(path)
    musts = [must for must in load(path).script.oracle.must if must.alarm.rpartition(".")[2] in ("high", "high_high")]
    assert {must.event for must in musts} == {EventKind.RAISE, EventKind.RETURN}
    for must in musts:
        sensor, _, condition = must.alarm.rpartition(".")
        limit = sensors[sensor]["limits"][condition]
        if must.event is EventKind.RAISE:
            assert min(at for at, value in series[sensor] if value >= limit) <= must.by - SECOND
        else:
            off_delay = int(sensors[sensor]["off_delay"].removesuffix("s"))
            inside = max(at for at, value in series[sensor] if value >= limit - sensors[sensor]["deadband"])
            assert inside + (off_delay + 2) * SECOND <= must.by


@pytest.mark.parametrize("path", LEAKS, ids=lambda path: path.stem)
def test_no_other_limit_is_ever_near(path: Path) -> None:
    """Limits without a `must` keep 5 % of the instrument's range away, so that noise of another seed cannot cross them."""
    series, sensors = _series(path)
    demanded = {must.alarm for must in load(path).script.oracle.must}
    for name, sensor in sensors.items():
        margin = (sensor["range"][1] - sensor["range"][0]) / 20
        values = [value for _, value in series[name]]
        for condition, limit in sensor["limits"].items():
            if f"{name}.{condition}" in demanded:
                continue
            gap = min(values) - limit if condition.startswith("low") else limit - max(values)
            assert gap > margin, f"{name}.{condition}"


def test_the_demo_plays_within_its_timetable() -> None:
    """Quiet for 6 s, high by 12 s, high-high by 18 s, isolated by 24 s, everything below its deadband by 34 s, 60 sensors."""
    series, sensors = _series(SIMULATORS / "scenarios/demo.yaml")
    gas = {name: values for name, values in series.items() if sensors[name]["kind"] == "combustible_gas"}
    assert len(series) == 60
    assert max(value for values in gas.values() for at, value in values if at < 6 * SECOND) < 5
    assert 6 * SECOND < min(at for at, value in gas["GT-101"] if value >= 20) <= 12 * SECOND
    assert min(at for at, value in gas["GT-101"] if value >= 40) <= 18 * SECOND
    assert max(value for values in gas.values() for at, value in values if at >= 34 * SECOND) < 18
    assert max(value for values in gas.values() for _, value in values) < 95


def test_the_demo_left_running_drains_no_tank_and_leaves_no_gas() -> None:
    """Ten minutes after the incident the levels stand still and every head reads clean air."""
    scenario = load(SIMULATORS / "scenarios/demo.yaml")
    plant = Plant(scenario.script.plant, {point.id: point.zone for point in scenario.place.sensors})
    for phase in scenario.script.timeline:
        plant.begin(phase)
    levels = {name: tank.level for name, tank in plant.tanks.items()}
    for _ in range(6000):
        plant.step()
    assert {name: tank.level for name, tank in plant.tanks.items()} == levels
    assert max(plant.truth[point.id]() for point in scenario.place.sensors if point.kind == "combustible_gas") < 0.1
