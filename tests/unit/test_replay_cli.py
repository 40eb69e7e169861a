"""`hazgate replay` as a person meets it: formats, wrong files, what is set aside, exit statuses, memory."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from adapters.codecs.rows import CsvLines
from adapters.parquet import Kind, ParquetFile
from gateway import replaying
from gateway.cli.main import main

SITE = str(Path(__file__).parents[2] / "simulators/sites/lpg-leak.yaml")
START = 1_763_712_000_000
HEAD = "time,sensor,value,quality\n"
DAY = [(START + 1000 * n, "GT-101", 60.0 if n == 20 else 1.0 + n % 3, "good") for n in range(60)]
"""A minute of one head, with one reading past both limits."""


def replay(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit status, what stood on stdout as JSON lines, stderr."""
    status = main(["replay", "--site", SITE, *words])
    said = capsys.readouterr()
    return status, [json.loads(line) for line in said.out.splitlines()], said.err


def csv(path: Path, rows: list[tuple[Any, ...]], head: str = HEAD) -> str:
    path.write_text(head + "".join(",".join(str(cell) for cell in row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def stamp(ms: int) -> str:
    return f"{np.datetime64(ms, 'ms')}Z"


def as_csv(path: Path) -> None:
    csv(path, DAY)


def as_csv_of_an_export(path: Path) -> None:
    """With RFC 3339, other columns in between, a byte-order mark and Windows line ends."""
    rows = [f'{stamp(at)},lpg-leak,{name},{value},%LEL,{quality},{stamp(at + 86_400_000)},"a, b"' for at, name, value, quality in DAY]
    path.write_text("\ufefftime,site,sensor,value,unit,quality,arrival,note\r\n" + "\r\n".join(rows), encoding="utf-8", newline="")


def as_json_lines(path: Path) -> None:
    path.write_text("\n".join(json.dumps({"time": at, "sensor": name, "value": value, "quality": q}) for at, name, value, q in DAY), encoding="utf-8")


def as_parquet(path: Path) -> None:
    columns = {"time": Kind.TIME, "sensor": Kind.TEXT, "value": Kind.REAL, "quality": Kind.TEXT}
    with ParquetFile(path, columns) as file:
        times, names, values, qualities = zip(*DAY, strict=True)
        file.write({"time": [at * 1_000_000 for at in times], "sensor": names, "value": values, "quality": qualities})


def as_parquet_of_others(path: Path) -> None:
    """Times with a zone, whole numbers for values and qualities."""
    duckdb.connect().execute(
        f"COPY (SELECT make_timestamp_ns(({START} + 1000 * n) * 1000000)::TIMESTAMPTZ AS time, 'GT-101' AS sensor, "
        f"CASE WHEN n = 20 THEN 60 ELSE 1 + n % 3 END AS value, 0 AS quality FROM range(60) t(n)) TO '{path}' (FORMAT parquet)"
    )


@pytest.mark.parametrize("write", [as_csv, as_csv_of_an_export, as_json_lines, as_parquet, as_parquet_of_others])
def test_every_format_gives_the_same_events(write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "day"
    write(path)
    status, lines, words = replay(capsys, str(path), "--json")
    *events, summary = lines
    begins = [(event["alarm"], event["event"], event["tier"], event["at"], event["value"]) for event in events if event["sensor"] == "GT-101"]
    assert (status, begins[:2]) == (
        0,
        [("GT-101.high", "raise", "orange", "2025-11-21T08:00:20.000Z", 60.0), ("GT-101.high_high", "raise", "red", "2025-11-21T08:00:20.000Z", 60.0)],
    )
    assert (summary["read"], summary["judged"], summary["late"], summary["aside"]) == (60, 60, 0, {})
    assert (summary["since"], summary["until"], summary["events"]) == ("2025-11-21T08:00:00.000Z", "2025-11-21T08:00:59.000Z", len(events))
    assert summary["transitions"]["red"] == {"raise": 1, "return": 1}
    assert "60 rows read, 60 judged, 0 of them late" in words
    assert "set aside: nothing" in words


def test_events_go_to_a_file_and_nothing_else_to_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = tmp_path / "events.jsonl"
    assert replay(capsys, csv(tmp_path / "day.csv", DAY), "--output", str(events))[:2] == (0, [])
    assert json.loads(events.read_text(encoding="utf-8").splitlines()[0])["alarm"] == "GT-101.high"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_messy_rows_run_through_and_are_counted_by_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        (START, "GT-101", "1", "", "%LEL", ""),
        (START, "GT-101", "1", "", "%LEL", ""),
        (START + 1000, "GT-101", "NaN", "bad", "", ""),
        (START + 2000, "GT-101", "", "bad", "", ""),
        (START + 3000, "GT-101", "-inf", "", "", ""),
        (START + 4000, "GT-999", "1", "", "", ""),
        (START + 5000, "GT-101", "1", "", "kPa", ""),
        (START + 6000, "GT-101", "1", "", "", "rtu-4"),
        ("yesterday", "GT-101", "1", "", "", ""),
        ("2025-11-21T08:00:00", "GT-101", "1", "", "", ""),
        (-5, "GT-101", "1", "", "", ""),
        (START + 7000, "GT-101", "much", "", "", ""),
        (START + 8000, "GT-101", "1", "fine", "", ""),
        (START + 9000, "GT-101"),
        (START - 3_600_000, "GT-101", "1", "", "", ""),
        (START + 60_000_000, "GT-101", "1", "", "", ""),
    ]
    status, lines, words = replay(capsys, csv(tmp_path / "messy.csv", rows, "time,sensor,value,quality,unit,device\n"), "--json")
    aside = {"duplicate": 1, "unknown_sensor": 1, "unreadable": 6, "wrong_device": 1, "wrong_quantity": 1}
    found = lines[-1]
    assert (status, found["read"], found["judged"], found["late"], found["aside"]) == (0, 16, 6, 1, aside)
    assert "line 10: the time is neither integer milliseconds nor RFC 3339 with an offset" in words
    assert "line 14: the quality is none of good, uncertain, bad, calibrating, test" in words
    assert "and 1 more that could not be read" in words


def test_broken_json_lines_spoil_only_themselves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.jsonl"
    good = b'{"time": %d, "sensor": "GT-101", "value": NaN}\n'
    path.write_bytes(good % START + b'{"time": 1\n\n\xff\xfe\n[]\n' + b"[" * 5000 + b"\n" + good % (START + 1000))
    found = replay(capsys, str(path), "--json")[1][-1]
    assert (found["read"], found["judged"], found["aside"]) == (6, 2, {"unreadable": 4})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", ":1: expected a header with time,sensor,value, or a JSON object a line; the file is empty"),
        (b"\n\n", ":1: expected a header with time,sensor,value, or a JSON object a line; the file is empty"),
        (b"a,b\n1,2\n", ":1: expected a header with the columns time,sensor,value[,quality], separated by commas; there is no time and no sensor and no value"),
        (b"\ntime;sensor;value\n", ":2: expected a header with the columns"),
        (b"time,sensor,quality\n", "there is no value"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", ":1: expected a header"),
        (b'{"time": 1, "sensor": "A"}\n', ":1: expected one JSON object a line with time, sensor and value: Object missing required field `value`"),
        (b"[1, 2]\n", ":1: expected one JSON object a line with time, sensor and value"),
        (b"PAR1 and then something else", ": cannot be read as Parquet: "),
    ],
)
def test_a_wrong_file_is_named_with_line_and_what_was_expected(content: bytes, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wrong"
    path.write_bytes(content)
    status, lines, words = replay(capsys, str(path))
    assert (status, lines) == (2, [])
    assert words.startswith(f"hazgate replay: {path}")
    assert sentence in words
    assert words.count("\n") == 1


def test_a_parquet_without_the_columns_and_a_file_that_is_not_there_are_wrong_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "other.parquet"
    with ParquetFile(path, {"time": Kind.TIME, "name": Kind.TEXT}) as file:
        file.write({"time": [1], "name": ["x"]})
    status, _, words = replay(capsys, str(path))
    assert (status, words) == (2, f"hazgate replay: {path}:1: expected the columns time, sensor, value[, quality]; there is no sensor and no value\n")
    status, _, words = replay(capsys, str(tmp_path / "none.csv"))
    assert (status, words) == (2, f"hazgate replay: {tmp_path}/none.csv: cannot be read: No such file or directory\n")


def test_a_replay_that_judged_nothing_says_so_and_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines, words = replay(capsys, csv(tmp_path / "others.csv", [(START, "XY-1", 1, "good")]))
    assert (status, lines) == (1, [])
    assert "nothing was judged: no row named a sensor of this site" in words
    assert replay(capsys, csv(tmp_path / "empty.csv", []))[0] == 1


@pytest.mark.parametrize(
    "words", [(), ("day.csv", "--config", "hazgate.yaml", "--since", "-1d"), ("--config", "hazgate.yaml"), ("--config", "hazgate.yaml", "--since", "-1d")]
)
def test_a_question_that_cannot_be_answered_is_refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    status, lines, said = replay(capsys, *words)
    assert (status, lines) == (2, [])
    assert said.startswith("hazgate replay: ")


def test_a_site_file_that_does_not_load_is_its_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "north.yaml"
    wrong.write_text("site: north\n", encoding="utf-8")
    assert main(["replay", "--site", str(wrong), "day.csv"]) == 2
    assert f"{wrong}:1: " in capsys.readouterr().err


def test_times_read_at_once_are_those_read_one_by_one() -> None:
    stamps = ["2026-01-15T08:00:00Z", "1999-12-31T23:59:59Z", "2024-02-29T00:00:00Z"]
    reader = CsvLines(b"time,sensor,value")
    for texts in (stamps, [text.replace("Z", ".123Z") for text in stamps], ["1768464000000", "0", "1768464000001"]):
        together = reader.read([f"{text},GT-1,1".encode() for text in texts]).rows.time.tolist()
        singly = [int(reader.read([f"{text},GT-1,1".encode(), b"2026-01-15T08:00:00+08:00,GT-1,1"]).rows.time[0]) for text in texts]
        assert together == singly
    odd = reader.read([b"2026-02-30T08:00:00Z,GT-1,1", b"2026-01-15T24:00:00Z,GT-1,1", b"2026-01-15T08:00:60Z,GT-1,1"])
    assert (len(odd.rows), [at for at, _ in odd.unreadable]) == (1, [0, 1])


def test_a_long_recording_is_read_in_pieces_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of many blocks, and one line of many blocks that never ends, take the memory of a few."""
    monkeypatch.setattr(replaying, "BLOCK", 1 << 14)
    path = tmp_path / "long.csv"
    with path.open("wb") as file:
        file.write(b"time,sensor,value\n")
        file.write(b"".join(b"%d,GT-101,1.25\n" % (START + 1000 * n) for n in range(40_000)))
        file.write(b"x" * (1 << 20))
    tracemalloc.start()
    with replaying.recording(path) as source:
        pieces = [(len(piece.rows), len(piece.unreadable)) for piece in source.pieces]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(rows for rows, _ in pieces) == 40_000
    assert sum(unreadable for _, unreadable in pieces) == 1
    assert peak < path.stat().st_size / 2
