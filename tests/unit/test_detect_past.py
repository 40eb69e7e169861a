"""Late readings: what a catch-up is, what has been answered for, and that cutting the stream changes nothing (semantics 2.4)."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from support.plant import Plant
from support.sites import T0, raw, sensor

from alerts.admit import Way
from alerts.edge import Edge
from alerts.reading import SECOND

HEADS = (sensor("GT-1"), sensor("GT-2"), sensor("PT-1", kind="pressure", latch=False, device="rtu-2"))
Row = tuple[str, float, float, float]
"""Sensor, value, stamp and arrival, the last two in seconds after T0."""


class Catch:
    """An engine that is given late readings only."""

    def __init__(self) -> None:
        self.plant = Plant(*HEADS)

    def late(self, *rows: Row) -> list[Edge]:
        """Late readings that are judged at once."""
        for name, value, time, arrival in rows:
            point = self.plant.register.find("north", name)
            assert point is not None
            reading = raw(name, value, time, historical=True)
            self.plant.admission.admit(("north", point.sensor.device), [reading], T0 + round(arrival * SECOND), Way.LIVE)
        batch = self.plant.admission.batch.take()
        return [] if batch is None else [edge for edge in self.plant.engine.judge(batch) if edge.late]

    def answered(self, at: float, device: str = "rtu-1") -> None:
        """Somebody answered for what was told of the device."""
        self.plant.engine.answered("north", device, T0 + round(at * SECOND))


def told(edges: Sequence[Edge]) -> list[str]:
    """Edges as `source kind from-until peak members`."""
    return [f"{e.source} {e.kind} {(e.at - T0) // SECOND}-{((e.returned_at or 0) - T0) // SECOND} {e.peak:g} {' '.join(e.members)}" for e in edges]


def test_calm_late_readings_keep_a_catch_up_running() -> None:
    catch = Catch()
    assert told(catch.late(("GT-1", 60, 1, 1000))) == ["rtu-1 true 1-1 60 GT-1.high GT-1.high_high"]
    for second in range(1, 60, 20):
        assert catch.late(("GT-2", 5, 1 + second, 1000 + second)) == []
    assert told(catch.late(("GT-1", 60, 70, 1070))) == ["rtu-1 grown 1-70 60 GT-1.high GT-1.high_high"]


def test_a_catch_up_is_over_after_thirty_seconds_without_a_late_reading_of_its_device() -> None:
    catch = Catch()
    catch.late(("GT-1", 60, 1, 1000))
    catch.late(("PT-1", 60, 1, 1020))
    assert told(catch.late(("GT-1", 55, 2, 1030.5))) == ["rtu-1 true 2-2 55 GT-1.high GT-1.high_high"]


def test_an_answer_stands_for_the_limits_named_and_what_was_measured_before_it() -> None:
    catch = Catch()
    catch.late(("GT-1", 30, 1, 1000))
    catch.answered(1001)
    assert told(catch.late(("GT-1", 31, 2, 1002), ("GT-1", 60, 3, 1002), ("GT-1", 30, 1000.5, 1002))) == ["rtu-1 true 3-3 60 GT-1.high_high"]
    catch.answered(1003)
    assert catch.late(("GT-1", 70, 4, 1004)) == []
    assert told(catch.late(("GT-1", 70, 1003.5, 1005))) == ["rtu-1 true 1003-1003 70 GT-1.high GT-1.high_high"]
    assert told(catch.late(("GT-2", 30, 6, 1006))) == ["rtu-1 grown 6-1003 70 GT-1.high GT-1.high_high GT-2.high"]


def test_an_answer_for_nothing_is_nothing() -> None:
    catch = Catch()
    catch.answered(999)
    assert told(catch.late(("GT-1", 30, 1, 1000))) == ["rtu-1 true 1-1 30 GT-1.high"]
    catch.answered(1001, device="gone")
    assert told(catch.late(("GT-1", 30, 2, 1002))) == ["rtu-1 grown 1-2 30 GT-1.high"]


def test_a_catch_up_goes_on_over_a_restart() -> None:
    before, after = Catch(), Catch()
    before.late(("GT-1", 30, 1, 1000))
    before.answered(1001)
    before.late(("GT-2", 60, 2, 1002))
    after.plant.engine.past.recall([*before.plant.engine.past.memory(), ("gone", "rtu-9", 0, {}, None)])
    assert catch_up_of(after) == catch_up_of(before)
    assert after.late(("GT-1", 30, 3, 1003)) == []
    assert told(after.late(("GT-2", 61, 4, 1004))) == ["rtu-1 grown 2-4 61 GT-2.high GT-2.high_high"]


def catch_up_of(catch: Catch) -> object:
    """What is known of every catch-up."""
    return catch.plant.engine.past.memory()


def test_an_answer_not_yet_taken_is_not_lost_over_a_restart() -> None:
    before, after = Catch(), Catch()
    before.late(("GT-1", 30, 1, 1000))
    before.answered(1001)
    after.plant.engine.past.recall(before.plant.engine.past.memory())
    assert after.late(("GT-1", 30, 2, 1002)) == []


ROWS = st.lists(st.tuples(st.sampled_from(["GT-1", "GT-2", "PT-1"]), st.sampled_from([5.0, 30.0, 60.0]), st.integers(0, 25)), min_size=1, max_size=30)


@given(rows=ROWS, cuts=st.sets(st.integers(1, 29)), answer=st.integers(0, 200))
def test_how_the_stream_is_cut_changes_neither_what_is_told_nor_how_far_it_grows(rows: list[tuple[str, float, int]], cuts: set[int], answer: int) -> None:
    """Of each message: what begins it, and how it stands in the end."""
    arrival, stamped = 1000.0, []
    for number, (name, value, wait) in enumerate(rows):
        arrival += wait
        stamped.append((name, value, float(number), arrival))

    def final(borders: set[int]) -> dict[tuple[str, int | None], tuple[object, ...]]:
        catch = Catch()
        found: dict[tuple[str, int | None], tuple[object, ...]] = {}
        given_already = False
        begin = 0
        for end in [*sorted(border for border in borders if border < len(stamped)), len(stamped)]:
            if not given_already and stamped[begin][3] > 1000 + answer:
                given_already = True
                catch.answered(1000 + answer)
            for edge in catch.late(*stamped[begin:end]):
                found[edge.source, edge.first] = (edge.at, edge.returned_at, edge.peak, edge.members)
            begin = end
        return found

    first_after = next((number for number, row in enumerate(stamped) if row[3] > 1000 + answer), len(stamped))
    assert final(cuts | {first_after}) == final({first_after})
