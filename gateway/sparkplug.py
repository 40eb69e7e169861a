"""Sparkplug B sessions: what each edge node has said of itself since its birth, and what is to be asked of it.

An edge numbers its messages, names its metrics in births and afterwards may send their aliases only. What is heard is
judged at once, gap or not: a value that came is never held back for one that did not. A gap only means that something
may have been lost, so after `REORDER` a rebirth is asked for, which says everything anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from adapters.codecs import sparkplug
from adapters.codecs.inbound import Unreadable
from adapters.codecs.sparkplug import BD_SEQ, Metric, Payload
from adapters.codecs.topics import NAMESPACE, Edge
from alerts.reading import SECOND, RawReading

log = logging.getLogger("hazgate.sparkplug")
HEARD: Final = ("NBIRTH", "NDATA", "NDEATH")
OF_DEVICES: Final = ("DBIRTH", "DDATA", "DDEATH")
REORDER: Final = 2 * SECOND
"""How long a missing message may still come before a rebirth is asked for; Sparkplug leaves the figure to the host."""
ASK_AGAIN: Final = 10 * SECOND
"""An edge is not asked more often than this: a birth of thousands of metrics is work for it."""
Origin = tuple[str, str]
"""Site and device."""


@dataclass(frozen=True, slots=True)
class Member:
    """A device of ours at an edge: where it belongs, and the sensor of each metric."""

    origin: Origin
    sensors: Mapping[str, str]


@dataclass(slots=True)
class Heard:
    """What one message meant."""

    readings: list[tuple[Origin, list[RawReading]]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    offline: list[Origin] = field(default_factory=list)
    ignored: int = 0


@dataclass(slots=True)
class _Births:
    """What a birth said: alias to name, and name to data type."""

    names: dict[int, str] = field(default_factory=dict)
    types: dict[str, int | None] = field(default_factory=dict)


class Session:
    """One edge node. Holds no more than its last births: a restart begins without, and asks for them."""

    def __init__(self, edge: Edge, ask: Callable[[Edge, int], None]) -> None:
        """`ask(edge, now)` sends a rebirth request."""
        self._edge = edge
        self._ask = ask
        self.members: dict[str | None, Member] = {}
        self._births: dict[str | None, _Births] = {}
        self._born = False
        self._bd_seq: int | None = None
        self._last = 0
        self._missing: set[int] = set()
        self._asked: int | None = None
        self.due: int | None = None
        """When to ask for a rebirth unless what is missing has come, ns."""

    @property
    def born(self) -> bool:
        """Whether its birth is known, so that its aliases mean something."""
        return self._born

    def fork(self, ask: Callable[[Edge, int], None]) -> Session:
        """One that knows what this one knows, and then goes its own way."""
        other = Session(self._edge, ask)
        other.members = self.members
        other._births = {device: _Births(dict(births.names), dict(births.types)) for device, births in self._births.items()}
        other._born, other._bd_seq, other._last = self._born, self._bd_seq, self._last
        return other

    def take(self, kind: str, device: str | None, payload: bytes, now: int) -> Heard:
        """Read one message of the edge. Raises Unreadable for bytes that are no payload."""
        message = sparkplug.decode(payload)
        heard = Heard()
        if kind == "NDEATH":
            self._death(message, heard)
            return heard
        if kind == "NBIRTH":
            self._birth(message)
        elif not self._born:
            self.rebirth(now)
        else:
            self._follow(message.seq, now)
        if not self._understood(kind, device, message, heard):
            self.rebirth(now)
        if self._asked is not None:
            # it speaks and has not answered: the request may be lost
            self.due = self._asked + ASK_AGAIN
        return heard

    def _understood(self, kind: str, device: str | None, message: Payload, heard: Heard) -> bool:
        """Fill `heard`; whether every alias was known."""
        member = self.members.get(device)
        if member is None:
            heard.ignored += len(message.metrics)
            return True
        if kind == "DDEATH":
            self._births.pop(device, None)
            heard.offline.append(member.origin)
            return True
        if kind in ("NBIRTH", "DBIRTH"):
            self._births[device] = _learned(message.metrics)
        return self._read(message, self._births.get(device, _Births()), member, heard)

    def rebirth(self, now: int) -> None:
        """Ask the edge for its births, unless it was asked just now and may still answer."""
        self._missing.clear()
        if self._asked is not None and now - self._asked < ASK_AGAIN:
            return
        self.due = None
        self._asked = now
        self._ask(self._edge, now)

    def connected(self, now: int) -> None:
        """The broker is back: what was asked before may be lost."""
        self._asked = None
        self.rebirth(now)

    def _birth(self, message: Payload) -> None:
        found = message.find(BD_SEQ)
        self._bd_seq = None if found is None else found.whole
        self._births.clear()
        self._born, self._last, self.due = True, message.seq or 0, None
        self._missing.clear()
        self._asked = None

    def _death(self, message: Payload, heard: Heard) -> None:
        """The edge is gone, unless this is the will of an older connection of it."""
        found = message.find(BD_SEQ)
        if self._born and self._bd_seq is not None and found is not None and found.whole != self._bd_seq:
            heard.ignored += 1
            return
        # another session may give its aliases to other metrics
        self._births.clear()
        self._missing.clear()
        self._born, self.due = False, None
        heard.offline.extend(member.origin for member in self.members.values())

    def _follow(self, seq: int | None, now: int) -> None:
        """Notice what is missing before this message."""
        if seq is None:
            return
        ahead = (seq - self._last - 1) % 256
        if seq in self._missing:
            self._missing.discard(seq)
        elif ahead < 128:
            self._missing.update((self._last + 1 + n) % 256 for n in range(ahead))
            self._last = seq % 256
        else:
            # far behind: the edge began anew, and its birth, with other aliases perhaps, passed unheard
            self._last = seq % 256
            self.rebirth(now)
        if self._asked is None:
            self.due = (self.due or now + REORDER) if self._missing else None

    @staticmethod
    def _read(message: Payload, births: _Births, member: Member, heard: Heard) -> bool:
        """The readings of one message; whether every alias of it was known."""
        readings: list[RawReading] = []
        known = True
        for metric in message.metrics:
            name = metric.name or births.names.get(-1 if metric.alias is None else metric.alias)
            if name is None:
                known = False
                heard.unreadable.append(f"alias {metric.alias} stands for nothing until the next birth, which the gateway asks for")
                continue
            sensor = member.sensors.get(name)
            if sensor is None:
                heard.ignored += 1
                continue
            try:
                readings.append(_reading(sensor, metric, births.types.get(name), message.time))
            except Unreadable as error:
                heard.unreadable.append(f"{sensor}: {error}")
        if readings:
            heard.readings.append((member.origin, readings))
        return known


class Sessions:
    """The edges of all sites. On the loop's thread."""

    def __init__(self) -> None:
        self._edges: dict[Edge, Session] = {}
        self.publish: Callable[[str, bytes], None] = lambda _topic, _payload: None
        """Sends at QoS 0, as Sparkplug has it for commands; set by whoever builds the gateway."""

    def add(self, edge: Edge, device: str | None, member: Member) -> None:
        """A device of ours, or (None) what the edge node itself measures."""
        session = self._edges.setdefault(edge, Session(edge, self._ask))
        session.members[device] = member

    def fork(self) -> Sessions:
        """The same edges, as far as they are known by now."""
        other = Sessions()
        other.publish = self.publish
        other._edges = {edge: session.fork(other._ask) for edge, session in self._edges.items()}
        return other

    def filters(self) -> Iterable[str]:
        """What to subscribe to: all births, data and deaths of the edges, for they are numbered together."""
        for edge in self._edges:
            yield from (edge.topic(kind) for kind in HEARD)
            yield from (edge.topic(kind, "+") for kind in OF_DEVICES)

    def find(self, levels: list[str]) -> tuple[Session, str, str | None] | None:
        """Session, kind of message and device of a topic; None for any other topic."""
        if levels[0] != NAMESPACE or len(levels) not in (4, 5) or levels[2] not in (HEARD if len(levels) == 4 else OF_DEVICES):
            return None
        session = self._edges.get(Edge(levels[1], levels[3]))
        return None if session is None else (session, levels[2], levels[4] if len(levels) == 5 else None)

    def connected(self, now: int) -> None:
        """The broker is back: births and deaths may have passed unheard, so every edge is asked."""
        for session in self._edges.values():
            session.connected(now)

    def due(self) -> int | None:
        """When `advance` has something to do, ns."""
        return min((session.due for session in self._edges.values() if session.due is not None), default=None)

    def advance(self, now: int) -> None:
        """Ask those whose missing messages have not come."""
        for session in self._edges.values():
            if session.due is not None and session.due <= now:
                session.rebirth(now)

    def _ask(self, edge: Edge, now: int) -> None:
        log.info("asking the edge %s/%s for its births", edge.group, edge.node)
        self.publish(edge.topic("NCMD"), sparkplug.rebirth(now))


def _learned(metrics: list[Metric]) -> _Births:
    births = _Births()
    for metric in metrics:
        if metric.name is not None:
            births.types[metric.name] = metric.datatype
            if metric.alias is not None:
                births.names[metric.alias] = metric.name
    return births


def _reading(sensor: str, metric: Metric, datatype: int | None, sent: int | None) -> RawReading:
    time = sparkplug.instant(sent if metric.time is None else metric.time)
    return RawReading(sensor, metric.number(datatype), time, quality=metric.trust(), historical=metric.historical)
