"""Everything the demo knows at a moment, all of it from outside the gateway: what the screen shows and the summary counts."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from alerts.alarm import LIMIT_CONDITIONS, Condition, EventKind, NoticeKind, Tier
from alerts.reading import SECOND
from gateway.api.models import AlarmBody, BalanceBody, Health, SensorBody, SiteBody
from gateway.demo.heard import AlarmEvent, Heard, Told, instant
from gateway.demo.incident import Incident
from gateway.demo.plot import Plot

HISTORY: Final = 60
"""Values of a sensor that are kept for its curve."""
STEADY: Final = 10 * SECOND
"""Over which a sensor's rate is taken."""
FEED: Final = 200
"""Notes that are kept."""
SPAN: Final = 5 * SECOND
"""Over which the rate at which readings come in is taken."""
GATHER: Final = SECOND // 4
"""How long messages to one person about one thing are gathered into one note."""
WHY: Final = {NoticeKind.INFORM: "informed of", NoticeKind.OVER: "told the end of"}
ANSWERS: Final = frozenset({EventKind.ACKNOWLEDGE, EventKind.VERIFY, EventKind.RESET})
"""Events that a person causes."""
DECIDED: Final = frozenset({EventKind.RAISE, EventKind.RE_RAISE, EventKind.RETURN})
"""Events of a limit alarm that a reading causes at once."""


@dataclass(frozen=True, slots=True)
class Note:
    """A line of the feed. at: ns. style: of the screen."""

    at: int
    text: str
    style: str = ""


@dataclass(slots=True)
class Curve:
    """The newest values of a sensor, the latest last."""

    points: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=HISTORY))
    """Time (ns) and value."""

    def add(self, body: SensorBody) -> None:
        """Take the value if it is a new one."""
        if body.value is None or body.time is None:
            return
        at = instant(body.time)
        if not self.points or at != self.points[-1][0]:
            self.points.append((at, body.value))

    @property
    def per_minute(self) -> float:
        """How fast the value changes, in its unit a minute, over the last 10 s: the gateway's own figure, of two readings, jumps with the noise."""
        if not self.points:
            return 0.0
        until, last = self.points[-1]
        since, first = next((at, value) for at, value in self.points if until - at <= STEADY)
        return (last - first) * 60 * SECOND / (until - since) if until > since else 0.0


class Picture:
    """Changed on one thread by whoever hears something. What was not heard yet is None or empty."""

    def __init__(self, plot: Plot) -> None:
        self.plot = plot
        self.health: Health | None = None
        self.site: SiteBody | None = None
        self.sensors: list[SensorBody] = []
        self.curves: dict[str, Curve] = defaultdict(Curve)
        self.alarms: list[AlarmBody] = []
        self.balance: BalanceBody | None = None
        self.incident = Incident(plot.phases)
        self.feed: deque[Note] = deque(maxlen=FEED)
        self.notes = 0
        """How many notes there have been; the feed forgets."""
        self.occurrences: set[str] = set()
        self.transitions = 0
        self.latencies: list[float] = []
        self.told: dict[str, list[Told]] = defaultdict(list)
        """Occurrence -> who was told of it, in order."""
        self.messages = 0
        self.acknowledged: dict[str, tuple[str, int]] = {}
        """Occurrence -> who acknowledged it last, and when (ns)."""
        self.tiers: dict[tuple[str, Condition], Tier] = {}
        """Sensor and condition -> how urgent the alarm was when it was heard of last."""
        self.names: dict[str, str] = {}
        """Person -> role, id and name."""
        self.remark = ""
        """What has to be known about the broker."""
        self.broker = ""
        self._received: deque[tuple[int, int]] = deque()
        self._telling: dict[tuple[str, str, NoticeKind, int], list[Told]] = {}

    def note(self, at: int, text: str, style: str = "") -> None:
        """Add a line to the feed."""
        self.feed.append(Note(at, text, style))
        self.notes += 1

    def phase(self, name: str, text: str, at: int) -> None:
        """The plant entered a phase."""
        self.incident.phase(name, at)
        self.note(at, f"plant: {text}", "bold")

    def heard(self, heard: Heard) -> None:
        """An alarm event came over MQTT."""
        event = heard.event
        self.transitions += 1
        self.occurrences.add(event.occurrence)
        if event.sensor is not None:
            self.tiers[event.sensor, event.condition] = event.tier
        over = self.incident.over
        self.incident.event(event)
        if event.event in DECIDED and event.condition in LIMIT_CONDITIONS:
            self.latencies.append(heard.latency)
        if event.event is EventKind.ACKNOWLEDGE and event.by:
            self.acknowledged[event.occurrence] = (event.by, instant(event.recorded_at))
        answered = event.event in ANSWERS
        self.note(heard.received, self._words(event), "dim" if not event.lead else "bold green3" if answered else event.tier)
        if self.incident.over and not over:
            self.note(heard.received, "the incident is over: every alarm of a limit has ended", "bold green3")

    def _words(self, event: AlarmEvent) -> str:
        name = f"{event.alarm} ({event.tier})"
        reading = "" if event.value is None else f" at {event.value:g} {event.unit or ''}".rstrip()
        match event.event:
            case EventKind.RAISE | EventKind.RE_RAISE:
                limit = "" if event.limit is None else f", limit {event.limit:g}"
                return f"{name} raised{reading}{limit}{', first out' if event.first_out else ''}"
            case EventKind.RETURN:
                return f"{name} returned{reading}, now {event.to.replace('_', ' ')}"
            case EventKind.ACKNOWLEDGE | EventKind.VERIFY | EventKind.RESET:
                did = {EventKind.ACKNOWLEDGE: f"acknowledged {name}", EventKind.VERIFY: f"measured beside {event.sensor}, {event.comment}"}
                return f"{self.person(event.by or 'the gateway')} {did.get(event.event, f'reset {name}')}"
            case EventKind.SUBSUME:
                return f"{name} folded under the worse alarm of its sensor"
        return f"{name} {event.event.replace('_', ' ')}: now {event.to.replace('_', ' ')}"

    def was_told(self, told: Told) -> None:
        """A person got a message."""
        self.messages += 1
        self.incident.told(told)
        self.told[told.notice.occurrence].append(told)
        notification = told.notice.notification
        self._telling.setdefault((told.notice.occurrence, told.person, notification.kind, notification.step), []).append(told)

    def settle(self, now: int) -> None:
        """Note whom messages reached: once for a person, with all channels, as soon as they had time to come."""
        for key, messages in list(self._telling.items()):
            if now - messages[0].at >= GATHER:
                del self._telling[key]
                notice = messages[0].notice
                why = WHY.get(notice.notification.kind, "told of")
                if notice.notification.kind is NoticeKind.INFORM and notice.event is EventKind.ACKNOWLEDGE:
                    why = "informed that somebody acknowledged"
                channels = ", ".join(sorted({each.channel for each in messages}))
                self.note(messages[0].at, f"{self.person(messages[0].person)} {why} {notice.alarm} over {channels}", "cyan")

    def person(self, identity: str) -> str:
        """A person with role and name, if they are known."""
        return self.names.get(identity, identity)

    def take_sensors(self, sensors: Iterable[SensorBody]) -> None:
        """The sensors as they stand."""
        self.sensors = list(sensors)
        for sensor in self.sensors:
            self.curves[sensor.sensor].add(sensor)

    def take_balance(self, balance: BalanceBody, now: int) -> None:
        """The balance as it stands at `now`."""
        self.balance = balance
        self._received.append((now, balance.received))
        while now - self._received[0][0] > SPAN:
            self._received.popleft()

    @property
    def readings_a_second(self) -> float:
        """How fast readings come in, over the last seconds."""
        if len(self._received) < 2 or self._received[-1][0] == self._received[0][0]:
            return 0.0
        (since, first), (until, last) = self._received[0], self._received[-1]
        return (last - first) * SECOND / (until - since)


def percentile(values: Iterable[float], share: float) -> float | None:
    """The nearest-rank percentile: the least value that `share` (0 to 1) of all do not exceed; None without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
