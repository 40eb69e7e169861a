"""Every scenario that is meant for real time, against a running gateway: its oracle holds, and fails with a reason when a limit is moved away.

All are played at once, each with a broker and a gateway of its own, so that the file takes as long as the longest of them.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvloop
import yaml
from support.gateway import HAZGATE, Gateway
from support.servers import mosquitto
from support.sink import webhook_sink

from alerts.alarm import EventKind
from simulators.oracle import BEGINS
from simulators.scenario import Scenario, load

SCENARIOS = Path(__file__).parents[2] / "simulators" / "scenarios"
LIVE = {path.stem: scenario for path in sorted(SCENARIOS.glob("*.yaml")) if (scenario := load(path)).script.live}
BLUNT = "lpg-leak with its limits moved away"
LONGER = 60
"""Seconds that a run may take beyond its scenario's length: connecting, confirming, and a busy machine."""


@dataclass(frozen=True)
class Played:
    """What came of one: exit status, the JSON object, the words."""

    status: int
    outcome: dict[str, Any]
    words: str


def site_of(scenario: Scenario) -> dict[str, Any]:
    """Its site file, as a file."""
    text = (SCENARIOS / scenario.script.site).read_text(encoding="utf-8")
    made: dict[str, Any] = json.loads(json.dumps(yaml.safe_load(text), default=str))
    return made


def blunted(site: dict[str, Any]) -> dict[str, Any]:
    """The site with the limits of its gas heads out of reach."""
    for sensor in site["sensors"]:
        if sensor["kind"] == "combustible_gas":
            sensor["limits"] = {"high": 90, "high_high": 99, "override_reason": "a test moves the limit away"}
    return site


async def play(name: str, site: dict[str, Any], folder: Path, starting: asyncio.Semaphore) -> Played:
    """The scenario of that name against a gateway with this site file; `starting` spares the machine."""
    await asyncio.to_thread(folder.mkdir)
    async with mosquitto() as broker, webhook_sink() as sink:
        north = Gateway(folder, broker.url, [site], sink.url)
        try:
            async with starting:
                await north.start()
            command = (HAZGATE, "simulate", str(SCENARIOS / f"{name}.yaml"), "--broker", broker.url, "--json")
            simulate = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
            try:
                out, words = await asyncio.wait_for(simulate.communicate(), LIVE[name].script.duration / 1e9 + LONGER)
            finally:
                if simulate.returncode is None:
                    simulate.kill()
                    await simulate.wait()
            return Played(simulate.returncode or 0, json.loads(out.splitlines()[-1]), words.decode())
        finally:
            await north.stop()
            await north.client.aclose()


async def play_all(folder: Path) -> dict[str, Played]:
    """All of them side by side."""
    sites = {name: (name, site_of(scenario)) for name, scenario in LIVE.items()} | {BLUNT: ("lpg-leak", blunted(site_of(LIVE["lpg-leak"])))}
    starting = asyncio.Semaphore(2)
    found = await asyncio.gather(*(play(name, site, folder / str(number), starting) for number, (name, site) in enumerate(sites.values())))
    return dict(zip(sites, found, strict=True))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """What came of each scenario, and of the blunted one."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(play_all(tmp_path_factory.mktemp("sites")))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", LIVE)
def test_a_scenario_in_real_time_causes_exactly_the_alarms_of_its_oracle(played: dict[str, Played], name: str) -> None:
    found, scenario = played[name], LIVE[name]
    assert (found.status, found.outcome["ok"], found.outcome["differences"]) == (0, True, []), found.words
    assert found.outcome["unconfirmed"] == 0
    began = {seen["alarm"] for seen in found.outcome["alarms"] if EventKind(seen["event"]) in BEGINS}
    assert {alarm for alarm in began if alarm.rpartition(".")[0] in scenario.place.sources} == {must.alarm for must in scenario.script.oracle.must}


def test_a_limit_that_was_moved_away_is_noticed(played: dict[str, Played]) -> None:
    found = played[BLUNT]
    assert (found.status, found.outcome["ok"]) == (1, False)
    assert any("high_high" in difference for difference in found.outcome["differences"])
    assert any(difference in found.words for difference in found.outcome["differences"])


def test_no_scenario_in_real_time_is_longer_than_three_minutes() -> None:
    assert len(LIVE) > 4
    assert max(scenario.script.duration for scenario in LIVE.values()) <= 180 * 10**9
