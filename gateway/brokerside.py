"""What goes on at the broker besides readings: is it there, is it ours alone, does it lose anything, what does it retain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from adapters.journal import Journal, Outgoing
from adapters.mqtt import Link, LinkState
from adapters.spool import Spool
from alerts.ports import Clock
from gateway.admission import ECHO, Admit
from gateway.brokering import Broker
from gateway.core import Core
from gateway.drops import TOPIC, Drops
from gateway.hearing import Hearing
from gateway.leftovers import Leftovers
from gateway.pipeline import Pipeline
from gateway.rival import Rival
from gateway.scribe import Scribe
from gateway.selfwatch import SelfWatch
from gateway.sideline import Sideline
from gateway.watching import Watching


@dataclass(frozen=True, slots=True)
class Parts:
    """What it works with. boot: the name of this start; since: when it was, ns; dropped: what the broker had dropped as an earlier run last saw it."""

    broker: Broker
    core: Core
    admit: Admit
    pipeline: Pipeline
    scribe: Scribe
    spool: Spool
    journal: Journal
    watch: SelfWatch
    clock: Clock
    boot: str
    since: int
    dropped: str | None


class BrokerSide:
    """Both connections to the broker as seen from above. On the loop's thread."""

    def __init__(self, parts: Parts) -> None:
        broker, core, watch = parts.broker, parts.core, parts.watch
        self._broker = broker
        self._core = core
        self._scribe = parts.scribe
        self._lost = 0
        self._sideline = Sideline(broker.settings, core.gateway, broker.echo_topic)
        self.hearing = Hearing(core.gateway, core.engine, watch, parts.clock, parts.pipeline.arm)
        self.watching = Watching(broker, self._sideline, parts.spool, parts.admit, core.engine, parts.clock)
        self.rival = Rival(watch, broker, self._sideline, parts.boot, parts.since)
        self.drops = Drops(watch, parts.journal, broker.link, parts.dropped)
        set_right = lambda topic, payload: broker.publish(topic, payload, True, None)  # noqa: E731 - it is handed on, not called here
        owners = [*core.register.sites, f"gateways/{core.gateway}"]
        self.leftovers = Leftovers(self._sideline, [f"{broker.prefix}/{owner}/alarms/+" for owner in owners], self._standing, set_right)
        self.on_up: Callable[[], None] = lambda: None
        """Told each time the first connection is there (again)."""
        self.watching.name = parts.boot.encode()
        self.watching.on_glimpse = parts.pipeline.glimpse
        parts.admit.on_own = self._own
        broker.on_state = self._first_is
        self._sideline.on_message, self._sideline.on_retained = self.watching.message, self.leftovers.found
        self._sideline.on_state = self._second_is
        self._sideline.hear(broker.echo_topic, self._echo)
        self._sideline.hear(TOPIC, self.drops.counted, self.drops.refused)

    @property
    def link(self) -> Link:
        """The first connection."""
        return self._broker.link

    @property
    def second_up(self) -> bool:
        """Whether the second connection stands by."""
        return self._sideline.up

    async def start(self) -> None:
        """Begin to connect for the second time, and to look out."""
        await self.rival.start()
        await self.drops.start()
        await self._sideline.start()
        await self.watching.start()

    async def stop(self) -> None:
        """Look out no more, and give up the second connection."""
        await self.watching.stop()
        self.leftovers.stop()
        await self._sideline.stop()
        await self.drops.stop()
        await self.rival.stop()

    def _first_is(self, state: LinkState, reason: str) -> None:
        denied = [name for name in self._broker.link.denied if name not in self._broker.own]
        self.hearing.link_is(state, reason, denied)
        self.rival.first_is(state)
        lost = self._broker.link.counters.sessions_lost
        if lost > self._lost:
            self._lost = lost
            self.drops.session_lost()
        if state is LinkState.UP:
            self.on_up()
            self._both_up()

    def _second_is(self, state: LinkState) -> None:
        self.rival.second_is(state)
        self.watching.second_is(state)
        if state is LinkState.UP:
            self._both_up()

    def _own(self, level: str, payload: bytes, retained: bool) -> None:
        """The first connection brought something of our own."""
        if level == ECHO:
            self.watching.first_echo(payload)
        else:
            self.rival.status(payload, retained)

    def _echo(self, payload: bytes, _retained: bool) -> None:
        self.watching.echo(payload)
        self.rival.echo(payload)

    def _both_up(self) -> None:
        """Once both connections are there: a broker that was away may let us do other things than before, and may have gone back in time."""
        if self._sideline.up and self._broker.link.state is LinkState.UP:
            self.watching.prove()
            if not self.rival.near:
                self.leftovers.look()

    def _standing(self) -> Iterator[Outgoing]:
        yield from (self._scribe.retained(alarm) for alarm in self._core.standing())
