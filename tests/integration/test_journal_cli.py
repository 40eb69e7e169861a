"""`hazgate journal verify` and `salvage`: what they say, and with which status they end."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from support.apps import write
from support.journals import NAME, Hand, row, running

from adapters.codecs.chain import Head
from adapters.journal import Entry
from adapters.lock import DirectoryLock
from adapters.signing import Sealer, open_key
from gateway.cli.main import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A gateway's files with a journal of eight rows."""
    write(tmp_path)
    (tmp_path / "data").mkdir()

    async def live() -> None:
        async with running(tmp_path / "data" / NAME, Sealer(open_key(tmp_path / "journal.key"), "north-01", Hand().now)) as journal:
            await journal.commit(Entry(rows=[row(n, to="active_unacknowledged") for n in range(1, 9)]))

    asyncio.run(live())
    return tmp_path


def journal(folder: Path, verb: str, *words: str) -> int:
    """Run the command on this gateway."""
    return main(["journal", verb, "--config", str(folder / "hazgate.yaml"), *words])


def edit(folder: Path, statement: str, *values: Any) -> None:
    """Somebody else's hand in the file."""
    with contextlib.closing(sqlite3.connect(folder / "data" / NAME)) as db:
        assert db.execute(statement, values).rowcount
        db.commit()


def newest(folder: Path) -> Head:
    """The newest signed head."""
    with contextlib.closing(sqlite3.connect(folder / "data" / NAME)) as db:
        return Head(*db.execute("SELECT * FROM heads ORDER BY sequence DESC LIMIT 1").fetchone())


def test_a_journal_that_holds_is_said_with_what_was_looked_at(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = newest(folder).text
    assert journal(folder, "verify", "--head", head, "--head", ".".join(head.split(".")[:2])) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "rows 1 to 8 (8 of them), recorded from 2025-11-21T08:00:01.000Z to 2025-11-21T08:00:08.000Z, in journal.db",
        f"signed heads: 1; the newest is of row 8, signed 2025-11-21T08:00:00.000Z with the key {newest(folder).key}; rows after it: 0",
    ]
    assert said.err == "the journal holds\n"


def test_what_is_wrong_is_a_line_each(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = newest(folder).text
    edit(folder, "UPDATE journal SET alarm = 'GT-2.high' WHERE sequence = 3")
    edit(folder, "DELETE FROM journal WHERE sequence > 6")
    edit(folder, "DELETE FROM heads")
    assert journal(folder, "verify", "--head", head) == 1
    said = capsys.readouterr()
    assert said.out.splitlines()[1:] == [
        "BROKEN LINK journal.db: row 3 was changed, or is not the one that followed row 2",
        "MISSING TAIL journal.db: the head that was given names row 8, and the last one here is 6: what came after it is missing",
    ]
    assert said.err == "the journal does not hold\n"


def test_without_its_key_a_journal_cannot_be_verified(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "journal.key").unlink()
    assert journal(folder, "verify") == 0, "the public half is enough"
    (folder / "journal.key.pub").unlink()
    assert journal(folder, "verify") == 1
    assert "put the copy of it there that was kept elsewhere" in capsys.readouterr().err
    assert not (folder / "journal.key").exists()


def test_a_word_that_is_no_head_is_a_wrong_use(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        journal(folder, "verify", "--head", "9f86d081")
    assert "a head is NUMBER.HASH" in capsys.readouterr().err


def test_a_salvage_says_what_it_kept_and_which_alarms_are_lost(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(folder, "UPDATE journal SET alarm = 'GT-2.high' WHERE sequence = 3")
    assert journal(folder, "salvage") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "found: row 3 was changed, or is not the one that followed row 2"
    assert "kept 2 rows, up to 2" in "\n".join(said)
    assert "LOST north/GT-1.high: it was not normal when it was last heard of, and is not known any more; look at the place" in said
    assert Path(said[-1].removeprefix("the old files are in ")).is_dir()
    assert journal(folder, "verify") == 0
    assert journal(folder, "salvage") == 0
    assert "nothing is wrong with the journal; it was left as it is" in capsys.readouterr().err


def test_a_salvage_is_refused_while_a_gateway_uses_the_directory(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(folder, "UPDATE journal SET alarm = 'GT-2.high' WHERE sequence = 3")
    before = (folder / "data" / NAME).read_bytes()
    lock = DirectoryLock(folder / "data")
    assert journal(folder, "salvage") == 3
    assert "is in use by process" in capsys.readouterr().err
    assert (folder / "data" / NAME).read_bytes() == before
    lock.release()


@pytest.mark.parametrize("verb", ["verify", "salvage", "export"])
def test_a_gateway_that_never_ran_has_no_journal(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    assert journal(tmp_path, verb) == 1
    assert capsys.readouterr().err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("verb", ["verify", "salvage", "export"])
def test_a_wrong_configuration_is_told_as_check_would(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    (tmp_path / "hazgate.yaml").write_text("gateway: [")
    assert journal(tmp_path, verb) == 2
    assert "hazgate.yaml:" in capsys.readouterr().err
