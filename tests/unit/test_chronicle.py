"""Copying alarm events to the store: each new one once, again after a failure or a restart, and never at the expense of readings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from support.recording import MemoryStore, names
from support.sites import T0

from adapters.journal import Entry, Journal, Row
from alerts.ports import AlarmEvent, Transient
from alerts.reading import SECOND
from gateway.chronicle import AGAIN, JOURNAL, Chronicle


class Shelf(MemoryStore):
    """A store in memory that keeps events, or fails."""

    def __init__(self, newest: int = 0) -> None:
        super().__init__("spool-1", names("GT-1"), {})
        self.newest = newest
        self.got: list[int] = []
        self.away = False

    def write_events(self, events: Sequence[AlarmEvent]) -> None:
        """Remember their sequences."""
        if self.away:
            raise Transient("nobody takes the connection")
        self.got += [event.sequence for event in events]

    def last_event(self) -> int:
        """As told."""
        return self.newest


@pytest.fixture
async def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / JOURNAL)
    await made.start()
    return made


async def journaled(journal: Journal, *sequences: int, at: int = T0) -> None:
    await journal.commit(Entry(rows=[Row(n, "north", "GT-1.high", "raise", at, at + n * SECOND, None, b"{}") for n in sequences]))


async def test_each_new_event_is_handed_over_once(journal: Journal, tmp_path: Path) -> None:
    shelf = Shelf()
    chronicle = Chronicle(tmp_path, shelf)
    await journaled(journal, 1, 2)
    chronicle.copy()
    chronicle.copy()
    await journaled(journal, 3)
    chronicle.copy()
    await journal.stop()
    assert shelf.got == [1, 2, 3]


async def test_what_a_store_that_was_away_missed_comes_later_and_is_complained_of_once(
    journal: Journal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf()
    chronicle = Chronicle(tmp_path, shelf)
    shelf.away = True
    for sequence in (1, 2):
        await journaled(journal, sequence)
        chronicle.copy()
    shelf.away = False
    chronicle.copy()
    await journal.stop()
    assert shelf.got == [1, 2]
    assert caplog.text.count("not copied to the store") == 1


async def test_after_a_restart_a_day_is_handed_over_again(journal: Journal, tmp_path: Path) -> None:
    await journaled(journal, 1, at=T0)
    await journaled(journal, 2, at=T0 + AGAIN)
    shelf = Shelf(newest=T0 + AGAIN + 2 * SECOND)
    Chronicle(tmp_path, shelf).copy()
    await journal.stop()
    assert shelf.got == [2]


async def test_a_store_without_events_and_a_directory_without_a_journal_are_left_alone(journal: Journal, tmp_path: Path) -> None:
    Chronicle(tmp_path, MemoryStore("spool-1", names("GT-1"), {})).copy()
    shelf = Shelf()
    Chronicle(tmp_path / "nowhere", shelf).copy()
    await journal.stop()
    assert shelf.got == []
