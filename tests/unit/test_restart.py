"""Judging again after a crash, in virtual time: whatever the moment, nothing is lost, nothing is decided twice."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from support.plant import Plant
from support.sites import T0, raw, sensor, site

from alerts.alarm import Alarm, Event, EventKind, Verb
from alerts.book import Book
from alerts.command import Command, Numbers
from alerts.detect.engine import Engine
from alerts.reading import SECOND, Quality, RawReading, Readings
from alerts.register import Register
from gateway.stages import Detect, Live
from gateway.turn import Turn

Step = tuple[float, list[RawReading], Command | None]
"""Seconds after T0, what was read, what somebody did then."""


class Run:
    """One life of a gateway: detection and alarms, with the alarms and the last number of an earlier one."""

    def __init__(self, sensors: Sequence[dict[str, object]], alarms: Iterable[Alarm] = (), last: int = 0) -> None:
        made = site(*sensors)
        self.engine = Engine(Register([made]), T0)
        self.book = Book(made, self.engine, Numbers(last), alarms=alarms, gateway="gw-1")
        self.events: list[Event] = []
        self._live = Live({"north": self.book})
        self._detect = Detect(self.engine, held=False)

    def judge(self, readings: Readings | None, now: int, known: Collection[str] = (), until: int | None = None) -> None:
        """One turn; `known` and `until` as when judging again."""
        self._live.known = set(known)
        turn = Turn(now, readings=readings, until=until)
        self._detect.run(turn)
        self._live.run(turn)
        self.events += turn.events

    def do(self, command: Command, now: int) -> None:
        """What somebody did, if it was allowed."""
        done = self.book.command(command, now)
        self.events += done if isinstance(done, list) else []

    def states(self) -> dict[str, tuple[object, ...]]:
        """Everything that stands."""
        return {name: (alarm.state, alarm.over_range, alarm.value_lost, alarm.tier) for name, alarm in self.book.alarms().items()}


@dataclass
class Durable:
    """What is on the disk at the crash."""

    alarms: list[Alarm]
    events: list[Event]
    last: int


def story(chance: random.Random) -> list[Step]:
    """A minute of two heads in trouble and of people who acknowledge and reset."""
    steps: list[Step] = []
    at = 0.0
    for _ in range(60):
        at += chance.choice([0.5, 1, 1, 2])
        heads = [head for head in ("GT-1", "GT-2") if chance.random() < 0.9]
        read = [_reading(head, chance, at) for head in heads]
        verb, condition = chance.choice([Verb.ACKNOWLEDGE, Verb.RESET]), chance.choice(["high", "high_high", "bad_quality"])
        command = Command(verb, "north", chance.choice(["li", "wang"]), alarm=f"{chance.choice(['GT-1', 'GT-2'])}.{condition}")
        steps.append((at, read, command if chance.random() < 0.3 else None))
    return steps + [(at + n, [raw("GT-1", 5.0, at + n), raw("GT-2", 5.0, at + n)], None) for n in range(1, 21)]


def _reading(head: str, chance: random.Random, at: float) -> RawReading:
    if chance.random() < 0.1:
        return raw(head, math.nan, at, quality=Quality.BAD)
    return raw(head, chance.choice([5.0, 5.0, 10.0, 24.0, 30.0, 30.0, 60.0, 60.0, 100.0 if chance.random() < 0.1 else 60.0]), at)


def play(run: Run, steps: Sequence[Step], admitted: Sequence[Readings | None]) -> None:
    """Live through it."""
    for (at, _, command), readings in zip(steps, admitted, strict=True):
        now = T0 + round(at * SECOND)
        run.judge(readings, now)
        if command is not None:
            run.do(command, now)


@pytest.mark.parametrize("seed", range(60))
def test_a_crash_at_any_moment_loses_and_doubles_nothing(seed: int) -> None:
    """The last turns of the first life may be missing from the journal; the checkpoint is older than both."""
    chance = random.Random(seed)
    heads = [sensor("GT-1", on_delay=chance.choice(["0s", "3s"]), off_delay=chance.choice(["0s", "4s"])), sensor("GT-2", off_delay="2s", latch=False)]
    steps, plant = story(chance), Plant(*heads)
    crash = chance.randint(5, 50)
    durable_until, covered = crash - chance.randint(0, 3), chance.randint(0, crash - 4)
    steps[durable_until:crash] = [(at, read, None) for at, read, _ in steps[durable_until:crash]]
    admitted = [plant.batch(*read, arrival=at) if read else None for at, read, _ in steps]

    straight = Run(heads)
    play(straight, steps, admitted)

    first = Run(heads)
    play(first, steps[:covered], admitted[:covered])
    checkpoint = first.engine.checkpoint()
    play(first, steps[covered:durable_until], admitted[covered:durable_until])
    disk = Durable(list(first.book.alarms().values()), list(first.events), max((event.sequence for event in first.events), default=0))

    second = Run(heads, disk.alarms, disk.last)
    second.engine.restore(checkpoint, np.arange(len(heads)))
    now = T0 + round((steps[crash - 1][0] + 0.1) * SECOND)
    second.engine.subscribed(now)
    known = {event.key for event in disk.events if event.key}
    for readings in admitted[covered:crash]:
        if readings is not None:
            second.judge(readings, now, known, until=int(readings.arrival.max()))
    second.engine.subscribed(now)
    second.engine.adopt(second.book.alarms().values())
    play(second, steps[crash:], admitted[crash:])

    told = Counter(event.key for event in [*disk.events, *second.events] if event.kind in (EventKind.RAISE, EventKind.RE_RAISE))
    assert told == Counter(event.key for event in straight.events if event.kind in (EventKind.RAISE, EventKind.RE_RAISE))
    assert second.states() == straight.states()
