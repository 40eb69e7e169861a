"""How long is waited before the next try."""

from __future__ import annotations

import pytest

from adapters import backoff
from alerts.ports import Permanent, Transient
from alerts.reading import SECOND
from gateway.recorder import RETRY_FIRST, RETRY_MOST, Recorder

ORDERS = {"data_dir": "/nowhere", "store": {}, "after": 0, "keep": 0}


def test_it_doubles_up_to_the_longest_and_half_of_it_is_chance() -> None:
    waits = [[backoff.wait(tries, 0.5, 30.0) for _ in range(200)] for tries in (1, 2, 3, 7, 10_000)]
    for middle, some in zip((0.5, 1.0, 2.0, 30.0, 30.0), waits, strict=True):
        assert middle / 2 <= min(some) < max(some) <= middle * 1.5
        assert max(some) - min(some) > middle / 2


def test_a_store_that_may_come_back_is_tried_again_later_and_later() -> None:
    told: list[object] = []
    recorder = Recorder(ORDERS, told.append)
    pauses = []
    for _ in range(10):
        recorder._failed(Transient("nobody takes the connection"))
        pauses.append(recorder._pause())
    assert pauses[0] <= RETRY_FIRST * 1.5
    assert pauses[-1] >= RETRY_MOST / 2
    assert told == [{"unreachable": "nobody takes the connection"}] * 10


def test_a_store_that_a_person_must_mend_is_tried_with_the_longest_pause_only() -> None:
    recorder = Recorder(ORDERS, lambda _told: None)
    recorder._failed(Permanent("the token is not valid"))
    assert recorder._pause() >= RETRY_MOST / 2


@pytest.mark.parametrize(("asked", "least", "most"), [(40, 40, 40), (86_400, 120, 120), (None, 0, RETRY_FIRST * 1.5)])
def test_a_store_that_asks_to_be_left_alone_is_within_bounds(asked: int | None, least: float, most: float) -> None:
    recorder = Recorder(ORDERS, lambda _told: None)
    recorder._failed(Transient("busy", retry_after=None if asked is None else asked * SECOND))
    assert least <= recorder._pause() <= most
