"""Dispatch: what the outbox holds goes out, and nothing else does. The only place that retries.

Publications go to the broker and are gone on its PUBACK. A notice goes to its channel's lane: RED first, several at
once, each tried until the channel's deadline with jittered back-off. A step whose messages were all refused for good,
or not delivered within their channel's timeout, passes on to the next people; the tries go on all the same.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from adapters import backoff
from adapters.codecs.alarm_json import repeated
from adapters.journal import Journal, Outgoing
from alerts.alarm import Tier
from alerts.chain import CHASING
from alerts.ports import Clock, Delivery, Notice, Notifier, Permanent, Transient
from alerts.reading import SECOND
from gateway.publications import Publications, Publish
from gateway.turn import Fate, Settled

AT_ONCE = 4
"""Sends of one channel under way at a time."""
WAITING = 5_000
"""Messages that wait for a channel; of more the oldest BLUE or YELLOW is given up, whatever the channel's deadline."""
KEPT_FOR_RED = 2
"""Places within a channel's limit that only RED may use."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to people: its notifier and its bounds. timeout, deadline in ns; `limit` messages a second, None for no limit."""

    name: str
    notifier: Notifier
    timeout: int
    deadline: int
    limit: float | None = None


@dataclass(order=True, slots=True)
class _Item:
    rank: int
    since: int
    serial: int
    outgoing: Outgoing = field(compare=False)
    notice: Notice = field(compare=False)
    may_repeat: bool = field(compare=False, default=False)
    tries: int = field(compare=False, default=0)
    undelivered: bool = field(compare=False, default=False)


@dataclass(slots=True)
class Counters:
    """What became of notices, for `/metrics`."""

    delivered: int = 0
    failed: int = 0
    retried: int = 0
    withdrawn: int = 0


class Lane:
    """The queue of one channel and the tasks that work it."""

    def __init__(self, channel: Channel, dispatch: Dispatch) -> None:
        self.channel = channel
        self._dispatch = dispatch
        self._heap: list[_Item] = []
        self._ready = asyncio.Semaphore(0)
        self._sent: deque[int] = deque()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to send."""
        self._tasks = [asyncio.create_task(self._work(), name=f"notify-{self.channel.name}-{n}") for n in range(AT_ONCE)]

    async def stop(self) -> None:
        """Stop sending; what is under way is cut off and will be repeated, marked, after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.channel.notifier.close()

    def put(self, item: _Item) -> None:
        """Queue a notice. If too many wait, the oldest that calls nobody at once is given up, if there is one."""
        heapq.heappush(self._heap, item)
        mild = [each for each in self._heap if not each.notice.tier.urgent] if len(self._heap) > WAITING else []
        if not mild:
            self._ready.release()
            return
        worst = min(mild, key=lambda each: (-each.rank, each.since, each.serial))
        self._heap.remove(worst)
        heapq.heapify(self._heap)
        self._dispatch.settle(worst, Fate.FAILED, f"given up: more than {WAITING} messages wait for {self.channel.name}")

    async def _work(self) -> None:
        while True:
            await self._ready.acquire()
            item = heapq.heappop(self._heap)
            if self._dispatch.is_withdrawn(item):
                continue
            wait = self._must_wait(item)
            if wait > 0:
                asyncio.get_running_loop().call_later(wait, self.put, item)
                continue
            try:
                await self._try(item)
            except Exception as error:  # noqa: BLE001 - the outermost edge of this task: whatever a notifier raises, the lane goes on
                self._failed(item, f"{type(error).__name__}: {error}")

    def _must_wait(self, item: _Item) -> float:
        """Seconds until the channel's limit has room; two places stay free for RED."""
        if self.channel.limit is None:
            return 0.0
        now, minute = self._dispatch.clock.now(), 60 * SECOND
        while self._sent and self._sent[0] <= now - minute:
            self._sent.popleft()
        room = max(1, round(self.channel.limit * 60)) - (0 if item.rank == 0 else KEPT_FOR_RED)
        if len(self._sent) < max(room, 1):
            self._sent.append(now)
            return 0.0
        return max((self._sent[0] + minute - now) / SECOND, 0.05)

    async def _try(self, item: _Item) -> None:
        item.tries += 1
        body = repeated(item.outgoing.body) if item.may_repeat else item.outgoing.body
        delivery = Delivery(item.notice, body, item.notice.id, item.may_repeat)
        try:
            async with asyncio.timeout(self.channel.timeout / SECOND):
                receipt = await self.channel.notifier.send(delivery)
        except TimeoutError:
            self._failed(item, f"no answer within {self.channel.timeout / SECOND:g} s")
        except Transient as error:
            self._failed(item, str(error), error.retry_after or 0)
        except Permanent as error:
            self._dispatch.settle(item, Fate.FAILED, str(error))
        else:
            self._dispatch.settle(item, Fate.DELIVERED, receipt.text)

    def _failed(self, item: _Item, words: str, at_least: int = 0) -> None:
        """Try again later: after the back-off, or the `at_least` ns that the far side asked for, but before the deadline."""
        now = self._dispatch.clock.now()
        if now - item.since >= self.channel.deadline:
            self._dispatch.settle(item, Fate.EXPIRED, words)
            return
        self._dispatch.counters.retried += 1
        wait = backoff.wait(item.tries, FIRST_WAIT, LONGEST_WAIT)
        left = (self.channel.deadline - (now - item.since)) / SECOND
        wait = min(max(wait, at_least / SECOND), max(left, 0.0))
        # an error after the request had left says nothing about what the far side did with it
        item.may_repeat = True
        asyncio.get_running_loop().call_later(wait, self.put, item)


class Dispatch:
    """Fans the outbox out to the broker and the channels. All on the loop's thread."""

    def __init__(self, channels: Sequence[Channel], publish: Publish, journal: Journal, clock: Clock) -> None:
        """`publish` hands a message to the broker's connection."""
        self.clock = clock
        self.counters = Counters()
        self.publications = Publications(publish, journal)
        self._lanes: Mapping[str, Lane] = {channel.name: Lane(channel, self) for channel in channels}
        self._withdrawn: dict[str, int] = {}
        self._steps: dict[tuple[str, ...], int] = {}
        self._serial = 0
        self.on_undelivered: Callable[[Notice], None] = lambda _notice: None
        """Told when no message of a step got through in time: the step passes on."""
        self.on_settled: Callable[[Settled], None] = lambda _settled: None
        """Told when a notice got through or was given up, before `on_undelivered`; whoever hears it writes it down."""

    async def start(self) -> None:
        """Begin to send."""
        for lane in self._lanes.values():
            lane.start()

    async def stop(self) -> None:
        """Stop sending."""
        for lane in self._lanes.values():
            await lane.stop()

    def publish(self, outgoing: Outgoing) -> None:
        """Hand a publication to the broker; the outbox forgets it on its PUBACK."""
        self.publications.put(outgoing)

    def notify(self, outgoing: Outgoing, notice: Notice, *, may_repeat: bool = False) -> None:
        """Queue a notice for its channel. The channel's timeout counts from here, however long the queue is."""
        lane = self._lanes.get(outgoing.channel)
        step = _step(notice)
        self._steps[step] = self._steps.get(step, 0) + 1
        self._serial += 1
        item = _Item(Tier.RED.rank - notice.tier.rank, self.clock.now(), self._serial, outgoing, notice, may_repeat)
        if lane is None:
            self.settle(item, Fate.FAILED, f"no channel is named {outgoing.channel}")
            return
        lane.put(item)
        asyncio.get_running_loop().call_later(lane.channel.timeout / SECOND, self._undelivered, item)

    def withdraw(self, occurrence: str) -> None:
        """Nothing of this occurrence's steps that was queued up to now goes out any more."""
        self._withdrawn[occurrence] = self._serial
        while len(self._withdrawn) > 10_000:
            del self._withdrawn[next(iter(self._withdrawn))]

    def is_withdrawn(self, item: _Item) -> bool:
        """Whether this message was called back; counted."""
        called_back = item.notice.kind in CHASING and item.serial <= self._withdrawn.get(item.notice.occurrence, -1)
        self.counters.withdrawn += called_back
        return called_back

    def settle(self, item: _Item, fate: Fate, words: str) -> None:
        """The fate of a notice is known: say so, and when it failed see whether its step passes on."""
        self.on_settled(Settled(item.notice, item.outgoing.key, fate, words))
        if fate is Fate.DELIVERED:
            self.counters.delivered += 1
            self._steps.pop(_step(item.notice), None)
            return
        self.counters.failed += 1
        self._undelivered(item)

    def _undelivered(self, item: _Item) -> None:
        """Time is up for a message, or it was refused for good. When that is so for each of a step's messages, the step passes on."""
        step = _step(item.notice)
        if item.undelivered or step not in self._steps:
            return
        item.undelivered = True
        self._steps[step] -= 1
        if self._steps[step] <= 0:
            del self._steps[step]
            self.on_undelivered(item.notice)


def _step(notice: Notice) -> tuple[str, ...]:
    return (notice.site, notice.occurrence, str(notice.annunciation), notice.kind, str(notice.step), str(notice.round))
