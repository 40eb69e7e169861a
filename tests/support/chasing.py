"""A small site with people and chains, and a timeline to chase alarms along: at t do this, then these were told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from alerts.alarm import Alarm, Condition, Event, EventKind, NoticeKind, State, Tier
from alerts.chain import ChainState
from alerts.escalate import Chaser, Orders
from alerts.ports import Notice
from alerts.reading import SECOND
from alerts.rota import Roster
from alerts.site import Site

START = 1_763_712_000 * SECOND
"""2025-11-21 08:00 UTC, 16:00 in Shanghai."""
ALL_DAY = {"from": "00:00", "to": "24:00"}
RED = {"inform": [{"tell": ["an"]}], "steps": [{"tell": ["officer"]}, {"after": "60s", "tell": ["leader"]}], "repeat": "120s"}
ORANGE = {"steps": [{"tell": ["officer"]}, {"after": "120s", "tell": ["leader"]}], "repeat": "10m"}
YELLOW = {"steps": [{"tell": ["officer"]}]}
PEOPLE = [
    {"id": "li", "role": "officer", "reach": ["desk", {"channel": "phone", "to": "+86 1"}]},
    {"id": "wang", "role": "leader", "reach": ["phone"]},
    {"id": "an", "role": "manager", "reach": ["desk"]},
    {"id": "bo", "role": "manager", "reach": ["phone", "desk"]},
]
ROTA = [{"role": "officer", "shifts": [{"people": ["li"], **ALL_DAY}]}, {"role": "leader", "shifts": [{"people": ["wang"], **ALL_DAY}]}]


def build_site(timezone: str = "Asia/Shanghai", **changes: Any) -> Site:
    """A valid site: officer li, leader wang, manager an as reader, bo as last resort. `changes` replace top-level keys."""
    sensor = {"id": "GT-101", "kind": "combustible_gas", "zone": "tanks", "device": "rtu-1", "range": [0.0, 100.0], "interval": "1s", "stale": "30s"}
    keys: dict[str, Any] = {
        "site": "north",
        "timezone": timezone,
        "zones": [{"id": "tanks"}],
        "sensors": [sensor],
        "people": PEOPLE,
        "rota": ROTA,
        "escalation": {"red": RED, "orange": ORANGE, "yellow": YELLOW, "blue": {}},
        "last_resort": {"tell": ["bo"]},
    }
    return Site.model_validate(keys | changes)


def with_chains(**chains: Any) -> dict[str, Any]:
    """The escalation of the small site with the chains of some tiers replaced."""
    return {"red": RED, "orange": ORANGE, "yellow": YELLOW, "blue": {}} | chains


def with_rota(*, officer: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rota of the small site with other shifts of the officer."""
    return [{"role": "officer", "shifts": list(officer)}, ROTA[1]]


class Timeline:
    """One site's chaser on a clock of seconds since `START`, with an alarm at hand that events are built from."""

    def __init__(self, site: Site | None = None, chains: Mapping[str, ChainState] | None = None) -> None:
        self.site = site or build_site()
        self.chaser = Chaser(self.site, Roster(self.site), chains or {})
        self.chains: dict[str, ChainState] = dict(chains or {})
        self.now = 0.0
        self.sequence = 40
        self.orders: list[Orders] = []

    def alarm(self, condition: Condition = Condition.HIGH_HIGH, tier: Tier = Tier.RED, **changes: Any) -> Alarm:
        """An unacknowledged limit alarm of GT-101 in its first annunciation."""
        alarm = Alarm("north", "GT-101", condition, tier, State.ACTIVE_UNACKNOWLEDGED, 41, 1, "tanks", "GT-101", lead=True)
        return replace(alarm, **changes)

    def happens(self, seconds: float, kind: EventKind, alarm: Alarm, *, by: str | None = None, annunciates: bool = False) -> Orders:
        """Let an event happen at a time, everything due before it having been told then."""
        self.until(seconds - 1e-9)
        self.now = seconds
        self.sequence += 1
        event = Event(
            kind,
            replace(alarm, sequence=self.sequence),
            State.NORMAL,
            self.nanoseconds,
            self.nanoseconds,
            by=by,
            annunciates=annunciates,
        )
        return self.take(self.chaser.events([event], self.nanoseconds))

    def raised(self, seconds: float, alarm: Alarm) -> Orders:
        """Let the alarm be raised and told."""
        return self.happens(seconds, EventKind.RAISE, alarm, annunciates=True)

    def acknowledged(self, seconds: float, alarm: Alarm, by: str = "li") -> Orders:
        """Let a person acknowledge the alarm, which is still active."""
        return self.happens(seconds, EventKind.ACKNOWLEDGE, replace(alarm, state=State.ACTIVE_ACKNOWLEDGED), by=by)

    def ended(self, seconds: float, alarm: Alarm) -> Orders:
        """Let the alarm be back to normal."""
        return self.happens(seconds, EventKind.RETURN, replace(alarm, state=State.NORMAL))

    def until(self, seconds: float) -> list[Notice]:
        """Let time pass, stopping at each deadline; what was told after `now` and up to then."""
        told: list[Notice] = []
        while (due := self.chaser.due()) is not None and due <= START + int(seconds * SECOND):
            self.now = max(self.now, (due - START) / SECOND)
            told += self.take(self.chaser.advance(max(due, START))).notices
        self.now = max(self.now, seconds)
        return told

    def jump(self, seconds: float) -> Orders:
        """Let time pass in one piece, as when the gateway was down."""
        self.now = seconds
        return self.take(self.chaser.advance(self.nanoseconds))

    def take(self, orders: Orders) -> Orders:
        """Keep what the journal would keep."""
        self.orders.append(orders)
        for alarm, chain in orders.chains.items():
            self.chains.pop(alarm, None)
            if chain is not None:
                self.chains[alarm] = chain
        return orders

    def notices(self) -> list[Notice]:
        """Everything told so far, in order."""
        return [notice for orders in self.orders for notice in orders.notices]

    @property
    def nanoseconds(self) -> int:
        """The present time, ns."""
        return START + int(self.now * SECOND)


def told(notices: Sequence[Notice]) -> list[tuple[float, NoticeKind, str]]:
    """Seconds since `START`, kind and person of each notice, a person's channels folded into one."""
    return list(dict.fromkeys(((notice.due - START) / SECOND, notice.kind, notice.person) for notice in notices))
