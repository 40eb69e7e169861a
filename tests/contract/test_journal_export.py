"""The journal for an inquiry: what is exported can be verified without hazgate, as the documentation shows, and read by people."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.apps import loaded, site_file, write
from support.journals import NAME, Hand, row, running, sealer
from support.years import NOW, THREE_YEARS, Life, kept, lived, moment, small_steps

from adapters.codecs.alarm_json import encode_record
from adapters.codecs.chain import line, read_head
from adapters.journal import Entry, Outgoing, Row
from adapters.signing import Sealer, open_key
from alerts.alarm import EventKind, NoticeKind, Tier
from alerts.ports import Notice
from alerts.reading import SECOND
from gateway.cli.main import main
from gateway.inquiry import signed_lines, stretch
from gateway.timeline import timeline

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "journal.md").read_text(encoding="utf-8")
SHELVED = {"kind": "shelved", "by": "li", "reason": "calibration", "permit": None, "since": "2026-12-01T00:00:00.000Z", "until": "2026-12-02T00:00:00.000Z"}


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with small_steps():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A gateway's files, with three closed years and a few rows of this one."""
    write(tmp_path)
    (tmp_path / "data").mkdir()
    by = Sealer(open_key(tmp_path / "journal.key"), "north-01", Hand(NOW).now)

    async def live() -> None:
        await lived(tmp_path / "data" / NAME, THREE_YEARS, by=by)
        await Life(tmp_path / "data", NOW, by=by).run()
        async with running(tmp_path / "data" / NAME, by) as journal:
            await journal.commit(
                Entry(rows=[event(101), event(102, suppression=[SHELVED], tier="yellow")], outgoing=[message(101, "li"), message(101, "wang")])
            )
            await journal.commit(Entry(settled={"101/li": ("delivered", "ok")}))

    asyncio.run(live())
    return tmp_path


def event(number: int, **changes: object) -> Row:
    """What a raised alarm leaves, 2.5 s before it was recorded."""
    body = {"alarm": "GT-1.high", "tier": "red", "from": "normal", "to": "active_unacknowledged", "value": 52.1, "peak": 55.0, "limit": 50.0, "unit": "%LEL"}
    body |= {"place": "泵区 P-3", "by": None, "comment": 'a "quoted" one, "body": {}', "journaled": False} | changes
    at = NOW + number * SECOND + 123_456_789
    return Row(number, "north", "GT-1.high", EventKind.RAISE, at, at + 2_500_000_000, None, json.dumps(body, ensure_ascii=False).encode())


def message(number: int, person: str) -> Outgoing:
    """A message to somebody about that event."""
    notice = Notice("north", "GT-1.high", f"GT-1.high@{number}", 1, NoticeKind.RAISE, 0, 0, person, "desk", tier=Tier.RED, sequence=number, due=NOW)
    return Outgoing(f"{number}/{person}", number, "north", notice.occurrence, "raise", "desk", person, b"{}", due=NOW, notice=encode_record(notice))


def script(name: str) -> str:
    """A program of the page."""
    blocks: list[str] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    return next(block for block in blocks if block.startswith(f"# {name}"))


def run_script(name: str, file: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the page on a file, with nothing of hazgate in reach."""
    (folder / name).write_text(script(name), encoding="utf-8")
    return subprocess.run([sys.executable, "-I", "-S", name, str(file)], cwd=folder, capture_output=True, text=True, check=False)


def openssl(message: str, folder: Path) -> bool:
    """Run the line of the page that holds the signature against that message."""
    command = next(line for line in PAGE.splitlines() if line.startswith("openssl") and f"-in {message} " in line)
    return subprocess.run(command.split(), cwd=folder, capture_output=True, check=False).returncode == 0


def export(folder: Path, *words: str) -> tuple[int, str]:
    """What an export leaves in its file."""
    output = folder / "out"
    status = main(["journal", "export", "--config", str(folder / "hazgate.yaml"), "--output", str(output), *words])
    return status, output.read_text(encoding="utf-8") if output.exists() else ""


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_closed_year_can_be_verified_with_the_program_of_the_page_and_openssl(number: int, folder: Path) -> None:
    name = f"{2024 + number}.db"
    shutil.copy(folder / "data" / "journal" / name, folder / name)
    done = run_script("closed.py", folder / name, folder)
    assert (done.stdout, done.stderr) == ("6 rows follow one another\n", "")
    assert openssl("statement", folder)
    (folder / name).chmod(0o640)
    with contextlib.closing(sqlite3.connect(folder / name)) as db:
        db.execute("UPDATE journal SET alarm = 'x' WHERE sequence = ?", (number * 6 + 3,))
        db.commit()
    assert f"row {number * 6 + 3} does not follow" in run_script("closed.py", folder / name, folder).stderr
    (folder / "statement").write_text((folder / "statement").read_text().replace('"rows": 6', '"rows": 5'))
    assert not openssl("statement", folder)


def test_an_export_can_be_verified_with_the_program_of_the_page_and_openssl(folder: Path) -> None:
    status, _ = export(folder)
    assert status == 0
    done = run_script("export.py", folder / "out", folder)
    assert (done.stdout, done.stderr) == (f"{len(kept(folder / 'data'))} rows follow one another\n", "")
    assert openssl("message", folder)
    (folder / "message").write_text((folder / "message").read_text().replace("north-01", "north-02"))
    assert not openssl("message", folder)


@pytest.mark.parametrize(("old", "new"), [("GT-1.high", "GT-2.high"), (".123456789Z", ".123456788Z"), ("泵区", "罐区"), ('"sequence": 102', '"sequence": 103')])
def test_an_export_that_was_changed_is_found(old: str, new: str, folder: Path) -> None:
    _, text = export(folder)
    assert old in text
    before, _, after = text.rpartition(old)
    (folder / "out").write_text(f"{before}{new}{after}", encoding="utf-8")
    assert run_script("export.py", folder / "out", folder).returncode == 1


def test_an_export_of_some_days_is_a_stretch_without_a_gap_that_holds_for_itself(folder: Path) -> None:
    status, text = export(folder, "--since", "2025-02-01T00:00:00Z", "--until", "2026-04-01T00:00:00Z")
    assert status == 0
    lines = [json.loads(each) for each in text.splitlines()]
    assert [each["sequence"] for each in lines if "sequence" in each] == list(range(8, 15))
    assert lines[0]["before"] == next(each.hash.hex() for each in kept(folder / "data") if each.sequence == 7)
    heads = [(position, read_head(each["head"])) for position, each in enumerate(lines) if "head" in each]
    assert [head.sequence for _, head in heads] == [10]
    assert lines[heads[0][0] - 1]["sequence"] == 10, "a head stands behind the row that it names"
    assert run_script("export.py", folder / "out", folder).stdout == "7 rows follow one another\n"


def test_suppressed_alarms_are_in_it_and_a_body_stands_as_it_was_hashed(folder: Path) -> None:
    _, text = export(folder, "--since", "2027-01-01T00:00:00Z")
    rows = {each["sequence"]: each for each in map(json.loads, text.splitlines()) if "sequence" in each}
    assert rows[102]["body"]["suppression"] == [SHELVED]
    assert rows[101]["at"].endswith(".123456789Z")
    assert event(101).body.decode() in text


@pytest.mark.parametrize("body", [b"no JSON", b"[1]", b'{"a":\n1}', b"\xff\xfe{\x00}\x00"])
def test_a_body_that_is_no_object_on_one_line_is_given_in_base64(body: bytes) -> None:
    assert "base64" in json.loads(line((1, "north", "a", "raise", 0, 0, None, body), b"h"))


def test_nothing_was_recorded_then(folder: Path) -> None:
    status, text = export(folder, "--since", "2020-01-01T00:00:00Z", "--until", "2021-01-01T00:00:00Z")
    assert (status, len(text.splitlines())) == (0, 2)
    assert run_script("export.py", folder / "out", folder).stdout == "0 rows follow one another\n"
    assert openssl("message", folder)


def test_a_journal_that_does_not_hold_is_exported_all_the_same_and_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.closing(sqlite3.connect(folder / "data" / NAME)) as db:
        db.execute("UPDATE journal SET alarm = 'GT-2.high' WHERE sequence = 101")
        db.commit()
    status, text = export(folder)
    assert (status, '"alarm": "GT-2.high"' in text) == (1, True)
    assert "1 of 23 rows do not follow the one before them; `hazgate journal verify` says more" in capsys.readouterr().err


def test_the_timeline_gives_the_sites_time_and_utc_and_who_was_told(folder: Path) -> None:
    status, text = export(folder, "--since", "2027-01-01T00:00:00Z", "--format", "timeline")
    assert status == 0
    lines = text.splitlines()
    assert "rows 19 to 102" in lines[0]
    first = next(position for position, each in enumerate(lines) if "#101" in each)
    when = "2027-01-03 08:01:41.123+08:00 (2027-01-03T00:01:41.123Z)"
    told = "#101  north  RED GT-1.high raise | normal -> active_unacknowledged | 52.1 %LEL (limit 50, peak 55) | told before the journal held it"
    assert lines[first].startswith(f'{when}  {told} | comment: a "quoted" one')
    assert lines[first].endswith("| place: 泵区 P-3 | recorded 2.5 s later")
    due = "    2027-01-03 08:00:00.000+08:00 (2027-01-03T00:00:00.000Z)  raise to"
    assert sorted(lines[first + 1 : first + 3]) == [f"{due} li over desk (step 0, round 0)  delivered: ok", f"{due} wang over desk (step 0, round 0)  open"]
    assert "YELLOW GT-1.high raise" in lines[first + 3]
    assert "shelved by li until 2026-12-02T00:00:00.000Z: calibration" in lines[first + 3]
    assert "2027-01-03T00:00:00.000Z  #19  journal  rows 1 to 6 were closed into journal/2024.db" in text


async def test_the_timeline_says_what_changed_in_the_configuration_and_survives_strange_rows(tmp_path: Path) -> None:
    change = {"by": "wang", "approved": None, "reason": "test"}
    body = {"hash": "abcdef0123456789", "change": change, "changes": [{"key": "north.GT-1.limits.high", "before": 20, "after": 25, "loosens_red": False}]}
    changed = Row(1, "north", "north-01.config_changed", EventKind.CONFIGURATION, NOW, NOW, None, json.dumps(body).encode())
    strange = Row(2, "south", "x", "raise", NOW, NOW, None, b"\xff")
    async with running(tmp_path / NAME, sealer()) as journal:
        await journal.commit(Entry(rows=[changed, strange]))
    config = loaded(write(tmp_path, site_file()))
    with stretch(tmp_path / NAME, 0, 2 * NOW) as wanted:
        lines = list(timeline(wanted, "north-01", config.sites))
    assert "configuration abcdef012345 by wang, not approved, changes: 1 | north.GT-1.limits.high: 20 -> 25" in lines[1]
    assert lines[2] == "2027-01-03T00:00:00.000Z  #2  south  x raise"


async def test_an_export_beside_a_gateway_that_closes_a_year_is_whole(tmp_path: Path) -> None:
    await lived(tmp_path / NAME, THREE_YEARS)
    counts: set[int] = set()

    async def look(_step: str) -> None:
        with stretch(tmp_path / NAME, moment(2024), moment(2026, 12, 31)) as wanted:
            list(signed_lines(wanted, sealer()))
            counts.add(wanted.count)
            assert wanted.broken == 0

    await Life(tmp_path, NOW).run(look)
    assert counts == {len(THREE_YEARS)}


def test_a_row_is_exported_without_its_neighbors(tmp_path: Path) -> None:
    """From one moment to the next a stretch may be one row."""

    async def live() -> None:
        async with running(tmp_path / NAME, sealer()) as journal:
            await journal.commit(Entry(rows=[row(n) for n in range(1, 4)]))

    asyncio.run(live())
    second = row(2)
    with stretch(tmp_path / NAME, second.recorded_at, second.recorded_at + 1) as wanted:
        assert [each.sequence for each in wanted.rows()] == [2]
        assert wanted.broken == 0
