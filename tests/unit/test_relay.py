"""Chains, outbox and the gateway's own alarms over crashes, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.relay import PEOPLE, Manner, Relay
from support.sites import sensor, site

from alerts.alarm import Tier
from alerts.reading import SECOND
from alerts.site import Site

EXHAUSTED, FAILED = "gw-1.escalation_exhausted", "gw-1.notification_failed"
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


def two_sites() -> tuple[Site, Site]:
    """The home site, and another with one head."""
    return site(sensor("GT-1"), people=PEOPLE), site(sensor("HT-1"), site="south", people=PEOPLE)


def times(relay: Relay, alarm: str, kind: str = "raise") -> int:
    """How often `wang` was told of it over the desk, for this reason; what came again and says so is no second time."""
    told = [each for each in relay.ground.phones["desk"].received if each.body["alarm"] == alarm and each.body["notification"]["kind"] == kind]
    firsts = [each.key for each in told if not each.repeat]
    assert len(firsts) == len(set(firsts))
    return len({each.key for each in told})


def test_an_exhausted_chain_is_told_once_over_restarts_and_ends_with_the_last_sites_answer(start: Start) -> None:
    relay = start(*two_sites())
    relay.reads("GT-1", 60)
    relay.reads("HT-1", 60, site="south")
    relay.run(200)
    assert (relay.states()[EXHAUSTED], times(relay, EXHAUSTED)) == ("active_unacknowledged", 1)
    relay.restart()
    relay.run(1)
    assert relay.do("acknowledge", "GT-1.high_high") == []
    relay.run(1)
    assert relay.states()[EXHAUSTED] == "active_unacknowledged", "nobody has answered for the other site"
    relay.restart()
    relay.do("acknowledge", "HT-1.high_high", site="south")
    relay.run(1)
    assert relay.states()[EXHAUSTED] == "returned_unacknowledged"
    assert times(relay, EXHAUSTED) == 1


def test_an_exhausted_chain_has_the_tier_of_its_alarm_on_whichever_site(start: Start) -> None:
    relay = start(*two_sites())
    relay.reads("HT-1", 60, site="south")
    relay.run(200)
    alarm = relay.life.core.books["north"].alarms()[EXHAUSTED]
    assert (alarm.tier, alarm.members) == (Tier.RED, ("HT-1.high_high",))


def test_what_stood_for_a_site_that_is_no_longer_configured_ends_at_the_start(start: Start) -> None:
    relay = start(*two_sites())
    relay.reads("HT-1", 60, site="south")
    relay.run(200)
    relay.ground.sites = relay.ground.sites[:1]
    relay.restart()
    relay.run(1)
    assert relay.states()[EXHAUSTED] == "returned_unacknowledged"


def test_a_failed_message_is_told_to_the_last_resort_around_the_channel_that_failed(start: Start) -> None:
    relay = start()
    relay.ground.phones["phone"].manner = Manner.REFUSES
    relay.reads("GT-1", 60)
    relay.run(5)
    assert times(relay, FAILED) == 1
    relay.ground.phones["phone"].manner = Manner.TAKES
    relay.run(70)
    assert [each.body["alarm"] for each in relay.ground.phones["phone"].received if FAILED in each.body["alarm"]] == []
    named = relay.life.core.books["north"].alarms()[FAILED].members
    assert set(named) == {f"{person} over phone: no such number (GT-1.high_high)" for person in ("li", "wang")}


def test_whoever_has_only_the_failed_channel_is_told_over_it_all_the_same(start: Start) -> None:
    people = [PEOPLE[0], {"id": "wang", "role": "leader", "reach": ["phone"]}]
    relay = start(site(sensor("GT-1"), people=people))
    relay.ground.phones["phone"].manner = Manner.REFUSES
    relay.reads("GT-1", 60)
    relay.run(0.03)
    relay.ground.phones["phone"].manner = Manner.TAKES
    relay.run(1)
    assert relay.received(FAILED, "wang")


def test_a_channel_that_failed_before_a_restart_is_mended_only_by_a_message_over_it(start: Start) -> None:
    relay = start()
    relay.ground.phones["phone"].manner = Manner.REFUSES
    relay.reads("GT-1", 60)
    relay.run(5)
    relay.restart()
    relay.run(56)
    assert times(relay, "GT-1.high_high", "escalate") == 1, "the desk works"
    assert relay.states()[FAILED] == "active_unacknowledged"
    relay.ground.phones["phone"].manner = Manner.TAKES
    relay.run(130)
    assert relay.states()[FAILED] == "returned_unacknowledged"
    assert times(relay, FAILED) == 1


@pytest.mark.parametrize("moment", [0.001 * n for n in range(15, 80, 2)])
def test_a_step_that_reached_nobody_passes_on_wherever_a_crash_comes(moment: float, start: Start) -> None:
    """Yellow has one step and no repeat: if the pass-on were lost with the crash, nobody would ever be told."""
    relay = start(site(sensor("PT-1", kind="pressure", tiers={"high": "yellow"}, limits={"high": 25}), people=PEOPLE))
    relay.ground.phones["phone"].manner = Manner.REFUSES
    relay.reads("PT-1", 60)
    relay.run(moment)
    relay.restart(after=0.1)
    relay.run(10)
    assert times(relay, "PT-1.high", "repeat") == 1
    assert times(relay, FAILED) == 1


PAST = "rtu-1.past_excursion"


def logged(relay: Relay, value: float, ago: float) -> None:
    """The device fills in a reading of some seconds ago."""
    stamp = (relay.life.now() - round(ago * SECOND)) // 1_000_000
    relay.reads("GT-1", value, time=stamp, historical=True)


def past_told(relay: Relay) -> int:
    """How often anybody was called about the past excursion as something new: once for each annunciation."""
    return len({(each.body["occurrence"], each.body["annunciation"]) for each in relay.received(PAST)})


def test_a_past_excursion_answered_for_in_the_middle_of_its_catch_up_is_told_once(start: Start) -> None:
    relay = start()
    logged(relay, 60, ago=600)
    relay.run(1)
    relay.do("acknowledge", PAST)
    relay.run(1)
    for ago in (599, 500, 300):
        logged(relay, 70, ago)
        relay.run(20)
        logged(relay, 5, ago - 1)
        relay.run(20)
    assert (past_told(relay), PAST in relay.states()) == (1, False)


def test_a_limit_that_nobody_was_told_of_is_told_after_the_answer(start: Start) -> None:
    relay = start()
    logged(relay, 30, ago=600)
    relay.run(1)
    relay.do("acknowledge", PAST)
    relay.run(1)
    logged(relay, 60, ago=500)
    relay.run(1)
    assert past_told(relay) == 2
    assert relay.life.core.books["north"].alarms()[PAST].members == ("GT-1.high_high",)


def test_an_excursion_after_the_answer_is_told_though_it_comes_late(start: Start) -> None:
    """Of a device that marks all it sends as filled in, no catch-up ever ends."""
    relay = start()
    for _ in range(3):
        logged(relay, 60, ago=0.5)
        relay.run(1)
        relay.do("acknowledge", PAST)
        relay.run(10)
    assert past_told(relay) == 3


def test_another_catch_up_is_told_as_another(start: Start) -> None:
    relay = start()
    logged(relay, 60, ago=600)
    relay.run(1)
    relay.do("acknowledge", PAST)
    relay.run(31)
    logged(relay, 60, ago=500)
    relay.run(1)
    assert past_told(relay) == 2


@pytest.mark.parametrize("moment", [0.001 * n for n in range(0, 40, 3)])
@pytest.mark.parametrize("shift", [0.0, -3600.0])
def test_a_crash_around_the_answer_tells_a_past_excursion_no_second_time(moment: float, shift: float, start: Start) -> None:
    relay = start()
    logged(relay, 60, ago=600)
    relay.run(1)
    logged(relay, 61, ago=590)
    relay.run(0.5)
    answered = relay.do("acknowledge", PAST)
    logged(relay, 62, ago=580)
    relay.run(moment)
    relay.restart(after=0.2, shift=shift)
    relay.run(1)
    logged(relay, 63, ago=570)
    relay.run(5)
    assert past_told(relay) == 1
    assert not (answered and PAST in relay.states())


@pytest.mark.parametrize("moment", [0.0005 * n for n in range(30)])
@pytest.mark.parametrize(("shift", "spool"), [(0.0, 0.02), (-3600.0, 0.002)])
def test_a_trip_that_is_over_at_once_is_raised_once_wherever_a_crash_comes(moment: float, shift: float, spool: float, start: Start) -> None:
    """The journal may be ahead of the spool: then the broker repeats what has been told already. And the clock may have been set back."""
    relay = start(site(sensor("GT-1", off_delay="0s"), people=PEOPLE, timing={"live_window": "3h"}))
    relay.reads("GT-1", 5)
    relay.run(1)
    relay.disk["spool"] = spool
    relay.restart(shift=shift)
    relay.reads("GT-1", 60)
    relay.reads("GT-1", 5, time=(relay.life.now() - round(shift * SECOND) + SECOND) // 1_000_000)
    relay.run(moment)
    for _ in range(2):
        relay.restart(after=0.2, shift=shift)
        relay.run(3)
    relay.run(10)
    alarm = relay.life.core.books["north"].alarms()["GT-1.high_high"]
    assert (alarm.state, alarm.annunciation) == ("latched_unacknowledged", 1)


def test_a_danger_whose_journaled_end_does_not_come_again_is_raised_anew(start: Start) -> None:
    """The broker was killed too, and repeats only what it had on its disk: the trip, and not that it was over."""
    relay = start(site(sensor("GT-1", off_delay="0s"), people=PEOPLE))
    relay.disk["spool"] = 0.02
    relay.reads("GT-1", 60)
    relay.reads("GT-1", 5, time=(relay.life.now() + SECOND) // 1_000_000)
    relay.run(0.008)
    assert relay.life.journal.decisions_after(0)[-1].event == "return"
    del relay.ground.queue[2]
    relay.restart(after=0.2)
    for _ in range(8):
        relay.run(1)
        relay.reads("GT-1", 60)
    alarm = relay.life.core.books["north"].alarms()["GT-1.high_high"]
    assert (alarm.state, alarm.annunciation) == ("active_unacknowledged", 2)
