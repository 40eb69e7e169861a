"""Every shipped incident, generated offline and judged in virtual time: its oracle holds exactly, whatever the seed.

The quiet day is a hundred times as long as the longest of them: `test_replay_oracle.py` plays it, once.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from support.offline import site_file, verdict

from simulators.oracle import BEGINS
from simulators.run import run_offline
from simulators.scenario import Scenario, load

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "simulators" / "scenarios"
PROFILES = {path.stem for path in (ROOT / "alerts" / "profiles").glob("*.yaml")}


def _judged(path: Path) -> bool:
    """Whether this version has a profile for every kind of sensor on the scenario's site."""
    site = yaml.safe_load((path.parent / yaml.safe_load(path.read_text(encoding="utf-8"))["site"]).read_text(encoding="utf-8"))
    return {sensor["kind"] for sensor in site["sensors"]} <= PROFILES


ALL = sorted(SCENARIOS.glob("*.yaml"))
INCIDENTS = [path for path in ALL if path.stem != "quiet-day" and _judged(path)]


def _outcome(scenario: Scenario, seed: int, folder: Path) -> tuple[list[str], set[str]]:
    """Differences from the oracle, and the alarms above blue that began."""
    file = folder / "readings.jsonl"
    with file.open("w", encoding="utf-8") as out:
        run_offline(scenario, seed, scenario.script.duration, out)
    found, seen = verdict(scenario, site_file(SCENARIOS / scenario.script.site), file)
    return found, {sighting.alarm for sighting in seen if sighting.event in BEGINS}


@pytest.mark.parametrize("more", [0, 1, 2])
@pytest.mark.parametrize("path", INCIDENTS, ids=lambda path: path.stem)
def test_an_incident_causes_exactly_the_alarms_of_its_oracle(path: Path, more: int, tmp_path: Path) -> None:
    """With its own seed and two others: only the noise differs."""
    scenario = load(path)
    found, began = _outcome(scenario, scenario.script.seed + more, tmp_path)
    assert found == []
    assert began == {must.alarm for must in scenario.script.oracle.must}


def test_the_scenarios_are_all_there_and_can_be_loaded() -> None:
    wanted = {
        "ammonia-demo", "ammonia-release", "boiler-demo", "calibration-day", "circuits-demo", "confined-space", "confined-space-demo",
        "demo", "electrical-fire", "fire-water-demo", "fire-water-loss", "link-loss-backlog", "lpg-leak", "quiet-day", "sensor-faults",
        "tank-farm-demo", "tank-overfill", "vent-blocked", "wrong-clocks",
    }  # fmt: skip
    assert {load(path).name for path in ALL} == wanted


@pytest.mark.parametrize("path", [path for path in ALL if path.stem != "quiet-day"], ids=lambda path: path.stem)
def test_an_oracle_names_what_it_demands_and_what_it_forbids(path: Path) -> None:
    oracle = load(path).script.oracle
    assert oracle.must
    assert oracle.must_not
    assert len({(must.alarm, must.event) for must in oracle.must}) == len(oracle.must)
