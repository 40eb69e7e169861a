"""A gateway's real alarm path in virtual time, between a broker, a disk and people that the test has in its hand.

Spool, journal, detection, alarms, chains, outbox and dispatch are the product's own; a crash may come between any two
operations. The broker gives again what was not acknowledged. What the disk holds outlives a crash, and so do people.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from support.sites import T0
from support.virtual import VirtualLoop

from adapters.journal import Journal
from adapters.mqtt import LinkState
from adapters.spool import Spool
from alerts.alarm import Refusal, Tier, Verb
from alerts.command import Command
from alerts.ports import Delivery, Permanent, Receipt, Transient
from alerts.reading import SECOND
from alerts.site import Site
from gateway import core
from gateway.admission import Admit
from gateway.canary import Canary
from gateway.config import Config
from gateway.desk import Desk
from gateway.dispatch import Channel, Dispatch
from gateway.hearing import Hearing
from gateway.pipeline import Pipeline
from gateway.restart import Checkpoints, Resumption
from gateway.routes import Routes
from gateway.scribe import Scribe
from gateway.selfwatch import SelfWatch
from gateway.stages import Detect, Live, Record, Write
from gateway.telling import Telling
from gateway.turn import Request

PREFIX, GATEWAY = "hazgate/v1", "gw-1"
PEOPLE = [
    {"id": "li", "role": "officer", "reach": ["phone"]},
    {"id": "wang", "role": "leader", "reach": ["phone", "desk"]},
]
"""Officer and leader; the leader is also the last resort."""
WIRE = 0.02
"""Seconds that a message to the broker is under way, there and back."""
CALL = 0.034
"""Likewise to a person."""


class Manner(Enum):
    """What the far side of a channel does with a message."""

    TAKES = auto()
    BUSY = auto()
    REFUSES = auto()
    SILENT = auto()
    """Takes it, and its answer never comes."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message as a person got it. at: virtual seconds. life: of the gateway, counted from 1."""

    at: float
    life: int
    key: str
    body: dict[str, Any]

    @property
    def repeat(self) -> bool:
        """Whether it says that it may have come before."""
        return bool(self.body["notification"]["may_repeat"])


class Phone:
    """The far side of a channel; it outlives the gateway."""

    def __init__(self) -> None:
        self.manner = Manner.TAKES
        self.received: list[Received] = []
        self.life = 0

    async def send(self, delivery: Delivery) -> Receipt:
        """See `alerts.ports.Notifier`."""
        manner = self.manner
        await asyncio.sleep(CALL / 2)
        if manner in (Manner.TAKES, Manner.SILENT):
            moment = asyncio.get_running_loop().time()
            self.received.append(Received(moment, self.life, delivery.idempotency_key, json.loads(delivery.body)))
        await asyncio.sleep(3600 if manner is Manner.SILENT else CALL / 2)
        if manner is Manner.BUSY:
            raise Transient("busy")
        if manner is Manner.REFUSES:
            raise Permanent("no such number")
        return Receipt("ok")

    async def close(self) -> None:
        """Nothing is held."""


@dataclass(slots=True)
class Ground:
    """What outlives the gateway: its disk, the broker's queue and what the broker retains, and people's phones."""

    folder: Path
    sites: tuple[Site, ...]
    phones: dict[str, Phone]
    queue: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    """Token -> topic and payload, not acknowledged yet."""
    retained: dict[str, bytes] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    lives: int = 0


class Life:
    """One run of the gateway, from its start to a crash."""

    def __init__(self, ground: Ground, loop: VirtualLoop, shift: int) -> None:
        """`shift`: by how much its clock is off, ns."""
        self.ground = ground
        self._loop = loop
        self._shift = shift
        self.journal = Journal(ground.folder / "journal.db")
        self.recovered = self.journal.recover()
        settings = SimpleNamespace(gateway=GATEWAY, canary=None)
        config = SimpleNamespace(sites=ground.sites, home_site=ground.sites[0], gateway=settings)
        self.core = core.build(cast("Config", config), self.recovered, self.now())
        self.spool = Spool.open(ground.folder / "spool.db", self.core.register, self)
        for db in (self.journal._connection, self.spool.file._db):
            db.execute("PRAGMA synchronous=OFF")
        channels = [Channel(name, phone, 5 * SECOND, 60 * SECOND) for name, phone in ground.phones.items()]
        self.dispatch = Dispatch(channels, self._publish, self.journal, self)
        self._join()

    def now(self) -> int:
        """See `alerts.ports.Clock`."""
        return T0 + self._shift + round(self._loop.time() * SECOND)

    def _join(self) -> None:
        judged = self.core
        routes = Routes(judged.register)
        self.scribe = Scribe(PREFIX, judged.gateway, judged.books, judged.register.sites, judged.numbers)
        self.live = Live(judged.books)
        self.write = Write(self.scribe, self.journal, lambda parcel: parcel.tell(self.dispatch))
        telling = Telling(judged, self.journal, self.recovered, PREFIX)
        admit = Admit(PREFIX, judged.admission, list(judged.register.sites), routes, lambda *_command: None)
        stages = (admit, Record(self.spool, judged.admission), Detect(judged.engine, held=False), self.live, telling.stage, self.write)
        books, chains = [book.due for book in judged.books.values()], [chaser.due for chaser in judged.chasers.values()]
        deadlines: list[Callable[[], int | None]] = [judged.engine.due, self.live.due, *books, *chains]
        self.pipeline = Pipeline(stages, self, deadlines)
        self.checkpoints = Checkpoints(judged, self.journal, self.spool)
        self.watch = SelfWatch(judged.home, judged.gateway, self, self.pipeline.raised)
        self.hearing = Hearing(judged.gateway, judged.engine, self.watch, self, self.pipeline.arm)
        self.pipeline.after = lambda _turn: self.hearing.look()
        self.spool.on_committed = self._on_committed
        self.spool.on_sealed = lambda frame: self.checkpoints.sealed(frame, self.now())
        telling.join(self.dispatch, self.pipeline, Canary(None, judged, cast("Desk", None), self.watch, self))

    def _on_committed(self, tokens: Sequence[int]) -> None:
        for token in tokens:
            del self.ground.queue[token]
        self.write.judged_through = self.checkpoints.committed()

    def _publish(self, topic: str, payload: bytes, retain: bool, done: Callable[[], None], _tier: Tier) -> None:
        def arrive() -> None:
            if retain:
                self.ground.retained[topic] = payload
            else:
                self.ground.events.append(json.loads(payload))
            self._loop.call_later(WIRE / 2, done)

        self._loop.call_later(WIRE / 2, arrive)

    async def start(self) -> None:
        """Start in the order of the gateway's own steps, then let the broker give what it kept."""
        for phone in self.ground.phones.values():
            phone.life = self.ground.lives
        await self.spool.start()
        await self.journal.start()
        await self.dispatch.start()
        parts = (self.spool, self.journal, self.live, self.pipeline, self.dispatch, self.scribe, self.watch, self)
        Resumption(self.recovered, self.core, *parts).run(rejudge=True)
        self.hearing.link_is(LinkState.CONNECTING)
        await asyncio.sleep(WIRE)
        self.hearing.link_is(LinkState.UP)
        for token, (topic, payload) in self.ground.queue.items():
            self.pipeline.message(topic, payload, retained=False, token=token)

    def close(self) -> None:
        """The files are let go; nothing is written any more."""
        self.journal._connection.close()
        self.spool.file.close()


class Relay:
    """The gateway on its ground, over crashes. `run` lets virtual seconds pass."""

    def __init__(self, folder: Path, *sites: Site, channels: Sequence[str] = ("desk", "phone")) -> None:
        self.ground = Ground(folder, sites, {name: Phone() for name in channels})
        self.disk = {"spool": 0.004, "journal": 0.004}
        self._time = 0.0
        self._tokens = 0
        self.loop: VirtualLoop
        self.life: Life

    def start(self, shift: float = 0.0) -> None:
        """Start the gateway, its clock off by `shift` seconds."""
        self.ground.lives += 1
        self.loop = VirtualLoop(self._time, self.disk)
        self.life = Life(self.ground, self.loop, round(shift * SECOND))
        self.loop.run_until_complete(self.life.start())

    def crash(self) -> None:
        """End it where it stands."""
        self._time = self.loop.time()
        self.loop.end()
        self.life.close()

    def restart(self, after: float = 1.0, shift: float = 0.0) -> None:
        """Crash, and start again some seconds later."""
        self.crash()
        self._time += after
        self.start(shift)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def reads(self, sensor: str, value: float, *, site: str = "north", **columns: object) -> None:
        """A device publishes a reading, stamped now."""
        device = next(each.device for made in self.ground.sites if made.site == site for each in made.sensors if each.id == sensor)
        body = {"sensor": sensor, "value": value, "time": (self.life.now() - self.life._shift) // 1_000_000, **columns}
        self.sends(f"{PREFIX}/{site}/{device}/readings", json.dumps(body).encode())

    def sends(self, topic: str, payload: bytes) -> None:
        """A device publishes something, at QoS 1."""
        self._tokens += 1
        self.ground.queue[self._tokens] = (topic, payload)
        self._on_loop(lambda: self.life.pipeline.message(topic, payload, retained=False, token=self._tokens))

    def says(self, device: str, *, online: bool, site: str = "north") -> None:
        """A device, or its will, says whether it is there."""
        topic, payload = f"{PREFIX}/{site}/{device}/status", json.dumps({"online": online}).encode()
        self._on_loop(lambda: self.life.pipeline.message(topic, payload, retained=False, token=0))

    def link(self, state: LinkState, reason: str = "", *denied: str) -> None:
        """The connection to the broker changed."""
        self._on_loop(lambda: self.life.hearing.link_is(state, reason, denied))

    def do(self, verb: str, alarm: str, by: str = "li", *, site: str = "north") -> list[Refusal | None]:
        """A person asks for something; the list gets the answer when it is durable."""
        answers: list[Refusal | None] = []
        request = Request(Command(Verb(verb), site, by, alarm=alarm), answers.append)
        self._on_loop(lambda: self.life.pipeline.request(request))
        return answers

    def _on_loop(self, call: Callable[[], None]) -> None:
        async def within() -> None:
            call()

        self.loop.run_until_complete(within())

    def states(self) -> dict[str, str]:
        """Every alarm that stands, over all sites, and its state."""
        return {name: str(alarm.state) for book in self.life.core.books.values() for name, alarm in book.alarms().items()}

    def received(self, alarm: str, person: str | None = None) -> list[Received]:
        """What people got about an alarm, in order."""
        found = [each for phone in self.ground.phones.values() for each in phone.received if each.body["alarm"] == alarm]
        return sorted((each for each in found if person in (None, each.body["notification"]["person"])), key=lambda each: each.at)
