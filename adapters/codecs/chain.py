"""The journal's chain in bytes: how a row is bound to the one before it, and what a signed head and a closed year say.

Everything here can be computed again with common tools; docs/journal.md shows how.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Final

MILLISECOND: Final = 1_000_000
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_KINDS: Final[dict[Any, Callable[[Any], Any]]] = {"int": int, "str": str, "bytes": bytes.fromhex}
_HEAD: Final = re.compile(r"([0-9]{1,18})\.([0-9a-f]{64})(?:\.([0-9]{1,15})\.([0-9a-f]{16})\.([A-Za-z0-9_-]{86}))?")


class Note(StrEnum):
    """What the journal writes about itself, in the place of an event's kind: a year was closed, one was kept long enough, damage was cut out."""

    CLOSED = "journal_closed"
    FORGOTTEN = "journal_forgotten"
    SALVAGED = "journal_salvaged"


class Unreadable(ValueError):
    """The text is not of the form that it should have; the words say which."""


def link(before: bytes, columns: Iterable[object]) -> bytes:
    """The hash of a row: SHA-256 over the hash of the row before it (nothing for the first) and every column in turn.

    A column is a letter for its kind (`i` integer, `t` text, `b` bytes, `n` null), the length of what follows in
    decimal, a colon, the value (an integer in decimal, text in UTF-8), a comma. So no other row has the same bytes.
    """
    digest = hashlib.sha256(before)
    for value in columns:
        kind, written = _written(value)
        digest.update(b"%b%d:%b," % (kind, len(written), written))
    return digest.digest()


def _written(value: object) -> tuple[bytes, bytes]:
    """The letter and the bytes of a value; an enumeration's member is the text or the number that a file keeps of it."""
    match value:
        case str():
            # what a damaged file holds in place of text is kept as it is, so that it counts as changed and not as unreadable
            return b"t", value.encode(errors="surrogateescape")
        case int():
            return b"i", b"%d" % value
        case bytes():
            return b"b", value
        case None:
            return b"n", b""
    return b"?", repr(value).encode()


def line(columns: Sequence[Any], digest: bytes) -> bytes:
    """A row as a line of JSON for people and programs outside, times with all their digits.

    A body that is JSON on one line, as all are that this program writes, stands there byte for byte as the last value,
    so that the row's hash can be computed again from the line; any other one stands there in base64, as `base64`.
    """
    sequence, site, alarm, event, at, recorded_at, key, body = columns
    named = {"sequence": sequence, "site": site, "alarm": alarm, "event": event, "at": exact(at), "recorded_at": exact(recorded_at), "key": key}
    start = json.dumps(named | {"hash": digest.hex()}, ensure_ascii=True)[:-1].encode()
    try:
        plain = b"\n" not in body and isinstance(json.loads(body.decode()), dict)
    except (ValueError, RecursionError):
        plain = False
    return start + (b', "body": %b}' % body if plain else b', "base64": "%b"}' % base64.b64encode(body))


def exact(at: int) -> str:
    """A time in ns as RFC 3339, UTC, with nine digits of the second."""
    seconds, rest = divmod(at, 1_000_000_000)
    return f"{_EPOCH + dt.timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


@dataclass(frozen=True, slots=True)
class Head:
    """What the chain ended with at a moment: the number and the hash of its last row then.

    at: ns, whole milliseconds. key: which one signed it. A head noted by hand has neither time nor signature.
    """

    sequence: int
    hash: bytes
    at: int = 0
    key: str = ""
    signature: bytes = b""

    @property
    def text(self) -> str:
        """One word that can be published, printed and handed to `hazgate journal verify --head`."""
        signature = base64.urlsafe_b64encode(self.signature).decode().rstrip("=")
        return f"{self.sequence}.{self.hash.hex()}.{self.at // MILLISECOND}.{self.key}.{signature}"

    def message(self, gateway: str) -> bytes:
        """What is signed."""
        return f"hazgate journal head 1\n{gateway}\n{self.sequence}\n{self.hash.hex()}\n{self.at // MILLISECOND}\n".encode()


def read_head(text: str) -> Head:
    """The head that `Head.text` wrote, or its first two parts. Raises Unreadable."""
    found = _HEAD.fullmatch(text.strip())
    if found is None:
        raise Unreadable("a head is NUMBER.HASH, or NUMBER.HASH.TIME.KEY.SIGNATURE as the gateway gives it")
    number, digest, at, key, signature = found.groups(default="")
    return Head(int(number), bytes.fromhex(digest), int(at or 0) * MILLISECOND, key, base64.urlsafe_b64decode(f"{signature}==" if signature else ""))


@dataclass(frozen=True, slots=True)
class Statement:
    """What a closed year says of itself. before, head: the hash that its first row follows, and that of its last.

    since, until: the earliest and the latest `recorded_at` in it; closed: when it was; ns.
    """

    gateway: str
    name: str
    first: int
    last: int
    rows: int
    before: bytes
    head: bytes
    since: int
    until: int
    closed: int

    @property
    def text(self) -> str:
        """The statement as JSON, the same every time: this is what is signed."""
        return json.dumps({"hazgate_journal_archive": 1} | self.plain)

    @property
    def plain(self) -> dict[str, int | str]:
        """The same as values of JSON, without what says that it is a statement."""
        return {key: value.hex() if isinstance(value, bytes) else value for key, value in asdict(self).items()}


def read_statement(text: str) -> Statement:
    """The statement that `Statement.text` wrote. Raises Unreadable."""
    try:
        said = json.loads(text)
        made = Statement(*(_KINDS[field.type](said[field.name]) for field in fields(Statement)))
    except (ValueError, KeyError, TypeError):
        made = None
    if made is None or made.text != text:
        raise Unreadable("what this file says of itself cannot be read")
    return made
