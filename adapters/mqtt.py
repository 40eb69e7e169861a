"""A connection to the broker, kept up: readings and commands come in, alarms and states go out.

A kept session outlives every connection, a message is acknowledged when the caller says so, and what is to be
published stays in line until the broker has it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from adapters.client import Identity, Presence, Version
from adapters.line import Counters, Publication
from adapters.secret import Secret
from adapters.session import Ending, Session
from adapters.tls import client_context, dial
from alerts.ports import HazgateError
from alerts.reading import SECOND
from alerts.site import Count, Flag, Model, Spell

__all__ = ["BrokerSettings", "Counters", "Ending", "Handlers", "Link", "LinkState", "Presence", "Publication", "ReplyTo"]

_log = logging.getLogger(__name__)

_FIRST_DELAY: Final = 0.5
_LAST_DELAY: Final = 15.0
_LAST_DELAY_KEEPALIVES: Final = 1.5
"""The last delay, if that is shorter: whoever waits longer hears a broker that is back later than within two keepalives."""
_STEADY: Final = 10.0
"""Seconds a connection must have lasted for the next attempt to come at the first delay again."""
_STOP_WITHIN: Final = 2.0
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_TOPIC: Final = re.compile(r"[^+#\x00]{1,65535}")


class LinkState(StrEnum):
    """How the connection stands. DOWN lasts until it is UP again, however many attempts that takes."""

    CONNECTING = "connecting"
    UP = "up"
    DOWN = "down"


class BrokerSettings(Model):
    """`broker:` of the gateway file. keepalive: ns, sent in whole seconds; a silent broker is given up within twice that."""

    url: str = Field(description="mqtt://host:port, or mqtts:// for TLS")
    prefix: str = Field("hazgate/v1", pattern=r"^[^/#+\s]+(/[^/#+\s]+)*$", description="what every topic of ours begins with")
    keepalive: Spell = 10 * SECOND
    username: str | None = None
    password: Secret | None = None
    ca: Path | None = Field(None, description="PEM of the authorities to trust in place of the machine's own")
    cert: Path | None = Field(None, description="PEM of our own certificate")
    key: Path | None = Field(None, description="PEM of its key, unless `cert` holds both")
    insecure_skip_verify: Flag = Field(default=False, description="believe any broker, whoever it is")
    receive_maximum: Count = Field(8192, ge=1, le=65535, description="unacknowledged messages asked for at once (MQTT 5)")

    @field_validator("url")
    @classmethod
    def _is_a_broker(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment or parts.port == 0:
            raise ValueError("expected mqtt://host:port or mqtts://host:port")
        if parts.username is not None or parts.password is not None:
            raise ValueError("login data do not belong into the address; use username and password")
        return url

    @model_validator(mode="after")
    def _is_consistent(self) -> BrokerSettings:
        if not self.tls and (self.ca or self.cert or self.key or self.insecure_skip_verify):
            raise ValueError("ca, cert, key and insecure_skip_verify are for mqtts://")
        if self.key and not self.cert:
            raise ValueError("key needs cert")
        if self.password and self.username is None:
            raise ValueError("password needs username")
        return self

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return urlsplit(self.url).scheme == "mqtts"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, the port by default 1883, or 8883 for TLS."""
        parts = urlsplit(self.url)
        return str(parts.hostname), parts.port or _PORTS[parts.scheme]

    @property
    def seconds(self) -> int:
        """The keepalive as MQTT wants it: whole seconds, 1 to 65,535."""
        return min(65535, math.ceil(self.keepalive / SECOND))


@dataclass(frozen=True, slots=True)
class Handlers:
    """Who is called, on the loop's thread.

    message(topic, payload, retained, token): for each message, once per delivery; must be quick and must not raise.
    `token` is what `Link.ack` takes, 0 for a message that needs none (QoS 0). state(state, reason): when the state
    or its reason changed; the reason is a sentence, empty when there is nothing to say. barred(publication): asked just
    before each is sent; a reason keeps it from being sent and is told as the broker's refusal would be.
    """

    message: Callable[[str, bytes, bool, int], None]
    state: Callable[[LinkState, str], None]
    barred: Callable[[Publication], str | None] = lambda _publication: None


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Where the sender of a message wants its answer (MQTT 5). Anybody may have chosen the topic."""

    topic: str
    correlation: bytes | None


class Link:
    """The connection, kept up from `start` to `stop`. Everything is called on the loop's thread."""

    def __init__(self, settings: BrokerSettings, presence: Presence, handlers: Handlers) -> None:
        self._settings = settings
        self._handlers = handlers
        identity = Identity(presence, settings.seconds, settings.receive_maximum, settings.username)
        self._session = Session(identity, handlers.message, self._on_risen, handlers.barred)
        self._told = (LinkState.CONNECTING, "")
        self._risen_at: float | None = None
        self._not_before = 0.0
        self._stopping = False
        self.ending: Ending | None = None
        """How the last connection ended that was up; None before."""
        self._task: asyncio.Task[None] | None = None

    @property
    def state(self) -> LinkState:
        """How the connection stands."""
        return self._told[0]

    @property
    def protocol(self) -> str:
        """The version spoken, or tried next: `5` or `3.1.1`."""
        return self._session.version.value

    @property
    def counters(self) -> Counters:
        """What happened since the start."""
        return self._session.counters

    @property
    def denied(self) -> tuple[str, ...]:
        """Topic filters that the broker did not let us subscribe to when it was connected last."""
        return self._session.denied

    @property
    def passed_over(self) -> int:
        """Messages at QoS 0 that were not read, because their topics flooded the connection."""
        return self._session.sieve.passed_over

    @property
    def worst_flood(self) -> str | None:
        """The topic that was passed over last, if any ever was."""
        return self._session.sieve.worst

    @property
    def unsent(self) -> int:
        """Publications the broker has not confirmed. There is no limit: they are the caller's to bound."""
        return len(self._session.line)

    @property
    def reply_to(self) -> ReplyTo | None:
        """Where the message being handled wants its answer; only inside `Handlers.message`."""
        message = self._session.current
        topic = getattr(message and message.properties, "ResponseTopic", None)
        return ReplyTo(topic, getattr(message and message.properties, "CorrelationData", None)) if topic else None

    async def start(self) -> None:
        """Begin to connect, and keep at it. Returns at once."""
        self._task = asyncio.create_task(self._keep_connected(), name="mqtt-link")

    async def stop(self) -> None:
        """Publish what waits, say goodbye (so the will is not published) and close; within 2 s."""
        if self._task is None:
            return
        self._stopping = True
        if self._session.up:
            self._session.leave()
            await asyncio.wait([self._task], timeout=_STOP_WITHIN)
        self._task.cancel()
        await asyncio.wait([self._task])
        self._told = (LinkState.DOWN, "stopped")
        if self.unsent:
            _log.warning("stopped with %d publications the broker has not confirmed", self.unsent)

    def ack(self, tokens: Sequence[int]) -> None:
        """Tell the broker that these messages are safe. Token 0 and those of an older connection are passed over."""
        self._session.ack(tokens)

    def publish(self, publication: Publication) -> None:
        """Send it now, or when there is a connection, in the order of the calls. Raises ValueError for a topic nobody can publish to."""
        if not _TOPIC.fullmatch(publication.topic):
            raise ValueError(f"nobody can publish to the topic {publication.topic[:100]!r}")
        self._session.publish(publication)

    def subscribe(self, filters: Mapping[str, int], answered: Callable[[list[str]], None]) -> None:
        """Ask for these topic filters (with their QoS) too, until the connection ends; `answered` hears which were refused. Nothing happens unless it is up."""
        self._session.subscribe(filters, answered)

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """Hear these topic filters no more."""
        self._session.unsubscribe(filters)

    def hold_off(self, seconds: float) -> None:
        """Do not connect again before that time has passed. Does not end a connection."""
        self._not_before = asyncio.get_running_loop().time() + seconds

    def pause(self) -> None:
        """Stop reading, to bound memory; the broker keeps what it cannot deliver. Publications still go out, 256 at most."""
        self._session.reader.pause()

    def resume(self) -> None:
        """Read again."""
        self._session.reader.resume()

    async def _keep_connected(self) -> None:
        chance = secrets.SystemRandom()
        delay = _FIRST_DELAY
        last = max(_FIRST_DELAY, min(_LAST_DELAY, _LAST_DELAY_KEEPALIVES * self._settings.seconds))
        while not self._stopping:
            self._risen_at = None
            refused = self.counters.refused
            try:
                reason = await self._attempt()
            except Exception:  # noqa: BLE001  the task's outermost edge: whatever went wrong, the next attempt must come
                _log.exception("an attempt to connect failed in an unforeseen way")
                reason = "an attempt to connect failed in an unforeseen way"
            if self._stopping:
                return
            self._tell(LinkState.DOWN, reason)
            steady = self._risen_at is not None and asyncio.get_running_loop().time() - self._risen_at >= _STEADY
            # mosquitto 2.0 ends the connection with each refusal: there is one less to come, and readings wait
            if steady or self.counters.refused > refused:
                delay = _FIRST_DELAY
            await asyncio.sleep(delay * chance.uniform(0.5, 1.0))
            await asyncio.sleep(max(0.0, self._not_before - asyncio.get_running_loop().time()))
            delay = min(2 * delay, last)

    async def _attempt(self) -> str:
        """One connection from dialing to its end; the reason why it ended. MQTT 5 first, 3.1.1 if that is refused."""
        settings = self._settings
        context = partial(client_context, ca=settings.ca, cert=settings.cert, key=settings.key, insecure_skip_verify=settings.insecure_skip_verify)
        reason = ""
        for version in Version:
            if version is not self._session.version:
                self._session.speak(version)
            try:
                password = settings.password.reveal() if settings.password else None
                sock = await dial(*settings.address, context if settings.tls else None)
            except HazgateError as error:
                return str(error)
            ending, reason = await self._session.converse(sock, password)
            if self._risen_at is not None:
                self.ending = ending
            if ending is not Ending.UNANSWERED:
                break
        return reason

    def _on_risen(self, remark: str) -> None:
        self._risen_at = asyncio.get_running_loop().time()
        self._tell(LinkState.UP, remark)

    def _tell(self, state: LinkState, reason: str) -> None:
        if self._told == (state, reason):
            return
        self._told = (state, reason)
        try:
            self._handlers.state(state, reason)
        except Exception:  # noqa: BLE001  the listener's fault must not end the connection
            _log.exception("the new state of the connection could not be handled")
