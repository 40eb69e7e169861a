"""The soak's own judgment: what is wrong with a store or with messages is seen, and put where it belongs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest
from soak.ledger import HIGH, NORMAL, PARTS, Ledger
from soak.stand import Past
from soak.verdict import Verdict, compare, told_again
from support.sink import Request
from support.sites import T0

from alerts.reading import MILLISECOND

NOW = T0 // MILLISECOND
Stored = tuple[str, int, float, int]
"""Sensor, time, value, arrival; times in ms."""


def ledger(many: int = 4) -> Ledger:
    """Readings of two sensors by turns, 100 ms apart, each confirmed a tenth of a second after the one before it, from second 100 on."""
    made = Ledger(["L-0", "L-1", "T-0"])
    for serial in range(many):
        made.enter(serial % 2, NOW + 100 * serial, NORMAL)
        made.acknowledged[serial] = 100 + serial / 10
    return made


def stored(some: Ledger) -> list[Stored]:
    """All of it, as a store without a fault has it."""
    return [(some.names[some.sensor[n]], some.time[n], NORMAL + n / PARTS, some.time[n] + 5) for n in range(len(some))]


def verdict(some: Ledger, rows: Sequence[Stored], folder: Path, past: Past | None = None) -> Verdict:
    """On these rows."""
    file = folder / "readings.parquet"
    with duckdb.connect() as database:
        database.execute('CREATE TABLE r(sensor VARCHAR, "time" TIMESTAMP_NS, "value" DOUBLE, arrival TIMESTAMP_NS)')
        spelled = [(sensor, time * MILLISECOND, value, arrival * MILLISECOND) for sensor, time, value, arrival in rows]
        database.executemany("INSERT INTO r SELECT ?, make_timestamp_ns(?), ?, make_timestamp_ns(?)", spelled)
        database.execute(f"COPY r TO '{file}' (FORMAT parquet)")
    made = Verdict()
    compare(some, past or Past(0.0), file, made)
    return made


def test_a_whole_store_breaks_no_promise(tmp_path: Path) -> None:
    some = ledger()
    found = verdict(some, stored(some), tmp_path)
    assert (found.acknowledged, found.stored, found.broken, found.words) == (4, 4, {}, [])


def test_a_reading_that_was_confirmed_and_is_not_there_is_lost_and_named(tmp_path: Path) -> None:
    some = ledger()
    found = verdict(some, stored(some)[:3], tmp_path)
    assert found.broken == {"lost": 1}
    assert f"L-1 at {NOW + 300}" in found.words[0]


def test_a_reading_that_was_never_confirmed_need_not_be_there(tmp_path: Path) -> None:
    some = ledger()
    some.acknowledged[3] = 0
    assert verdict(some, stored(some)[:3], tmp_path).broken == {}


@pytest.mark.parametrize(("killed", "broker", "lost"), [(100.4, 1, 0), (106.0, 1, 0), (108.0, 0, 1), (99.0, 0, 1)])
def test_only_what_a_killed_broker_cannot_have_saved_is_the_brokers(killed: float, broker: int, lost: int, tmp_path: Path) -> None:
    some = ledger()
    found = verdict(some, stored(some)[:3], tmp_path, Past(0.0, broker_killed=[killed]))
    assert (found.broker, found.lost) == (broker, lost)


def test_a_reading_that_is_there_twice_is_doubled(tmp_path: Path) -> None:
    some = ledger()
    rows = stored(some)
    assert verdict(some, [*rows, rows[2]], tmp_path).broken == {"doubled": 1}


@pytest.mark.parametrize("row", [("L-1", NOW, NORMAL, NOW), ("L-0", NOW, 7.5, NOW), ("X", NOW, NORMAL, NOW), ("L-0", NOW, HIGH, NOW)])
def test_what_was_never_published_so_is_strange(row: Stored, tmp_path: Path) -> None:
    some = ledger()
    assert verdict(some, [*stored(some), row], tmp_path).broken == {"strange": 1}


@pytest.mark.parametrize(("time", "arrival", "moved"), [(NOW + 1, NOW + 5, 1), (NOW + 61_000, NOW + 61_000, 0), (NOW + 61_000, NOW + 61_001, 1)])
def test_only_a_reading_that_came_too_late_to_be_believed_may_be_stored_at_its_arrival(time: int, arrival: int, moved: int, tmp_path: Path) -> None:
    some = ledger()
    assert verdict(some, [("L-0", time, NORMAL, arrival), *stored(some)[1:]], tmp_path).moved == moved


def message(at: float, identity: str = "1", alarm: str = "T-0.high_high", *, marked: bool = False) -> Request:
    """What the sink gets."""
    body = {"alarm": alarm, "notification": {"id": identity, "may_repeat": marked}}
    return Request("POST", "/desk", {}, json.dumps(body).encode(), at)


@pytest.mark.parametrize(
    ("first", "second", "marked", "repeats"),
    [(9.9, 12.0, True, 1), (10.5, 12.0, True, 1), (7.0, 12.0, True, 0), (9.9, 12.0, False, 0), (12.0, 13.0, True, 0), (8.5, 9.5, True, 0)],
)
def test_a_message_may_come_again_only_over_a_death_and_marked(first: float, second: float, marked: bool, repeats: int) -> None:
    found = Verdict()
    wrong = list(told_again([message(first), message(second, marked=marked)], Past(0.0, down=[(10.0, 11.0)]), found))
    assert (found.repeats, len(wrong)) == (repeats, 1 - repeats)


def test_two_messages_of_one_trip_are_told_twice_though_each_came_once() -> None:
    live, late = message(9.9), message(12.0, "2", "rtu-T-0.past_excursion", marked=True)
    assert len(list(told_again([live, late], Past(0.0, down=[(10.0, 11.0)]), Verdict()))) == 1
