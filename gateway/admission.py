"""The first stage: messages of the broker become columns, or are set aside with a reason."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from adapters.codecs.inbound import Decoded, Unreadable
from adapters.codecs.readings_json import decode
from adapters.codecs.status_json import decode_status
from alerts.admit import Admission, Way
from alerts.alarm import Quarantine
from alerts.ports import Aside
from alerts.reading import RawReading
from alerts.register import Register
from alerts.suppress import CANARY
from gateway.routes import Routes
from gateway.sparkplug import Heard
from gateway.turn import Inbound, Turn

log = logging.getLogger("hazgate")
MAX_PAYLOAD = 256 * 1024
"""Bytes of one message; a longer one is set aside unread (a run of 5,000 readings has about 120 KiB)."""
KEPT = 4096
"""Bytes of a payload that quarantine keeps, once for a message: its first unreadable element has them."""
ECHO = "echo"
"""Last level of the topic `gateways/{gateway}/echo`, by which a gateway measures how far its session lags behind."""
LONGEST_TOPIC = 1024
"""Characters of a topic that quarantine keeps."""


class Admit:
    """Reads messages: topic, size, payload, then `alerts.admit`. Commands are passed on unread."""

    def __init__(self, prefix: str, admission: Admission, sites: Sequence[str], routes: Routes, on_command: Callable[[Inbound, list[str]], None]) -> None:
        """`on_command(message, topic parts after the prefix)` takes what people send."""
        self._routes = routes
        self._prefix = prefix + "/"
        self._admission = admission
        self._sites = frozenset(sites)
        self._on_command = on_command
        self._ahead: Admit | None = None
        self.kept, self.fleeting = Way.LIVE, Way.LIVE
        """How messages at QoS 1, and at QoS 0, come at present."""
        self.on_own: Callable[[str, bytes, bool], None] = lambda _level, _payload, _retained: None
        """Told, in its place among the messages, of what stands on a topic of the gateway's own: the topic's last level, payload, whether it was retained."""

    def look_ahead(self, register: Register) -> None:
        """From now on there are glimpses: what they show is judged at once, and what the first connection brings heeds it."""
        admission = Admission(register, ahead_of=self._admission)
        self._ahead = Admit(self._prefix[:-1], admission, sorted(self._sites), self._routes.fork(), lambda _message, _parts: None)

    def caught_up(self) -> None:
        """There are no glimpses any more, nor anything that they were ahead of."""
        self._ahead = self._admission.overtaking = None
        self.kept = self.fleeting = Way.LIVE

    def run(self, turn: Turn) -> None:
        """Read the turn's messages in order of arrival, then its glimpses."""
        for message in turn.messages:
            try:
                self._message(turn, message)
            except Exception:  # one message must not take its neighbors along; it is kept, and the log says what it met
                log.exception("a message could not be handled; it is in quarantine")
                self._aside(turn, message, Quarantine.UNREADABLE, "the gateway could not handle it; its log says why")
            if message[3]:
                turn.tokens.append(message[3])
        self._routes.sessions.advance(turn.now)
        turn.readings = self._admission.batch.take()
        if turn.glimpses and self._ahead is not None:
            self._glimpse(turn, self._ahead)
        turn.edges.extend(self._admission.edges)
        self._admission.edges.clear()

    @staticmethod
    def _glimpse(turn: Turn, ahead: Admit) -> None:
        """Read what the second connection brought; what cannot be read is set aside when the first brings it."""
        seen = Turn(turn.now, turn.glimpses)
        ahead.run(seen)
        turn.ahead, turn.spoken = seen.readings, turn.spoken if seen.spoken is None else seen.spoken
        turn.offline.extend(seen.offline)
        turn.edges.extend(seen.edges)

    def _message(self, turn: Turn, message: Inbound) -> None:
        topic = message[0]
        parts = topic[len(self._prefix) :].split("/") if topic.startswith(self._prefix) else []
        if len(parts) == 3 and parts[2] == "readings" and parts[0] in self._sites:
            if parts[0] != CANARY:
                _spoke(turn, message)
            self._readings(turn, message, (parts[0], parts[1]))
        elif len(parts) == 3 and parts[2] == "status" and parts[0] in self._sites:
            self._status(turn, message, (parts[0], parts[1]))
        elif len(parts) == 4 and parts[1] == "commands":
            self._on_command(message, parts)
        elif len(parts) == 3 and parts[0] == "gateways":
            self.on_own(parts[2], message[1], message[2])
        else:
            self._foreign(turn, message)

    def _foreign(self, turn: Turn, message: Inbound) -> None:
        """A topic that is not ours: a device's own, or nobody's."""
        topic, payload, _, _, arrival, _ = message
        levels = topic.split("/")
        session = self._routes.sessions.find(levels)
        route = None if session else self._routes.find(levels)
        if session is None and route is None:
            self._aside(turn, message, Quarantine.UNKNOWN_TOPIC, "no such topic in the contract, and no device's own")
            return
        _spoke(turn, message)
        if len(payload) > MAX_PAYLOAD:
            self._too_large(turn, message)
            return
        try:
            if session is not None:
                self._session(turn, message, session[0].take(session[1], session[2], payload, arrival))
            elif route is not None:
                origin, decode_own, name = route
                self._admit(turn, message, origin, decode_own(payload, name, arrival))
        except Unreadable as error:
            self._aside(turn, message, Quarantine.UNREADABLE, str(error))

    def _session(self, turn: Turn, message: Inbound, heard: Heard) -> None:
        self._unreadable(turn, message, heard.unreadable)
        self._admission.counts.ignored += heard.ignored
        if self._way(message) is not Way.BACKLOG:
            turn.offline.extend(heard.offline)
        for origin, readings in heard.readings:
            self._admit(turn, message, origin, Decoded(readings, []))

    def _readings(self, turn: Turn, message: Inbound, origin: tuple[str, str]) -> None:
        payload = message[1]
        if len(payload) > MAX_PAYLOAD:
            self._too_large(turn, message)
            return
        own = self._routes.own.get(origin)
        try:
            decoded = decode(payload) if own is None else own(payload, None, message[4])
        except Unreadable as error:
            self._aside(turn, message, Quarantine.UNREADABLE, str(error))
            return
        self._admit(turn, message, origin, decoded)

    def _admit(self, turn: Turn, message: Inbound, origin: tuple[str, str], decoded: Decoded) -> None:
        topic, payload, _, _, arrival, _ = message
        if decoded.unreadable:
            self._unreadable(turn, message, decoded.unreadable)
        if decoded.ignored:
            self._admission.counts.ignored += decoded.ignored
        for rejection, reading in self._admission.admit(origin, decoded.readings, arrival, self._way(message)):
            turn.asides.append(Aside(topic[:LONGEST_TOPIC], rejection.reason, rejection.detail, _as_sent(reading), len(payload), arrival))

    def _unreadable(self, turn: Turn, message: Inbound, sentences: Sequence[str]) -> None:
        for number, words in enumerate(sentences):
            self._aside(turn, message, Quarantine.UNREADABLE, words, kept=0 if number else KEPT)

    def _too_large(self, turn: Turn, message: Inbound) -> None:
        self._aside(turn, message, Quarantine.TOO_LARGE, f"{len(message[1])} bytes; at most {MAX_PAYLOAD} are read")

    def _status(self, turn: Turn, message: Inbound, origin: tuple[str, str]) -> None:
        online = decode_status(message[1])
        if online is None:
            self._aside(turn, message, Quarantine.UNREADABLE, 'a status is {"online": true} or {"online": false}')
        elif not online and self._way(message) is not Way.BACKLOG:  # a farewell of long ago says nothing about now
            turn.offline.append(origin)

    def _way(self, message: Inbound) -> Way:
        if message[2]:
            return Way.RETAINED
        return self.kept if message[3] else self.fleeting

    def _aside(self, turn: Turn, message: Inbound, reason: Quarantine, detail: str, kept: int = KEPT) -> None:
        topic, payload, _, _, arrival, _ = message
        self._admission.counts.received += 1
        turn.asides.append(Aside(topic[:LONGEST_TOPIC], reason, detail, payload[:kept], len(payload), arrival))


def _spoke(turn: Turn, message: Inbound) -> None:
    """Somebody's device sent this; a retained message says nothing of now."""
    if not message[2]:
        turn.spoken = message[4]


def _as_sent(reading: RawReading) -> bytes:
    return f"sensor={reading.sensor} value={reading.value!r} unit={reading.unit} time={reading.time} seq={reading.seq}".encode()[:KEPT]
