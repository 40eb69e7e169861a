"""Commands of people over MQTT, and the answers to them, as JSON.

Who sends it and what is asked stand in the topic; the body says of which alarm or sensor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from adapters.codecs.inbound import Unreadable, instant, words

MAX_BYTES: Final = 65_536
"""A longer command is refused unread."""

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)
_REFUSALS: Final = (msgspec.MsgspecError, ValueError, RecursionError)


class UnreadableCommand(Unreadable):
    """A command that cannot be read. `id` is its id where at least that could be, so that it can be answered."""

    def __init__(self, reason: str, id: str | None = None) -> None:  # noqa: A002  the contract's word for it
        super().__init__(reason)
        self.id = id


class _Wire(msgspec.Struct):
    id: str | None = None
    alarm: str | None = None
    sensor: str | None = None
    occurrence: str | None = None
    sequence: int | None = None
    at: int | str | None = None
    comment: str | None = None
    until: int | str | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class CommandBody:
    """The body of a command. at, until: ns. token: an API token, for commands that must be signed. args: every other key."""

    id: str | None = None
    alarm: str | None = None
    sensor: str | None = None
    occurrence: str | None = None
    sequence: int | None = None
    at: int | None = None
    comment: str | None = None
    until: int | None = None
    token: str | None = field(default=None, repr=False)
    args: Mapping[str, object] = field(default_factory=dict)


def decode_command(payload: bytes) -> CommandBody:
    """Read one command. Raises UnreadableCommand, and nothing else whatever the bytes.

    An id is letters, digits and `. _ : -`, at most 64 of them, because it becomes part of a topic. What an alarm,
    a sensor and a verb's own keys mean is judged by the desk, not here.
    """
    if len(payload) > MAX_BYTES:
        raise UnreadableCommand(f"the command is longer than {MAX_BYTES} bytes")
    try:
        body = msgspec.json.decode(payload, type=dict[str, object])
    except _REFUSALS as error:
        raise UnreadableCommand(words(error)) from error
    id_ = _id(body)
    try:
        wire = msgspec.convert(body, _Wire)
        at, until = (None if time is None else instant(time) for time in (wire.at, wire.until))
    except _REFUSALS as error:
        raise UnreadableCommand(words(error), id_) from error
    args = {key: value for key, value in body.items() if key not in _Wire.__struct_fields__}
    return CommandBody(id_, wire.alarm, wire.sensor, wire.occurrence, wire.sequence, at, wire.comment, until, wire.token, args)


def _id(body: Mapping[str, object]) -> str | None:
    id_ = body.get("id")
    if id_ is None or (isinstance(id_, str) and _ID.fullmatch(id_)):
        return id_
    raise UnreadableCommand("the id is more than letters, digits and . _ : -, or longer than 64")


def encode_reply(id: str, *, ok: bool, reason: str | None = None) -> bytes:  # noqa: A002  the contract's word for it
    """The answer to the command of that id; `reason` says why not, and is left out when there is none."""
    reply: dict[str, object] = {"id": id, "ok": ok}
    if reason is not None:
        reply["reason"] = reason
    return msgspec.json.encode(reply)
