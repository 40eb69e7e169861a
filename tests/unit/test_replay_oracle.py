"""Every shipped scenario, simulated offline and replayed, gives exactly its oracle."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.replays import oracle_differences

SCENARIOS = sorted((Path(__file__).parents[2] / "simulators/scenarios").glob("*.yaml"))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_simulated_offline_and_replayed_gives_exactly_its_oracle(scenario: Path, tmp_path: Path) -> None:
    assert oracle_differences(scenario, tmp_path) == []
