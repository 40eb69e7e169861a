"""The shipped leak against a running gateway: its oracle holds, and fails with a reason when a limit is moved away."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import yaml
from support.gateway import HAZGATE, Gateway
from support.servers import Mosquitto, mosquitto
from support.sink import webhook_sink

ROOT = Path(__file__).parents[2]
SCENARIO = ROOT / "simulators" / "scenarios" / "lpg-leak.yaml"
SITE = ROOT / "simulators" / "sites" / "lpg-leak.yaml"


async def play(folder: Path, broker: Mosquitto, sink: str, site: dict[str, Any]) -> tuple[int, dict[str, Any], str]:
    """The scenario against a gateway with this site file: exit status, its JSON, its words."""
    await asyncio.to_thread(folder.mkdir)
    north = Gateway(folder, broker.url, [site], sink)
    try:
        await north.start()
        simulate = await asyncio.create_subprocess_exec(
            HAZGATE, "simulate", str(SCENARIO), "--broker", broker.url, "--json", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, words = await asyncio.wait_for(simulate.communicate(), 170)
        return simulate.returncode or 0, json.loads(out.splitlines()[-1]), words.decode()
    finally:
        await north.stop()
        await north.client.aclose()


async def test_the_leak_is_found_in_time_and_a_limit_moved_away_is_noticed(tmp_path: Path) -> None:
    site = yaml.safe_load(SITE.read_text(encoding="utf-8"))
    blunt = json.loads(json.dumps(site, default=str))
    for sensor in blunt["sensors"]:
        if sensor["kind"] == "combustible_gas":
            sensor["limits"] = {"high": 90, "high_high": 99, "override_reason": "a test moves the limit away"}
    async with mosquitto() as one, mosquitto() as other, webhook_sink() as sink:
        true, false = await asyncio.gather(
            play(tmp_path / "true", one, sink.url, json.loads(json.dumps(site, default=str))), play(tmp_path / "blunt", other, sink.url, blunt)
        )
    status, outcome, words = true
    assert (status, outcome["ok"], outcome["differences"]) == (0, True, []), words
    assert outcome["unconfirmed"] == 0
    status, outcome, words = false
    assert (status, outcome["ok"]) == (1, False)
    assert any("high_high" in difference for difference in outcome["differences"])
    assert any(difference in words for difference in outcome["differences"])
