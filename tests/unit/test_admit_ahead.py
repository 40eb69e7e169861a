"""Two sessions that bring the same messages: each reading is judged live once, and recorded when the first brings it (semantics 8.4)."""

from __future__ import annotations

import pytest
from support.sites import T0, raw, register, sensor

from alerts.admit import Admission, Way
from alerts.detect.engine import Engine
from alerts.edge import EdgeKind
from alerts.reading import NO_TIME, SECOND, Mark, RawReading, Readings

HOUR = 3600


class Both:
    """Admission of GT-1 and GT-2 on rtu-1 at the first session, and ahead of it."""

    def __init__(self) -> None:
        self.register = register(sensor("GT-1"), sensor("GT-2"))
        self.first = Admission(self.register)
        self.ahead = Admission(self.register, ahead_of=self.first)
        self.engine = Engine(self.register, T0)

    def brings(self, session: Admission, arrival: float, *readings: RawReading, way: Way = Way.LIVE) -> list[tuple[float, Mark]]:
        """What one message over that session comes to: (stored time in s after T0, mark)."""
        session.admit(("north", "rtu-1"), readings, T0 + round(arrival * SECOND), way)
        rows = session.batch.take()
        return [] if rows is None else [((t - T0) / SECOND, Mark(m)) for t, m in zip(rows.time.tolist(), rows.mark.tolist(), strict=True)]

    def rows(self, session: Admission, arrival: float, reading: RawReading, way: Way = Way.LIVE) -> Readings:
        """The same as columns."""
        session.admit(("north", "rtu-1"), [reading], T0 + round(arrival * SECOND), way)
        rows = session.batch.take()
        assert rows is not None
        return rows


@pytest.mark.parametrize("reading", [raw("GT-1", 5, 1), raw("GT-1", 5, seq=7)], ids=["stamped", "counted"])
def test_whichever_session_is_first_has_the_reading_judged_live_and_the_other_does_not(reading: RawReading) -> None:
    both = Both()
    assert [mark & Mark.LATE for _, mark in both.brings(both.ahead, 1, reading)] == [Mark.NONE]
    assert [mark & Mark.LATE for _, mark in both.brings(both.first, 1.1, reading)] == [Mark.LATE]
    other = Both()
    assert [mark & Mark.LATE for _, mark in other.brings(other.first, 1, reading)] == [Mark.NONE]
    assert other.brings(other.ahead, 1.1, reading) == [], "it is not recorded twice either"


def test_what_was_brought_ahead_is_no_duplicate_when_it_is_to_be_recorded() -> None:
    both = Both()
    both.brings(both.ahead, 1, raw("GT-1", 5, 1))
    both.brings(both.first, 2, raw("GT-1", 5, 1))
    assert (both.first.counts.received, both.first.counts.duplicate) == (1, 0)
    both.brings(both.first, 3, raw("GT-1", 5, 1))
    assert (both.first.counts.received, both.first.counts.duplicate) == (2, 1)


@pytest.mark.parametrize("reading", [raw("GT-1", 5, 1), raw("GT-1", 5, seq=7), raw("GT-1", 5)], ids=["stamped", "counted", "neither"])
def test_backlog_of_a_sensor_that_was_heard_since_is_late(reading: RawReading) -> None:
    both = Both()
    both.brings(both.ahead, 9, raw("GT-1", 6, 9))
    assert [mark & Mark.LATE for _, mark in both.brings(both.first, 10, reading, way=Way.BACKLOG)] == [Mark.LATE]


@pytest.mark.parametrize("reading", [raw("GT-2", 5, 1), raw("GT-2", 5, seq=7), raw("GT-2", 5)], ids=["stamped", "counted", "neither"])
def test_backlog_of_a_sensor_that_was_not_is_the_newest_there_is(reading: RawReading) -> None:
    both = Both()
    both.brings(both.ahead, 9, raw("GT-1", 6, 9))
    assert [mark & Mark.LATE for _, mark in both.brings(both.first, 10, reading, way=Way.BACKLOG)] == [Mark.NONE]


def test_backlog_of_a_device_with_a_wrong_clock_is_stored_at_arrival_beside_its_stamp() -> None:
    both = Both()
    for n in range(3):
        both.brings(both.first, n, raw("GT-1", n, n + 8 * HOUR))
    both.brings(both.ahead, 3, raw("GT-1", 3, 3 + 8 * HOUR))
    rows = both.rows(both.first, 10, raw("GT-1", 3, 3 + 8 * HOUR), Way.BACKLOG)
    assert (rows.time[0] - T0, rows.device_time[0] - T0) == (10 * SECOND, (3 + 8 * HOUR) * SECOND)
    assert rows.mark[0] & Mark.LATE


def test_a_clock_found_wrong_ahead_is_known_to_both() -> None:
    both = Both()
    for n in range(3):
        both.brings(both.ahead, n, raw("GT-1", n, n + 8 * HOUR))
    assert not both.first.clocks.believed(("north", "rtu-1"))
    assert [edge.kind for edge in both.first.edges] == [EdgeKind.TRUE]


def test_once_the_first_has_caught_up_nothing_is_late_for_what_another_brought() -> None:
    both = Both()
    both.brings(both.ahead, 1, raw("GT-1", 5, 1))
    both.first.overtaking = None
    assert both.brings(both.first, 2, raw("GT-1", 5, 2)) == [(2, Mark.NONE)]


@pytest.mark.parametrize("reading", [raw("GT-1", 60, 1), raw("GT-1", 60, seq=7), raw("GT-1", 60)], ids=["stamped", "counted", "neither"])
def test_an_excursion_that_was_judged_ahead_is_no_past_excursion_when_it_is_recorded(reading: RawReading) -> None:
    both = Both()
    ahead = both.engine.judge_ahead(both.rows(both.ahead, 1, reading))
    assert [(edge.condition, edge.kind) for edge in ahead] == [("high", "true"), ("high_high", "true")]
    assert both.engine.judge(both.rows(both.first, 20, reading, Way.BACKLOG)) == []
    again = both.engine.judge(both.rows(both.first, 21, raw("GT-1", 61, 2, historical=True)))
    assert [edge.condition for edge in again] == ["past_excursion"], "another one is news"


def test_an_excursion_that_nobody_brought_ahead_is_told_as_past_once_it_comes() -> None:
    both = Both()
    both.engine.judge_ahead(both.rows(both.ahead, 9, raw("GT-1", 6, 9)))
    edges = both.engine.judge(both.rows(both.first, 10, raw("GT-1", 60, 1), Way.BACKLOG))
    assert [(edge.condition, edge.late) for edge in edges] == [("past_excursion", True)]
    assert not both.engine.limits.active.any(), "and never touches anything live"


def test_without_an_identity_as_many_are_known_as_were_judged() -> None:
    both = Both()
    both.engine.judge_ahead(both.rows(both.ahead, 1, raw("GT-1", 60)))
    assert both.engine.judge(both.rows(both.first, 10, raw("GT-1", 60), Way.BACKLOG)) == []
    edges = both.engine.judge(both.rows(both.first, 10.1, raw("GT-1", 60), Way.BACKLOG))
    assert [edge.condition for edge in edges] == ["past_excursion"]


def test_after_the_watch_nothing_is_held_any_more() -> None:
    both = Both()
    both.engine.judge_ahead(both.rows(both.ahead, 1, raw("GT-1", 60, 1)))
    both.engine.caught_up()
    late = both.rows(both.first, 10, raw("GT-1", 60, 1), Way.BACKLOG)
    assert [edge.condition for edge in both.engine.judge(late)] == ["past_excursion"]
    assert late.device_time[0] == NO_TIME
