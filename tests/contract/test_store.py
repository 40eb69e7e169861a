"""What every store promises, held against the embedded one, real servers and the in-memory fake; by declared capability where they differ.

With HAZGATE_TEST_INFLUX it runs against that InfluxDB as well: see `support.stores.ELSEWHERE`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from support.recording import MemoryStore, everything, facts, files, late, names, readings
from support.sites import T0
from support.stores import Servers, elsewhere, new_place, server_version
from support.suite import ran_on

from adapters import dayfiles, dayread
from adapters.codecs.frames import Names
from adapters.dayfiles import DAY
from adapters.duck import DuckSettings, DuckStore
from adapters.influx import InfluxSettings, InfluxStore
from alerts.ports import Frame, Permanent, Query, Store, Transient, Written
from alerts.reading import MILLISECOND, NO_TIME, SECOND, Readings

Opener = Callable[[Names, str], Store]
Test = TypeVar("Test", bound=Callable[..., object])


@dataclass(frozen=True)
class Kind:
    """An implementation: how to open it in a folder (again), what it can do, and which version of it runs."""

    name: str
    open: Callable[[Bench, str, Names], Store]
    capabilities: frozenset[str]
    version: Callable[[Servers], str]


@dataclass(frozen=True)
class Bench:
    """What a test's store is opened on: a folder, a shelf that outlives it, and the servers of this run."""

    folder: Path
    servers: Servers
    shelf: dict[str, Any] = field(default_factory=dict)

    def influx(self, new: Callable[[], InfluxSettings], epoch: str, known: Names) -> InfluxStore:
        """A store in the database of this test, which `new` creates."""
        if "settings" not in self.shelf:
            self.shelf["settings"] = new()
        return InfluxStore(self.shelf["settings"], self.folder, epoch, known)


def _influxd(bench: Bench, epoch: str, known: Names) -> Store:
    server = bench.servers.influxd
    return bench.influx(lambda: server.settings(server.create()), epoch, known)


def _victoria(bench: Bench, epoch: str, known: Names) -> Store:
    return bench.influx(bench.servers.victoria.settings, epoch, known)


EMBEDDED = frozenset({"write", "read", "late", "recalls"})
INFLUX = frozenset({"write", "read", "late", "overwrite", "rejects"})
KINDS = [
    Kind("memory", lambda bench, epoch, known: MemoryStore(epoch, known, bench.shelf), EMBEDDED, lambda _: "(a fake)"),
    Kind("duckdb", lambda bench, epoch, known: DuckStore(DuckSettings(), bench.folder, epoch, known), EMBEDDED, lambda _: version("duckdb")),
    Kind("influxd", _influxd, INFLUX, lambda servers: servers.influxd.version),
    Kind("victoria-metrics", _victoria, frozenset({"write"}), lambda servers: servers.victoria.version),
]


def _elsewhere(bench: Bench, epoch: str, known: Names) -> Store:
    return bench.influx(lambda: new_place(elsewhere(), bench.servers.name()), epoch, known)


if elsewhere():
    KINDS.append(Kind("elsewhere", _elsewhere, INFLUX, lambda _: server_version(elsewhere()["url"])))


def able(*capabilities: str) -> Callable[[Test], Test]:
    """Run a test over every kind that can do all that.

    write: take frames. read: give them back, each once. late: know late readings that it has. recalls: answer for a frame
    with late readings that comes again as it did at first. overwrite: keep one point for the same tags and time. rejects:
    refuse single points in words.
    """
    kinds = [kind for kind in KINDS if kind.capabilities >= set(capabilities)]
    over_them = pytest.mark.parametrize("opened", kinds, indirect=True, ids=lambda kind: kind.name)
    return lambda test: pytest.mark.capabilities(*capabilities)(over_them(test))


@pytest.fixture
def opened(request: pytest.FixtureRequest, record_property: Callable[[str, object], None], tmp_path: Path, servers: Servers) -> Iterator[Opener]:
    """Opens the store of this folder; a second call opens it again, as after a restart."""
    record_property(*ran_on(request, f"{request.param.name} {request.param.version(servers)}"))
    bench = Bench(tmp_path, servers)
    made: list[Store] = []

    def open_store(known: Names, epoch: str) -> Store:
        for store in made:
            store.close()
        made[:] = [request.param.open(bench, epoch, known)]
        return made[0]

    yield open_store
    for store in made:
        store.close()


@able("write", "read")
def test_what_was_written_is_read_back_in_order_of_time(opened: Opener) -> None:
    known = names("GT-1", "GT-2")
    store = opened(known, "spool-1")
    written = store.write([Frame(1, readings((0, 1.0, 5.0), (1, 0.5, 7.25))), Frame(2, readings((0, 2.0, 6.0)))])
    assert written == Written(3)
    assert facts(store.history(everything()), known) == [("GT-2", 500, 7.25), ("GT-1", 1000, 5.0), ("GT-1", 2000, 6.0)]
    assert store.count() == 3


@able("write", "read")
def test_every_column_comes_back(opened: Opener) -> None:
    known = names("GT-1")
    store = opened(known, "spool-1")
    given = readings((0, 1.0, np.nan), (0, 2.0, 4.5), quality=[2, 0], device_time=[NO_TIME, T0 - SECOND], raw=[3.2, np.nan], seq=[-1, 17])
    store.write([Frame(1, given)])
    (stretch,) = [s for s in store.history(everything()) if len(s.readings)]
    for name in ("sensor", "time", "value", "quality", "arrival", "device_time", "raw", "seq"):
        assert np.array_equal(getattr(stretch.readings, name), getattr(given, name), equal_nan=name in ("value", "raw")), name


@able("write")
def test_every_reading_of_a_frame_is_answered_for(opened: Opener) -> None:
    store = opened(names("GT-1", "GT-2"), "spool-1")
    assert store.write([]) == Written(0)
    assert store.write([Frame(1, readings((0, 1.0, 5.0), (1, 1.0, 6.0))), Frame(2, readings((0, 2.0, 7.0)))]) == Written(3)


@able("read", "overwrite")
def test_a_frame_that_comes_again_is_the_same_points(opened: Opener) -> None:
    """The store remembers no frames: live readings are counted as stored again, and are there once; late ones turn into duplicates."""
    known = names("GT-1")
    frames = [Frame(1, readings((0, 1.0, 5.0))), Frame(2, late(readings((0, 0.5, 4.0))))]
    assert opened(known, "spool-1").write(frames) == Written(2)
    again = opened(known, "spool-1")
    assert again.write(frames) == Written(1, duplicate=1)
    assert facts(again.history(everything()), known) == [("GT-1", 500, 4.0), ("GT-1", 1000, 5.0)]


@able("read", "rejects")
def test_one_refused_point_keeps_none_of_its_neighbors_out(opened: Opener) -> None:
    """The poison is a time that no InfluxDB can hold."""
    known = names("GT-1", "GT-2")
    store = opened(known, "spool-1")
    many = readings(*((n % 2, n / 10, float(n)) for n in range(199)))
    answer = store.write([Frame(1, replace(many, time=np.where(np.arange(199) == 77, 2**63 - 1, many.time)))])
    assert answer.stored == 198
    ((position, words),) = answer.rejected
    assert position == 77
    assert words
    assert store.count() == 198


@able("write", "recalls")
def test_the_same_frames_again_change_nothing_and_answer_the_same(opened: Opener) -> None:
    known = names("GT-1")
    store = opened(known, "spool-1")
    first = Frame(1, readings((0, 1.0, 5.0)))
    second = Frame(2, late(readings((0, 1.0, 5.0), (0, 0.5, 4.0))))
    store.write([first])
    answer = store.write([second])
    assert answer == Written(1, duplicate=1)
    assert store.write([second]) == answer
    assert opened(known, "spool-1").write([first, second]) == Written(2, duplicate=1)
    assert opened(known, "spool-1").count() == 2


@able("write", "read")
def test_frames_that_come_again_in_other_groups_are_recognized(opened: Opener) -> None:
    known = names("GT-1")
    frames = [Frame(n, readings((0, float(n), float(n)))) for n in range(1, 7)]
    store = opened(known, "spool-1")
    store.write(frames[:2])
    store.write(frames[2:4])
    assert store.write(frames[1:6]) == Written(5)
    assert store.count() == 6


@able("write", "read")
def test_a_new_spool_never_looks_drained(opened: Opener) -> None:
    known = names("GT-1")
    opened(known, "spool-1").write([Frame(9, readings((0, 1.0, 5.0)))])
    store = opened(known, "spool-2")
    assert store.write([Frame(1, readings((0, 2.0, 5.0)))]) == Written(1)
    assert store.count() == 2


@able("late")
def test_a_late_reading_that_is_there_already_is_a_duplicate(opened: Opener) -> None:
    known = names("GT-1", "GT-2")
    store = opened(known, "spool-1")
    store.write([Frame(1, readings((0, 1.0, 5.0), (0, 2.0, np.nan)))])
    backlog = late(readings((0, 1.0, 5.0), (0, 2.0, np.nan), (1, 1.0, 5.0), (1, 1.0, 5.0)))
    assert store.write([Frame(2, backlog)]) == Written(1, duplicate=3)
    assert store.count() == 3


@able("late", "read")
def test_a_late_reading_with_another_value_is_kept_a_nanosecond_later_once(opened: Opener) -> None:
    known = names("GT-1")
    store = opened(known, "spool-1")
    store.write([Frame(1, readings((0, 1.0, 5.0)))])
    other = late(readings((0, 1.0, 6.0)))
    assert store.write([Frame(2, other)]) == Written(1)
    assert store.write([Frame(3, other)]) == Written(0, duplicate=1)
    times = [time for s in store.history(everything()) for time in s.readings.time.tolist()]
    assert times == [T0 + SECOND, T0 + SECOND + 1]


@able("read")
def test_history_takes_since_leaves_until_and_finds_one_sensor(opened: Opener) -> None:
    known = names("GT-1", "GT-2")
    store = opened(known, "spool-1")
    store.write([Frame(1, readings(*((s, float(t), float(t)) for s in (0, 1) for t in range(5))))])
    query = Query(T0 + SECOND, T0 + 3 * SECOND, "north", "GT-2")
    assert facts(store.history(query), known) == [("GT-2", 1000, 1.0), ("GT-2", 2000, 2.0)]
    assert facts(store.history(Query(T0, T0 + 9 * SECOND, "south")), known) == []


@able("read")
def test_the_last_piece_of_a_history_reaches_its_end(opened: Opener) -> None:
    store = opened(names("GT-1"), "spool-1")
    assert [s.until for s in store.history(Query(T0, T0 + SECOND))] == [T0 + SECOND]
    store.write([Frame(1, readings((0, 0.5, 1.0)))])
    assert [s.until for s in store.history(Query(T0, T0 + SECOND))][-1] == T0 + SECOND


# -- the embedded store's own


@pytest.fixture
def store(tmp_path: Path) -> Any:
    made = DuckStore(DuckSettings(), tmp_path, "spool-1", names("GT-1", "GT-2"))
    yield made
    made.close()


def _days(*days: float) -> Readings:
    made = readings(*((0, day * 86400.0, day) for day in days))
    return replace(made, arrival=np.full(len(days), T0))


def test_every_utc_day_has_its_file_and_few_are_open_at_a_time(store: DuckStore, tmp_path: Path) -> None:
    store.write([Frame(1, _days(*(-n for n in range(10))))])
    assert len(files(tmp_path)) == 10
    assert files(tmp_path)[-1] == "2025-11-21"
    assert len(store._engine._files) <= dayfiles.OPEN_FILES
    assert store.count() == 10


def test_mad_clocks_share_one_file(store: DuckStore, tmp_path: Path) -> None:
    """Readings from 1970 to 2261 that arrive today are stored, found in order, and make no file for each day."""
    mad = replace(_days(*np.linspace(-20_000, 80_000, 400)), mark=np.ones(400, np.uint8))
    store.write([Frame(1, mad), Frame(2, readings((0, 1.0, 1.0)))])
    assert files(tmp_path)[-1] == "elsewhen"
    assert len(files(tmp_path)) < 10
    found = [time for s in store.history(everything()) for time in s.readings.time.tolist()]
    assert found == sorted([*mad.time.tolist(), T0 + SECOND])
    assert store.write([Frame(3, mad)]) == Written(0, duplicate=400)


def test_a_long_history_comes_in_bounded_pieces(store: DuckStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dayread, "PIECE", 100)
    many = readings(*((n % 2, n * 0.001, float(n)) for n in range(1000)))
    store.write([Frame(1, many)])
    stretches = list(store.history(everything()))
    assert max(len(s.readings) for s in stretches) < 200
    assert [value for s in stretches for value in s.readings.value.tolist()] == many.value.tolist()


def test_what_is_written_between_two_pieces_is_in_the_later_ones(store: DuckStore) -> None:
    store.write([Frame(1, _days(-1, 0))])
    history = store.history(everything())
    given = next(history).readings.value.tolist()
    store.write([Frame(2, readings((1, 60.0, 9.0)))])
    assert given + [value for s in history for value in s.readings.value.tolist()] == [-1.0, 0.0, 9.0]


def test_a_day_written_before_the_other_failed_is_not_written_twice(store: DuckStore, tmp_path: Path) -> None:
    """A batch over two days of which the second cannot be written is Transient; its repetition stores each reading once."""
    blocked = tmp_path / "readings" / "2025-11-21.duckdb"
    blocked.mkdir(parents=True)
    both = [Frame(1, _days(-1)), Frame(2, readings((0, 1.0, 1.0), (1, 1.0, 2.0)))]
    with pytest.raises(Transient):
        store.write(both)
    blocked.rmdir()
    assert store.write(both) == Written(3)
    assert store.count() == 3


def test_a_file_of_a_newer_version_is_refused(store: DuckStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store.write([Frame(1, readings((0, 1.0, 1.0)))])
    store.close()
    monkeypatch.setattr(dayfiles, "SCHEMA_NUMBER", 0)
    with pytest.raises(Permanent, match="newer version"):
        store.count()


def test_a_file_of_an_older_version_is_migrated_after_a_copy(store: DuckStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store.write([Frame(1, readings((0, 1.0, 1.0)))])
    store.close()
    monkeypatch.setattr(dayfiles, "SCHEMA_NUMBER", 3)
    monkeypatch.setattr(dayfiles, "STEPS", {1: "ALTER TABLE {0}.points ADD COLUMN a INTEGER;", 2: "ALTER TABLE {0}.points ADD COLUMN b INTEGER;"})
    assert store.count() == 1
    engine = store._engine
    assert engine.rows("SELECT number FROM {0}.schema", engine.attach("2025-11-21")) == [(3,)]
    assert engine.rows("SELECT sensor, a, b FROM {0}.points", engine.attach("2025-11-21")) == [("GT-1", None, None)]
    assert (tmp_path / "readings" / "2025-11-21.schema1").exists()
    assert files(tmp_path) == ["2025-11-21"]
    store.close()
    assert store.count() == 1


def test_days_that_were_kept_long_enough_go_as_whole_files(store: DuckStore, tmp_path: Path) -> None:
    store.write([Frame(1, _days(-3, -2, -1, 0))])
    (tmp_path / "readings" / "2025-11-18.schema0").touch()
    today = T0 // DAY * DAY
    assert store.forget(today - DAY + 1, through=1) == 2
    assert files(tmp_path) == ["2025-11-20", "2025-11-21"]
    assert [path.name for path in (tmp_path / "readings").glob("2025-11-18*")] == []
    assert store.count() == 2
    assert store.forget(today - DAY + 1, through=1) == 0


def test_a_file_that_alone_knows_of_a_frame_is_kept(store: DuckStore, tmp_path: Path) -> None:
    """The store has frame 2, the spool does not know that yet: frame 2 comes again, and must not be counted as new."""
    store.write([Frame(1, _days(-3)), Frame(2, _days(-2))])
    assert store.forget(T0, through=1) == 1
    assert files(tmp_path) == ["2025-11-19"]
    assert store.write([Frame(2, _days(-2))]) == Written(1)
    assert store.count() == 1


def test_only_a_few_days_go_at_a_time(store: DuckStore, tmp_path: Path) -> None:
    """A clock that is years ahead must be noticed before the store is empty."""
    store.write([Frame(1, _days(*range(-20, 1)))])
    assert store.forget(T0 + 400 * DAY, through=1) == dayfiles.FORGET_AT_ONCE
    assert len(files(tmp_path)) == 21 - dayfiles.FORGET_AT_ONCE


def test_what_cannot_be_true_is_not_forgotten_by_its_time(store: DuckStore, tmp_path: Path) -> None:
    store.write([Frame(1, _days(-20_000))])
    assert store.forget(T0, through=1) == 0
    assert files(tmp_path) == ["elsewhen"]


def test_the_public_table_has_the_columns_of_the_contract(store: DuckStore, tmp_path: Path) -> None:
    store.write([Frame(1, readings((0, 1.5, 2.5), seq=[3]))])
    store.close()
    import duckdb  # noqa: PLC0415 - only this test looks from outside

    with duckdb.connect(str(tmp_path / "readings" / "2025-11-21.duckdb"), read_only=True) as outside:
        found = outside.execute("SELECT * FROM readings")
        assert [column[0] for column in found.description] == ["site", "sensor", "time", "value", "quality", "arrival", "device_time", "raw", "seq"]
        row = found.fetchone()
        assert row is not None
        assert (row[0], row[1], row[3], row[4], row[6], row[7], row[8]) == ("north", "GT-1", 2.5, 0, None, None, 3)
        epoch = outside.execute("SELECT epoch_ns(time), epoch_ns(arrival) FROM readings").fetchone()
    assert epoch == (T0 + 1500 * MILLISECOND, T0 + 1504 * MILLISECOND)
