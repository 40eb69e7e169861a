"""Every shipped scenario, simulated offline and replayed, gives exactly its oracle."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.replays import oracle_differences, sightings

from simulators.scenario import load

SCENARIOS = Path(__file__).parents[2] / "simulators" / "scenarios"
QUIET_DAY = SCENARIOS / "quiet-day.yaml"
INCIDENTS = sorted(set(SCENARIOS.glob("*.yaml")) - {QUIET_DAY})


@pytest.mark.parametrize("scenario", INCIDENTS, ids=lambda path: path.stem)
def test_a_scenario_simulated_offline_and_replayed_gives_exactly_its_oracle(scenario: Path, tmp_path: Path) -> None:
    assert oracle_differences(scenario, tmp_path) == []


@pytest.mark.timeout(300)  # a quarter of a minute of processor time, which a busy machine stretches
def test_a_quiet_day_of_200_sensors_calls_nobody(tmp_path: Path) -> None:
    """1,728,000 readings of 24 h, and no alarm event, not even a blue one."""
    assert len(load(QUIET_DAY).place.sensors) == 200
    assert oracle_differences(QUIET_DAY, tmp_path) == []
    assert sightings(tmp_path / "events.jsonl") == []
