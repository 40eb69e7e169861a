"""A day that is over is put in order of sensor: it says the same before, after and whenever that is interrupted."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.recording import Fact, everything, facts, files, late, names, readings
from support.sites import T0

from adapters import dayorder
from adapters.dayfiles import DAY, DayFile, DayFiles
from adapters.duck import DuckSettings, DuckStore
from alerts.ports import Frame, Transient, Written
from alerts.reading import NO_TIME

SENSORS = [f"GT-{n}" for n in range(9)]
DAY_OF = "2025-11-21"
LATER = T0 + 2 * DAY
LATE = Frame(3, late(readings((3, 100.0, 3.5), (4, 100.0, 4.5), (3, 100.0, 3.5))))


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dayorder, "PIECE", 400)
    monkeypatch.setattr(dayorder, "SMALL", 100)


def frames() -> list[Frame]:
    """A thousand readings of nine sensors, one of which sends more than all others together; some without a value, some with everything a reading can have."""
    rng = np.random.default_rng(7)
    sensors = rng.choice(9, 1000, p=[0.6, *[0.05] * 8])
    given = readings(
        *((sensor, at * 0.9, float(round(value, 1))) for at, (sensor, value) in enumerate(zip(sensors.tolist(), rng.normal(9, 3, 1000), strict=True))),
        quality=rng.integers(0, 3, 1000),
        device_time=np.where(rng.random(1000) < 0.1, T0, NO_TIME),
        seq=np.where(rng.random(1000) < 0.5, -1, 7),
    )
    given.value[::50] = np.nan
    return [Frame(1, given.take(np.arange(600))), Frame(2, given.take(np.arange(600, 1000)))]


def opened(folder: Path) -> DuckStore:
    folder.mkdir(exist_ok=True)
    return DuckStore(DuckSettings(), folder, "spool-1", names(*SENSORS))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckStore]:
    """A store that was closed after the day's frames were written, and opened again."""
    first = opened(tmp_path)
    first.write(frames())
    first.close()
    made = opened(tmp_path)
    yield made
    made.close()


def said(store: DuckStore) -> list[Fact]:
    """All that it holds; at one time the order of sensors says nothing."""
    return sorted(facts(store.history(everything()), store._names), key=lambda fact: (fact[1], fact[0], str(fact[2])))


def finish(store: DuckStore, now: int = LATER) -> int:
    """Tidy until there is nothing to do; how many steps that took."""
    for steps in range(100):
        if not store.tidy(now):
            return steps
    raise AssertionError("it never ends")


def in_order(store: DuckStore) -> bool:
    """Whether the rows of the day's file lie by sensor and time."""
    rows = store._engine.rows("SELECT point, ms, ns FROM {0}.rows ORDER BY rowid", store._engine.attach(DAY_OF))
    return bool(rows == sorted(rows))


def beside(folder: Path) -> list[str]:
    return [path.name for path in (folder / "readings").iterdir() if path.name.startswith(".")]


def test_a_day_that_is_over_lies_by_sensor_and_says_the_same(store: DuckStore, tmp_path: Path) -> None:
    before, columns = said(store), _columns(store)
    assert not in_order(store)
    assert finish(store) > 7
    assert in_order(store)
    assert (said(store), _columns(store)) == (before, columns)
    assert store.count() == 1000
    assert (files(tmp_path), beside(tmp_path)) == ([DAY_OF], [])
    assert finish(store) == 0, "nothing is done twice"


def test_what_a_file_remembers_of_frames_stays(store: DuckStore) -> None:
    store.write([LATE])
    finish(store)
    finish(store, LATER + DAY)
    assert in_order(store)
    assert store.write([*frames(), LATE]) == Written(1002, duplicate=1)
    assert store.write([Frame(4, LATE.readings)]) == Written(0, duplicate=3)
    assert store.count() == 1002


def test_the_public_table_is_there_afterwards(store: DuckStore, tmp_path: Path) -> None:
    finish(store)
    store.close()
    import duckdb  # noqa: PLC0415 - only this test looks from outside

    with duckdb.connect(str(tmp_path / "readings" / f"{DAY_OF}.duckdb"), read_only=True) as outside:
        assert outside.execute("SELECT count(*), count(DISTINCT sensor) FROM readings").fetchone() == (1000, 9)


def test_killed_at_any_step_it_says_the_same_and_begins_anew(store: DuckStore, tmp_path: Path) -> None:
    before, steps = said(store), 0
    while store.tidy(LATER):
        steps += 1
        folder = tmp_path / f"killed-{steps}"
        shutil.copytree(tmp_path / "readings", folder / "readings")
        again = opened(folder)
        assert said(again) == before
        finish(again)
        assert in_order(again)
        assert said(again) == before
        assert beside(folder) == []
        again.close()
    assert steps > 7


def test_written_to_at_any_step_it_loses_nothing(tmp_path: Path) -> None:
    steps = 0
    while True:
        folder = tmp_path / str(steps)
        store = opened(folder)
        store.write(frames())
        before = said(store)
        finish(store)
        going = all(store.tidy(LATER + DAY) for _ in range(steps))
        assert store.write([LATE]) == Written(2, duplicate=1)
        assert said(store) == sorted([*before, ("GT-3", 100_000, 3.5), ("GT-4", 100_000, 4.5)], key=lambda fact: (fact[1], fact[0], str(fact[2])))
        finish(store, LATER + DAY)
        finish(store, LATER + 2 * DAY)
        assert store.count() == 1002
        assert beside(folder) == []
        store.close()
        if not going:
            break
        steps += 1
    assert steps > 7


def test_a_backup_at_any_step_finds_every_reading(store: DuckStore, tmp_path: Path) -> None:
    before, steps = said(store), 0
    for steps in range(8):
        for _ in range(steps):
            store.tidy(LATER + steps * DAY)
        store.settle()
        copy = tmp_path / f"backup-{steps}"
        (copy / "readings").mkdir(parents=True)
        shutil.copyfile(tmp_path / "readings" / f"{DAY_OF}.duckdb", copy / "readings" / f"{DAY_OF}.duckdb")
        again = opened(copy)
        assert said(again) == before
        again.close()
    finish(store, LATER + 99 * DAY)
    assert in_order(store)


@pytest.mark.parametrize("call", range(0, 33, 4))
def test_a_disk_that_fails_at_any_moment_costs_nothing_and_it_is_tried_again(
    call: int, store: DuckStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, calls, real = said(store), 0, DayFiles.rows

    def failing(self: DayFiles, sql: str, file: DayFile, *values: object, condition: str = "") -> list[Any]:
        nonlocal calls
        calls += 1
        if calls == call + 1:
            raise OSError(errno.ENOSPC, "no space left on device")
        return real(self, sql, file, *values, condition=condition)

    monkeypatch.setattr(DayFiles, "rows", failing)
    with pytest.raises(Transient):
        finish(store)
    assert said(store) == before
    assert beside(tmp_path) == []
    finish(store)
    assert not in_order(store), "not again at once"
    finish(store, LATER + dayorder.QUIET)
    assert in_order(store)
    assert said(store) == before


def test_a_copy_that_is_not_true_never_takes_the_place(store: DuckStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = said(store)
    monkeypatch.setattr(dayorder, "_DIGEST", "SELECT random() FROM {0}.rows WHERE {1}")
    with pytest.raises(Transient, match="changed while they were copied"):
        finish(store)
    assert not in_order(store)
    assert (said(store), beside(tmp_path)) == (before, [])


def test_a_day_that_is_not_over_a_small_one_and_a_full_disk_are_left_alone(store: DuckStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert finish(store, T0 // DAY * DAY + DAY + dayorder.QUIET - 1) == 0
    monkeypatch.setattr(dayorder, "free", lambda _folder: 1000)
    finish(store)
    assert not in_order(store)
    monkeypatch.setattr(dayorder, "free", lambda _folder: 10**12)
    monkeypatch.setattr(dayorder, "SMALL", 1001)
    finish(store, LATER + dayorder.QUIET)
    assert not in_order(store)


def test_a_file_that_was_just_written_to_waits(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.write(frames())
    assert finish(store) == 0
    assert finish(store, LATER + dayorder.QUIET) > 7
    store.close()


def test_a_few_late_readings_do_not_move_a_whole_day_again(store: DuckStore) -> None:
    finish(store)
    store.write([LATE])
    assert finish(store, LATER) == 0
    assert finish(store, LATER + DAY) == 1, "one look"
    store.write([Frame(4, readings(*((n % 9, 2000.0 + n, 1.0) for n in range(400))))])
    finish(store, LATER + DAY)
    assert finish(store, LATER + 2 * DAY) > 7
    assert in_order(store)
    assert store.count() == 1402


def test_a_day_that_is_deleted_meanwhile_stays_deleted(store: DuckStore, tmp_path: Path) -> None:
    for _ in range(6):
        store.tidy(LATER)
    assert store.forget(LATER, through=2) == 1
    finish(store)
    assert (files(tmp_path), beside(tmp_path)) == ([], [])
    assert store.count() == 0


def test_the_day_of_one_sensor_is_one_piece_before_and_after(store: DuckStore) -> None:
    for _ in range(2):
        (found,) = [stretch.readings for stretch in store.history(replace(everything(), sensor="GT-4")) if len(stretch.readings)]
        assert found.time.tolist() == sorted(found.time.tolist())
        assert len(found) == sum(sensor == "GT-4" for sensor, _, _ in said(store)) > 10
        finish(store)


def _columns(store: DuckStore) -> list[tuple[object, ...]]:
    """Every column of every reading."""
    sql = "SELECT site, sensor, epoch_ns(time), value, quality, epoch_ns(arrival), epoch_ns(device_time), raw, seq FROM {0}.readings"
    return sorted(store._engine.rows(sql, store._engine.attach(DAY_OF)), key=str)
