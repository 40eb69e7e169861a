"""What `hazgate journal verify` finds: every byte of every row, closed or not, and everything that is missing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.journals import KEY, NAME, crashed, row, running, sealer
from support.years import NOW, THREE_YEARS, YEAR, Life, lived, moment, small_steps

from adapters import journal_check
from adapters.codecs.chain import Head, link
from adapters.journal import Entry
from adapters.journal_check import Fault, Report, verify
from adapters.journal_files import COLUMNS, Kept, Volume, closed_paths, open_closed, open_live
from adapters.signing import Key

KEYS = {KEY.id: KEY.public}
LIVE = [row(n, NOW + n) for n in range(101, 113)]
COLUMN = COLUMNS.split(", ")
FILES = ["journal/2024.db", "journal/2025.db", "journal/2026.db", NAME]


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with small_steps():
        yield


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three closed years and a live file, in plain files without a log beside them."""
    folder = tmp_path_factory.mktemp("sound") / "data"
    folder.mkdir()

    async def live() -> None:
        await lived(folder / NAME, THREE_YEARS)
        await Life(folder, NOW).run()
        async with running(folder / NAME, sealer()) as journal:
            await journal.commit(Entry(rows=LIVE))

    with small_steps():
        asyncio.run(live())
    for name in FILES:
        (folder / name).chmod(0o640)
    with contextlib.closing(sqlite3.connect(folder / NAME)) as db:
        db.execute("PRAGMA journal_mode=DELETE")
    return folder


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    """The same to be spoilt."""
    return crashed(sound, tmp_path / "copy").parent


def looked(folder: Path, *given: Head) -> Report:
    return verify(folder / NAME, "north-01", KEYS, given)


def faults(folder: Path, *given: Head) -> set[tuple[str, str]]:
    """Kinds of what is wrong, with the file."""
    return {(finding.fault.value, finding.file) for finding in looked(folder, *given).findings}


def edit(path: Path, statement: str, *values: Any) -> None:
    """Somebody else's hand in a file."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.text_factory = bytes
        assert db.execute(statement, values).rowcount
        db.commit()


def rewritten(path: Path, change: Callable[[Kept], tuple[object, ...]], *, heads: str = "DELETE FROM heads") -> None:
    """Change rows and hash all of the file anew, as somebody would who knows how; the signed heads cannot be made."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        found = list(Volume(path, db).rows())
        with contextlib.closing(open_live(path) if path.name == NAME else open_closed(path)) as volume:
            reached = volume.before.hash
        db.execute("DELETE FROM journal")
        for each in found:
            columns = change(each)
            reached = link(reached, columns)
            db.execute("INSERT INTO journal VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", (*columns, reached))
        db.execute(heads)
        db.commit()


def as_it_was(each: Kept) -> tuple[object, ...]:
    """Every column but the hash."""
    return each[:-1]


def louder(each: Kept) -> tuple[object, ...]:
    """The first row of all says something else."""
    return (*each[:-2], each.body.replace(b"orange", b"yellow")) if each.sequence in (1, 101) else each[:-1]


def test_a_sound_journal_holds_and_says_what_was_looked_at(sound: Path) -> None:
    report = looked(sound)
    assert report.findings == []
    assert report.files == FILES
    assert (report.rows, report.first, report.last) == (18 + 3 + 12, 1, 112)
    assert (report.since, report.until) == (moment(2024, 1, 5), NOW + 112)
    assert report.head is not None
    assert (report.head.sequence, report.unsigned) == (112, 0)


async def test_it_holds_beside_a_gateway_that_writes_and_while_a_year_is_closed(tmp_path: Path) -> None:
    await lived(tmp_path / NAME, THREE_YEARS)
    life = Life(tmp_path, NOW)
    found: list[list[journal_check.Finding]] = []

    async def look(_step: str) -> None:
        await life.journal.commit(Entry(rows=[row(life.numbers.take(), NOW)]))
        found.append((await asyncio.to_thread(looked, tmp_path)).findings)

    await life.run(look)
    assert found == [[]] * len(found)
    assert len(found) > 20


EDITS = st.tuples(st.sampled_from(FILES), st.integers(0), st.sampled_from([*COLUMN, "hash"]), st.integers(0), st.integers(1, 255))


@settings(max_examples=80)
@given(one=EDITS)
def test_one_byte_of_any_column_of_any_row_is_found(one: tuple[str, int, str, int, int], sound: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    file, pick, column, place, by = one
    folder = crashed(sound, tmp_path_factory.mktemp("edited") / "x").parent
    path = folder / file
    with contextlib.closing(sqlite3.connect(path)) as db:
        numbers = [n for (n,) in db.execute("SELECT sequence FROM journal")]
        number = numbers[pick % len(numbers)]
        [(value, kind)] = db.execute(f"SELECT CAST({column} AS BLOB), typeof({column}) FROM journal WHERE sequence = ?", (number,))
    content = bytearray(value or b"")
    if column == "sequence":
        new: object = max(numbers) + 1 + place % 1000
    elif kind == "integer":
        new = int(content) + by
    elif content:
        content[place % len(content)] ^= by
        new = bytes(content)
    else:
        new = bytes([by])
    cast = {"text": "CAST(? AS TEXT)", "null": "CAST(? AS TEXT)"}.get(kind, "?")
    edit(path, f"UPDATE journal SET {column} = {cast} WHERE sequence = ?", new, number)
    assert faults(folder)


@settings(max_examples=120)
@given(file=st.sampled_from(FILES), place=st.floats(0, 1, exclude_max=True), by=st.integers(1, 255))
@example(file=NAME, place=0.0, by=1)
def test_one_byte_of_a_file_anywhere_is_found_unless_no_row_holds_it(
    file: str, place: float, by: int, sound: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = crashed(sound, tmp_path_factory.mktemp("flipped") / "x").parent
    path = folder / file
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= by
    before = rows_of(sound / file)
    path.write_bytes(content)
    if file != NAME or rows_of(path) != before:
        assert faults(folder), "of a closed file every byte counts: the journal has its digest"


def rows_of(path: Path) -> list[Kept] | None:
    """All rows of a file; None if it cannot be read."""
    try:
        volume = open_live(path) if path.name == NAME else open_closed(path)
        with contextlib.closing(volume):
            return list(volume.rows())
    except Exception:  # noqa: BLE001 - whatever damage does
        return None


@pytest.mark.parametrize("file", FILES)
def test_a_row_that_was_taken_out_is_a_broken_link(file: str, copy: Path) -> None:
    with contextlib.closing(sqlite3.connect(copy / file)) as db:
        [(second,)] = db.execute("SELECT sequence FROM journal ORDER BY sequence LIMIT 1 OFFSET 1")
    edit(copy / file, "DELETE FROM journal WHERE sequence = ?", second)
    assert (Fault.BROKEN_LINK, file) in faults(copy)


def test_a_tail_that_was_cut_off_is_found_by_a_head_that_was_given_away_and_by_nothing_else(copy: Path) -> None:
    given = looked(copy).head
    assert given is not None
    edit(copy / NAME, "DELETE FROM journal WHERE sequence > 105")
    assert faults(copy) == {(Fault.MISSING_TAIL, NAME)}, "its own heads lie beyond its end"
    edit(copy / NAME, "DELETE FROM heads WHERE sequence > 105")
    assert faults(copy) == set()
    assert faults(copy, given) == {(Fault.MISSING_TAIL, NAME)}
    assert "names row 112, and the last one here is 105" in looked(copy, given).findings[0].sentence


def test_a_chain_that_was_hashed_anew_is_found_by_what_was_signed(copy: Path) -> None:
    given = Head(112, looked(copy).head.hash)  # type: ignore[union-attr]  # there is one, or the test may fail
    rewritten(copy / NAME, louder, heads="SELECT 1")
    assert faults(copy) == {(Fault.FORKED_CHAIN, NAME), (Fault.UNSIGNED, NAME)}
    edit(copy / NAME, "DELETE FROM heads")
    assert faults(copy) == {(Fault.UNSIGNED, NAME)}
    assert (Fault.FORKED_CHAIN, NAME) in faults(copy, given)
    assert (Fault.FORKED_CHAIN, NAME) in faults(copy, Head(111, b"h" * 32)), "a head that was noted by hand"


def test_a_closed_year_that_was_hashed_anew_is_found(copy: Path) -> None:
    rewritten(copy / FILES[0], louder)
    assert {(Fault.ALTERED_FILE, FILES[0])} <= faults(copy)


def test_heads_of_a_key_that_is_not_trusted_count_for_nothing(copy: Path) -> None:
    other = Key(b"other".ljust(32))
    found = verify(copy / NAME, "north-01", {other.id: other.public}).findings
    assert {(finding.fault, finding.file) for finding in found} == {*((Fault.BAD_SIGNATURE, file) for file in FILES), (Fault.UNSIGNED, NAME)}
    edit(copy / NAME, "UPDATE heads SET signature = zeroblob(64)")
    assert faults(copy) >= {(Fault.BAD_SIGNATURE, NAME), (Fault.UNSIGNED, NAME)}
    assert {finding.fault for finding in verify(copy / NAME, "north-02", KEYS).findings} >= {Fault.BAD_SIGNATURE, Fault.ALTERED_FILE}


def test_a_given_head_must_be_signed_if_it_says_so(copy: Path) -> None:
    given = looked(copy).head
    assert given is not None
    assert faults(copy, given) == set()
    forged = sealer(key=Key(b"other".ljust(32))).head(112, given.hash)
    assert faults(copy, forged) == {(Fault.BAD_SIGNATURE, NAME)}


@pytest.mark.parametrize("file", FILES[:3])
def test_a_closed_year_that_is_gone_is_missed(file: str, copy: Path) -> None:
    (copy / file).unlink()
    found = faults(copy)
    assert (Fault.MISSING_ROWS, file) in found, "the journal says that it closed it, and not that it gave it up"


def test_a_closed_year_that_cannot_be_opened_is_told_and_the_others_are_looked_at(copy: Path) -> None:
    (copy / FILES[1]).write_bytes(b"no database" * 1000)
    report = looked(copy)
    assert (Fault.UNREADABLE, FILES[1]) in {(finding.fault, finding.file) for finding in report.findings}
    assert "put a sound copy back from a backup" in next(finding.sentence for finding in report.findings if finding.fault is Fault.UNREADABLE)
    assert report.files == [FILES[0], FILES[2], NAME]


def test_a_live_file_that_cannot_be_opened_is_told_and_the_closed_years_are_looked_at(copy: Path) -> None:
    (copy / NAME).write_bytes(b"no database" * 1000)
    report = looked(copy, Head(112, b"h" * 32))
    assert report.files == FILES[:3]
    assert {Fault.UNREADABLE, Fault.MISSING_TAIL} <= {finding.fault for finding in report.findings}


async def test_a_year_that_was_kept_long_enough_is_no_loss_and_a_head_from_it_is_not_covered(copy: Path) -> None:
    with contextlib.closing(open_closed(copy / FILES[0])) as closed:
        head = closed.heads()[0]
    assert faults(copy, head) == set()
    await Life(copy, moment(2028), keep=3 * YEAR).run()
    report = looked(copy)
    assert report.findings == []
    assert report.remarks == ["rows up to 6 were kept long enough and given up"]
    assert faults(copy, head) == {(Fault.NOT_COVERED, NAME)}


def test_rows_that_are_in_no_file_are_missed(copy: Path) -> None:
    edit(copy / NAME, "UPDATE meta SET value = ? WHERE name = 'base'", f"19.{'0' * 64}")
    assert (Fault.MISSING_ROWS, NAME) in faults(copy)


async def test_after_a_crash_the_last_rows_are_not_signed_yet_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    async with running(tmp_path / "a" / NAME, sealer()) as journal:
        await journal.commit(Entry(rows=[row(n) for n in range(1, 9)]))
        crashed(tmp_path / "a", tmp_path / "b")
    report = looked(tmp_path / "b")
    assert (report.findings, report.heads, report.unsigned) == ([], 1, 3)


async def test_rows_of_before_there_were_heads_are_signed_all_at_once(tmp_path: Path) -> None:
    async with running(tmp_path / NAME) as journal:
        await journal.commit(Entry(rows=[row(n) for n in range(1, 9)]))
    assert faults(tmp_path) == {(Fault.UNSIGNED, NAME)}
    async with running(tmp_path / NAME, sealer()):
        pass
    report = looked(tmp_path)
    assert (report.findings, report.remarks) == ([], ["rows before 8 were signed all at once, with the head of that row"])


def test_of_a_file_that_was_rewritten_whole_not_every_row_is_told(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_check, "MOST", 3)
    edit(copy / NAME, "UPDATE journal SET alarm = 'GT-2.high'")
    broken = [finding.sentence for finding in looked(copy).findings if finding.fault is Fault.BROKEN_LINK]
    assert len(broken) == 4
    assert broken[-1] == "and more of the kind"


def test_a_note_that_was_made_unreadable_is_a_broken_link_and_not_the_end(copy: Path) -> None:
    for body in (b"[" * 100_000, b"[1]", b"\xff", json.dumps("x").encode()):
        edit(copy / NAME, "UPDATE journal SET body = ? WHERE sequence = (SELECT min(sequence) FROM journal)", body)
        assert (Fault.BROKEN_LINK, NAME) in faults(copy)


def test_nothing_is_changed_by_looking(copy: Path) -> None:
    before = {path: path.read_bytes() for path in [copy / NAME, *closed_paths(copy / NAME)]}
    looked(copy)
    assert {path: path.read_bytes() for path in before} == before
