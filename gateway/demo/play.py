"""Plays the demo: starts its processes, lets the incident happen, stops and counts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from pydantic import ValidationError

from adapters.clock import SystemClock
from alerts.alarm import Role
from alerts.ports import HazgateError, Transient
from alerts.reading import SECOND
from gateway import control, history
from gateway.api.models import BalanceBody, Health
from gateway.demo import brokers, parts
from gateway.demo.client import Client
from gateway.demo.heard import Heard, Told
from gateway.demo.listener import SUBSCRIBED
from gateway.demo.observer import Observer
from gateway.demo.officer import Officer
from gateway.demo.parts import Part, Unplayable
from gateway.demo.picture import Picture
from gateway.demo.receiver import Receiver
from gateway.demo.reckoning import Outcome, Simulated, reckon

T = TypeVar("T")

PREFIX: Final = "hazgate/v1"
LOOKS_EVERY: Final = 0.2
"""Seconds between two looks of the audience."""
READY_WITHIN: Final = 20.0
DRAINED_WITHIN: Final = 10.0
TOKEN_FOR: Final = 24 * 3600 * SECOND
PHASE: Final = re.compile(r"\s*[\d.]+ s  ([\w-]+): (.*)")
"""How `hazgate simulate` tells that a phase begins."""


class Stopped(HazgateError):
    """Somebody stopped the demo before it had begun."""


class Audience(Protocol):
    """Whoever watches. `look` is called several times a second while the site lives."""

    def say(self, sentence: str) -> None:
        """Something about the demo itself."""

    def look(self) -> None:
        """The picture may have changed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to play. site: its id, in `site_file`. seconds: how long the site lives; None until stopped."""

    scenario: Path
    site: str
    site_file: Path
    seconds: int | None


class Demo:
    """One demo. `stop` ends it in order when it is called once, and at once when it is called again. One event loop."""

    def __init__(self, plan: Plan, picture: Picture, audience: Audience) -> None:
        self._plan = plan
        self._picture = picture
        self._audience = audience
        self._clock = SystemClock()
        self._stopping = asyncio.Event()
        self._subscribed = False
        self._simulated: Simulated | None = None
        self._parts: list[Part] = []
        self._receiver = Receiver(self._clock, self._told)
        self._officer: Officer | None = None
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """End the demo."""
        if self._stopping.is_set():
            for part in self._parts:
                part.kill()
        self._stopping.set()

    async def run(self, curtain: contextlib.AbstractContextManager[object]) -> Outcome:
        """Play. `curtain` is entered when everything runs and left when the counting is done.

        Raises Unplayable or Stopped; then, too, no process and no file is left.
        """
        with tempfile.TemporaryDirectory(prefix="hazgate-demo-") as name:
            try:
                self._receiver.start()
                return await self._play(Path(name), curtain)
            finally:
                for part in reversed(self._parts):
                    await part.stop()
                await asyncio.to_thread(self._receiver.stop)

    async def _play(self, folder: Path, curtain: contextlib.AbstractContextManager[object]) -> Outcome:
        broker_port, port = parts.free_ports(2)
        broker = await self._unless_stopped(self._start_broker(folder, broker_port))
        client = Client(port)
        observer = Observer(client, self._plan.site, self._picture, self._clock.now)
        data_dir = await self._unless_stopped(self._start_gateway(folder, broker.url, client))
        officer = await self._unless_stopped(self._on_duty(observer, data_dir, port))
        simulator = await self._start_simulator(folder, broker.url)
        with curtain:
            async with _tasks({"observer": observer.run(), "officer": officer.run()}):
                await self._watch(simulator)
                return await self._count(simulator, observer, data_dir)

    async def _unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns. Raises Stopped if the demo is stopped before."""
        task = asyncio.create_task(work, name="demo start")
        stopping = asyncio.create_task(self._stopping.wait(), name="demo stop")
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise Stopped("stopped before the incident began")
        stopping.cancel()
        return task.result()

    async def _start_broker(self, folder: Path, port: int) -> brokers.Broker:
        broker = await brokers.start(folder, port)
        self._parts.append(broker.part)
        self._picture.broker, self._picture.remark = broker.part.name, broker.remark
        self._audience.say(f"broker {broker.part.name} on 127.0.0.1:{port}" + (f"; {broker.remark}" if broker.remark else ""))
        return broker

    async def _start_gateway(self, folder: Path, broker: str, client: Client) -> Path:
        """The gateway and the demo's own ear at the broker; the gateway's data directory."""
        data_dir, config = folder / "data", folder / "hazgate.yaml"
        config.write_text(json.dumps(self._config(data_dir, broker, client.port)))
        gateway = await self._part("gateway", [*parts.PYTHON, "gateway.cli.main", "run", str(config)], folder)
        ear = await self._part("listener", [*parts.PYTHON, "gateway.demo.listener", broker, PREFIX, self._plan.site], folder, self._on_event)
        await parts.until(lambda: self._takes_readings(client), gateway, READY_WITHIN)
        await parts.until(lambda: self._subscribed, ear, READY_WITHIN)
        self._audience.say(f"gateway on 127.0.0.1:{client.port}")
        return data_dir

    def _config(self, data_dir: Path, broker: str, port: int) -> dict[str, object]:
        return {
            "gateway": "demo-01",
            "data_dir": str(data_dir),
            "broker": {"url": broker},
            "api": {"listen": f"127.0.0.1:{port}"},
            "sites": [str(self._plan.site_file)],
            "heartbeat": "none",
            "override_reason": {"heartbeat": "a demonstration, watched by whoever started it"},
            "notify": {name: {"kind": "webhook", "url": f"{self._receiver.url}/{name}"} for name in ("desk", "phone")},
        }

    def _takes_readings(self, client: Client) -> bool:
        """Whether the gateway is connected; with a fault point it never says that it is well."""
        try:
            health = Health.model_validate_json(client.ask("GET", "/health", None).body)
        except (Transient, ValidationError):
            return False
        self._picture.health = health
        return health.ingesting or (health.link == "up" and bool(health.faults))

    async def _on_duty(self, observer: Observer, data_dir: Path, port: int) -> Officer:
        """The officer of the rota, with a token made as `hazgate token create` makes it."""
        duty = (await observer.duty()).duty
        self._picture.names = {person.person: f"{each.role} {person.person} {person.name}".strip() for each in duty for person in each.on_duty}
        officer = next(person.person for each in duty if each.role is Role.OFFICER for person in each.on_duty)
        question = {"ask": control.Ask.CREATE, "person": officer, "for": TOKEN_FOR}
        token = (await asyncio.to_thread(control.ask, data_dir, question))["token"]
        await observer.look(everything=True)
        self._officer = Officer(officer, Client(port, token), self._picture, self._clock.now)
        return self._officer

    async def _start_simulator(self, folder: Path, broker: str) -> Part:
        duration = ["--seconds", str(self._plan.seconds or 0)]
        command = [*parts.PYTHON, "gateway.cli.main", "simulate", str(self._plan.scenario), "--broker", broker, "--json", *duration]
        return await self._part("simulator", command, folder, self._on_simulator)

    async def _part(self, name: str, command: list[str], folder: Path, heard: Callable[[str], None] | None = None) -> Part:
        part = await parts.start(name, command, folder, heard)
        self._parts.append(part)
        return part

    async def _watch(self, simulator: Part) -> None:
        """Until the simulator has ended or the demo is stopped. Raises Unplayable if any other part ends."""
        ends = {asyncio.create_task(part.ended(), name=f"demo watches {part.name}"): part for part in self._parts}
        stopping = asyncio.create_task(self._stopping.wait(), name="demo stop")
        try:
            while not (await asyncio.wait({stopping, *ends}, timeout=LOOKS_EVERY, return_when=asyncio.FIRST_COMPLETED))[0]:
                self._look()
        finally:
            for task in (stopping, *ends):
                task.cancel()
            await asyncio.gather(stopping, *ends, return_exceptions=True)
        for part in self._parts:
            if part is not simulator and part.process.returncode is not None:
                raise Unplayable(f"{part.name} ended in mid-demo: {part.last_words}")

    def _look(self) -> None:
        self._picture.settle(self._clock.now())
        self._audience.look()

    async def _count(self, simulator: Part, observer: Observer, data_dir: Path) -> Outcome:
        await simulator.stop()
        if self._simulated is None:
            raise Unplayable(f"the simulator ended without a result: {simulator.last_words}")
        self._picture.note(self._clock.now(), "the devices have stopped; waiting for the last readings to be stored", "dim")
        try:
            balance = await self._drained(observer, self._simulated.published)
            stored = await asyncio.to_thread(_stored, data_dir)
            await observer.look(everything=True)
        except (Transient, ValidationError) as error:
            raise Unplayable(f"the readings could not be counted: {error}") from error
        self._look()
        return reckon(self._simulated, balance, stored, self._picture)

    async def _drained(self, observer: Observer, published: int) -> BalanceBody:
        """The balance once all is stored, or after a while as it is."""
        end = self._loop.time() + DRAINED_WITHIN
        while True:
            balance = await observer.balance()
            on_the_way = balance.spooled + balance.pending + max(0, published - balance.received)
            if not on_the_way or self._loop.time() > end:
                return balance
            self._look()
            await asyncio.sleep(LOOKS_EVERY)

    def _on_event(self, line: str) -> None:
        if line == SUBSCRIBED:
            self._subscribed = True
        elif line.startswith("{"):
            self._picture.heard(Heard.model_validate_json(line))

    def _on_simulator(self, line: str) -> None:
        phase = PHASE.fullmatch(line)
        if phase is not None:
            self._picture.phase(phase[1], phase[2], self._clock.now())
        elif line.startswith("{"):
            self._simulated = Simulated.model_validate_json(line)

    def _told(self, told: Told) -> None:
        """On a thread of the receiver."""
        with contextlib.suppress(RuntimeError):
            # the loop may be gone when the last message comes
            self._loop.call_soon_threadsafe(self._hear_told, told)

    def _hear_told(self, told: Told) -> None:
        self._picture.was_told(told)
        if self._officer is not None:
            self._officer.told(told)


def _stored(data_dir: Path) -> int:
    """How many readings the store holds, by asking the store."""
    return history.Remote(data_dir).count()


@contextlib.asynccontextmanager
async def _tasks(named: dict[str, Awaitable[None]]) -> AsyncIterator[None]:
    """Run these until the block ends."""
    tasks = [asyncio.ensure_future(work) for work in named.values()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
