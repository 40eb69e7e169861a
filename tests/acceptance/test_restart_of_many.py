"""A site with 500 active alarms whose gateway is killed: what began, returned and fell due meanwhile is known and told after the start."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from support.gateway import Gateway, gateway, reading, site_file
from support.servers import Mosquitto
from support.sink import Request, Sink
from support.sites import PEOPLE, ROTA, sensor
from support.wait import eventually

from gateway.dispatch import AT_ONCE

READINGS = "hazgate/v1/north/rtu-1/readings"
DUE, LATER = 15.0, 40.0
"""When the second and the third step fall due, s after the alarm: while the gateway is down, and afterwards."""
HEADS = [f"GT-{n:03}" for n in range(520)]
ACTIVE, BEGIN = HEADS[:500], HEADS[500:]
ACKNOWLEDGED, RETURN = ACTIVE[:20], ACTIVE[20:120]
CALLED = ACTIVE[20:]
SLACK = 20.0

Told = tuple[str, str, int, str]
"""Head, person, step, path."""


def many() -> dict[str, Any]:
    """520 heads with high-high alone; officer at once, leader after DUE, manager after LATER."""
    tell = [{"after": "0s", "tell": ["officer"]}, {"after": f"{DUE:g}s", "tell": ["leader"]}, {"after": f"{LATER:g}s", "tell": ["manager"]}]
    zhao = {"id": "zhao", "name": "赵经理", "role": "manager", "reach": ["phone", "desk"]}
    shift = {"role": "manager", "shifts": [{"people": ["zhao"], "from": "00:00", "to": "24:00", "days": "daily"}]}
    heads = [sensor(head, limits={"high_high": 50}, tiers={"high_high": "red"}, latch=False, off_delay="0s", stale="10m") for head in HEADS]
    calm = {"steps": tell[:1]}
    chains = {"red": {"steps": tell, "repeat": "1h"}, "orange": calm | {"repeat": "1h"}, "yellow": calm, "blue": {}}
    return site_file(*heads, people=[*PEOPLE, zhao], rota=[*ROTA, shift], escalation=chains)


def steps(requests: list[Request]) -> list[tuple[Told, Request]]:
    """Every message of a step of an alarm of a head, in order."""
    bodies = [(request, request.json) for request in requests]
    mine = [(request, body, body["notification"]) for request, body in bodies if body["condition"] == "high_high"]
    return [((str(body["sensor"]), str(n["person"]), int(n["step"]), request.path), request) for request, body, n in mine if isinstance(n, dict)]


def wanted(heads: list[str], person: str, step: int) -> set[Told]:
    """What that person must hear of these heads at that step."""
    return {(head, person, step, path) for head, path in itertools.product(heads, ("/desk", "/phone"))}


def heard(requests: list[Request], everything: set[Told]) -> bool:
    """Whether all of it was told."""
    missing = sorted(everything - {told for told, _ in steps(requests)})
    assert missing == []
    return True


async def states(north: Gateway) -> dict[str, Any]:
    """Every alarm that stands, by id."""
    found: dict[str, Any] = {}
    while True:
        page = await north.get(f"sites/north/alarms?limit=200&offset={len(found)}")
        found |= {alarm["alarm"]: alarm for alarm in page["alarms"]}
        if not page["alarms"] or len(found) == page["total"]:
            return found


async def stand(north: Gateway, heads: dict[str, str]) -> bool:
    """Whether the alarms of these heads are in these states."""
    found = await states(north)
    assert {head: found.get(f"{head}.high_high", {}).get("state") for head in heads} == heads
    return True


@pytest.mark.timeout(240)
async def test_500_active_alarms_over_a_kill(tmp_path: Path, broker: Mosquitto, sink: Sink) -> None:
    loop = asyncio.get_running_loop()
    # a step passes on early when nobody could be told within the timeout, and 1,000 messages take a while
    notify = {name: {"kind": "webhook", "url": f"{sink.url}/{name}", "timeout": "60s"} for name in ("desk", "phone")}
    async with gateway(tmp_path, broker, sink, many(), notify=notify) as north:
        await north.start()
        li = await north.token("li")
        raised = loop.time()
        await broker.publish_lines(READINGS, [reading(head, 60, seq=n) for n, head in enumerate(ACTIVE)])
        await eventually(lambda: heard(sink.requests, wanted(ACTIVE, "li", 0)), within=DUE, every=0.1)
        for head in ACKNOWLEDGED:
            assert (await north.post(f"sites/north/alarms/{head}.high_high/acknowledge", li)).is_success
        await north.kill()
        killed, before = loop.time(), len(sink.requests)
        assert killed < raised + DUE, "the second step is to fall due while nobody watches"

        await broker.publish_lines(READINGS, [*(reading(head, 5, seq=1000 + n) for n, head in enumerate(RETURN)), *(reading(head, 60) for head in BEGIN)])
        await eventually(lambda: loop.time() > killed + DUE, within=2 * DUE, every=0.1)
        await north.start()
        ready = loop.time()
        await eventually(lambda: heard(sink.requests[before:], wanted(CALLED, "wang", 1) | wanted(BEGIN, "li", 0)), within=SLACK, every=0.1)

        states_then = dict.fromkeys(ACKNOWLEDGED, "active_acknowledged") | dict.fromkeys(RETURN, "returned_unacknowledged")
        states_then |= dict.fromkeys([*ACTIVE[120:], *BEGIN], "active_unacknowledged")
        await eventually(lambda: stand(north, states_then), within=SLACK, every=0.2)
        gap = (await states(north))["north-01.monitoring_gap"]
        since, until = (dt.datetime.fromisoformat(gap[key]).timestamp() for key in ("raised_at", "returned_at"))
        assert until - since == pytest.approx(ready - killed, abs=SLACK / 2)

        assert not any(told[1] == "zhao" for told, _ in steps(sink.requests)), "a later step keeps its time"
        await eventually(lambda: heard(sink.requests[before:], wanted(CALLED, "zhao", 2)), within=LATER + SLACK, every=0.1)
        assert min(request.at for told, request in steps(sink.requests) if told[1] == "zhao") >= raised + LATER

        sent = steps(sink.requests)
        assert not any(head in ACKNOWLEDGED for (head, person, _, _), _ in sent if person != "li"), "nobody is called for what li has acknowledged"
        again = [each for each, times in Counter(told for told, _ in sent).items() if times > 1]
        unmarked = Counter(told for told, request in sent if not request.json["notification"]["may_repeat"])  # type: ignore[index]
        assert [each for each in again if unmarked[each] > 1] == [], "what is told again says so"
        order = [told[0] for told, _ in steps(sink.requests[before:]) if told[1:] == ("wang", 1, "/desk") and told[0] in CALLED]
        assert len(order) == len(CALLED), "each step that fell due once"
        # several go out at once, and one may meet a connection that takes longer
        moved = [abs(place - CALLED.index(head)) for place, head in enumerate(order)]
        assert fmean(moved) < AT_ONCE, "in the order in which they fell due"
