"""The broker's place in the gateway: what comes goes into the pipeline, what is durable is acknowledged, what is told goes out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence

from adapters.codecs.command_json import encode_reply
from adapters.mqtt import BrokerSettings, Handlers, Link, LinkState, Presence, Publication, ReplyTo
from alerts.alarm import Refusal, Tier
from alerts.register import Register
from gateway.admission import ECHO
from gateway.publishing import status_bytes, status_topic
from gateway.refusals import REFUSED_FOR, Refusals

log = logging.getLogger("hazgate.broker")
_OF_DEVICES = {"+/readings": 1, "+/status": 1}
_COMMANDS = {"commands/+/+": 0}
"""Commands at QoS 0: a broker keeps none for a gateway that is away and repeats none after a crash, so no answer is given to an alarm its sender never saw."""
MAX_WAITING, MAX_ROWS = 16_384, 131_072
"""Messages, and what was in them, read and not yet durable at which reading pauses, so that memory stays bounded; it goes on at half of it."""
LAST_ACKNOWLEDGEMENTS = 1.0
"""Seconds that a stop waits for what was read to be durable: what is acknowledged now does not come twice."""
MAX_AT_ONCE = 2**18
"""Bytes read before the pipeline must have had its turn."""


class Broker:
    """One connection for everything. `on_message` and `on_state` are set by whoever builds the gateway, before `start`."""

    def __init__(self, settings: BrokerSettings, gateway: str, register: Register, foreign: Mapping[str, int], *, known: bool) -> None:
        """`foreign`: filters of devices' own topics, with their QoS. known: an earlier run of this gateway had a session."""
        self.settings = settings
        self.prefix = settings.prefix
        self.window = settings.receive_maximum
        """Messages that the broker is to give us at most before it waits for an answer."""
        self.of_devices = {f"{self.prefix}/{site}/{rest}": qos for site in register.sites for rest, qos in _OF_DEVICES.items()} | dict(foreign)
        """Everything that devices say, as topic filters with their QoS."""
        commands = {f"{self.prefix}/{site}/{rest}": qos for site in register.sites for rest, qos in _COMMANDS.items()}
        self.echo_topic = f"{self.prefix}/gateways/{gateway}/{ECHO}"
        self.status_topic = status_topic(self.prefix, gateway)
        self.own = {self.echo_topic: 1, self.status_topic: 0}
        """What the gateway says to itself, with its QoS."""
        self.refusals = Refusals(self.prefix, lambda publication: self.link.publish(publication))  # noqa: PLW0108 - the link is made below
        handlers = Handlers(message=self._message, state=self._state, barred=self.refusals.barred)
        will = (self.status_topic, status_bytes(online=False))
        self.link = Link(settings, Presence(f"hazgate-{gateway}", {**self.of_devices, **commands, **self.own}, will, known=known), handlers)
        self._waiting = 0
        self._taken = 0
        self._unheard_until = 0.0
        self._closed = False
        self._drained = asyncio.Event()
        self._paused = False
        self.on_message: Callable[[str, bytes, bool, int], None] = lambda *_message: None
        self.on_state: Callable[[LinkState, str], None] = lambda *_state: None
        self.backlog: Callable[[], int] = lambda: 0
        """How many readings, and things set aside, have been read and are not durable."""
        self.status: Callable[[bool], bytes] = lambda online: status_bytes(online=online)
        """Gives the payload that says this gateway is there, or that it goes."""

    async def start(self) -> None:
        """Begin to connect."""
        await self.link.start()

    async def stop(self) -> None:
        """Take nothing more, acknowledge what becomes durable, say that the gateway goes, and go."""
        self._closed = True
        if self._waiting:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), LAST_ACKNOWLEDGEMENTS)
        self.publish(self.status_topic, self.status(False), True, None)
        self.refusals.stop()
        await self.link.stop()

    @property
    def waiting(self) -> int:
        """Messages that were read and are not acknowledged yet."""
        return self._waiting

    @property
    def paused(self) -> bool:
        """Whether reading has stopped until something is durable."""
        return self._paused

    def show(self, topic: str, payload: bytes) -> None:
        """Send, retained, what only counts as it is now. Without a broker it would pile up: the first thing that a connection brings is the newest."""
        if self.link.state is LinkState.UP:
            self.publish(topic, payload, True, None)

    def announce(self) -> None:
        """Say that this gateway is there, as it is now."""
        self.show(self.status_topic, self.status(True))

    def _message(self, topic: str, payload: bytes, retained: bool, token: int) -> None:
        if self._closed:
            return  # unacknowledged: the broker has it for the next start
        self.on_message(topic, payload, retained, token)
        self._waiting += token != 0
        self._taken += len(payload)
        if not self._paused and (self._taken >= MAX_AT_ONCE or self._waiting >= MAX_WAITING or self.backlog() >= MAX_ROWS):
            self._paused = True
            self.link.pause()
            asyncio.get_running_loop().call_soon(self._go_on)

    def durable(self, tokens: Sequence[int]) -> None:
        """What came with these tokens is on the disk: PUBACK. Called for every commit, also one without tokens."""
        self._waiting -= len(tokens)
        self.link.ack(tokens)
        if self._closed and not self._waiting:
            self._drained.set()
        self._go_on()

    def _go_on(self) -> None:
        if self._paused and self._waiting <= MAX_WAITING // 2 and self.backlog() <= MAX_ROWS // 2:
            self._paused, self._taken = False, 0
            self.link.resume()

    def _state(self, state: LinkState, reason: str) -> None:
        log.log(logging.WARNING if reason else logging.INFO, "broker %s%s", state, f": {reason}" if reason else "")
        self.announce()
        self.on_state(state, reason)

    def publish(self, topic: str, payload: bytes, retain: bool, done: Callable[[], None] | None, tier: Tier = Tier.YELLOW) -> None:
        """Send at QoS 1; `done` on the broker's PUBACK, over reconnects.

        A refusal is told by `refusals`. It counts as done for what is not retained, for nobody wants it later; what is
        retained waits until the broker takes it. `tier`: how much it matters that it is seen.
        """
        self.refusals.publish(Publication(topic, payload, retain, done=done), tier)

    def send(self, topic: str, payload: bytes) -> None:
        """Send at QoS 0: nobody learns whether it arrived, but that the broker ends the connection for it."""
        self.refusals.publish(Publication(topic, payload, qos=0))

    def publish_notice(self, topic: str, payload: bytes, done: Callable[[], None], refused: Callable[[str], None]) -> None:
        """Send a person's message at QoS 1, not retained; one of the two is called."""
        self.refusals.publish(Publication(topic, payload, done=done, refused=refused))

    def reply_to(self, site: str) -> ReplyTo | None:
        """Where the command being received wants its answer, if that is a place for answers: never one of our other topics."""
        wanted = self.link.reply_to
        if asyncio.get_running_loop().time() < self._unheard_until:
            return None
        if wanted is None or wanted.topic.startswith("$"):
            return None  # mosquitto 2.0 ends the connection for a topic of its own, as if it had been denied
        ours = wanted.topic.startswith(f"{self.prefix}/")
        return None if ours and not wanted.topic.startswith(f"{self.prefix}/{site}/replies/") else wanted

    def reply(self, site: str, identity: str, refusal: Refusal | None, to: ReplyTo | None) -> None:
        """Answer a command at the place that its sender named, else at `{site}/replies/{id}`."""

        def refused(reason: str) -> None:
            log.error("the broker refused an answer to %s: %s; wishes for places of answers are passed over for %.0f s", topic, reason, REFUSED_FOR)
            self._unheard_until = asyncio.get_running_loop().time() + REFUSED_FOR

        body = encode_reply(identity, ok=refusal is None, reason=refusal)
        topic = to.topic if to is not None else f"{self.prefix}/{site}/replies/{identity}"
        if to is not None:
            self.link.publish(Publication(topic, body, correlation=to.correlation, refused=refused))
        else:
            self.refusals.publish(Publication(topic, body))
