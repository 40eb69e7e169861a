"""The desk: how a person's command reaches the alarms, whichever way it came, and how it is answered.

Who it is comes from the session, the token or the broker's login, never from the body. What that person may do is
decided by the alarm domain; this is the doorway.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Literal

from adapters.codecs.command_json import CommandBody, UnreadableCommand, decode_command
from adapters.journal import Token
from adapters.mqtt import ReplyTo
from alerts.alarm import Refusal, Verb
from alerts.command import Command
from alerts.ports import Clock
from alerts.site import Site
from gateway.pipeline import Pipeline, answer_later
from gateway.turn import Inbound, Request

Via = Literal["token", "mqtt", "link"]
REQUESTS_A_SECOND = 50
"""Commands taken from the broker; more are left unread and unanswered, so that nobody can flood the journal."""


class Tokens:
    """The API tokens of this gateway."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = {token.id: token for token in tokens}

    def create(self, person: str, now: int, lifetime: int) -> tuple[str, Token]:
        """A new token of `person` for `lifetime` ns: the secret text, shown once, and what is kept of it."""
        identity, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        token = Token(identity, _digest(secret), person, now, now + lifetime)
        self._tokens[identity] = token
        return f"hzg_{identity}_{secret}", token

    def person(self, text: str, now: int) -> str | None:
        """Whose token this is, or None for one that is unknown, wrong or over."""
        parts = text.split("_", 2)
        if len(parts) != 3 or parts[0] != "hzg":
            return None
        token = self._tokens.get(parts[1])
        if token is None or not hmac.compare_digest(token.digest, _digest(parts[2])) or now >= token.until:
            return None
        return token.person


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


class Desk:
    """Takes commands from HTTP and MQTT into the pipeline."""

    def __init__(self, pipeline: Pipeline, clock: Clock, tokens: Tokens, mode: str) -> None:
        """`mode`: how commands over MQTT are trusted, `off`, `acl` or `signed`."""
        self._pipeline = pipeline
        self._clock = clock
        self.tokens = tokens
        self._mode = mode
        self._window = (0, 0)
        self.reply: Callable[[str, str, Refusal | None, ReplyTo | None], None] = lambda *_answer: None
        """Publishes an answer: site, command id, refusal, and where the command wanted it."""

    async def ask(self, command: Command) -> Refusal | None:
        """Carry a command out; None when it is done and durable, else why not."""
        future: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()
        self._pipeline.request(Request(command, answer_later(future)))
        return await future

    def from_broker(self, message: Inbound, parts: list[str]) -> None:
        """A command over MQTT: `{site}/commands/{user}/{verb}`. Retained ones are leftovers and are ignored."""
        _, payload, retained, _, arrival, reply_to = message
        if retained or not self._has_room(arrival):
            return
        site, _, user, verb = parts
        try:
            body = decode_command(payload)
        except UnreadableCommand as error:
            self._answer(site, error.id, Refusal.MALFORMED, reply_to)
            return
        refusal = self._distrust(user, verb, body)
        if refusal is not None:
            self._answer(site, body.id, refusal, reply_to)
            return
        command = command_of(site, user, Verb(verb), body, "token" if self._mode == "signed" else "mqtt", arrival)
        self._pipeline.request(Request(command, lambda done: self._answer(site, body.id, done, reply_to)))

    def _has_room(self, arrival: int) -> bool:
        second = arrival // 1_000_000_000
        count = self._window[1] + 1 if self._window[0] == second else 1
        self._window = (second, count)
        return count <= REQUESTS_A_SECOND

    def _distrust(self, user: str, verb: str, body: CommandBody) -> Refusal | None:
        if self._mode == "off":
            return Refusal.OFF
        if self._mode == "signed" and self.tokens.person(body.token or "", self._clock.now()) != user:
            return Refusal.UNKNOWN_PERSON
        if verb not in {known.value for known in Verb}:
            return Refusal.MALFORMED
        return None

    def _answer(self, site: str, identity: str | None, refusal: Refusal | None, reply_to: ReplyTo | None) -> None:
        if identity is not None:
            self.reply(site, identity, refusal, reply_to)


def command_of(site: str, person: str, verb: Verb, body: CommandBody, via: Via, arrival: int) -> Command:
    """The domain's command of a decoded body. `at` without one is the arrival."""
    return Command(
        verb=verb,
        site=site,
        by=person,
        via=via,
        alarm=body.alarm,
        sensor=body.sensor,
        occurrence=body.occurrence,
        sequence=body.sequence,
        at=body.at if body.at is not None else arrival,
        comment=body.comment,
        until=body.until,
        args=body.args,
    )


def known_people(sites: list[Site]) -> frozenset[str]:
    """Everybody that a token may be made for."""
    return frozenset(person.id for site in sites for person in site.people)
