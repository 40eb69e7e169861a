"""What is sound of a damaged journal goes on, the rest is kept beside it, and a crash in between is finished by the next call."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.journals import KEY, NAME, crashed, row, running, sealer
from support.sites import T0
from support.years import NOW, THREE_YEARS, Life, kept, lived, small_steps

from adapters import journal_salvage
from adapters import sqlite as files
from adapters.codecs.chain import Note
from adapters.journal import Entry, Journal, Outgoing, Recovered, Token
from adapters.journal_check import Fault, Report, verify
from adapters.journal_files import closed_paths
from adapters.journal_salvage import REST, STAGING, Salvaged
from alerts.ports import HazgateError, Permanent, Transient
from gateway.backup import refuse_unfit

ROWS = [row(n, to="active_unacknowledged") for n in range(1, 21)]


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with small_steps():
        yield


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with something in every table, stopped in order and in one file."""
    path = tmp_path_factory.mktemp("sound") / NAME

    async def live() -> None:
        async with running(path, sealer()) as journal:
            await journal.commit(Entry(rows=ROWS, outgoing=[message(str(n)) for n in range(30)], tokens=[Token("a", b"digest", "li", 1, 2)]))
            await journal.commit(Entry(meta={"alive": str(T0)}, settled={"3": ("delivered", "")}))

    with small_steps():
        asyncio.run(live())
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode=DELETE")
    return path


def message(key: str) -> Outgoing:
    """A publication."""
    return Outgoing(key, 1, "north", "GT-1.high@1", "publish", "", "topic", b"{}" * 50)


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    """The same to be spoilt."""
    return crashed(sound.parent, tmp_path / "copy")


def edit(path: Path, statement: str, *values: Any) -> None:
    """Somebody else's hand in the file."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute(statement, values).rowcount
        db.commit()


def recovered(path: Path) -> Recovered:
    """What a start finds."""
    journal = Journal(path, sealer())
    try:
        journal.tokens()
        return journal.recover()
    finally:
        journal._connection.close()


def salvage(path: Path, now: int) -> Salvaged | None:
    """With the key of the tests."""
    return journal_salvage.salvage(path, "north-01", {KEY.id: KEY.public}, now)


def looked(path: Path) -> Report:
    return verify(path, "north-01", {KEY.id: KEY.public})


def test_a_sound_journal_is_left_as_it_is(copy: Path) -> None:
    before = copy.read_bytes()
    assert salvage(copy, NOW) is None
    assert copy.read_bytes() == before
    assert [path.name for path in copy.parent.iterdir()] == [NAME]


def test_rows_up_to_a_changed_one_go_on_and_all_else_is_kept_beside_them(copy: Path) -> None:
    edit(copy, "UPDATE journal SET at = at + 1 WHERE sequence = 14")
    done = salvage(copy, NOW)
    assert done is not None
    assert (done.kept, done.last, done.cut) == (13, 13, 7)
    assert done.folder.name == "journal.damaged-20270103T000000Z"
    with contextlib.closing(sqlite3.connect(done.folder / NAME)) as db:
        assert db.execute("SELECT count(*) FROM journal").fetchone() == (20,)
    rest = [json.loads(line) for line in (done.folder / REST).read_text().splitlines()]
    assert [each["sequence"] for each in rest] == list(range(14, 21))
    assert rest[0]["body"]["place"] == "泵区"
    found = recovered(copy)
    assert found.last == 21, "numbers that were cut out are not given again"
    assert (len(found.outgoing), found.meta["alive"]) == (29, str(T0))
    report = looked(copy)
    assert (report.findings, report.rows) == ([], 14)
    assert report.remarks == [f"row {report.last} says that damage was cut out: what could not be kept is in {done.folder.name}"]


async def test_what_was_done_is_in_the_journal_and_the_next_head_signs_it(copy: Path) -> None:
    edit(copy, "UPDATE journal SET at = at + 1 WHERE sequence = 14")
    salvage(copy, NOW)
    async with running(copy, sealer()) as journal:
        assert journal.sealed is not None
        assert journal.sealed.sequence == journal.last
    last = kept(copy.parent)[-1]
    said = json.loads(last.body)
    assert (last.event, last.recorded_at) == (Note.SALVAGED, NOW)
    assert (said["rows"], said["last"], said["cut"]) == (13, 13, 7)
    assert "row 14 was changed" in said["why"][0]


def test_heads_that_were_given_away_beyond_the_cut_still_tell_of_it(copy: Path) -> None:
    given = looked(copy).head
    assert given is not None
    edit(copy, "UPDATE journal SET at = at + 1 WHERE sequence = 14")
    salvage(copy, NOW)
    faults = {finding.fault for finding in verify(copy, "north-01", {KEY.id: KEY.public}, [given]).findings}
    assert faults == {Fault.FORKED_CHAIN}


@settings(max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), length=st.sampled_from([1, 3, 60, 4096]), by=st.integers(1, 255))
def test_whatever_is_damaged_the_journal_holds_afterwards_and_a_gateway_can_start(
    place: float, length: int, by: int, sound: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = crashed(sound.parent, tmp_path_factory.mktemp("spoilt") / "x")
    content = bytearray(path.read_bytes())
    start = int(place * len(content))
    content[start : start + length] = bytes(each ^ by for each in content[start : start + length])
    path.write_bytes(content)
    try:
        done = salvage(path, NOW)
    except Permanent as error:
        assert "of another version of hazgate" in str(error), "its number is damaged"  # noqa: PT017 - it need not be raised
        return
    found = recovered(path)
    findings = looked(path).findings
    assert [finding for finding in findings if KEY.id in finding.sentence] == []
    faults = {finding.fault for finding in findings}
    assert faults <= {Fault.BAD_SIGNATURE, Fault.UNSIGNED}, "a head whose key has become another one may be of one that is not known here"
    assert found.last >= 20
    assert (done is None) == (not list(path.parent.glob("journal.damaged-*")))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_file_that_was_cut_off_gives_what_is_left(share: float, copy: Path) -> None:
    content = copy.read_bytes()
    copy.write_bytes(content[: max(1, int(share * len(content)))])
    done = salvage(copy, NOW)
    assert done is not None
    recovered(copy)
    assert looked(copy).findings == []


def test_alarms_that_are_not_known_any_more_are_named(copy: Path) -> None:
    edit(copy, "UPDATE journal SET at = at + 1 WHERE sequence = 14")
    done = salvage(copy, NOW)
    assert done is not None
    assert done.lost == ("north/GT-1.high",), "the journal says that it stands, and there is no record of it"


def test_a_record_that_a_start_could_not_read_is_left_out_and_said(copy: Path) -> None:
    edit(copy, "INSERT INTO alarms VALUES('north', 'GT-1.high', x'00ff')")
    edit(copy, "INSERT INTO checkpoint VALUES(1, 7, 8, x'00ff')")
    edit(copy, "UPDATE journal SET at = at + 1 WHERE sequence = 14")
    done = salvage(copy, NOW)
    assert done is not None
    assert {" ".join(each.split()[:4]) for each in done.why} >= {"a record of alarms", "a record of checkpoint"}
    assert (recovered(copy).alarms, recovered(copy).checkpoint) == ({}, None)


async def test_closed_years_stay_and_the_chain_goes_on_from_them(tmp_path: Path) -> None:
    await lived(tmp_path / NAME, THREE_YEARS)
    await Life(tmp_path, NOW).run()
    async with running(tmp_path / NAME, sealer()) as journal:
        await journal.commit(Entry(rows=[row(n, NOW + n) for n in range(101, 113)]))
    edit(tmp_path / NAME, "DELETE FROM alarms")
    edit(tmp_path / NAME, "DELETE FROM meta WHERE name = 'base'")
    edit(tmp_path / NAME, "UPDATE journal SET at = at + 1 WHERE sequence = 108")
    done = salvage(tmp_path / NAME, NOW)
    assert done is not None
    assert (done.kept, done.last, done.cut) == (3 + 7, 107, 5)
    assert looked(tmp_path / NAME).findings == []
    assert len(closed_paths(tmp_path / NAME)) == 3


async def test_a_journal_of_which_nothing_is_left_goes_on_from_the_closed_years(tmp_path: Path) -> None:
    await lived(tmp_path / NAME, THREE_YEARS)
    await Life(tmp_path, NOW).run()
    (tmp_path / NAME).write_bytes(b"no database" * 1000)
    done = salvage(tmp_path / NAME, NOW)
    assert done is not None
    assert (done.kept, done.last) == (0, 18)
    found = looked(tmp_path / NAME)
    assert {(finding.fault, finding.file) for finding in found.findings} == set()
    assert found.rows == 19


class Killed(Exception):
    """The machine is off."""


@pytest.mark.parametrize("step", range(14))
def test_a_crash_at_any_moment_is_finished_by_the_next_call(step: int, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every change of a name, every deletion and every sync is a moment; the gateway does not start before it is finished."""
    edit(copy, "UPDATE journal SET at = at + 1 WHERE sequence = 14")
    left = [step]

    def mortal(act: Any) -> Any:
        def do(*arguments: Any, **options: Any) -> Any:
            if not left[0]:
                raise Killed
            left[0] -= 1
            return act(*arguments, **options)

        return do

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", mortal(Path.rename))
        patched.setattr(shutil, "rmtree", mortal(shutil.rmtree))
        patched.setattr(files, "sync_folder", mortal(files.sync_folder))
        patched.setattr(journal_salvage, "_sync", mortal(journal_salvage._sync))
        with contextlib.suppress(Killed):
            salvage(copy, NOW)
    if (copy.parent / STAGING).exists():
        with pytest.raises(Permanent, match="let `hazgate journal salvage` finish it"):
            refuse_unfit(copy.parent)
    salvage(copy, NOW + 10**9)
    assert not (copy.parent / STAGING).exists()
    assert len(list(copy.parent.glob("journal.damaged-*"))) == 1
    report = looked(copy)
    assert (report.findings, report.rows) == ([], 14)
    assert len(recovered(copy).outgoing) == 29


def test_the_crashes_above_are_all_there_are(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(copy, "UPDATE journal SET at = at + 1 WHERE sequence = 14")
    seen: list[str] = []

    def counted(name: str, act: Any) -> Any:
        def do(*arguments: Any, **options: Any) -> Any:
            seen.append(name)
            return act(*arguments, **options)

        return do

    monkeypatch.setattr(Path, "rename", counted("rename", Path.rename))
    monkeypatch.setattr(shutil, "rmtree", counted("rmtree", shutil.rmtree))
    monkeypatch.setattr(files, "sync_folder", counted("folder", files.sync_folder))
    monkeypatch.setattr(journal_salvage, "_sync", counted("sync", journal_salvage._sync))
    salvage(copy, NOW)
    assert len(seen) == 14, seen


def test_a_file_that_is_locked_or_of_another_version_is_not_taken_for_damaged(copy: Path) -> None:
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as db:
        db.execute("PRAGMA user_version=99")
        with pytest.raises(Permanent, match="is left as it is"):
            salvage(copy, NOW)
        db.execute("PRAGMA user_version=2")
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Transient, match="locked"):
            salvage(copy, NOW)
    copy.unlink()
    with pytest.raises(HazgateError, match="cannot read"):
        salvage(copy, NOW)
    assert list(copy.parent.iterdir()) == []
