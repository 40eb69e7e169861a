"""The canary: a made-up sensor whose alarm crosses the whole path to a person, again and again, to show that it is open.

It has a site of its own, named `canary`, so that no color, count or list of a real site knows it: one sensor, and the people
of `canary: {tell: …}` as the only step of its chain. Its readings go out to the broker and come back like any device's, are
recorded and judged, journaled and told; its alarms have the mode `test`. When every message has been taken by its channel
the sensor falls, and the alarm is acknowledged in the canary's own name.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Final

from alerts.alarm import Condition, State, Verb
from alerts.command import Command
from alerts.ports import Clock
from alerts.reading import MILLISECOND, SECOND
from alerts.suppress import CANARY
from gateway import settings
from gateway.core import Core
from gateway.desk import Desk
from gateway.selfwatch import SelfWatch
from gateway.turn import Fate, Settled

log = logging.getLogger("hazgate.canary")
ALARM: Final = f"{CANARY}.{Condition.HIGH}"
LONGEST: Final = 30.0
"""Seconds for a message to be taken on every way, unless `every` is shorter: the path is then not open."""


class Canary:
    """Sends it on its way, again and again, and knows what became of it. On the loop's thread.

    seconds: from the reading's publication to the moment when the last of its messages was taken; None before the first.
    """

    def __init__(self, wanted: settings.Canary | None, core: Core, desk: Desk, watch: SelfWatch, clock: Clock) -> None:
        """None tries nothing."""
        self._wanted = wanted
        self._core = core
        self._desk = desk
        self._watch = watch
        self._clock = clock
        self._missing: dict[tuple[str, str], str] = {}
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.seconds: float | None = None
        self.publish: Callable[[bytes], None] = lambda _reading: None
        """Publishes a reading of the canary's device."""
        self.connected: Callable[[], bool] = lambda: False
        """Whether there is a broker; without one `broker_lost` says what there is to say."""

    async def start(self) -> None:
        """Begin."""
        if self._wanted is not None:
            self._task = asyncio.create_task(self._live(self._wanted), name="canary")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def settled(self, settled: Settled) -> None:
        """Learn what became of a message about the canary."""
        way = (settled.notice.person, settled.notice.channel)
        if settled.fate is Fate.DELIVERED:
            self._missing.pop(way, None)
            if not self._missing:
                self._arrived.set()
        elif way in self._missing:
            self._missing[way] = settled.words

    async def _live(self, wanted: settings.Canary) -> None:
        loop = asyncio.get_running_loop()
        every = wanted.every / SECOND
        due = loop.time()
        while True:
            if self.connected():
                await self._fly(min(every, LONGEST))
            due = max(due + every, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _fly(self, within: float) -> None:
        people = self._core.register.sites[CANARY].people
        self._missing = {(person.id, reach.channel): "" for person in people for reach in person.reach}
        self._arrived.clear()
        await self._land()
        began = asyncio.get_running_loop().time()
        self._say(1)
        try:
            async with asyncio.timeout(within):
                await self._arrived.wait()
        except TimeoutError:
            words = self._where()
            log.error("the canary did not come through within %g s: %s", within, "; ".join(words))  # noqa: TRY400 - the trace of a timeout says nothing
            self._watch.broken(Condition.CANARY_FAILED, grace=0, words=words)
        else:
            self.seconds = asyncio.get_running_loop().time() - began
            self._watch.works(Condition.CANARY_FAILED)
        await self._land()

    async def _land(self) -> None:
        """The sensor falls, and what stands of its alarm is answered for; what is told of it no more is withdrawn by that."""
        if ALARM in self._core.books[CANARY].alarms():
            self._say(0)
            await self._desk.ask(Command(verb=Verb.ACKNOWLEDGE, site=CANARY, by=CANARY, alarm=ALARM, at=self._clock.now()))

    def _say(self, value: int) -> None:
        self.publish(json.dumps({"sensor": CANARY, "time": self._clock.now() // MILLISECOND, "value": value}).encode())

    def _where(self) -> list[str]:
        """How far it came."""
        alarm = self._core.books[CANARY].alarms().get(ALARM)
        if alarm is not None and alarm.state is not State.NORMAL:
            return [f"{person} was not told over {channel}{words and ': '}{words}" for (person, channel), words in self._missing.items()]
        return ["its reading raised nothing: the broker did not give it back, or it was not judged"]
