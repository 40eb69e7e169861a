"""One site's book of alarms on a clock of seconds, with facts at hand: at t this turned true, then these events came."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from support.sites import ESCALATION, T0, sensor, site

from alerts.alarm import Alarm, Condition, Event, Refusal, Tier, Verb
from alerts.book import Book
from alerts.command import Command, Numbers
from alerts.edge import Edge, EdgeKind, Latest
from alerts.reading import SECOND
from alerts.site import Site

PEOPLE: list[dict[str, Any]] = [
    {"id": "li", "role": "officer"},
    {"id": "bo", "role": "officer"},
    {"id": "wang", "role": "leader"},
    {"id": "meng", "role": "engineer"},
    {"id": "gast", "role": "viewer"},
    {"id": "amt", "role": "upstream"},
    {"id": "chef", "role": "manager"},
    {"id": "root", "role": "administrator"},
]
EXPIRING = {tier: {**ESCALATION[tier], "ack_expires": "15m"} for tier in ("red", "orange", "yellow")} | {"blue": {}}


class FakeFacts:
    """What detection knows, as the test says. A sensor nobody spoke of is healthy and reads 0."""

    def __init__(self) -> None:
        self.known: dict[str, Latest] = {}
        self.ending: list[Edge] = []
        self.measured: list[tuple[str, float | None]] = []

    def say(self, sensor: str, **changes: Any) -> None:
        """Change what is known of a sensor."""
        self.known[sensor] = replace(self.latest("north", sensor, 0), **changes)

    def latest(self, site: str, sensor: str, now: int) -> Latest:
        """See `alerts.edge.Facts`."""
        assert site == "north"
        assert now >= 0
        return self.known.get(sensor, Latest(value=0.0, time=T0, arrival=T0, good=True, heard=True, healthy=True))

    def verified(self, site: str, sensor: str, value: float, now: int) -> list[Edge]:
        """Answers with the edges that the test put into `ending`."""
        assert site == "north"
        self.measured.append((sensor, value))
        self.say(sensor, over_range=False)
        return [replace(edge, at=now) for edge in self.ending]

    def clear_over_range(self, site: str, sensor: str) -> None:
        """See `alerts.edge.Facts`."""
        assert site == "north"
        self.measured.append((sensor, None))
        self.say(sensor, over_range=False)

    def answered(self, site: str, device: str, now: int) -> None:
        """See `alerts.edge.Facts`."""
        assert (site, now >= 0) == ("north", True)
        self.measured.append((device, None))


def guarded(*sensors: dict[str, Any], **changes: Any) -> Site:
    """A site whose acknowledgements expire after 15 min, with a person for each role."""
    return site(*(sensors or (sensor("GT-1"),)), **({"people": PEOPLE, "escalation": EXPIRING} | changes))


class Ward:
    """A book with its facts and numbers. `now` is in seconds after `T0` and moves with each call that names a time."""

    def __init__(self, *sensors: dict[str, Any], alarms: Iterable[Alarm] = (), gateway: str | None = "gw-1", **changes: Any) -> None:
        self.site = guarded(*sensors, **changes)
        self.facts = FakeFacts()
        self.numbers = Numbers(40)
        self.book = Book(self.site, self.facts, self.numbers, alarms=alarms, gateway=gateway)
        self.now = 0.0

    def edges(self, *edges: Edge) -> list[str]:
        """Apply edges that came together."""
        return told(self.book.edges(edges, self.moment))

    def true(self, alarm: str, at: float, value: float | None = None, **changes: Any) -> list[str]:
        """A condition turned true."""
        return self.edges(self.edge(alarm, EdgeKind.TRUE, at, value, **changes))

    def grown(self, alarm: str, at: float, value: float | None = None, **changes: Any) -> list[str]:
        """What was told of a past excursion has grown."""
        return self.edges(self.edge(alarm, EdgeKind.GROWN, at, value, **changes))

    def false(self, alarm: str, at: float, value: float | None = None, **changes: Any) -> list[str]:
        """A condition turned false."""
        return self.edges(self.edge(alarm, EdgeKind.FALSE, at, value, **changes))

    def over_range(self, alarm: str, at: float, value: float = 100.0) -> list[str]:
        """A gas sensor reached the top of its range."""
        return self.edges(self.edge(alarm, EdgeKind.OVER_RANGE, at, value))

    def edge(self, alarm: str, kind: EdgeKind, at: float, value: float | None = None, **changes: Any) -> Edge:
        """An edge of alarm `{source}.{condition}`; the clock moves to it."""
        self.now = max(self.now, at)
        source, _, condition = alarm.partition(".")
        return Edge("north", source, Condition(condition), kind, T0 + round(at * SECOND), value, **changes)

    def do(self, verb: str, alarm: str | None, by: str = "li", at: float | None = None, **changes: Any) -> list[str] | Refusal:
        """A person's command about an alarm, or with `sensor=` about a sensor; `at` moves the clock, `sent` (ns) is when it was sent."""
        self.now = self.now if at is None else max(self.now, at)
        done = self.book.command(Command(Verb(verb), "north", by, alarm=alarm, at=changes.pop("sent", None), **changes), self.moment)
        return done if isinstance(done, Refusal) else told(done)

    def clock(self, at: float) -> list[str]:
        """Only the clock moves."""
        self.now = at
        return told(self.book.advance(self.moment))

    @property
    def moment(self) -> int:
        """`now` in ns."""
        return T0 + round(self.now * SECOND)

    def __getitem__(self, alarm: str) -> Alarm:
        return self.book.alarms()[alarm]

    def states(self) -> dict[str, str]:
        """The state of every alarm that is not normal."""
        return {name: str(alarm.state) for name, alarm in self.book.alarms().items()}


def told(events: Iterable[Event]) -> list[str]:
    """Events as `kind alarm before>after`, with ` !` behind those that annunciate."""
    return [f"{e.kind} {e.alarm.id} {short(e.before)}>{short(e.alarm.state)}{' !' if e.annunciates else ''}" for e in events]


def short(state: str) -> str:
    """A state by its initials: N, AU, AA, RU, LU, LA."""
    return "".join(word[0] for word in str(state).split("_")).upper()


def standing(alarm: str, **changes: Any) -> Alarm:
    """An alarm record as an earlier run may have left it."""
    source, _, condition = alarm.partition(".")
    made = Alarm("north", source, Condition(condition), changes.pop("tier", Tier.RED), zone="pumps", sensor=source, started=1, annunciation=1, sequence=1)
    return replace(made, **changes)
