"""Hears the sites for a while beside the gateway, or without one, to compare the files with what devices really send.

A clean session of its own at QoS 0: the broker keeps nothing for it, and the gateway's session and figures are not
touched. Codecs, routes and admission are the gateway's. Once connected it does one thing that others notice, as the
gateway does: it asks edges of Sparkplug for their births, because without them their data mean nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from adapters.codecs.topics import NAMESPACE
from adapters.mqtt import Handlers, Link, LinkState, Presence, Publication
from alerts.alarm import Quarantine
from alerts.finding import Listened
from alerts.ports import Aside, Clock, Transient
from alerts.reading import SECOND
from alerts.register import Point, Register
from alerts.suppress import CANARY
from alerts.survey import MOST, Overheard, Survey
from gateway.admission import Admit
from gateway.config import Config
from gateway.routes import Routes
from gateway.turn import Turn

TICK: Final = 0.25
"""Seconds between two looks at the clock."""
SILENT: Final = ("alarms", "alarm-events", "state", "commands", "replies", "drill", "sirens")
"""What stands below a site beside its devices."""
UNREAD: Final = frozenset({Quarantine.UNREADABLE, Quarantine.TOO_LARGE})
Tell = Callable[[int, int], None]
"""Takes how long we have listened (ns) and how many sensors were heard so far."""


async def listen(config: Config, clock: Clock, span: int, stop: asyncio.Event, tell: Tell) -> Listened:
    """Listen for `span` (ns), or until `stop`. Raises Transient or Permanent, in words, when the broker cannot be heard, or not to the end.

    First to everything beside the devices' topics too, so that whoever publishes to the wrong place is found; where a
    broker does not allow that, to what the gateway hears.
    """
    wide, narrow = _filters(config)
    listening = Listening(config, clock, wide)
    try:
        if await listening.begin(stop):
            await listening.end()
            listening = Listening(config, clock, narrow)
            listening.survey.refused = await listening.begin(stop)
        await listening.go_on(span, stop, tell)
    finally:
        await listening.end()
    return Listened(listening.survey.register, listening.survey, clock.now(), lambda point: expected(config.gateway.broker.prefix, point))


def expected(prefix: str, point: Point) -> str:
    """Where a sensor's readings should come from, and under which name if that is another than its id."""
    device, sensor = point.sensor.device, point.sensor.id
    codec = next((each.codec for each in point.site.devices if each.id == device), None)
    topic = codec.topic if codec is not None and codec.topic is not None else f"{prefix}/{point.site.site}/{device}/readings"
    names = [name for name, meant in codec.names.items() if meant == sensor] if codec is not None else []
    return f"{topic} as {names[0]}" if names else topic


def _filters(config: Config) -> tuple[list[str], list[str]]:
    """What to subscribe to: beside the devices' topics too, and only to those of the gateway. No two of a list overlap, or a broker might say things twice."""
    prefix = config.gateway.broker.prefix
    foreign = Routes(Register(config.sites)).filters()
    first = dict.fromkeys(f"{name.split('/')[0]}/#" for name in foreign)
    wide = [*first] if f"{prefix.split('/')[0]}/#" in first else [f"{prefix}/#", *first]
    return wide, [f"{prefix}/{site.site}/+/{what}" for site in config.sites for what in ("readings", "status")] + [*foreign]


class Listening:
    """One connection to these filters, and the survey of what it brings."""

    def __init__(self, config: Config, clock: Clock, filters: Iterable[str]) -> None:
        settings = config.gateway.broker
        register = Register(config.sites)
        self._clock = clock
        self._prefix = settings.prefix
        self._sites = frozenset(register.sites)
        self.survey = Survey(register, clock.now())
        self._routes = Routes(register)
        self._routes.sessions.publish = lambda topic, payload: self._link.publish(Publication(topic, payload, qos=0))
        self._admit = Admit(settings.prefix, Overheard(self.survey), list(self._sites), self._routes, lambda _message, _parts: None)
        self._unborn: deque[Aside] = deque(maxlen=MOST)
        handlers = Handlers(message=lambda topic, payload, retained, _token: self._message(topic, payload, retained=retained), state=self._state)
        # two engineers may listen at once, and a broker knows a client by its name
        client_id = f"hazgate-{config.gateway.gateway}-check-{secrets.token_hex(3)}"
        self._link = Link(settings, Presence(client_id, dict.fromkeys(filters, 0), kept=False), handlers)
        self._risen: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._reason = ""

    async def begin(self, stop: asyncio.Event) -> str:
        """Connect; what the broker does not let us hear, in words, empty for nothing. Raises Transient if it cannot be reached at the first attempt."""
        await self._link.start()
        stopped = asyncio.create_task(stop.wait(), name="stopped")
        try:
            either: list[asyncio.Future[Any]] = [self._risen, stopped]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        if not self._risen.done():
            raise Transient("it was stopped before the broker had answered")
        return self._risen.result()

    async def go_on(self, span: int, stop: asyncio.Event, tell: Tell) -> None:
        """Listen for `span` (ns), or until `stop`. Raises Transient if the broker is away at the end."""
        begun = self.survey.begun
        while (elapsed := self._clock.now() - begun) < span and not stop.is_set():
            tell(elapsed, self.survey.heard())
            self._admit.run(Turn(self._clock.now()))  # what edges owe us is asked for again
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(TICK, (span - elapsed) / SECOND))
        tell(elapsed, self.survey.heard())
        if self._link.state is not LinkState.UP:
            raise Transient(self._reason)
        for aside in self._unborn:
            if not self._is_born(aside.topic):
                self.survey.unreadable(aside)

    async def end(self) -> None:
        """Go; the broker forgets us."""
        await self._link.stop()

    def _state(self, state: LinkState, reason: str) -> None:
        if state is LinkState.UP:
            self._routes.sessions.connected(self._clock.now())
            if not self._risen.done():
                self.survey.begun = self._clock.now()
                self._risen.set_result(reason)
            return
        self._reason = reason
        if not self._risen.done():
            self._risen.set_exception(Transient(reason))
        else:
            self.survey.interruptions.append(reason)

    def _message(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """One message is one turn: the listener's answers need not be quick."""
        levels = topic.split("/")
        if not self._is_ours(topic, levels, retained=retained):
            return
        born = self._is_born(topic)
        now = self._clock.now()
        turn = Turn(now, [(topic, payload, retained, 0, now, None)])
        self._admit.run(turn)
        if turn.readings is not None:
            self.survey.admitted(turn.readings)
        self.survey.told(turn.edges)
        self.survey.offline.update(turn.offline)
        for aside in turn.asides:
            if aside.reason in UNREAD and born:
                self.survey.unreadable(aside)
            elif aside.reason in UNREAD:
                # until its birth has come, an edge's data need not mean anything
                self._unborn.append(aside)

    def _is_born(self, topic: str) -> bool:
        found = self._routes.sessions.find(topic.split("/"))
        return found is None or found[0].born

    def _is_ours(self, topic: str, levels: list[str], *, retained: bool) -> bool:
        """Whether a topic is one that the gateway would read; if it is not, and nobody else's either, the survey is told."""
        if not topic.startswith(f"{self._prefix}/"):
            if self._routes.sessions.find(levels) is not None or self._routes.find(levels) is not None:
                return True
            if not retained and (levels[0] != NAMESPACE or "DATA" in topic):
                self.survey.stray(topic, self.survey.foreign)
            return False
        site, *rest = topic[len(self._prefix) + 1 :].split("/")
        is_device = len(rest) == 2 and rest[1] in ("readings", "status")
        if site not in self._sites:
            if rest[1:] == ["readings"] and site != CANARY and not retained:
                self.survey.at_another_site(site, rest[0])
        elif not is_device and rest and rest[0] not in SILENT and not retained:
            self.survey.stray(topic, self.survey.strays)
        return is_device and site in self._sites
