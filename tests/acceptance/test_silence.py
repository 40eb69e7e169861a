"""Every publisher stops in the middle of an on-delay: the alarm comes all the same, and then the gateway says that it is blind."""

from __future__ import annotations

import json
from pathlib import Path

from support.gateway import gateway, reading, site_file
from support.servers import mosquitto
from support.sink import webhook_sink
from support.sites import sensor
from support.wait import eventually

READINGS = "hazgate/v1/north/rtu-1/readings"


async def test_an_on_delay_ends_by_the_clock_then_stale_and_value_lost_follow(tmp_path: Path) -> None:
    site = site_file(sensor("GT-101", on_delay="2s", stale="4s"))
    async with mosquitto() as broker, webhook_sink() as sink, gateway(tmp_path, broker, sink, site) as north:
        await north.start()
        async with broker.listening("hazgate/v1/north/alarm-events") as heard:
            await broker.publish(READINGS, reading("GT-101", 60))
            await eventually(lambda: any(h.json["event"] == "value_lost" for h in heard))
            seen = [(h.json["alarm"], h.json["event"]) for h in heard]
            lead = "GT-101.high_high"
            assert seen.index((lead, "raise")) < seen.index(("GT-101.stale", "raise")) < seen.index((lead, "value_lost"))
            states = await north.alarms()
            assert states[lead] == "active_unacknowledged"
            alarm = await north.get(f"sites/north/alarms/{lead}")
            assert (alarm["value_lost"], alarm["value"], alarm["annunciation"]) == (True, 60, 2)
        await eventually(lambda: [json.loads(r.body)["notification"]["kind"] for r in sink.requests if r.path == "/desk"].count("again") >= 1)
        assert not any(json.loads(r.body)["condition"] == "stale" for r in sink.requests), "its own stale is listed, not told beside it"
