"""A year of the journal that is over becomes a file of its own; whatever breaks off in between, every row is there once."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.journals import KEY, NAME, Hand, row, running, sealer, seen
from support.sites import sensor, site
from support.years import NOW, PER_YEAR, THREE_YEARS, YEAR, Life, chained, events, kept, lived, moment, notes, small_steps

from adapters import journal_closing, snapshot
from adapters.codecs.chain import Note, read_statement
from adapters.journal import Entry, Row
from adapters.journal_files import closed_paths, open_closed, open_live, rows, statement_of
from adapters.signing import Key, verified
from adapters.spool import Spool
from alerts.ports import Permanent
from alerts.register import Register
from gateway.backup import back_up, restore


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with small_steps():
        yield


async def test_years_that_are_over_are_closed_signed_and_gone_from_the_live_file(tmp_path: Path) -> None:
    await lived(tmp_path / NAME, THREE_YEARS)
    done = await Life(tmp_path, NOW).run()
    assert {"copied", "finished", "checked", "settled", "noted", "deleted"} == set(done)
    paths = closed_paths(tmp_path / NAME)
    assert [path.name for path in paths] == ["2024.db", "2025.db", "2026.db"]
    found = kept(tmp_path)
    assert chained(found)
    assert events(found) == [each.sequence for each in THREE_YEARS]
    for number, path in enumerate(paths):
        with contextlib.closing(open_closed(path)) as closed:
            said = read_statement(closed.said)
            assert (said.first, said.last, said.rows) == (number * 6 + 1, number * 6 + 6, 6)
            assert verified(KEY.public, closed.said.encode(), closed.signature)
            assert [head.sequence for head in closed.heads()] == [n for n in (5, 10, 15, 18) if said.first <= n <= said.last]
        assert not path.stat().st_mode & 0o222
        assert notes(tmp_path, Note.CLOSED)[number]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    with contextlib.closing(open_live(tmp_path / NAME)) as live:
        assert {each.event for each in live.rows()} == {Note.CLOSED}
        assert live.before.hash == statement_of(paths[-1]).head
    again = Life(tmp_path, NOW)
    assert again.journal.recover().alarms == {("north", "GT-1.high"): b"record"}, "what stands stays where a start looks for it"
    assert await again.run() == [], "and then there is nothing to do"


def assert_whole(folder: Path, wanted: Sequence[Row]) -> None:
    """Every row is there once, in one chain, and every file is noted once."""
    found = kept(folder)
    assert chained(found)
    assert events(found) == [each.sequence for each in wanted]
    names = [path.stem for path in closed_paths(folder / NAME)]
    assert [said["name"] for said in notes(folder, Note.CLOSED)] == names
    assert list((folder / "journal").glob(".*")) == []


@pytest.mark.parametrize("steps", range(1, 34))
async def test_a_crash_after_any_step_loses_and_doubles_nothing(steps: int, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    await lived(tmp_path / "a" / NAME, THREE_YEARS)
    await Life(tmp_path / "a", NOW).until_killed(steps, tmp_path / "b")
    wanted = [each.sequence for each in THREE_YEARS]
    assert sorted(set(events(kept(tmp_path / "b")))) == wanted
    assert [each.sequence for each in rows(tmp_path / "b" / NAME, 0, 2**62)] == wanted, "it is also read as one while it is half done"
    await Life(tmp_path / "b", NOW).run()
    assert_whole(tmp_path / "b", THREE_YEARS)
    assert [path.name for path in closed_paths(tmp_path / "b" / NAME)] == ["2024.db", "2025.db", "2026.db"]


async def test_the_crashes_above_are_all_there_are(tmp_path: Path) -> None:
    await lived(tmp_path / NAME, THREE_YEARS)
    assert len(await Life(tmp_path, NOW).run()) == 33


@settings(max_examples=15)
@given(crashes=st.lists(st.integers(1, 20), max_size=8))
def test_one_crash_after_another_loses_and_doubles_nothing(crashes: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("crashes")

    async def live() -> Path:
        at = folder / "0"
        at.mkdir()
        await lived(at / NAME, THREE_YEARS)
        for number, steps in enumerate(crashes, 1):
            await Life(at, NOW).until_killed(steps, folder / str(number))
            if not (folder / str(number)).exists():
                break  # it had nothing left to do
            at = folder / str(number)
        await Life(at, NOW).run()
        return at

    assert_whole(asyncio.run(live()), THREE_YEARS)


async def test_readers_see_the_journal_as_one_while_rows_are_deleted(tmp_path: Path) -> None:
    await lived(tmp_path / NAME, THREE_YEARS)
    seen: list[int] = []

    async def look(_step: str) -> None:
        seen.append(len(list(rows(tmp_path / NAME, moment(2025), moment(2026, 7)))))

    await Life(tmp_path, NOW).run(look)
    assert set(seen) == {PER_YEAR + 3}


async def test_commits_go_on_between_any_two_steps(tmp_path: Path) -> None:
    await lived(tmp_path / NAME, THREE_YEARS)
    life = Life(tmp_path, NOW)
    added: list[Row] = []

    async def commit(_step: str) -> None:
        added.append(row(life.numbers.take(), NOW))
        await life.journal.commit(Entry(rows=[added[-1]]))

    await life.run(commit)
    assert_whole(tmp_path, [*THREE_YEARS, *added])


@pytest.mark.parametrize(
    ("now", "through"),
    [
        pytest.param(moment(2024, 12, 31), PER_YEAR, id="the year is not over"),
        pytest.param(moment(2025, 1, 2) - 1, PER_YEAR, id="it has been over for less than a day"),
        pytest.param(moment(2025, 1, 5), PER_YEAR - 1, id="a restart would ask for its last row"),
        pytest.param(moment(2025, 1, 5), None, id="there is no checkpoint"),
    ],
)
async def test_a_year_stays_where_it_is_while(now: int, through: int | None, tmp_path: Path) -> None:
    await lived(tmp_path / NAME, THREE_YEARS[:PER_YEAR], through=through)
    assert await Life(tmp_path, now).run() == []


async def test_a_year_is_closed_although_nothing_has_happened_since(tmp_path: Path) -> None:
    await lived(tmp_path / NAME, THREE_YEARS[:PER_YEAR])
    await Life(tmp_path, moment(2025, 1, 2)).run()
    assert [path.name for path in closed_paths(tmp_path / NAME)] == ["2024.db"]
    assert_whole(tmp_path, THREE_YEARS[:PER_YEAR])


async def test_rows_of_a_clock_gone_wrong_go_with_those_around_them(tmp_path: Path) -> None:
    """One row says 2031 and one 1970, both in the middle of 2025."""
    wrong = [*THREE_YEARS[:9], row(10, moment(2031)), row(11, 5), *THREE_YEARS[11:]]
    await lived(tmp_path / NAME, wrong)
    assert await Life(tmp_path, moment(2025, 12, 30)).run() != []
    await Life(tmp_path, NOW).run()
    assert_whole(tmp_path, wrong)
    found = [(path.name, statement_of(path).first) for path in closed_paths(tmp_path / NAME)]
    assert found == [("2024.db", 1), ("2025.db", 7), ("2026.db", 13)]


async def test_a_clock_that_was_years_ahead_makes_two_files_of_a_year_and_loses_nothing(tmp_path: Path) -> None:
    await lived(tmp_path / NAME, THREE_YEARS[:3])
    await Life(tmp_path, moment(2031), keep=9 * YEAR).run()
    async with running(tmp_path / NAME, sealer()) as journal:
        await journal.commit(Entry(rows=[row(10, moment(2024, 8)), row(11, moment(2025, 1))], checkpoint=(9, NOW, seen(11))))
    await Life(tmp_path, moment(2025, 2)).run()
    assert [path.name for path in closed_paths(tmp_path / NAME)] == ["2024.db", "2024-2.db"]
    assert_whole(tmp_path, [*THREE_YEARS[:3], row(10), row(11)])


async def test_damage_is_not_closed_into_a_file_and_nothing_is_deleted(tmp_path: Path) -> None:
    await lived(tmp_path / NAME, THREE_YEARS)
    with contextlib.closing(sqlite3.connect(tmp_path / NAME)) as db:
        db.execute("UPDATE journal SET alarm = 'GT-2.high' WHERE sequence = 5")
        db.commit()
    with pytest.raises(Permanent, match="row 5 does not follow the one before it; let `hazgate journal salvage`"):
        await Life(tmp_path, NOW).run()
    assert closed_paths(tmp_path / NAME) == []
    assert events(kept(tmp_path)) == [each.sequence for each in THREE_YEARS]


@pytest.mark.parametrize("spoilt", ["row", "statement", "key"])
async def test_nothing_is_deleted_for_a_closed_file_that_does_not_hold(spoilt: str, tmp_path: Path) -> None:
    """It was closed, the gateway was killed before it deleted, and then somebody was at the file."""
    (tmp_path / "a").mkdir()
    await lived(tmp_path / "a" / NAME, THREE_YEARS[:PER_YEAR])
    steps = (await Life(shutil.copytree(tmp_path / "a", tmp_path / "c"), NOW).run()).index("settled") + 1
    await Life(tmp_path / "a", NOW).until_killed(steps, tmp_path / "b")
    [path] = closed_paths(tmp_path / "b" / NAME)
    path.chmod(0o640)
    with contextlib.closing(sqlite3.connect(path)) as db:
        if spoilt == "row":
            db.execute("UPDATE journal SET at = at + 1 WHERE sequence = 2")
        if spoilt == "statement":
            db.execute("UPDATE archive SET statement = replace(statement, '\"rows\": 6', '\"rows\": 5')")
        db.commit()
    by = sealer(key=Key(b"other".ljust(32))) if spoilt == "key" else None
    with pytest.raises(Permanent, match=r"2024\.db (is damaged|was not signed with this gateway's key)"):
        await Life(tmp_path / "b", NOW, by=by).run()
    with contextlib.closing(open_live(tmp_path / "b" / NAME)) as live:
        assert [each.sequence for each in live.rows()] == [each.sequence for each in THREE_YEARS[:PER_YEAR]]


async def test_files_that_were_kept_long_enough_go_one_at_a_time_and_the_journal_says_so(tmp_path: Path) -> None:
    await lived(tmp_path / NAME, THREE_YEARS)
    await Life(tmp_path, NOW).run()
    later = moment(2028, 1, 1)
    assert await Life(tmp_path, later, keep=3 * YEAR).run() == ["noted", "forgotten"]
    assert [path.name for path in closed_paths(tmp_path / NAME)] == ["2025.db", "2026.db"]
    assert [said["file"] for said in notes(tmp_path, Note.FORGOTTEN)] == ["journal/2024.db"]
    assert await Life(tmp_path, later, keep=3 * YEAR).run() == [], "the others are younger"


async def test_a_clock_that_is_years_ahead_takes_no_more_than_one_file_a_day_and_none_in_the_first_hour(tmp_path: Path) -> None:
    await lived(tmp_path / NAME, THREE_YEARS, through=18)
    await Life(tmp_path, NOW).run()
    life = Life(tmp_path, moment(2040))
    await life.journal.start()
    await life.years.tend(life.now, ignore)
    await life.years.tend(life.now, ignore)
    assert len(closed_paths(tmp_path / NAME)) == 2
    await life.years.start()
    await life.years.stop()
    life.years._forget_at = max(life.years._forget_at, asyncio.get_running_loop().time() + 3_000)
    await life.years.tend(life.now, ignore)
    await life.journal.stop()
    assert len(closed_paths(tmp_path / NAME)) == 2


async def ignore(_step: str) -> None:
    """Go on."""


@pytest.mark.parametrize("steps", [1, 2])
async def test_a_crash_while_a_file_is_given_up_notes_it_once(steps: int, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    await lived(tmp_path / "a" / NAME, THREE_YEARS)
    await Life(tmp_path / "a", NOW).run()
    await Life(tmp_path / "a", moment(2028), keep=3 * YEAR).until_killed(steps, tmp_path / "b")
    await Life(tmp_path / "b", moment(2028), keep=3 * YEAR).run()
    assert [path.name for path in closed_paths(tmp_path / "b" / NAME)] == ["2025.db", "2026.db"]
    assert [said["name"] for said in notes(tmp_path / "b", Note.FORGOTTEN)] == ["2024"]


@pytest.mark.parametrize("steps", [0, 7, 12, 33])
async def test_a_backup_at_any_time_holds_every_row_and_a_restored_gateway_uses_no_number_again(steps: int, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    await lived(tmp_path / "a" / NAME, THREE_YEARS)
    if steps:
        await Life(tmp_path / "a", NOW).until_killed(steps, tmp_path / "b")
    data = tmp_path / ("b" if steps else "a")
    spool = Spool.open(data / "spool.db", Register([site(sensor("GT-1"))]), Hand())
    await spool.start()
    await spool.stop()
    back_up(data, "north-01", tmp_path / "backup", NOW)
    restore(tmp_path / "backup", tmp_path / "restored", "north-01")
    assert [path.name for path in closed_paths(tmp_path / "restored" / NAME)] == [path.name for path in closed_paths(data / NAME)]
    assert all(not path.stat().st_mode & 0o222 for path in closed_paths(tmp_path / "restored" / NAME))
    life = Life(tmp_path / "restored", NOW)
    assert life.numbers.last >= snapshot.PASSED_OVER
    await life.run()
    assert_whole(tmp_path / "restored", THREE_YEARS)


async def test_a_year_that_is_given_up_while_a_backup_is_made_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copied journal does not say yet that the file goes, so the copy has to hold it."""
    (tmp_path / "a").mkdir()
    await lived(tmp_path / "a" / NAME, THREE_YEARS)
    await Life(tmp_path / "a", NOW).run()
    spool = Spool.open(tmp_path / "a" / "spool.db", Register([site(sensor("GT-1"))]), Hand())
    await spool.start()
    await spool.stop()
    taken = snapshot.take

    def take_then_forget(*paths: Path) -> None:
        taken(*paths)
        journal_closing.forget(tmp_path / "a" / "journal" / "2024.db")

    monkeypatch.setattr(snapshot, "take", take_then_forget)
    back_up(tmp_path / "a", "north-01", tmp_path / "backup", NOW)
    restore(tmp_path / "backup", tmp_path / "restored", "north-01")
    assert_whole(tmp_path / "restored", THREE_YEARS)
