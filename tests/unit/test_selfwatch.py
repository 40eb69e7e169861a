"""The gateway's own conditions: when they are told, and when they are over."""

from __future__ import annotations

from support.sites import T0

from alerts.alarm import Condition
from alerts.edge import Edge
from alerts.reading import MILLISECOND, SECOND
from gateway.selfwatch import SelfWatch


class Still:
    """A clock that stands."""

    def now(self) -> int:
        """See `alerts.ports.Clock`."""
        return T0


class Post:
    """A watch and what it raised, as `condition kind`."""

    def __init__(self) -> None:
        self.edges: list[Edge] = []
        self.watch = SelfWatch("north", "gw-1", Still(), self.edges.append)

    def told(self) -> list[str]:
        """What was raised since the last call."""
        told = [f"{edge.condition} {edge.kind}" for edge in self.edges]
        self.edges.clear()
        return told


def test_what_works_already_when_the_journal_says_it_was_broken_is_over_at_once() -> None:
    post = Post()
    post.watch.works(Condition.STORE_UNREACHABLE)
    post.watch.adopt([Condition.STORE_UNREACHABLE, Condition.BROKER_LOST])
    assert post.told() == ["store_unreachable false"]


def test_a_slow_journal_has_failed_until_a_commit_is_quick_again() -> None:
    post = Post()
    post.watch.broken(Condition.JOURNAL_FAILED, grace=0)
    post.watch.broken(Condition.JOURNAL_FAILED, grace=0)
    assert post.told() == ["journal_failed true"]
    post.watch.journal_took(201 * MILLISECOND)
    assert post.told() == []
    post.watch.journal_took(3 * MILLISECOND)
    assert post.told() == ["journal_failed false"]


def test_a_step_of_the_system_clock_is_told_once_with_its_size() -> None:
    post = Post()
    for step in (0, -3600 * SECOND, -3600 * SECOND, -3601 * SECOND):
        post.watch.clock_stepped(step)
    assert [(edge.condition, edge.value) for edge in post.edges] == [(Condition.GATEWAY_CLOCK, -3600.0)]
