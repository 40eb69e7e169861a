"""What waits for the broker: in order, the newest state of each alarm, and no more events than a bound allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from adapters.journal import Entry, Journal, Outgoing
from alerts.alarm import Tier
from gateway import publications
from gateway.publications import Publications


class Broker:
    """A connection that takes what it is handed and confirms when told to; an outbox beside it."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.open: list[Callable[[], None]] = []
        self.forgotten: list[str] = []
        self.at_once = False
        self.waiting = Publications(self._publish, cast("Journal", self))

    def _publish(self, topic: str, payload: bytes, _retain: bool, done: Callable[[], None], _tier: Tier) -> None:
        self.sent.append(f"{topic} {payload.decode()}")
        if self.at_once:
            done()
        else:
            self.open.append(done)

    def commit(self, entry: Entry) -> None:
        """As the journal."""
        self.forgotten += [key for key, _ in entry.published]

    def confirm(self) -> None:
        """The oldest arrived."""
        self.open.pop(0)()

    def event(self, number: int, tier: Tier = Tier.YELLOW) -> None:
        """An event of an alarm happens."""
        self.waiting.put(Outgoing(f"event/{number}", number, "north", "", "publish", "", "events", b"%d" % number, tier=tier))

    def alarm(self, name: str, number: int) -> None:
        """An alarm stands otherwise."""
        self.waiting.put(Outgoing(f"alarm/{name}", number, "north", "", "publish", "", name, b"%d" % number, retain=True, tier=Tier.RED))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publications, "AHEAD", 2)
    monkeypatch.setattr(publications, "MOST", 3)


def test_events_go_in_order_a_few_at_a_time_and_leave_the_outbox_when_they_arrived(small: None) -> None:
    broker = Broker()
    for number in range(1, 6):
        broker.event(number)
    assert broker.sent == ["events 1", "events 2"]
    broker.confirm()
    assert (broker.sent[2:], broker.forgotten) == (["events 3"], ["event/1"])
    while broker.open:
        broker.confirm()
    assert broker.sent == [f"events {number}" for number in range(1, 6)]
    assert broker.forgotten == [f"event/{number}" for number in range(1, 6)]
    assert broker.waiting.published == 5


def test_of_an_alarm_that_changes_while_it_is_on_its_way_only_the_newest_state_follows() -> None:
    broker = Broker()
    for number in range(1, 5):
        broker.alarm("GT-1", number)
    broker.alarm("GT-2", 9)
    assert broker.sent == ["GT-1 1", "GT-2 9"]
    broker.confirm()
    assert broker.sent[2:] == ["GT-1 4"]
    broker.confirm()
    broker.confirm()
    broker.alarm("GT-1", 5)
    assert broker.sent[3:] == ["GT-1 5"]


def test_too_many_events_lose_the_oldest_mild_ones_and_never_an_urgent_one(small: None) -> None:
    broker = Broker()
    tiers = [Tier.RED, Tier.YELLOW, Tier.RED, Tier.YELLOW, Tier.BLUE, Tier.ORANGE, Tier.YELLOW, Tier.RED, Tier.RED]
    for number, tier in enumerate(tiers):
        broker.event(number, tier)
    assert broker.waiting.given_up == {Tier.YELLOW: 2, Tier.BLUE: 1}
    assert broker.forgotten == ["event/3", "event/4", "event/6"]
    while broker.open:
        broker.confirm()
    assert [sent.split()[1] for sent in broker.sent] == ["0", "1", "2", "5", "7", "8"]


def test_thousands_that_the_connection_settles_at_once_are_no_deep_recursion() -> None:
    broker = Broker()
    for number in range(20_000):
        broker.event(number, Tier.RED)
    broker.at_once = True
    while broker.open:
        broker.confirm()
    assert len(broker.forgotten) == 20_000
