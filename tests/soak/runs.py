"""The runs of the soak: what is done to a stand for how long, and one row of the table for each."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Protocol

from soak import faults
from soak.faults import Fault
from soak.stand import RECOVER_WITHIN, Stand, stand
from soak.verdict import Verdict, judge

SETTLE = 3.0
"""Seconds under load before the first fault."""
MEAN_PAUSE = 2.0
"""Between two faults, s."""
MOMENT = 0.1
"""Seconds between the broker's confirmation of a trip and the fault, at most; every other time there are none."""
IDLE_MOST = 0.02
"""Share of one core that gateway and recorder may use when nothing comes in."""
FLAT = 0.05
"""By how much the resident set of the last third may differ from that of the middle one."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to run. kills, repeats: how often; rate: messages a second; outage, everything, idle: seconds. Each run has a folder of its own in `folder`."""

    folder: Path
    seed: int
    rate: float = 1000.0
    influx: bool = True
    kills: int = 100
    repeats: int = 10
    outage: float = 600.0
    everything: float = 1800.0
    idle: float = 60.0


class Play(Protocol):
    """A run that knows its order."""

    def __call__(self, *, name: str, progress: Progress) -> Awaitable[Row]:
        """Play it; it has that name in the table."""


@dataclass(frozen=True, slots=True)
class Run:
    """One line of the table to come."""

    name: str
    play: Play


Progress = Callable[[float], None]
"""Called with how much of a run, from 0 to 1, is done."""


@dataclass(slots=True)
class Row:
    """One line of the table. memory: MiB at the beginning and at the end. broken: promises beside the verdict's, in words."""

    fault: str
    injected: int
    verdict: Verdict
    recovery: list[float]
    memory: tuple[float, float]
    broken: list[str] = field(default_factory=list)

    @property
    def promises(self) -> list[str]:
        """Everything that was broken, in words."""
        counted = [f"{many} {name.replace('_', ' ')}" for name, many in self.verdict.broken.items()]
        return [f"{self.fault}: {words}" for words in (*counted, *self.broken)]


@contextlib.asynccontextmanager
async def _standing(order: Order, name: str, trips: int) -> AsyncIterator[tuple[Stand, Path]]:
    folder = order.folder / re.sub(r"\W+", "-", name)
    folder.mkdir()
    async with stand(folder, trips=trips, influx=order.influx, rate=order.rate) as made:
        await asyncio.sleep(SETTLE)
        yield made, folder


async def _row(fault: str, injected: int, made: Stand, folder: Path) -> Row:
    memory = [size for _, size in made.past.memory if size]
    before, after = fmean(memory[:3]), fmean(memory[-3:])
    return Row(fault, injected, await judge(made, folder), made.past.recovery, (before, after))


async def _meet(made: Stand, trouble: Fault, chance: Random) -> float:
    """Let it happen, and write it down."""
    name, confirmed = trouble.__name__, made.publisher.confirmed
    made.note(f"{name}; {confirmed} confirmed, {made.publisher.unacknowledged} not")
    began = await trouble(made, chance)
    made.note(f"{name} is over")
    return began


async def sequence(order: Order, name: str, troubles: Sequence[Fault], progress: Progress) -> Row:
    """One fault after another under full load, each right after the broker confirmed a trip."""
    chance = Random(f"{order.seed} {name}")
    async with _standing(order, name, len(troubles)) as (made, folder):
        for n, trouble in enumerate(troubles, 1):
            await asyncio.sleep(chance.expovariate(1 / MEAN_PAUSE))
            tripped = await made.publisher.trip()
            await asyncio.sleep(chance.choice([0.0, chance.uniform(0, MOMENT)]))
            await made.recovered(tripped, await _meet(made, trouble, chance))
            progress(n / len(troubles))
        return await _row(name, len(troubles), made, folder)


async def outage(order: Order, name: str, progress: Progress) -> Row:
    """The store is down at full rate, and the gateway is restarted in the middle of it."""
    async with _standing(order, name, 1) as (made, folder):
        tripped = await made.publisher.trip()
        back = await faults.store_away(made, order.outage, progress)
        await made.recovered(tripped, back, within=RECOVER_WITHIN + order.outage)
        return await _row(name, 1, made, folder)


async def everything(order: Order, name: str, progress: Progress) -> Row:
    """Everything at random for a while. The store has its own troubles, which may come at the same time as the others'."""
    chance = Random(f"{order.seed} {name}")
    count = 0
    async with _standing(order, name, round(order.everything) + 10) as (made, folder):
        end = made.now + order.everything
        store = asyncio.create_task(_store_troubles(made, Random(chance.random()), end), name="soak-store")
        while made.now < end:
            await asyncio.sleep(chance.expovariate(1 / MEAN_PAUSE))
            tripped = await made.publisher.trip()
            await asyncio.sleep(chance.choice([0.0, chance.uniform(0, MOMENT)]))
            began = await _meet(made, chance.choice(faults.OF_GATEWAY_AND_BROKER), chance)
            if chance.random() < 0.7:  # else the next one comes before this one is over
                await made.recovered(tripped, began, stored=False)
            count += 1
            progress(min(1 - (end - made.now) / order.everything, 1))
        count += await store
        await made.recovered(await made.publisher.trip(), made.now)
        return await _row(name, count, made, folder)


async def _store_troubles(made: Stand, chance: Random, end: float) -> int:
    """How many there were."""
    count = 0
    while made.now < end:
        await asyncio.sleep(chance.expovariate(1 / (4 * MEAN_PAUSE)))
        await _meet(made, chance.choice(faults.OF_STORE), chance)
        count += 1
    return count


async def calm(order: Order, name: str, progress: Progress) -> Row:
    """No fault: full load for as long as an outage would last, then nothing at all. Memory must stay, and the processor rest."""
    async with _standing(order, name, 1) as (made, folder):
        began = made.now
        tripped = await made.publisher.trip()
        await made.recovered(tripped, began)
        while made.now < began + order.outage:
            await asyncio.sleep(1)
            progress((made.now - began) / (order.outage + order.idle))
        middle, last = (fmean(size for moment, size in made.past.memory if part <= (moment - began) / order.outage < part + 1 / 3) for part in (1 / 3, 2 / 3))
        await made.drained()
        used, rested = made.processor(), made.now
        await asyncio.sleep(order.idle)
        share = (made.processor() - used) / (made.now - rested)
        row = await _row(f"{name}: idle {share:.1%} of a core, resident {middle:.0f} then {last:.0f} MiB", 0, made, folder)
        if share > IDLE_MOST:
            row.broken.append(f"idle, gateway and recorder use {share:.1%} of a core, over {IDLE_MOST:.0%}")
        if last > (1 + FLAT) * middle:
            row.broken.append(f"the resident set grew from {middle:.0f} MiB in the middle third to {last:.0f} in the last, over {FLAT:.0%}")
        return row


def runs(order: Order) -> list[Run]:
    """All of them, in the order of the table."""
    away = f"store down {order.outage / 60:g} min, gateway restarted in the middle"
    return [
        Run("no fault", partial(calm, order)),
        Run("gateway kill -9", partial(sequence, order, troubles=[faults.gateway_killed] * order.kills)),
        Run("recorder kill -9", partial(sequence, order, troubles=[faults.recorder_killed] * order.repeats)),
        Run("broker restarted", partial(sequence, order, troubles=[faults.broker_restarted] * order.repeats)),
        Run("broker kill -9, gateway away", partial(sequence, order, troubles=[faults.broker_killed_with_the_gateway_away] * order.repeats)),
        Run(away, partial(outage, order)),
        Run(f"everything at random for {order.everything / 60:g} min", partial(everything, order)),
    ]
