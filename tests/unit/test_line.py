"""What is published when a broker ends the connection instead of answering."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import cast

import paho.mqtt.client as paho

from adapters.line import ENDED, ENDS, SOON, Counters, Line, Publication


@dataclass
class Info:
    """What paho says of a publication it took."""

    mid: int
    rc: int = 0


class Wire:
    """A client that takes everything; the test says what becomes of it."""

    protocol = paho.MQTTv5

    def __init__(self) -> None:
        self.sent: list[str] = []

    def publish(self, topic: str, _payload: bytes, _qos: int, _retain: bool, _properties: object) -> Info:
        """See paho."""
        self.sent.append(topic)
        return Info(len(self.sent))


class Post:
    """A line over connections."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.barred: set[str] = set()
        self.line = Line(self.counters, lambda publication: "barred" if publication.topic in self.barred else None)
        self.wire = Wire()
        self.now = 0.0
        self.said: list[str] = []

    def put(self, *topics: str, qos: int = 1) -> None:
        """Publications of these topics, in order."""
        for topic in topics:
            done, refused = partial(self.said.append, f"{topic} taken"), lambda reason, topic=topic: self.said.append(f"{topic}: {reason}")
            self.line.put(Publication(topic, b"", done=done, refused=refused, qos=qos))

    def send(self, after: float = 0.0) -> list[str]:
        """Send what there is room for; what went out."""
        self.now += after
        before = len(self.wire.sent)
        self.line.send(cast("paho.Client", self.wire), 10, self.now)
        return self.wire.sent[before:]

    def lost(self, after: float = 0.01) -> None:
        """The connection ends; there is another."""
        self.now += after
        self.line.lost(self.now)
        self.wire = Wire()


def test_after_a_connection_that_ended_at_once_each_goes_alone_until_the_one_to_blame_is_known() -> None:
    post = Post()
    post.put("a", "bad", "c")
    assert post.send() == ["a", "bad", "c"]
    post.lost()
    assert post.send() == ["a"]
    post.line.settle(1, None)
    for _ in range(ENDS):
        assert post.send() == ["bad"]
        post.lost()
    assert post.said == ["a taken", f"bad: {ENDED}"]
    post.put("d", "e")
    assert post.send() == ["c"]
    post.line.settle(1, None)
    assert post.send() == ["d", "e"], "all that was in doubt has been taken"
    assert (post.counters.published, post.counters.refused) == (2, 1)


def test_a_refusal_that_is_answered_needs_no_second_try() -> None:
    post = Post()
    post.put("bad", "b")
    post.send()
    post.line.settle(1, "Not authorized")
    assert post.said == ["bad: Not authorized"]
    post.lost()
    assert post.send() == ["b"]


def test_a_connection_lost_long_after_everything_was_sent_is_nobodys_fault() -> None:
    post = Post()
    post.put("a", "b")
    post.send()
    post.lost(after=SOON + 0.1)
    assert post.send() == ["a", "b"]
    assert len(post.line) == 2


def test_a_network_that_fails_now_and_then_refuses_nothing() -> None:
    post = Post()
    post.put("a")
    for _ in range(3 * ENDS):
        assert post.send() == ["a"]
        post.lost()
        post.send()
        post.line.settle(1, None)
        post.put("a")
    assert not [words for words in post.said if "taken" not in words]


def test_at_qos_0_what_the_connection_outlives_was_taken_and_what_ends_it_again_and_again_is_refused() -> None:
    post = Post()
    post.put("ask/1", "ask/bad", "ask/3", qos=0)
    assert post.send() == ["ask/1", "ask/bad", "ask/3"]
    post.lost()
    for _ in range(ENDS):
        post.put("ask/1", "ask/bad", "ask/3", qos=0)
        assert post.send() == ["ask/1"]
        post.line.outlived(post.now + SOON)
        assert post.send(after=SOON) == ["ask/bad"]
        post.lost()
        post.line._waiting.clear()
    assert post.said[-1] == f"ask/bad: {ENDED}"
    assert set(post.said[:-1]) == {"ask/1 taken"}


def test_what_is_barred_while_it_waits_is_not_sent() -> None:
    post = Post()
    post.put("a", "b", "c")
    post.barred = {"b"}
    assert post.send() == ["a", "c"]
    assert post.said == ["b: barred"]


def test_a_fault_of_whoever_published_stops_nothing() -> None:
    post = Post()
    post.line.put(Publication("a", b"", done=lambda: 1 / 0))  # type: ignore[arg-type]
    post.put("b")
    post.send()
    post.line.settle(1, None)
    post.line.settle(2, None)
    post.line.settle(7, None)
    assert post.said == ["b taken"]
