"""`hazgate export` over real files and beside a real recorder: every reading once, in three formats."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import duckdb
import pytest
from support import files
from support.recording import KEPT, readings
from support.sites import T0
from support.wait import eventually

from adapters import registry
from adapters.journal import Entry, Journal, Row
from adapters.lock import DirectoryLock
from adapters.spool import Spool
from alerts.alarm import Quarantine
from alerts.balance import Counts
from alerts.ports import Aside
from alerts.register import Register
from gateway.cli.main import main
from gateway.recording import Recording

SINCE, UNTIL = "2025-11-21T08:00:00Z", "2025-11-21T16:00:10+08:00"


class Clock:
    """Stands still."""

    def now(self) -> int:
        """`T0`."""
        return T0


@contextlib.asynccontextmanager
async def recorded(folder: Path) -> AsyncIterator[Spool]:
    """A spool with three readings and two things set aside, and its running recorder."""
    config = files.sound(folder)
    data_dir = config.gateway.data_dir
    await asyncio.to_thread(data_dir.mkdir)
    lock = DirectoryLock(data_dir)
    spool = Spool.open(data_dir / "spool.db", Register(config.sites), Clock())
    recorder = Recording(spool, data_dir, registry.plain(config.gateway.store), KEPT, lambda _words: None)
    await spool.start()
    await recorder.start()
    given = readings((0, 1.25, 12.5), (1, 2.0, float("nan")), (0, 3.0, 13.0), quality=[0, 2, 1], seq=[7, -1, 8])
    asides = [Aside("x/y", Quarantine.UNREADABLE, "not JSON", payload, len(payload), T0 + 5) for payload in ('{"气"'.encode(), b"\xff\x00")]
    spool.append(given, asides, [], Counts(5))
    try:
        await eventually(lambda: spool.balance().stored == 3)
        yield spool
    finally:
        await recorder.stop()
        await spool.stop()
        lock.release()


def export(folder: Path, *arguments: str) -> int:
    return main(["export", *arguments, "--config", str(folder / "hazgate.yaml"), "--since", SINCE, "--until", UNTIL])


async def exported(folder: Path, *arguments: str) -> str:
    """What lands in the file of an export; run in a thread, as a process beside the gateway would be."""
    output = folder / "out"
    assert await asyncio.to_thread(export, folder, *arguments, "--output", str(output)) == 0
    return await asyncio.to_thread(output.read_text, encoding="utf-8")


LINES = [
    "time,site,sensor,value,unit,quality,arrival,seq",
    "2025-11-21T08:00:01.250Z,north,GT-1,12.5,%LEL,good,2025-11-21T08:00:01.254Z,7",
    "2025-11-21T08:00:02.000Z,north,PT-1,,MPa,bad,2025-11-21T08:00:02.004Z,",
    "2025-11-21T08:00:03.000Z,north,GT-1,13.0,%LEL,uncertain,2025-11-21T08:00:03.004Z,8",
]


async def test_readings_as_csv_are_the_same_beside_a_gateway_and_without_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with recorded(tmp_path):
        assert (await exported(tmp_path, "readings")).splitlines() == LINES
    assert await asyncio.to_thread(export, tmp_path, "readings") == 0
    assert capsys.readouterr().out.splitlines() == LINES


async def test_what_is_still_in_the_spool_is_exported_once(tmp_path: Path) -> None:
    async with recorded(tmp_path) as spool:
        spool.append(readings((0, 4.0, 14.0)), [], [], Counts(1))
        await eventually(lambda: not spool.balance().pending)
        lines = (await exported(tmp_path, "readings")).splitlines()
        assert lines == [*LINES, "2025-11-21T08:00:04.000Z,north,GT-1,14.0,%LEL,good,2025-11-21T08:00:04.004Z,"]


async def test_one_sensor_or_site_is_exported_alone_from_store_and_spool(tmp_path: Path) -> None:
    async with recorded(tmp_path) as spool:
        spool.append(readings((0, 4.0, 14.0), (1, 4.5, 1.0)), [], [], Counts(2))
        await eventually(lambda: not spool.balance().pending)
        assert [line.split(",")[2:4] for line in (await exported(tmp_path, "readings", "--sensor", "GT-1")).splitlines()[1:]] == [
            ["GT-1", "12.5"],
            ["GT-1", "13.0"],
            ["GT-1", "14.0"],
        ]
        assert len((await exported(tmp_path, "readings", "--site", "north", "--sensor", "PT-1")).splitlines()) == 3
        assert len((await exported(tmp_path, "readings", "--site", "north")).splitlines()) == 6


async def test_a_sensor_that_no_file_names_is_looked_for_with_a_remark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with recorded(tmp_path):
        assert (await exported(tmp_path, "readings", "--site", "south", "--sensor", "GT-1")).splitlines() == LINES[:1]
    assert "no site file names south/GT-1; what was recorded under that name is given" in capsys.readouterr().err


async def test_readings_as_jsonl_say_null_for_what_is_missing(tmp_path: Path) -> None:
    async with recorded(tmp_path):
        rows = [json.loads(line) for line in (await exported(tmp_path, "readings", "--format", "jsonl")).splitlines()]
    assert [list(row) for row in rows] == [LINES[0].split(",")] * 3
    assert (rows[1]["value"], rows[1]["seq"], rows[0]["value"]) == (None, None, 12.5)


async def test_readings_as_parquet_keep_types_and_nanoseconds(tmp_path: Path) -> None:
    async with recorded(tmp_path):
        output = tmp_path / "out.parquet"
        assert await asyncio.to_thread(export, tmp_path, "readings", "--format", "parquet", "--output", str(output)) == 0
    with duckdb.connect() as db:
        found = db.execute("SELECT epoch_ns(time), sensor, value, unit, seq FROM read_parquet(?)", [str(output)]).fetchall()
        types = db.execute("SELECT typeof(time), typeof(value), typeof(seq) FROM read_parquet(?)", [str(output)]).fetchone()
    assert found == [(T0 + 1_250_000_000, "GT-1", 12.5, "%LEL", 7), (T0 + 2 * 10**9, "PT-1", None, "MPa", None), (T0 + 3 * 10**9, "GT-1", 13.0, "%LEL", 8)]
    assert types == ("TIMESTAMP_NS", "DOUBLE", "BIGINT")
    assert not list(tmp_path.glob(".hazgate*"))  # noqa: ASYNC240 - a look at one folder


async def test_the_quarantine_is_exported_whatever_its_bytes(tmp_path: Path) -> None:
    async with recorded(tmp_path):
        rows = list(csv.DictReader((await exported(tmp_path, "quarantine")).splitlines()))
    assert [(row["reason"], row["payload"], row["encoding"]) for row in rows] == [("unreadable", '{"气"', "utf-8"), ("unreadable", "/wA=", "base64")]


async def test_alarm_events_are_exported_by_when_they_were_recorded(tmp_path: Path) -> None:
    config = files.sound(tmp_path)
    await asyncio.to_thread(config.gateway.data_dir.mkdir)
    journal = Journal(config.gateway.data_dir / "journal.db")
    body = json.dumps({"alarm": "GT-1.high", "tier": "orange", "value": 21.5, "peak": None, "sensor": "GT-1", "raised_at": SINCE, "suppression": []})
    rows = [Row(n, "north", "GT-1.high", "raise", T0 - 10**9, T0 + n * 10**9, None, body.encode()) for n in (1, 2, 20)]
    await journal.start()
    await journal.commit(Entry(rows=rows))
    await journal.stop()
    found = list(csv.DictReader((await exported(tmp_path, "alarms")).splitlines()))
    assert [row["sequence"] for row in found] == ["1", "2"]
    first = found[0]
    assert (first["at"], first["recorded_at"], first["tier"], first["value"], first["peak"], first["raised_at"]) == (
        "2025-11-21T07:59:59.000Z",
        "2025-11-21T08:00:01.000Z",
        "orange",
        "21.5",
        "",
        SINCE,
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("readings", "--format", "parquet"), "parquet needs --output FILE"),
        (("readings", "--until", SINCE), "--since must be before --until"),
        (("alarms", "--sensor", "GT-1"), "--site and --sensor choose among readings only"),
    ],
)
def test_a_wrong_request_is_refused_with_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: Sequence[str], sentence: str) -> None:
    files.sound(tmp_path)
    config = str(tmp_path / "hazgate.yaml")
    assert main(["export", "--config", config, "--since", SINCE, *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_a_time_without_an_offset_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["export", "readings", "--config", "x", "--since", "2026-01-15"])
    assert "expected a time with its offset" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["readings", "alarms", "quarantine"])
def test_a_gateway_that_never_ran_exports_a_header(tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    """A span back from now is taken as the value of an option, although it begins with a dash."""
    files.sound(tmp_path)
    assert main(["export", what, "--config", str(tmp_path / "hazgate.yaml"), "--since", "-7d", "--until", "-30s"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files.sound(tmp_path)
    for kind in ("csv", "parquet"):
        assert export(tmp_path, "alarms", "--format", kind, "--output", str(tmp_path / "no" / "such" / "folder")) == 1
        assert "cannot write" in capsys.readouterr().err


async def test_replaying_the_store_and_replaying_its_export_are_the_same(tmp_path: Path) -> None:
    """Beside a running recorder, which has written what is replayed."""
    events, site = tmp_path / "events", ["--site", str(tmp_path / "north.yaml"), "--output", str(tmp_path / "events")]
    found = []
    async with recorded(tmp_path):
        table = tmp_path / "table.csv"
        await asyncio.to_thread(table.write_text, await exported(tmp_path, "readings"), encoding="utf-8")
        for words in ([str(table)], ["--config", str(tmp_path / "hazgate.yaml"), "--since", SINCE, "--until", UNTIL]):
            assert await asyncio.to_thread(main, ["replay", *site, *words, "--json"]) == 0
            found.append(await asyncio.to_thread(events.read_bytes))
    assert found[0] == found[1]


async def test_replaying_the_store_counts_what_it_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with recorded(tmp_path):
        words = ["replay", "--site", str(tmp_path / "north.yaml"), "--config", str(tmp_path / "hazgate.yaml"), "--since", SINCE, "--until", UNTIL, "--json"]
        assert await asyncio.to_thread(main, words) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (summary["read"], summary["judged"], summary["aside"]) == (3, 3, {})


def test_replaying_a_store_that_holds_nothing_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files.sound(tmp_path)
    words = ["replay", "--site", str(tmp_path / "north.yaml"), "--config", str(tmp_path / "hazgate.yaml"), "--since", "-1d"]
    assert main(words) == 1
    assert "nothing was judged" in capsys.readouterr().err
