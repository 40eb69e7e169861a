"""What a restart asks of the journal: what was decided since a checkpoint, whatever the clock did in between."""

from __future__ import annotations

from pathlib import Path

from support.sites import T0

from adapters.journal import Decision, Entry, Journal, Row
from alerts.reading import SECOND


async def test_what_was_decided_after_a_row_goes_by_numbers_and_not_by_the_clock(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    await journal.start()
    set_back = T0 - 3600 * SECOND
    rows = [Row(number, "north", "GT-1.high", "raise", T0, at, f"key {number}", b"{}") for number, at in ((7, T0), (9, set_back), (12, set_back + 1))]
    await journal.commit(Entry(rows=[*rows, Row(13, "north", "GT-1.high", "acknowledge", T0, set_back, None, b"{}")]))
    assert journal.decisions_after(7) == [
        Decision("north", "GT-1.high", "raise", T0, "key 9"),
        Decision("north", "GT-1.high", "raise", T0, "key 12"),
        Decision("north", "GT-1.high", "acknowledge", T0, None),
    ]
    assert journal.decisions_after(13) == []
    await journal.stop()
