"""Whose silence is whose: sensors of a device, all devices, and the broker; in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.relay import PEOPLE, Relay
from support.sites import sensor, site

from adapters.mqtt import LinkState
from alerts.alarm import Tier
from alerts.site import Site

Start = Callable[..., Relay]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made: list[Relay] = []

    def begin(*sites: Site) -> Relay:
        relay = Relay(tmp_path, *(sites or (site(sensor("GT-1"), people=PEOPLE),)))
        relay.start()
        made.append(relay)
        return relay

    yield begin
    for relay in made:
        relay.crash()


LOST = "gw-1.broker_lost"


def far_and_wide() -> Site:
    """Three devices with two heads each, and one that reads every minute."""
    heads = [sensor(f"GT-{n}", device=f"rtu-{n // 2}") for n in range(6)]
    return site(*heads, sensor("GT-9", device="rtu-9", interval="60s", stale="180s"), people=PEOPLE)


def all_read(relay: Relay, *but: str) -> None:
    """Every head reads, but these."""
    for each in relay.ground.sites[0].sensors:
        if each.id not in but:
            relay.reads(each.id, 5)


def test_the_silence_of_all_devices_is_one_message_that_says_where_to_look(start: Start) -> None:
    """As where the access list of mosquitto 2.0 denies the reading: it grants the subscription and gives nothing."""
    relay = start(far_and_wide())
    relay.run(100)
    told = {each.body["alarm"] for phone in relay.ground.phones.values() for each in phone.received}
    assert told == {LOST}
    alarm = relay.life.core.books["north"].alarms()[LOST]
    assert (alarm.tier, "access list" in alarm.members[0]) == (Tier.ORANGE, True)
    assert relay.states()["rtu-0.offline"] == "active_acknowledged", "listed under it"
    relay.restart()
    relay.run(100)
    assert {each.body["alarm"] for phone in relay.ground.phones.values() for each in phone.received} == {LOST}


def test_whoever_stays_silent_when_others_are_heard_again_is_told_as_its_own(start: Start) -> None:
    relay = start(far_and_wide())
    all_read(relay)
    relay.run(70)
    assert relay.states()[LOST] == "active_unacknowledged"
    for _ in range(40):
        all_read(relay, "GT-0", "GT-1", "GT-9")
        relay.run(1)
    assert relay.states()[LOST] == "returned_unacknowledged"
    assert relay.states()["rtu-0.offline"] == "active_unacknowledged"
    assert "rtu-1.offline" not in relay.states()


@pytest.mark.parametrize("silent", [("GT-0", "GT-1"), ("GT-0", "GT-1", "GT-2", "GT-3", "GT-9")])
def test_while_anybody_is_heard_silent_devices_are_told_as_their_own(silent: tuple[str, ...], start: Start) -> None:
    relay = start(far_and_wide())
    all_read(relay)
    for _ in range(60):
        relay.run(1)
        all_read(relay, *silent)
    assert LOST not in relay.states()
    assert relay.states()["rtu-0.offline"] == "active_unacknowledged"


def test_a_device_that_fell_silent_long_before_the_others_does_not_hide_that_all_are(start: Start) -> None:
    relay = start(far_and_wide())
    all_read(relay)
    for _ in range(60):
        relay.run(1)
        all_read(relay, "GT-0", "GT-1")
    relay.run(70)
    assert relay.states()[LOST] == "active_unacknowledged"
    assert relay.states()["rtu-1.offline"] == "active_acknowledged"
    assert relay.states()["rtu-0.offline"] == "active_unacknowledged", "it was told before"


def test_messages_that_cannot_be_read_show_that_devices_are_heard(start: Start) -> None:
    relay = start(far_and_wide())
    for _ in range(60):
        relay.run(1)
        relay.sends("hazgate/v1/north/rtu-2/readings", b"nonsense")
    assert LOST not in relay.states()
    assert relay.states()["rtu-2.offline"] == "active_unacknowledged"


def test_a_link_that_comes_back_while_nobody_is_heard_ends_nothing(start: Start) -> None:
    relay = start(far_and_wide())
    relay.run(70)
    for state in (LinkState.DOWN, LinkState.UP):
        relay.link(state, "the broker has said nothing for 15.0 s" if state is LinkState.DOWN else "")
        relay.run(20)
        alarm = relay.life.core.books["north"].alarms()[LOST]
        assert (alarm.state, "access list" in alarm.members[0]) == ("active_unacknowledged", state is LinkState.UP)
    relay.run(300)
    assert {each.body["alarm"] for phone in relay.ground.phones.values() for each in phone.received} == {LOST}


def test_a_site_of_one_device_is_told_of_the_device(start: Start) -> None:
    relay = start(site(sensor("GT-1"), sensor("GT-2"), people=PEOPLE))
    relay.run(70)
    assert (LOST in relay.states(), relay.states()["rtu-1.offline"]) == (False, "active_unacknowledged")


def test_a_subscription_that_the_broker_refuses_is_told_with_its_filter(start: Start) -> None:
    relay = start(far_and_wide())
    relay.link(LinkState.UP, "", "hazgate/v1/north/+/readings")
    all_read(relay)
    relay.run(1)
    assert relay.life.core.books["north"].alarms()[LOST].members == ("the broker refuses the subscription to hazgate/v1/north/+/readings: see its access list",)
    relay.link(LinkState.UP)
    relay.run(1)
    assert relay.states()[LOST] == "returned_unacknowledged"


@pytest.mark.parametrize("restarted", [False, True])
def test_a_sensor_that_was_lost_with_its_device_is_back_only_when_it_speaks_itself(restarted: bool, start: Start) -> None:
    """Its device is declared offline again and again, and each time another sensor of it speaks."""
    relay = start(site(sensor("GT-1"), sensor("GT-2"), people=PEOPLE))
    relay.reads("GT-1", 60)
    for _ in range(5):
        relay.reads("GT-2", 5)
        relay.run(2)
        relay.says("rtu-1", online=False)
        relay.run(0.5)
        assert relay.states()["rtu-1.offline"] == "active_unacknowledged"
        relay.reads("GT-2", 5)
        relay.run(6)
        assert relay.states()["rtu-1.offline"] == "returned_unacknowledged"
        alarm = relay.life.core.books["north"].alarms()["GT-1.high_high"]
        assert (alarm.value_lost, alarm.annunciation) == (True, 2)
    assert relay.states()["GT-1.stale"] == "active_acknowledged", "listed under the alarm that says it"
    if restarted:
        relay.restart()
    relay.reads("GT-1", 61)
    relay.run(1)
    alarm = relay.life.core.books["north"].alarms()["GT-1.high_high"]
    assert (alarm.value_lost, alarm.annunciation) == (False, 2)


def test_a_sensor_lost_with_its_device_is_back_after_a_restart_when_it_speaks(start: Start) -> None:
    relay = start(site(sensor("GT-1"), sensor("GT-2"), people=PEOPLE))
    relay.reads("GT-1", 60)
    relay.run(2)
    relay.says("rtu-1", online=False)
    relay.run(0.1)
    relay.reads("GT-2", 5)
    relay.run(1)
    relay.restart()
    relay.run(1)
    assert relay.life.core.books["north"].alarms()["GT-1.high_high"].value_lost
    relay.reads("GT-1", 61)
    relay.run(1)
    assert not relay.life.core.books["north"].alarms()["GT-1.high_high"].value_lost
