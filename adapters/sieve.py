"""What a flood at QoS 0 may not take from the rest: the stream from the broker, cut into packets before anybody reads them.

A broker keeps one line for each of its clients, so whoever publishes faster than we can read puts everybody else's
readings behind its own. At QoS 1 the receive window bounds that, at QoS 0 nothing does. So while reading cannot keep up,
what a topic sends at QoS 0 beyond its share is passed over unread, and counted. Nothing else is ever touched.
"""

from __future__ import annotations

from typing import Final

PATIENCE: Final = 0.5
"""Seconds without having read everything that was there, after which reading counts as not keeping up."""
SHARE: Final = 200
"""Messages of one topic at QoS 0 that are read in a second when reading cannot keep up."""
ALL: Final = 2000
"""The same for all topics of a kept session together: a third of what a slow machine reads. A session of QoS 0 alone has no such bound."""
_SECOND: Final = 1.0


class Sieve:
    """Takes bytes as they come and gives whole packets, in order. On one thread. `now` is any clock that only rises, in s."""

    def __init__(self, most: int | None = ALL) -> None:
        """`most`: messages of all topics at QoS 0 that are read in a second of flood; None for any number."""
        self._most = most
        self.passed_over = 0
        """Messages at QoS 0 that nobody read."""
        self.worst: str | None = None
        """The topic that was passed over first in the newest second in which any was."""
        self.begin()

    def begin(self) -> None:
        """A new connection: what was left of the last one is nothing any more."""
        self._tail = b""
        self._behind_since: float | None = None
        self._second, self._named = 0.0, -1.0
        self._read: dict[bytes, int] = {}
        self._total = 0

    def drained(self) -> None:
        """Everything that was there has been taken."""
        self._behind_since = None

    def feed(self, data: bytes, now: float) -> bytes:
        """The whole packets in `data` and what was left before it; the rest is kept for the next call."""
        if self._behind_since is None:
            self._behind_since = now
        flooded = now - self._behind_since >= PATIENCE
        stream = self._tail + data if self._tail else data
        kept: list[bytes] = []
        start = place = 0
        while (body := _body(stream, place)) is not None and (end := body[0] + body[1]) <= len(stream):
            if flooded and stream[place] & 0xF6 == 0x30 and self._too_many(stream, body[0], now):
                kept.append(stream[start:place])
                start = end
            place = end
        self._tail = stream[place:]
        kept.append(stream[start:place])
        return kept[0] if len(kept) == 1 else b"".join(kept)

    def _too_many(self, stream: bytes, body: int, now: float) -> bool:
        """Whether the topic of this publication, or all of them, have had their share of this second."""
        if now - self._second >= _SECOND:
            self._second, self._total = now, 0
            self._read.clear()
        topic = stream[body + 2 : body + 2 + int.from_bytes(stream[body : body + 2])]
        had = self._read.get(topic, 0)
        if had < SHARE and (self._most is None or self._total < self._most):
            self._read[topic] = had + 1
            self._total += 1
            return False
        if self._named != self._second:
            self._named, self.worst = self._second, topic.decode(errors="replace")
        self.passed_over += 1
        return True


def _body(stream: bytes, place: int) -> tuple[int, int] | None:
    """Where the body of the packet at `place` begins, and its length; None while its head is not all there."""
    size = shift = 0
    head = place + 1
    while head < len(stream):
        size |= (stream[head] & 0x7F) << shift
        head += 1
        if not stream[head - 1] & 0x80:
            return head, size
        shift += 7
        if shift > 21:
            return head, 1  # a length of five bytes is no MQTT; whoever is given it says so
    return None
