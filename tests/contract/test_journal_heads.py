"""Signed heads, numbers held in reserve, and a journal that does not hold together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.journals import KEY, NAME, Hand, crashed, row, running, sealer, written
from support.sites import T0
from support.wait import eventually

from adapters import journal_tail
from adapters.codecs.chain import Head
from adapters.journal import Entry, Journal
from adapters.journal_tail import RESERVED
from adapters.signing import verified
from alerts.ports import Permanent
from alerts.reading import SECOND


def changed(path: Path, statement: str, *values: Any) -> None:
    """Somebody else's hand in the file."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute(statement, values).rowcount
        db.commit()


def opened(path: Path) -> int:
    """The number of the last row that a start finds, or that may have been used. Raises Permanent for a file that is refused."""
    journal = Journal(path)
    try:
        return journal.recover().last
    finally:
        journal._connection.close()


async def test_the_head_is_signed_whenever_enough_rows_have_come_and_at_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_tail, "SEALED_EVERY", 10)
    heads: list[Head] = []
    clock = Hand(T0 + 500_000)
    async with running(tmp_path / NAME, sealer(clock)) as journal:
        journal.on_sealed = heads.append
        await journal.commit(Entry(rows=[row(n) for n in range(1, 26)]))
        assert [head.sequence for head in heads] == [20], "of several in one commit the newest is given away"
        await journal.commit(Entry(rows=[row(26)]))
        assert journal.sealed == heads[-1]
        clock.at = T0 + SECOND
    assert [(head.sequence, head.at) for head in heads] == [(20, T0), (26, T0 + SECOND)]
    assert all(head.key == KEY.id and verified(KEY.public, head.message("north-01"), head.signature) for head in heads)
    with contextlib.closing(sqlite3.connect(tmp_path / NAME)) as db:
        assert [n for (n,) in db.execute("SELECT sequence FROM heads")] == [10, 20, 26]


async def test_a_head_is_given_away_only_when_it_is_on_the_disk(tmp_path: Path) -> None:
    seen: list[list[tuple[int]]] = []
    async with running(tmp_path / NAME, sealer()) as journal:

        def look(_head: Head) -> None:
            with contextlib.closing(sqlite3.connect(tmp_path / NAME)) as db:
                seen.append(db.execute("SELECT max(sequence) FROM heads").fetchall())

        journal.on_sealed = look
        await journal.commit(Entry(rows=[row(1)], seal=True))
        await journal.commit(Entry(seal=True))
    assert seen == [[(1,)]], "nothing new, nothing signed"


async def test_what_a_crash_left_unsigned_is_signed_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    async with running(tmp_path / "a" / NAME, sealer()) as journal:
        await journal.commit(Entry(rows=[row(1), row(2)]))
        path = crashed(tmp_path / "a", tmp_path / "b")
    async with running(path, sealer()) as journal:
        assert journal.sealed is not None
        assert journal.sealed.sequence == 2


async def test_numbers_that_a_crash_may_have_taken_along_are_never_used_again(tmp_path: Path) -> None:
    """Row 3 is told from memory while the disk refuses, then the gateway is killed: somebody knows of a row 3."""
    (tmp_path / "a").mkdir()
    async with running(tmp_path / "a" / NAME) as journal:
        await journal.commit(Entry(rows=[row(1), row(2)]))
        path = crashed(tmp_path / "a", tmp_path / "b")
    first = opened(path)
    assert first == RESERVED
    async with running(path) as journal:
        again = crashed(tmp_path / "b", tmp_path / "c")
        assert journal.last == 2
    assert opened(again) == first + RESERVED, "a second crash before the first row"
    assert opened(path) == first, "a stop in order gives the reserve back, but not what the crash took"


async def test_after_a_stop_in_order_numbers_go_on_without_a_gap(tmp_path: Path) -> None:
    await written(tmp_path / NAME, row(1), row(2))
    assert opened(tmp_path / NAME) == 2
    await written(tmp_path / NAME, row(3))
    assert opened(tmp_path / NAME) == 3


async def test_the_reserve_is_renewed_before_it_is_used_up(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    async with running(tmp_path / "a" / NAME) as journal:
        await journal.commit(Entry(rows=[row(RESERVED // 2 + 1, T0)]))
        assert opened(crashed(tmp_path / "a", tmp_path / "b")) == RESERVED // 2 + 1 + RESERVED


async def test_a_stop_that_could_not_write_everything_keeps_the_reserve(tmp_path: Path) -> None:
    """A limit on the size of files stands for a disk that takes no more."""
    journal = Journal(tmp_path / NAME)
    await journal.start()
    await journal.commit(Entry(rows=[row(1)]))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    troubles: list[str | None] = []

    def trouble(words: str | None) -> None:
        """When the last try has failed, too late, there is room again."""
        troubles.append(words)
        if journal._stopping:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    journal.on_trouble = trouble
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / (NAME + "-wal")).stat().st_size, before[1]))
    try:
        journal.commit(Entry(rows=[row(2)]))
        await eventually(lambda: troubles)
        await asyncio.wait_for(journal.stop(), 15)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert opened(tmp_path / NAME) == RESERVED


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal whose last rows no head covers, as a crash leaves it."""
    folder = tmp_path_factory.mktemp("sound")
    (folder / "a").mkdir()

    async def write() -> None:
        async with running(folder / "a" / NAME, sealer()) as journal:
            await journal.commit(Entry(rows=[row(n) for n in range(1, 5)], seal=True))
            await journal.commit(Entry(rows=[row(n) for n in range(5, 9)]))
            crashed(folder / "a", folder / "b")

    asyncio.run(write())
    return folder / "b" / NAME


@pytest.mark.parametrize("column", ["sequence", "site", "alarm", "event", "at", "recorded_at", "key", "body", "hash"])
def test_a_row_that_was_changed_since_the_newest_head_is_not_gone_on_from(column: str, sound: Path, tmp_path: Path) -> None:
    path = crashed(sound.parent, tmp_path / "c")
    values = {"sequence": 100, "at": 1, "recorded_at": 1, "body": b"{}", "hash": b"h" * 32}
    changed(path, f"UPDATE journal SET {column} = ? WHERE sequence = 7", values.get(column, "other"))
    with pytest.raises(Permanent, match=r"journal\.db is damaged: row \d+ does not follow .*; let `hazgate journal salvage` keep what is sound of it$"):
        opened(path)


def test_a_row_that_is_not_the_signed_one_is_not_gone_on_from(sound: Path, tmp_path: Path) -> None:
    path = crashed(sound.parent, tmp_path / "c")
    changed(path, "DELETE FROM journal WHERE sequence >= 4")
    with pytest.raises(Permanent, match=r"row 4 is not the one that was signed; let `hazgate journal salvage`"):
        opened(path)


def test_the_sound_one_is_gone_on_from(sound: Path, tmp_path: Path) -> None:
    assert opened(crashed(sound.parent, tmp_path / "c")) == RESERVED


@settings(max_examples=60, deadline=None)
@given(cut=st.floats(0, 1, exclude_max=True))
def test_a_file_that_was_cut_off_is_refused_with_one_sentence_that_says_what_to_do(cut: float, sound: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Wherever it is cut, unless nothing is missing but unused bytes of the last page."""
    path = crashed(sound.parent, tmp_path_factory.mktemp("torn") / "c")
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode=DELETE")
        before = list(db.iterdump())
    os.truncate(path, 1 + int(cut * (path.stat().st_size - 1)))
    refused = pytest.raises(Permanent, match=r"journal\.db is damaged: [^\n]*; let `hazgate journal salvage` keep what is sound of it$")
    with contextlib.nullcontext() if whole(path, before) else refused:
        opened(path)


def whole(path: Path, before: list[str]) -> bool:
    """Whether the library still reads all of it."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as db:
            return list(db.iterdump()) == before
    except sqlite3.Error:
        return False
