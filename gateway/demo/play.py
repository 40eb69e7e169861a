"""Plays the demo: starts its cast, lets the incident happen, stops and counts."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from pydantic import ValidationError

from adapters.clock import SystemClock
from alerts.alarm import Role
from alerts.ports import HazgateError, Transient
from alerts.reading import SECOND
from gateway import control, history
from gateway.api.models import BalanceBody
from gateway.demo.cast import Cast, Plan
from gateway.demo.client import Client
from gateway.demo.observer import Observer
from gateway.demo.officer import Officer
from gateway.demo.parts import Part, Unplayable
from gateway.demo.picture import Picture
from gateway.demo.reckoning import Outcome, reckon

T = TypeVar("T")

LOOKS_EVERY: Final = 0.2
"""Seconds between two looks of the audience."""
DRAINED_WITHIN: Final = 10.0
TOKEN_FOR: Final = 24 * 3600 * SECOND
STOPPED: Final = "stopped before the incident began"


class Stopped(HazgateError):
    """Somebody stopped the demo before it had begun."""


class Audience(Protocol):
    """Whoever watches. `look` is called several times a second while the site lives."""

    def say(self, sentence: str) -> None:
        """Something about the demo itself."""

    def look(self) -> None:
        """The picture may have changed."""


class Demo:
    """One demo. `stop` ends it in order when it is called once, and at once when it is called again. One event loop."""

    def __init__(self, plan: Plan, picture: Picture, audience: Audience) -> None:
        self._plan = plan
        self._picture = picture
        self._audience = audience
        self._clock = SystemClock()
        self._stopping = asyncio.Event()
        self._cast: Cast | None = None
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """End the demo."""
        if self._stopping.is_set() and self._cast is not None:
            self._cast.kill()
        self._stopping.set()

    async def run(self, curtain: contextlib.AbstractContextManager[object]) -> Outcome:
        """Play. `curtain` is entered when everything runs and left when the counting is done.

        Raises Unplayable or Stopped; then, too, no process and no file is left.
        """
        with tempfile.TemporaryDirectory(prefix="hazgate-demo-") as name:
            self._cast = Cast(self._plan, self._picture, Path(name))
            try:
                return await self._play(self._cast, curtain)
            finally:
                await self._cast.stop()

    async def _play(self, cast: Cast, curtain: contextlib.AbstractContextManager[object]) -> Outcome:
        broker = await self._unless_stopped(cast.start_broker())
        self._audience.say(f"broker {broker.part.name} on {broker.url.removeprefix('mqtt://')}" + (f"; {broker.remark}" if broker.remark else ""))
        client = await self._unless_stopped(cast.start_gateway(broker.url))
        self._audience.say(f"gateway on 127.0.0.1:{client.port}")
        observer = Observer(client, self._plan.site, self._picture, self._clock.now)
        officer = await self._unless_stopped(self._on_duty(observer, cast.data_dir, client.port))
        cast.on_told = officer.told
        simulator = await cast.start_simulator(broker.url)
        with curtain:
            async with _tasks({"observer": observer.run(), "officer": officer.run()}):
                await self._watch(cast, simulator)
                return await self._count(cast, simulator, observer)

    async def _unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns. Raises Stopped if the demo is stopped before."""
        task = asyncio.create_task(work, name="demo start")
        stopping = asyncio.create_task(self._stopping.wait(), name="demo stop")
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise Stopped(STOPPED)
        stopping.cancel()
        return task.result()

    async def _on_duty(self, observer: Observer, data_dir: Path, port: int) -> Officer:
        """The officer of the rota, with a token made as `hazgate token create` makes it."""
        duty = (await observer.duty()).duty
        self._picture.names = {person.person: f"{each.role} {person.person} {person.name}".strip() for each in duty for person in each.on_duty}
        officer = next(person.person for each in duty if each.role is Role.OFFICER for person in each.on_duty)
        question = {"ask": control.Ask.CREATE, "person": officer, "for": TOKEN_FOR}
        token = (await asyncio.to_thread(control.ask, data_dir, question))["token"]
        await observer.look(everything=True)
        return Officer(officer, Client(port, token), self._picture, self._clock.now)

    async def _watch(self, cast: Cast, simulator: Part) -> None:
        """Until the simulator has ended or the demo is stopped. Raises Unplayable if any other part ends."""
        ends = {asyncio.create_task(part.ended(), name=f"demo watches {part.name}"): part for part in cast.parts}
        stopping = asyncio.create_task(self._stopping.wait(), name="demo stop")
        try:
            while not (await asyncio.wait({stopping, *ends}, timeout=LOOKS_EVERY, return_when=asyncio.FIRST_COMPLETED))[0]:
                self._look()
        finally:
            for task in (stopping, *ends):
                task.cancel()
            await asyncio.gather(stopping, *ends, return_exceptions=True)
        for part in cast.parts:
            if part is not simulator and part.process.returncode is not None:
                raise Unplayable(f"{part.name} ended in mid-demo with {part.end}")

    def _look(self) -> None:
        self._picture.settle(self._clock.now())
        self._audience.look()

    async def _count(self, cast: Cast, simulator: Part, observer: Observer) -> Outcome:
        await simulator.stop()
        if cast.simulated is None and self._stopping.is_set():
            raise Stopped(STOPPED)
        if cast.simulated is None:
            raise Unplayable(f"the simulator ended without a result, with {simulator.end}")
        self._picture.note(self._clock.now(), "the devices have stopped; waiting for the last readings to be stored", "dim")
        try:
            balance = await self._drained(observer, cast.simulated.published)
            stored = await asyncio.to_thread(_stored, cast.data_dir)
            await observer.look(everything=True)
        except (Transient, ValidationError, OSError) as error:
            raise Unplayable(f"the readings could not be counted: {error}") from error
        self._look()
        return reckon(cast.simulated, balance, stored, self._picture)

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


def _stored(data_dir: Path) -> int:
    """How many readings the store holds, by asking the store."""
    return history.Remote(data_dir).count()


@contextlib.asynccontextmanager
async def _tasks(named: dict[str, Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run these until the block ends. What one of them failed with is raised then."""
    tasks = [asyncio.create_task(work, name=f"demo {name}") for name, work in named.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end
