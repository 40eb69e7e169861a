"""Heads are signed on a quiet site too, and while there is still somebody to give them to."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.journals import NAME, row, running, sealer
from support.wait import eventually

from adapters.codecs.chain import read_head
from adapters.journal import Entry
from gateway import heads as heads_module
from gateway.heads import Heads


async def test_a_few_rows_are_signed_after_a_while_and_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads_module, "EVERY", 0.01)
    announced: list[str] = []
    async with running(tmp_path / NAME, sealer()) as journal:
        heads = Heads(journal, lambda: announced.append(heads.given))
        assert heads.given == ""
        await heads.start()
        await journal.commit(Entry(rows=[row(1)]))
        await eventually(lambda: announced, within=15)
        await heads.stop()
    assert [read_head(text).sequence for text in announced] == [1], "nothing new, nothing signed"


async def test_a_stop_signs_what_came_last_before_anybody_is_gone(tmp_path: Path) -> None:
    announced: list[str] = []
    async with running(tmp_path / NAME, sealer()) as journal:
        heads = Heads(journal, lambda: announced.append(heads.given))
        await heads.start()
        await journal.commit(Entry(rows=[row(1), row(2)]))
        await heads.stop()
        assert [read_head(text).sequence for text in announced] == [2]
