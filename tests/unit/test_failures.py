"""What could not be told: whose failure is mended by what, and what is kept of it over a restart."""

from __future__ import annotations

from dataclasses import replace

from support.sites import sensor, site

from alerts.alarm import LAST_RESORT_ONLY, NoticeKind, Tier
from alerts.ports import Notice
from gateway.failures import FAILURES, Failures
from gateway.turn import Fate, Settled

NOTICE = Notice("north", "GT-1.high", "GT-1.high@1", 1, NoticeKind.RAISE, 0, 0, "li", "desk", tier=Tier.ORANGE)


class Post:
    """Failures, and what they last kept."""

    def __init__(self, kept: str | None = None) -> None:
        self.kept: list[str] = []
        self.failures = Failures(lambda texts: self.kept.append(texts[FAILURES]))
        self.failures.resume(kept, [site(sensor("GT-1"))], "hazgate/v1")

    def fails(self, notice: Notice = NOTICE, words: str = "refused") -> None:
        """A message was given up."""
        self.failures.settled(Settled(notice, notice.key, Fate.FAILED, words))

    def works(self, notice: Notice = NOTICE) -> None:
        """A message got through."""
        self.failures.settled(Settled(notice, notice.key, Fate.DELIVERED, "ok"))


def test_a_channel_that_works_does_not_mend_another_nor_one_person_another() -> None:
    post = Post()
    post.fails()
    post.works(replace(NOTICE, channel="phone"))
    post.works(replace(NOTICE, person="wang"))
    assert post.failures.found() == [(Tier.ORANGE, "li over desk: refused (GT-1.high)")]
    post.works()
    assert post.failures.found() == []


def test_a_channel_has_failed_until_anything_gets_through_it() -> None:
    post = Post()
    post.fails()
    assert post.failures.channels() == {"desk"}
    post.works(replace(NOTICE, person="wang"))
    assert post.failures.channels() == frozenset()


def test_a_message_about_a_failed_message_raises_nothing_but_shows_that_the_channel_has_failed() -> None:
    post = Post()
    for condition in LAST_RESORT_ONLY:
        post.fails(replace(NOTICE, alarm=f"gw-1.{condition}"))
    assert post.failures.found() == []
    assert post.failures.channels() == {"desk"}


def test_the_worst_message_that_failed_is_named() -> None:
    post = Post()
    for tier in (Tier.YELLOW, Tier.RED, Tier.ORANGE):
        post.fails(replace(NOTICE, tier=tier, alarm=f"GT-1.{tier}"))
    assert post.failures.found() == [(Tier.RED, "li over desk: refused (GT-1.red)")]
    assert len(post.kept) == 2, "nothing is written when nothing changed"


def test_a_restart_forgets_no_failure_but_those_of_whoever_is_no_longer_reached_that_way() -> None:
    post = Post()
    post.fails()
    post.fails(replace(NOTICE, person="somebody who has left"))
    post.fails(replace(NOTICE, channel="pager"))
    after = Post(post.kept[-1])
    assert after.failures.found() == [(Tier.ORANGE, "li over desk: refused (GT-1.high)")]
    assert after.failures.channels() == {"desk"}


def test_a_topic_that_the_broker_does_not_take_is_among_them_until_it_does_over_a_restart_too() -> None:
    post = Post()
    for topic in ("hazgate/v1/north/alarms/+", "hazgate/v1/south/state", "spBv1.0/g/NCMD/e"):
        post.failures.refused(topic, Tier.ORANGE, "Not authorized")
    after = Post(post.kept[-1])
    assert after.failures.found() == [(Tier.ORANGE, "hazgate/v1/north/alarms/+: Not authorized")], "of what is still ours"
    after.failures.taken("hazgate/v1/north/alarms/+")
    assert Post(after.kept[-1]).failures.found() == []
