"""Topics that the broker refuses: tried seldom, told once, and made good when it takes them again; in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from support.virtual import VirtualLoop

from adapters.mqtt import Publication
from alerts.alarm import Tier
from gateway.refusals import BARRED, LONGEST, REFUSED_FOR, Refusals

HIGH, LOW, EVENTS = "p/north/alarms/GT-1.high", "p/north/alarms/GT-1.low", "p/north/alarm-events"
ALARMS = "p/north/alarms/+"


class Broker:
    """Takes, or refuses, what is sent to it; `sent` has all of it."""

    def __init__(self) -> None:
        self.loop = VirtualLoop(0, {})
        self.refusals = Refusals("p", self._arrives)
        self.denies = True
        self.sent: list[tuple[str, bytes]] = []
        self.done: list[bytes] = []
        self.told: list[tuple[str, ...]] = []
        self.refusals.on_refused = lambda place, tier, words: self.told.append((place, tier, words))
        self.refusals.on_taken = lambda place: self.told.append((place,))

    def _arrives(self, publication: Publication) -> None:
        assert publication.done is not None
        assert publication.refused is not None
        if self.refusals.barred(publication):
            publication.refused(BARRED)
            return
        self.sent.append((publication.topic, publication.payload))
        self.loop.call_soon(partial(publication.refused, "Not authorized") if self.denies else publication.done)

    def publishes(
        self, *payloads: bytes, topic: str = HIGH, retain: bool = True, tier: Tier = Tier.YELLOW, refused: Callable[[str], None] | None = None
    ) -> None:
        """The gateway publishes these at once, and time enough passes for the answers."""
        for payload in payloads:
            publication = Publication(topic, payload, retain, done=partial(self.done.append, payload), refused=refused)
            self.loop.call_soon(self.refusals.publish, publication, tier)
        self.after(0.01)

    def after(self, seconds: float) -> None:
        """Let time pass."""
        self.loop.call_later(seconds, self.loop.stop)
        self.loop.run_forever()

    def payloads(self) -> list[bytes]:
        """Of what was sent since the last call."""
        sent, self.sent = self.sent, []
        return [payload for _, payload in sent]


@pytest.fixture
def broker() -> Iterator[Broker]:
    made = Broker()
    yield made
    made.refusals.stop()
    made.loop.close()


def test_a_refused_place_is_told_once_and_not_tried_again(broker: Broker) -> None:
    broker.publishes(b"1")
    broker.publishes(b"2", b"3", topic=LOW)
    broker.after(REFUSED_FOR - 1)
    assert broker.payloads() == [b"1"], "all alarms of a site are one place"
    assert broker.told == [(ALARMS, "yellow", "Not authorized")]
    assert broker.done == [], "the outbox keeps what is retained"


def test_it_is_told_again_when_something_worse_cannot_be_seen(broker: Broker) -> None:
    for tier in (Tier.BLUE, Tier.RED, Tier.YELLOW):
        broker.publishes(b"1", tier=tier)
    assert [tier for _, tier, _ in broker.told] == ["blue", "red"]


def test_one_publication_tries_the_place_and_when_it_is_taken_the_newest_of_each_topic_follows(broker: Broker) -> None:
    broker.publishes(b"1", b"2")
    broker.publishes(b"3", topic=LOW)
    broker.payloads()
    broker.denies = False
    broker.after(REFUSED_FOR)
    assert broker.payloads() == [b"2", b"3"]
    assert broker.done == [b"2", b"3"]
    assert broker.told[1:] == [(ALARMS,)]
    broker.publishes(b"4")
    assert broker.payloads() == [b"4"]


def test_a_place_that_stays_refused_is_tried_ever_less_often(broker: Broker) -> None:
    broker.publishes(b"1")
    broker.after(86_400)
    assert 24 <= len(broker.payloads()) <= 24 + 5
    assert len(broker.told) == 1
    broker.denies = False
    broker.after(LONGEST)
    assert broker.payloads() == [b"1"]


def test_what_is_not_retained_is_given_up_and_the_next_one_tries(broker: Broker) -> None:
    broker.publishes(b"1", b"2", topic=EVENTS, retain=False)
    assert (broker.payloads(), broker.done) == ([b"1", b"2"], [b"1", b"2"]), "both were on their way"
    broker.publishes(b"3", topic=EVENTS, retain=False)
    assert (broker.payloads(), broker.done) == ([], [b"1", b"2", b"3"])
    broker.after(REFUSED_FOR)
    broker.denies = False
    broker.publishes(b"4", b"5", topic=EVENTS, retain=False)
    assert broker.payloads() == [b"4"], "one tries it"
    broker.publishes(b"6", topic=EVENTS, retain=False)
    assert broker.payloads() == [b"6"]


def test_whoever_asks_to_be_told_is_told_each_time_and_nobody_else(broker: Broker) -> None:
    words: list[str] = []
    for _ in range(2):
        broker.publishes(b"1", topic="desk/li", retain=False, refused=words.append)
    assert (words, broker.told, broker.payloads()) == (["Not authorized"] * 2, [], [b"1"])


def test_what_was_refused_before_a_restart_is_tried_by_one_publication(broker: Broker) -> None:
    broker.refusals.resume([(ALARMS, Tier.RED, "Not authorized")])
    broker.publishes(b"1", b"2")
    assert (broker.payloads(), broker.told) == ([b"1"], []), "it was told in the run before"
    broker.denies = False
    broker.after(2 * REFUSED_FOR)
    assert broker.payloads() == [b"2"]
    assert broker.told == [(ALARMS,)]
