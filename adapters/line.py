"""What waits to be published, what is on its way, and which of it a broker ends the connection for.

mosquitto 2.0 ends the connection at a publication that its access list denies. Where others were sent behind it, its
refusal is lost with the connection, and whoever sends all of them again on the next one is thrown out again, before
anything is subscribed: a gateway that is blind for ever. So nothing is sent before the subscription is confirmed, and
after a connection that ended just when something had been sent, one publication is sent at a time.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes

from adapters.client import packet_properties

_log = logging.getLogger(__name__)

SOON: Final = 1.0
"""Seconds. A connection that ends within them after something was sent may have ended because of it; a publication at QoS 0 that it outlives was taken."""
ENDS: Final = 3
"""Connections that must end at one publication, sent alone, before it counts as refused: a network may fail as often as a broker refuses."""
ENDED: Final = "the broker ends the connection for it"


@dataclass(slots=True)
class Counters:
    """What happened since the start.

    faults: messages whose handler raised; they stay unacknowledged. refused: publications, also those that the broker
    answers by ending the connection.
    """

    received: int = 0
    published: int = 0
    refused: int = 0
    connections: int = 0
    sessions_lost: int = 0
    faults: int = 0


@dataclass(frozen=True, slots=True)
class Publication:
    """One message to go out at QoS 1 or 0.

    done() is called when the broker has it, refused(reason) when it will not take it: one of the two, once, over all
    connections, except for a message at QoS 0 that a failing connection took along. correlation: sent with it where
    MQTT 5 is spoken.
    """

    topic: str
    payload: bytes
    retain: bool = False
    correlation: bytes | None = None
    done: Callable[[], None] | None = None
    refused: Callable[[str], None] | None = None
    qos: int = 1


Barred = Callable[[Publication], str | None]


class Line:
    """Publications in order: waiting, and on their way. On the loop's thread."""

    def __init__(self, counters: Counters, barred: Barred) -> None:
        """`barred` says of a publication, just before it is sent, why it must not be; None sends it."""
        self._counters = counters
        self._barred = barred
        self._waiting: deque[Publication] = deque()
        self._flying: dict[int, Publication] = {}
        self._light: deque[tuple[float, Publication]] = deque()
        """At QoS 0, and when they were sent: not known to have been taken."""
        self._singly = 0
        self._ends: Counter[str] = Counter()
        self._sent_at = -SOON

    def __len__(self) -> int:
        return len(self._waiting) + len(self._flying)

    def put(self, item: Publication) -> None:
        """Behind everything else."""
        self._waiting.append(item)

    def send(self, client: paho.Client, window: int, now: float) -> None:
        """Hand over as much as the window takes, at `now` (the loop's seconds)."""
        while self._waiting and self._room(window):
            item = self._waiting[0]
            reason = self._barred(item)
            if reason is not None:
                self._waiting.popleft()
                self._tell(item, reason)
                continue
            answers = item.correlation is not None and client.protocol == paho.MQTTv5
            properties = packet_properties(PacketTypes.PUBLISH, CorrelationData=item.correlation) if answers else None
            info = client.publish(item.topic, item.payload, item.qos, item.retain, properties)
            if info.rc not in (paho.MQTT_ERR_SUCCESS, paho.MQTT_ERR_NO_CONN):
                return  # without a connection (NO_CONN) paho keeps the message; the next connection's client is another
            self._sent_at = now
            self._waiting.popleft()
            if item.qos:
                self._flying[info.mid] = item
            else:
                self._light.append((now, item))

    def _room(self, window: int) -> bool:
        return not self._flying and not self._light if self._singly else len(self._flying) < window

    def settle(self, mid: int, reason: str | None) -> None:
        """The broker has answered for a packet id: it has it, or will not take it for this reason. Tell whoever published it."""
        item = self._flying.pop(mid, None)
        if item is not None:
            self._settled(item)
            if reason is None:
                self._counters.published += 1
            else:
                _log.error("the broker refuses a publication on %s: %s", item.topic, reason)
                self._counters.refused += 1
            self._tell(item, reason)

    @property
    def doubtful(self) -> bool:
        """Whether anything was sent at QoS 0 that is not known to have been taken."""
        return bool(self._light)

    def outlived(self, now: float) -> None:
        """What was sent at QoS 0 `SOON` ago was taken, for the connection stands."""
        while self._light and now - self._light[0][0] >= SOON:
            item = self._light.popleft()[1]
            self._settled(item)
            self._tell(item, None)

    def suspect(self, now: float) -> bool:
        """Whether a connection that ends now may end because of something that was just sent and is unanswered."""
        return bool(self._flying or self._light) and now - self._sent_at < SOON

    def lost(self, now: float) -> None:
        """The connection is over: what was on its way goes to the front, to be sent anew; at QoS 0 it is lost."""
        sent = [*self._flying.values(), *(item for _, item in self._light)]
        if self.suspect(now):
            alone, self._singly = self._singly > 0, len(self) + len(self._light)
            for item in sent if alone else ():
                self._ended_at(item)
        self._waiting.extendleft(reversed(self._flying.values()))
        self._flying.clear()
        self._light.clear()

    def _ended_at(self, item: Publication) -> None:
        self._ends[item.topic] += 1
        if self._ends[item.topic] >= ENDS:
            _log.error("the broker ends the connection for a publication on %s", item.topic)
            self._flying = {mid: each for mid, each in self._flying.items() if each is not item}
            self._settled(item)
            self._counters.refused += 1
            self._tell(item, ENDED)

    def _settled(self, item: Publication) -> None:
        del self._ends[item.topic]
        self._singly = max(0, self._singly - 1)

    def _tell(self, item: Publication, reason: str | None) -> None:
        try:
            if reason is None and item.done is not None:
                item.done()
            elif reason is not None and item.refused is not None:
                item.refused(reason)
        except Exception:  # noqa: BLE001  the caller's fault must not become paho's, which then handles the same packet for ever
            _log.exception("what follows a publication on %s failed", item.topic)
