"""A data directory that a gateway must not begin on."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.journal_salvage import STAGING
from alerts.ports import Permanent
from gateway.backup import RESTORING, refuse_unfit


@pytest.mark.parametrize(
    "there", [("spool.db",), ("journal/2026.db",), ("spool.db", "journal.db"), (f"{RESTORING}/x", "journal.db"), (f"{STAGING}/x", "journal.db")]
)
def test_a_directory_whose_journal_is_gone_or_half_there_is_refused(there: tuple[str, ...], tmp_path: Path) -> None:
    for name in there:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(Permanent, match=r"is gone; put it back from a backup|broke off; (empty it|let `hazgate journal salvage`)"):
        refuse_unfit(tmp_path)


@pytest.mark.parametrize("there", [{}, {"journal.db": "x"}, {"journal.db": "x", "spool.db": "x", "journal/2026.db": "x"}])
def test_a_new_one_and_one_with_its_journal_are_taken(there: dict[str, str], tmp_path: Path) -> None:
    for name, content in there.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    refuse_unfit(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.db")) == sorted(there)
