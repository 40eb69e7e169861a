"""What the broker drops, who else has our name, and what it retains that is not true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.sites import T0

from adapters.journal import Entry, Journal, Outgoing
from adapters.mqtt import Ending, Link, LinkState
from alerts.alarm import Condition
from alerts.edge import Edge
from alerts.reading import SECOND
from gateway import drops, leftovers, rival
from gateway.brokering import Broker
from gateway.drops import Drops, Sight
from gateway.leftovers import Leftovers
from gateway.publishing import status_bytes
from gateway.rival import Rival
from gateway.selfwatch import SelfWatch
from gateway.sideline import Sideline


class Desk:
    """A watch and what it raised."""

    def __init__(self) -> None:
        self.edges: list[Edge] = []
        self.watch = SelfWatch("north", "gw-1", self, self.edges.append)

    def now(self) -> int:
        """See `alerts.ports.Clock`."""
        return T0

    def told(self) -> list[str]:
        """What was raised since the last call."""
        told = [f"{edge.condition} {edge.kind}" for edge in self.edges]
        self.edges.clear()
        return told


class Notes:
    """A journal that keeps only the last note of each name."""

    def __init__(self) -> None:
        self.meta: dict[str, str] = {}

    def commit(self, entry: Entry) -> None:
        """Note it."""
        self.meta |= entry.meta


class Counter:
    """The broker's counter of dropped messages, as one run of a gateway sees it."""

    def __init__(self, last: str | None = None) -> None:
        self.desk, self.notes, self.link = Desk(), Notes(), SimpleNamespace(passed_over=0, worst_flood=None)
        self.drops = Drops(self.desk.watch, cast("Journal", self.notes), cast("Link", self.link), last)

    def says(self, count: object) -> list[str]:
        """It stands at this; what was raised."""
        self.drops.counted(str(count).encode(), True)
        return self.desk.told()


RAISED = ["broker_dropping true"]


async def test_the_first_count_ever_seen_is_where_counting_begins() -> None:
    counter = Counter()
    assert counter.drops.sight is Sight.UNSEEN
    assert counter.says(700) == []
    assert (counter.drops.sight, counter.drops.seen, counter.notes.meta) == (Sight.WATCHED, 0, {"broker_dropped": "700"})
    await counter.drops.stop()


async def test_a_rise_is_told_once_while_it_goes_on() -> None:
    counter = Counter()
    counter.says(0)
    assert counter.says(3) == RAISED
    assert counter.says(3) == []
    assert counter.says(9) == RAISED, "in other words, for the same alarm"
    assert (counter.drops.seen, counter.notes.meta) == (9, {"broker_dropped": "9"})
    await counter.drops.stop()


async def test_what_was_dropped_while_the_gateway_was_away_is_told() -> None:
    counter = Counter(last="3")
    assert counter.says(10) == RAISED
    assert counter.drops.seen == 7
    await counter.drops.stop()


@pytest.mark.parametrize(("count", "raised"), [(0, []), (2, RAISED)])
async def test_a_lower_count_is_that_of_a_broker_that_began_anew(count: int, raised: list[str]) -> None:
    counter = Counter(last="10")
    assert counter.says(count) == raised
    assert counter.drops.seen == count
    await counter.drops.stop()


async def test_what_is_no_number_is_no_count() -> None:
    counter = Counter(last="1")
    for junk in ("", "many", "-5", "1e9", "9" * 30):
        assert counter.says(junk) == []
    assert counter.drops.sight is Sight.UNSEEN


async def test_it_is_over_when_nothing_more_was_lost_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drops, "QUIET", 0.0)
    counter = Counter(last="1")
    assert counter.says(2) == RAISED
    await asyncio.sleep(0.01)
    assert counter.desk.told() == ["broker_dropping false"]


async def test_a_session_that_the_broker_forgot_is_told_the_same_way() -> None:
    counter = Counter()
    counter.drops.session_lost()
    assert counter.desk.told() == RAISED
    await counter.drops.stop()


async def test_an_earlier_runs_alarm_ends_if_nothing_more_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drops, "QUIET", 0.0)
    counter = Counter(last="1")
    counter.desk.watch.adopt([Condition.BROKER_DROPPING])
    await counter.drops.start()
    await asyncio.sleep(0.01)
    assert counter.desk.told() == ["broker_dropping false"]
    await counter.drops.stop()


class Encounter:
    """Two connections and a look-out for somebody else of our name."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.held: list[float] = []
        self.sent: list[bytes] = []
        self.said = 0
        self.link = SimpleNamespace(ending=None, state=LinkState.UP, hold_off=self.held.append)
        self.broker = SimpleNamespace(link=self.link, announce=self._say)
        self.line = SimpleNamespace(up=True, send=self.sent.append, hold_off=lambda _seconds: None)
        self.rival = Rival(self.desk.watch, cast("Broker", self.broker), cast("Sideline", self.line), "ours", T0)
        self.rival.first_is(LinkState.UP)

    def _say(self) -> None:
        self.said += 1

    def lost(self, ending: Ending) -> None:
        """The first connection ended in that way."""
        self.link.ending, self.link.state = ending, LinkState.DOWN
        self.rival.first_is(LinkState.DOWN)

    def back(self) -> None:
        """The first connection is there again."""
        self.link.state = LinkState.UP
        self.rival.first_is(LinkState.UP)

    def status(self, boot: str, at: int = T0 + SECOND, *, retained: bool = True) -> None:
        """The status topic says that a gateway of our name is there."""
        self.rival.status(status_bytes(online=True, boot=boot, at=at), retained)


@pytest.fixture
async def met() -> AsyncIterator[Encounter]:
    encounter = Encounter()
    yield encounter
    await encounter.rival.stop()


TWO = ["duplicate_gateway true"]


async def test_a_broker_that_says_so_is_believed(met: Encounter) -> None:
    met.lost(Ending.TAKEN)
    assert met.desk.told() == TWO


async def test_a_connection_ended_while_the_other_lives_on_shows_somebody_else(met: Encounter) -> None:
    met.lost(Ending.CLOSED)
    assert met.desk.told() == []
    met.rival.echo(b"something else")
    assert met.desk.told() == []
    met.rival.echo(met.sent[-1])
    assert met.desk.told() == TWO


async def test_a_broker_that_ended_both_is_gone_itself(met: Encounter) -> None:
    met.lost(Ending.CLOSED)
    met.rival.second_is(LinkState.DOWN)
    met.rival.second_is(LinkState.UP)
    met.rival.echo(met.sent[-1])
    assert met.desk.told() == []


@pytest.mark.parametrize("ending", [Ending.LOST, Ending.DISMISSED, Ending.DENIED])
async def test_a_connection_that_ended_for_another_reason_shows_nobody(ending: Ending, met: Encounter) -> None:
    met.lost(ending)
    assert (met.sent, met.desk.told()) == ([], [])


async def test_attempts_that_fail_are_no_further_losses(met: Encounter) -> None:
    met.lost(Ending.CLOSED)
    for _ in range(3):
        met.rival.first_is(LinkState.DOWN)
    assert len(met.sent) == 1


async def test_whoever_is_thrown_out_again_and_again_stays_away_longer_and_longer(met: Encounter) -> None:
    for _ in range(4):
        met.lost(Ending.TAKEN)
        met.status("another")
        met.back()
    assert [round(seconds / 10) for seconds in met.held[:1]] == [0]
    assert 12 <= met.held[1] <= 18
    assert all(48 <= seconds <= 72 for seconds in met.held[2:])
    assert len(met.held) == 4, "two signs of one encounter are one"
    assert set(met.desk.told()) == set(TWO)


async def test_another_boot_on_our_topic_that_is_newer_than_our_start_is_somebody_else(met: Encounter) -> None:
    met.status("ours")
    met.status("an earlier run", T0 - SECOND)
    met.rival.status(b'{"online":false}', True)
    met.rival.status(b"no json", True)
    assert (met.desk.told(), met.said) == ([], 0)
    met.status("another")
    assert met.desk.told() == TWO


async def test_the_last_word_on_our_topic_is_ours(met: Encounter) -> None:
    met.rival.status(b'{"online":false}', False)
    assert met.said == 1
    met.status("ours", retained=False)
    assert met.said == 1


async def test_it_is_over_when_nobody_showed_up_while_we_were_connected(met: Encounter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rival, "QUIET", 0.02)
    met.lost(Ending.TAKEN)
    await asyncio.sleep(0.05)
    assert met.desk.told() == TWO
    met.back()
    await asyncio.sleep(0.05)
    assert met.desk.told() == ["duplicate_gateway false"]


ALARM = "hazgate/v1/north/alarms/"


def alarm(name: str, number: int) -> Outgoing:
    """A retained topic as it should be."""
    body = b'{"alarm": "%s", "sequence": %d}' % (name.encode(), number)
    return Outgoing(f"alarm/north/{name}", number, "north", f"{name}@1", "publish", "", ALARM + name, body, retain=True)


class Shelf:
    """What a broker retains, and what stands."""

    def __init__(self, *standing: Outgoing) -> None:
        self.standing = list(standing)
        self.published: list[tuple[str, bytes]] = []
        self.line = SimpleNamespace(up=True, listen=lambda *_: None, unlisten=lambda _name: None)
        filters = (ALARM + "+", "hazgate/v1/gateways/gw-1/alarms/+")
        self.leftovers = Leftovers(cast("Sideline", self.line), filters, lambda: self.standing, lambda *what: self.published.append(what))

    async def compared(self, retained: dict[str, bytes], *news: Outgoing) -> list[tuple[str, bytes]]:
        """What is published after a look that finds this; `news` happens meanwhile."""
        self.leftovers.look()
        for topic, payload in retained.items():
            self.leftovers.found(topic, payload)
        self.standing.extend(news)
        await asyncio.sleep(0.01)
        return self.published


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "COLLECT", 0.0)


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize(
    ("standing", "retained", "published"),
    [
        ([], {ALARM + "GT-9.high": b"{}"}, [(ALARM + "GT-9.high", b"")]),
        ([], {"hazgate/v1/gateways/gw-1/alarms/gw-1.disk_low": b"{}"}, [("hazgate/v1/gateways/gw-1/alarms/gw-1.disk_low", b"")]),
        ([], {"hazgate/v1/north/rtu-1/status": b'{"online": true}', "hazgate/v1/south/alarms/GT-9.high": b"{}"}, []),
        ([alarm("GT-1.high", 7)], {}, [(ALARM + "GT-1.high", alarm("GT-1.high", 7).body)]),
        ([alarm("GT-1.high", 7)], {ALARM + "GT-1.high": alarm("GT-1.high", 5).body}, [(ALARM + "GT-1.high", alarm("GT-1.high", 7).body)]),
        ([alarm("GT-1.high", 7)], {ALARM + "GT-1.high": b"junk"}, [(ALARM + "GT-1.high", alarm("GT-1.high", 7).body)]),
        ([alarm("GT-1.high", 7)], {ALARM + "GT-1.high": alarm("GT-1.high", 7).body}, []),
    ],
    ids=["left over", "of the gateway", "not ours", "lacking", "of yesterday", "unreadable", "as it stands"],
)
async def test_what_the_broker_retains_is_set_right(standing: list[Outgoing], retained: dict[str, bytes], published: list[Any]) -> None:
    assert await Shelf(*standing).compared(retained) == published


@pytest.mark.usefixtures("_soon")
async def test_what_was_raised_meanwhile_was_published_by_whoever_raised_it() -> None:
    assert await Shelf().compared({ALARM + "GT-1.high": b"{}"}, alarm("GT-1.high", 7)) == []


@pytest.mark.usefixtures("_soon")
async def test_nothing_is_set_right_by_a_connection_that_was_lost_meanwhile() -> None:
    shelf = Shelf(alarm("GT-1.high", 7))
    shelf.line.up = False
    assert await shelf.compared({}) == []
