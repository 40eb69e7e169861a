"""What is soaked: real broker, real store and real gateway as processes, devices that publish and a sink that is told."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from soak.ledger import HIGH, Ledger
from soak.publisher import Publisher
from support.figures import children, resident
from support.gateway import Gateway, gateway, site_file
from support.servers import Mosquitto, mosquitto
from support.sink import Answer, Sink, webhook_sink
from support.sites import sensor
from support.stores import Influxd, influxd
from support.wait import eventually

LOAD = 200
"""Sensors that take turns in the load."""
DEVICES = 20
LIMIT = (1.0 + HIGH) / 2
AUTOSAVE = 5
"""Seconds between two saves of the broker, as deploy/mosquitto.conf has it."""
SAVING = AUTOSAVE + 2.0
"""Seconds before its kill of which it may have saved nothing: it looks only now and then whether a save is due, and takes time for one."""
RECOVER_WITHIN = 120.0
ANSWER = 0.05
"""Seconds that the sink takes to answer, as one out on a network would: a kill can come in between."""
_SAMPLE = 1.0
_CHAIN = {"steps": [{"after": "0s", "tell": ["officer"]}, {"after": "12h", "tell": ["leader"]}], "repeat": "12h"}


@dataclass(slots=True)
class Past:
    """What was done to the stand, in s of the loop's clock: spans in which no gateway was alive, kills of the broker, memory over time."""

    began: float
    down: list[tuple[float, float]] = field(default_factory=list)
    broker_killed: list[float] = field(default_factory=list)
    recovery: list[float] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    """(moment, MiB resident of gateway and recorder together)."""

    def unsaved(self, acknowledged: float) -> bool:
        """Whether the broker may have been killed before it saved what it acknowledged then."""
        return any(kill - SAVING < acknowledged <= kill for kill in self.broker_killed)

    def since(self, moment: float) -> float:
        """Seconds from the beginning to that moment."""
        return moment - self.began


class Stand:
    """One of everything. `server` is None where the store is the embedded one."""

    def __init__(self, broker: Mosquitto, sink: Sink, north: Gateway, server: Influxd | None, publisher: Publisher) -> None:
        self.broker, self.sink, self.north, self.server, self.publisher = broker, sink, north, server, publisher
        self.ledger = publisher.ledger
        self.past = Past(self.now)
        self._read = 0
        self._told: set[str] = set()

    @property
    def now(self) -> float:
        """By the loop's clock, s."""
        return asyncio.get_running_loop().time()

    @property
    def pids(self) -> list[int]:
        """Of the gateway and its recorder, as far as they are there."""
        with contextlib.suppress(OSError, ValueError):
            return [self.north.pid, *children(self.north.pid)]
        return []

    def note(self, words: str) -> None:
        """Write down what happens, beside the gateway's log."""
        with (self.north.folder / "faults").open("a") as file:
            file.write(f"{self.past.since(self.now):8.2f} s  {words}\n")

    def told(self, tripped: str) -> bool:
        """Whether somebody was told that this sensor tripped: when it did, or as something of the past."""
        for request in self.sink.requests[self._read :]:
            self._told.add(str(request.json["alarm"]))
        self._read = len(self.sink.requests)
        return f"{tripped}.high_high" in self._told or f"rtu-{tripped}.past_excursion" in self._told

    async def healthy(self) -> bool:
        """Whether the gateway takes readings in and judges them."""
        with contextlib.suppress(httpx.HTTPError):
            return (await self.north.client.get("/api/v1/health")).status_code == 200
        return False

    async def wake(self) -> None:
        """Start the gateway and wait until it is well, as long as that takes: how long is a figure, and no reason to give up."""
        await self.north.start(ready=False)
        await eventually(self.healthy, within=RECOVER_WITHIN, every=0.02)

    async def balance(self) -> dict[str, int] | None:
        """As the gateway says, if it answers."""
        with contextlib.suppress(httpx.HTTPError):
            found: dict[str, int] = await self.north.get("balance")
            return found
        return None

    async def recovered(self, tripped: str, since: float, *, stored: bool = True, within: float = RECOVER_WITHIN) -> None:
        """Wait until all is well again, and note how long that took.

        Readings are taken in, the trip is told unless the broker may have lost it, and, with `stored`, what had been
        received by then is in the store.
        """
        marks: list[int] = []
        acknowledged = self.ledger.acknowledged[self.ledger.trips[tripped]]

        async def well() -> bool:
            if not (self.told(tripped) or self.past.unsaved(acknowledged)) or not await self.healthy():
                return False
            if (balance := await self.balance()) is None:
                return False
            marks.append(balance["received"])
            return not stored or balance["received"] - balance["spooled"] - balance["pending"] >= marks[0]

        await eventually(well, within=within, every=0.05)
        self.past.recovery.append(self.now - since)

    async def drained(self) -> dict[str, int]:
        """Stop the load and wait until everything is where it belongs, and told; the balance then."""
        self.publisher.rate = 0.0
        await self.publisher.settled()
        seen: list[dict[str, int]] = []

        async def still() -> bool:
            if (balance := await self.balance()) is not None:
                seen.append(balance)
            # the broker may have more for us: nothing moves any more for a while
            same = len(seen) > 10 and all(each == seen[-1] for each in seen[-10:])
            return same and bool(seen[-1]["closes"]) and seen[-1]["spooled"] == seen[-1]["pending"] == 0

        await eventually(still, within=RECOVER_WITHIN * 3, every=0.2)
        return seen[-1]

    async def watch(self) -> None:
        """Note the resident set, until canceled."""
        while True:
            with contextlib.suppress(OSError, StopIteration):
                self.past.memory.append((self.now, sum(map(resident, self.pids))))
            await asyncio.sleep(_SAMPLE)

    def processor(self) -> float:
        """Seconds of processor time that gateway and recorder have used."""
        fields = [Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in self.pids]
        return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def _heads(trips: int) -> list[dict[str, Any]]:
    """The sensors of the load, on a few devices, then those that trip once, each on its own."""
    changes = {"kind": "pressure", "unit": "kPa", "limits": {"high_high": LIMIT}, "tiers": {}, "off_delay": "0s", "latch": False, "stale": "12h"}
    devices = {f"L-{n}": f"rtu-{n % DEVICES}" for n in range(LOAD)} | {f"T-{n}": f"rtu-T-{n}" for n in range(trips)}
    heads = [sensor(name, device=device, **changes) for name, device in devices.items()]
    for head in heads:
        del head["gas"]
    return heads


@contextlib.asynccontextmanager
async def stand(folder: Path, *, trips: int, influx: bool, rate: float) -> AsyncIterator[Stand]:
    """A running one, under load, that has sensors for so many trips."""
    heads = _heads(trips)
    site = site_file(*heads, escalation={"red": _CHAIN, "orange": _CHAIN, "yellow": _CHAIN, "blue": {}})
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(influxd()) if influx else None
        store = {} if server is None else {"store": {"kind": "influxdb", "version": 1, "url": server.url, "database": server.create(), "timeout": "2s"}}
        lines = [f"autosave_interval {AUTOSAVE}", "set_tcp_nodelay true"]
        async with mosquitto(log="error", lines=lines) as broker, webhook_sink() as sink:
            sink.otherwise = Answer(after=ANSWER)
            notify = {name: {"kind": "webhook", "url": f"{sink.url}/{name}", "timeout": "15s"} for name in ("desk", "phone")}
            async with gateway(folder, broker, sink, site, notify=notify, **store) as north:
                topics = [f"hazgate/v1/north/{head['device']}/readings" for head in heads]
                publisher = Publisher(broker.port, Ledger([head["id"] for head in heads]), topics, LOAD)
                made = Stand(broker, sink, north, server, publisher)
                await north.start()
                await publisher.start()
                publisher.rate = rate
                watching = asyncio.create_task(made.watch(), name="soak-memory")
                try:
                    yield made
                finally:
                    watching.cancel()
                    await asyncio.gather(watching, return_exceptions=True)
                    await publisher.stop()
