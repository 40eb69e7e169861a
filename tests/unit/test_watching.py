"""The watch session: when it begins, what it makes of the first connection's messages meanwhile, and when it ends (semantics 8.4)."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
from support.sites import T0, register, sensor

from adapters.mqtt import LinkState
from adapters.spool import Spool
from alerts.admit import Admission, Way
from alerts.detect.engine import Engine
from alerts.reading import SECOND
from gateway.admission import Admit
from gateway.brokering import Broker
from gateway.routes import Routes
from gateway.sideline import Sideline
from gateway.watching import BARRED, CALM, LAG, LINGER, LOST, Watching, Why

WINDOW = 100


class Line:
    """A second connection on which nothing is sent but noted, and what stands in the first one's line behind it."""

    def __init__(self) -> None:
        self.up = True
        self.sent: list[bytes] = []
        self.listening: set[str] = set()

    def send(self, payload: bytes) -> None:
        """Note it."""
        if self.up:
            self.sent.append(payload)

    def listen(self, name: str, _filters: object) -> None:
        """Note it."""
        self.listening.add(name)

    def unlisten(self, name: str) -> None:
        """Note it."""
        self.listening.discard(name)


class Post:
    """A watch over a spool, a window and two connections that say what they are told."""

    def __init__(self) -> None:
        self.at = T0
        self.spool = SimpleNamespace(committing_since=None)
        self.broker = SimpleNamespace(waiting=0, window=WINDOW, paused=False, of_devices={"t/+/readings": 1}, echo_topic="t/echo")
        self.line = Line()
        heads = register(sensor("GT-1"))
        self.admission = Admission(heads)
        self.admit = Admit("hazgate/v1", self.admission, ["north"], Routes(heads), lambda *_: None)
        parts = (cast("Broker", self.broker), cast("Sideline", self.line), cast("Spool", self.spool), self.admit, Engine(heads, T0))
        self.watching = Watching(*parts, self)
        self.watching.name = b"boot"
        self.glimpsed: list[bytes] = []
        self.watching.on_glimpse = lambda _topic, payload: self.glimpsed.append(payload)

    def way(self) -> Way:
        """How the first connection's messages come, as of now."""
        return self.admit.kept

    def now(self) -> int:
        """See `alerts.ports.Clock`."""
        return self.at

    def passes(self, span: int, every: int = SECOND // 4, first: Callable[[], None] = lambda: None) -> None:
        """Look as often as the watch does, for `span` ns."""
        until = self.at + span
        while self.at < until:
            self.at += every
            first()
            self.watching.look()

    def answer(self) -> None:
        """Everything that was sent is back over both connections at once."""
        for payload in self.line.sent:
            self.watching.echo(payload)
            self.watching.first_echo(payload)
        self.line.sent.clear()

    def hangs(self) -> None:
        """A commit began a second ago and has not come back."""
        self.spool.committing_since = self.at - SECOND
        self.watching.look()


def test_a_commit_that_takes_a_second_has_the_second_connection_feed_the_alarm_path() -> None:
    post = Post()
    post.spool.committing_since = T0
    post.passes(SECOND - 1)
    assert post.watching.feeding
    assert (post.watching.why, post.watching.times, post.line.listening) == (Why.SPOOL, 1, {"readings"})


def test_a_quick_commit_does_not() -> None:
    post = Post()
    post.passes(10 * SECOND, first=lambda: setattr(post.spool, "committing_since", post.at - SECOND // 2))
    assert not post.watching.feeding


def test_half_of_the_window_does_so_when_it_stays_and_not_when_it_was_a_burst() -> None:
    post = Post()
    post.broker.waiting = WINDOW // 2
    post.watching.look()
    post.broker.waiting = WINDOW // 2 - 1
    post.watching.look()
    assert not post.watching.feeding
    post.broker.waiting = WINDOW // 2
    post.watching.look()
    post.watching.look()
    assert post.watching.why is Why.WINDOW


def test_only_while_it_feeds_is_anything_judged_that_came_over_the_second_connection() -> None:
    post = Post()
    post.watching.message("t", b"before")
    post.hangs()
    post.watching.message("t", b"meanwhile")
    assert (post.glimpsed, post.watching.brought) == ([b"meanwhile"], 1)


def test_the_first_connection_is_live_until_a_mark_is_late_and_again_when_one_is_back_in_time() -> None:
    post = Post()
    post.hangs()
    late = list(post.line.sent)
    post.passes(LAG, first=post.hangs)
    assert post.way() is Way.LIVE
    post.passes(SECOND // 4)
    assert (post.way(), post.admit.fleeting) == (Way.BACKLOG, Way.LIVE)
    post.watching.first_echo(late[0])
    assert post.way() is Way.BACKLOG, "it has shown that there is a lag"
    post.line.sent.clear()
    post.passes(SECOND // 4)
    post.answer()
    assert post.way() is Way.LIVE


def test_what_came_at_qos_0_is_of_now_unless_reading_was_paused() -> None:
    post = Post()
    post.broker.paused = True
    post.hangs()
    post.passes(2 * LAG, first=post.hangs)
    assert (post.way(), post.admit.fleeting) == (Way.BACKLOG, Way.BACKLOG)


def test_it_ends_when_the_spool_commits_again_and_a_mark_is_back_over_both() -> None:
    post = Post()
    post.hangs()
    post.passes(3 * SECOND, first=post.hangs)
    post.spool.committing_since = None
    post.passes(CALM + SECOND)
    assert post.watching.feeding, "the first connection still lags behind"
    post.passes(2 * LOST, first=post.answer)
    assert (post.watching.feeding, post.line.listening, post.watching.why) == (False, set(), None)
    assert post.way() is Way.LIVE


def test_it_does_not_end_on_a_mark_that_only_one_connection_has_brought() -> None:
    post = Post()
    post.hangs()
    post.spool.committing_since = None

    def over_the_first() -> None:
        for payload in post.line.sent:
            post.watching.first_echo(payload)

    post.passes(10 * SECOND, first=over_the_first)
    assert post.watching.feeding


def test_what_was_judged_ahead_is_remembered_a_little_longer_and_then_forgotten() -> None:
    post = Post()
    post.hangs()
    post.spool.committing_since = None
    post.passes(CALM + SECOND, first=post.answer)
    assert not post.watching.feeding
    assert post.admission.overtaking is not None
    post.passes(LINGER)
    assert post.admission.overtaking is None


def test_a_disk_that_hangs_again_meanwhile_goes_on_with_what_is_remembered() -> None:
    post = Post()
    post.hangs()
    known = post.admission.overtaking
    post.spool.committing_since = None
    post.passes(CALM + SECOND, first=post.answer)
    post.hangs()
    assert post.watching.feeding
    post.passes(2 * LINGER, first=post.hangs)
    assert post.admission.overtaking is known


def test_without_the_second_connection_the_first_is_the_newest_there_is() -> None:
    post = Post()
    post.hangs()
    post.passes(2 * LAG, first=post.hangs)
    assert post.way() is Way.BACKLOG
    post.line.up = False
    post.watching.second_is(LinkState.DOWN)
    assert post.way() is Way.LIVE
    post.passes(5 * LAG, first=post.hangs)
    assert post.way() is Way.LIVE


def test_a_mark_that_was_lost_is_sent_again() -> None:
    post = Post()
    post.hangs()
    post.line.sent.clear()
    post.passes(LOST + SECOND, first=post.hangs)
    assert len(post.line.sent) == 1


@pytest.mark.parametrize(("proven", "feeds"), [(False, False), (True, True)])
def test_a_broker_that_lets_no_mark_through_keeps_the_watch_up_for_five_calm_minutes(proven: bool, feeds: bool) -> None:
    post = Post()
    if proven:
        post.watching.first_echo(b"boot")
    post.hangs()
    post.spool.committing_since = None
    post.passes(BARRED - SECOND)
    assert post.watching.feeding
    post.passes(2 * SECOND)
    assert post.watching.feeding is feeds, "where marks come through, one that does not is behind a backlog"


def test_somebody_elses_words_on_the_topic_end_nothing() -> None:
    post = Post()
    post.hangs()
    post.spool.committing_since = None

    def stranger() -> None:
        for payload in (b"", b"boot", b"boot 1 0", b"other" + post.line.sent[-1]):
            post.watching.echo(payload)
            post.watching.first_echo(payload)

    post.passes(20 * SECOND, first=stranger)
    assert post.watching.feeding
