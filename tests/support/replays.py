"""A scenario through `hazgate replay`, held against its oracle."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from alerts.alarm import EventKind, Tier
from alerts.reading import MILLISECOND
from gateway.cli.main import main
from simulators.oracle import Sighting, differences
from simulators.run import OFFLINE_START, run_offline
from simulators.scenario import load


def oracle_differences(scenario: Path, folder: Path, seed: int | None = None) -> list[str]:
    """Write the scenario's readings to a file in `folder`, replay them with its own site file, and compare with its oracle.

    Everything in which they differ, one sentence each, and none if nothing. The files `recording.jsonl` and `events.jsonl` stay.
    """
    played = load(scenario)
    script = played.script
    recording, events = folder / "recording.jsonl", folder / "events.jsonl"
    with recording.open("w", encoding="utf-8") as file:
        run_offline(played, script.seed if seed is None else seed, script.duration, file)
    site = scenario.parent / script.site
    assert main(["replay", "--site", str(site), str(recording), "--output", str(events)]) == 0
    return differences(script.oracle, sightings(events), played.place.sources, script.duration)


def sightings(events: Path) -> list[Sighting]:
    """The events that `hazgate replay` wrote, as an oracle sees them: at the virtual time at which they were found."""
    found = []
    for line in events.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        at = dt.datetime.fromisoformat(event["recorded_at"]) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        began = OFFLINE_START // MILLISECOND
        since = at // dt.timedelta(milliseconds=1) - began
        found.append(Sighting(event["alarm"], EventKind(event["event"]), Tier(event["tier"]), since * MILLISECOND))
    return found
