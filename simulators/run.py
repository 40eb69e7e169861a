"""Playing a scenario: in real time against a broker, or in virtual time into a file."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Final, TextIO

from alerts.reading import MILLISECOND, SECOND
from simulators.links import Broker, DeviceLink, Listener, Unreachable
from simulators.oracle import Ledger, Sighting, differences
from simulators.scenario import Scenario
from simulators.virtual import WORDS, Batch, VirtualSite, play, reading

CONNECT_WITHIN: Final = 10.0
"""How long all devices have to connect, s."""
CONFIRM_WITHIN: Final = 5.0
"""How long the broker has to confirm what was sent when the run ends, s."""
OFFLINE_START: Final = 1_767_225_600 * SECOND
"""Beginning of every offline run, ns: 2026-01-01T00:00:00Z, so that the same seed gives the same file."""


@dataclass(frozen=True, slots=True)
class Live:
    """How a live run is played. now: UTC, ns. duration: ns, 0 is until `stop`. stop: set it to end the run early."""

    broker: Broker
    seed: int
    duration: int
    now: Callable[[], int]
    stop: asyncio.Event


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a live run is; counts are of what the broker confirmed. elapsed: ns. note: what the phase is about."""

    elapsed: int
    phase: str
    note: str
    messages: int
    published: int
    events: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a live run. `published` counts readings the broker confirmed, `unconfirmed` those it did not."""

    elapsed: int
    messages: int
    published: int
    unconfirmed: int
    sightings: tuple[Sighting, ...]
    differences: tuple[str, ...]


Report = Callable[[Progress], None]


async def run_live(scenario: Scenario, live: Live, report: Report) -> Outcome:
    """Play `scenario` against a broker and compare the alarms that come back with its oracle.

    Every device connects and the alarm events are subscribed to before time begins. When time is up, or `live.stop` is
    set, publishing ends and confirmations are waited for, at most 5 s. `report` is called every second and when a phase
    begins.

    Raises:
        Unreachable: the broker refuses at the start. One that goes away later is waited for.
    """
    await live.broker.probe()
    return await _Run(scenario, live, report).run()


class _Run:
    """One live run: its connections, its ledger, its beginning."""

    def __init__(self, scenario: Scenario, live: Live, report: Report) -> None:
        self._scenario = scenario
        self._live = live
        self._report = report
        self._began: int | None = None
        self._ledger = Ledger()
        site = scenario.place.site
        self._links = {device: DeviceLink(live.broker, site, device) for device in scenario.place.devices}
        self._listener = Listener(live.broker, site, self._ledger, self._elapsed)

    def _elapsed(self) -> int | None:
        return None if self._began is None else self._live.now() - self._began

    async def run(self) -> Outcome:
        async with _tasks({"alarm events": self._listener.run()}), _tasks({link.device: link.run() for link in self._links.values()}) as devices:
            await self._connect()
            elapsed = await self._play()
            for link in self._links.values():
                link.close()
            await asyncio.wait(devices, timeout=CONFIRM_WITHIN)
        return self._outcome(elapsed)

    async def _connect(self) -> None:
        ends: list[Listener | DeviceLink] = [self._listener, *self._links.values()]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_WITHIN):
                for end in ends:
                    await end.ready.wait()
        for end in ends:
            if not end.ready.is_set():
                who = end.device if isinstance(end, DeviceLink) else "the listener for alarm events"
                raise Unreachable(f"{who} cannot use the broker {self._live.broker.shown}: {end.trouble or 'it does not answer'}")

    async def _play(self) -> int:
        """Publish until time is up or stopped; returns the time played, ns."""
        live = self._live
        site = VirtualSite(self._scenario, live.seed)
        self._began, phase = live.now(), None
        while not live.duration or site.elapsed < live.duration:
            batches = site.step()
            if await self._stopped_before(self._began + site.elapsed):
                break
            for batch in batches:
                self._links[batch.device].send(batch.payload(self._began), len(batch.samples))
            if site.phase is not phase or site.elapsed % SECOND == 0:
                phase = site.phase
                self._report(self._progress(site))
        return site.elapsed

    async def _stopped_before(self, due: int) -> bool:
        """Wait until `due`, ns; whether the run was stopped meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, (due - self._live.now()) / SECOND)):
                await self._live.stop.wait()
        return self._live.stop.is_set()

    def _progress(self, site: VirtualSite) -> Progress:
        links = self._links.values()
        return Progress(
            elapsed=site.elapsed,
            phase=site.phase.phase,
            note=site.phase.note,
            messages=sum(link.messages for link in links),
            published=sum(link.published for link in links),
            events=self._ledger.events,
        )

    def _outcome(self, elapsed: int) -> Outcome:
        links = self._links.values()
        seen = self._ledger.sightings()
        found = differences(self._scenario.script.oracle, seen, self._scenario.place.sources, elapsed)
        return Outcome(
            elapsed=elapsed,
            messages=sum(link.messages for link in links),
            published=sum(link.published for link in links),
            unconfirmed=sum(link.unconfirmed for link in links),
            sightings=seen,
            differences=(*found, *self._doubts(found)),
        )

    def _doubts(self, found: list[str]) -> list[str]:
        """Reasons to distrust a difference, or a comparison that found none."""
        doubts = []
        if self._listener.unreadable:
            doubts.append(f"{self._listener.unreadable} alarm events could not be read, first {str(self._listener.riddle)[:200]}")
        if found and self._listener.losses:
            doubts.append(f"the connection to the broker was lost {self._listener.losses} times: alarm events may have been missed ({self._listener.trouble})")
        return doubts


@contextlib.asynccontextmanager
async def _tasks(named: dict[str, Coroutine[Any, Any, None]]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run the coroutines as tasks of these names; cancel and await what is left at the end."""
    tasks = [asyncio.create_task(work, name=f"simulate {name}") for name, work in named.items()]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def run_offline(scenario: Scenario, seed: int, duration: int, file: TextIO) -> int:
    """Write `duration` ns of readings as JSON lines, in order of sending; returns how many.

    A line has `time` (ms since 1970, by the device's clock), `sensor`, `value`, `unit`, `quality`, `seq`, `device`,
    `arrival` (ms since 1970, when it was sent), and `historical` where the device says so; `value` is written as the
    device would send it, a bare NaN included.
    """
    lines = 0
    for elapsed, _, batches in play(scenario, seed, duration):
        for batch in batches:
            file.writelines(_lines(batch, (OFFLINE_START + elapsed) // MILLISECOND))
            lines += len(batch.samples)
    return lines


def _lines(batch: Batch, arrival: int) -> Iterator[str]:
    """The lines of one message. The usual reading is written by hand: a quiet day has two million of them."""
    for number, sample in enumerate(batch.samples, batch.first):
        if math.isfinite(sample.value) and not sample.historical:
            time, quality = (OFFLINE_START + sample.at) // MILLISECOND, WORDS[sample.quality]
            yield (
                f'{{"time": {time}, "sensor": "{sample.sensor}", "value": {sample.value!r}, "unit": "{sample.unit}", "quality": "{quality}", '
                f'"seq": {number}, "device": "{batch.device}", "arrival": {arrival}}}\n'
            )
        else:
            yield json.dumps(reading(sample, OFFLINE_START) | {"seq": number, "device": batch.device, "arrival": arrival}) + "\n"
