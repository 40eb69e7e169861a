"""The journal's file: what it gives up in time, and what versions of it are taken."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.sites import T0

from adapters import journal as journal_module
from adapters import journal_files
from adapters.journal import Entry, Journal, Outgoing, Row
from alerts.ports import Permanent, Transient


@contextlib.asynccontextmanager
async def running(path: Path) -> AsyncIterator[Journal]:
    """A journal that commits."""
    made = Journal(path)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def message(key: str, due: int) -> Outgoing:
    return Outgoing(key, 1, "north", "GT-1.high@1", "raise", "desk", "li", b"{}", due=due, notice=key.encode())


async def test_settled_messages_go_when_they_were_kept_long_enough_and_open_ones_never(tmp_path: Path) -> None:
    async with running(tmp_path / "journal.db") as journal:
        await journal.commit(Entry(outgoing=[message("old", T0), message("open", T0), message("new", T0 + 10)]))
        await journal.commit(Entry(settled={"old": ("delivered", ""), "new": ("failed", "")}))
        await journal.commit(Entry(forget=T0 + 5))
        assert [(told.notice, told.state) for told in await journal.told("north", 9)] == [(b"new", "failed"), (b"open", "open")]


async def test_a_commit_gives_up_few_messages_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "FORGET_AT_ONCE", 2)
    async with running(tmp_path / "journal.db") as journal:
        await journal.commit(Entry(outgoing=[message(str(n), T0) for n in range(3)], settled={str(n): ("delivered", "") for n in range(3)}))
        await journal.commit(Entry(forget=T0 + 1))
        assert len(await journal.told("north", 9)) == 1


async def test_a_journal_of_a_newer_version_is_refused_with_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with running(path):
        pass
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(Permanent, match=r"newer version of hazgate \(schema 99; this one knows 2\)$"):
        Journal(path)


async def test_a_journal_of_an_older_version_is_migrated_after_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All steps in order, nothing lost; the copy is the file as it was, and a reader does not read what is not migrated yet."""
    path = tmp_path / "journal.db"
    async with running(path) as journal:
        await journal.commit(Entry(rows=[Row(1, "north", "GT-1.high", "raise", T0, T0, None, b"{}")]))
    monkeypatch.setattr(journal_files, "SCHEMA", 4)
    monkeypatch.setattr(journal_files, "STEPS", {2: "ALTER TABLE journal ADD COLUMN a INT;", 3: "UPDATE journal SET a = 7;"})
    with pytest.raises(Transient, match="older version"):
        list(journal_files.rows(path, 0, 2 * T0))
    async with running(path) as journal:
        assert journal.recover().last == 1
    assert len(list(journal_files.rows(path, 0, 2 * T0))) == 1
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert (db.execute("SELECT a FROM journal").fetchone(), db.execute("PRAGMA user_version").fetchone()) == ((7,), (4,))
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.db.schema2")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
        assert len(db.execute("SELECT * FROM journal").fetchall()) == 1
        assert "a" not in [column[1] for column in db.execute("PRAGMA table_info(journal)")]


async def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.db"
    async with running(path) as journal:
        await journal.commit(Entry(rows=[Row(1, "north", "GT-1.high", "raise", T0, T0, None, b"{}")]))
    with monkeypatch.context() as patched:
        patched.setattr(journal_files, "SCHEMA", 3)
        patched.setattr(journal_files, "STEPS", {2: "DELETE FROM journal; INSERT INTO nowhere VALUES (1);"})
        with pytest.raises(Permanent, match="nowhere"):
            Journal(path)
    async with running(path) as journal:
        assert journal.recover().last == 1
