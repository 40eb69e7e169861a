"""Journals of three years, and one run after another of a gateway that closes them."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest
from support.apps import gateway_file
from support.journals import NAME, Hand, crashed, row, running, sealer, seen

from adapters import journal_closing, journal_tail
from adapters.codecs.chain import Note, link
from adapters.journal import Entry, Journal, Row
from adapters.journal_files import Kept, closed_paths, open_closed, open_live
from adapters.signing import Sealer
from alerts.command import Numbers
from alerts.reading import SECOND
from gateway.settings import Gateway
from gateway.years import Years

DAY = 86_400 * SECOND
YEAR = 365 * DAY
PER_YEAR = 6


def moment(year: int, month: int = 1, day: int = 1) -> int:
    """UTC midnight, ns."""
    return int(dt.datetime(year, month, day, tzinfo=dt.UTC).timestamp()) * SECOND


NOW = moment(2027, 1, 3)
THREE_YEARS = [row(n, moment(2024 + (n - 1) // PER_YEAR, 1 + (n - 1) % PER_YEAR * 2, 5)) for n in range(1, 3 * PER_YEAR + 1)]


@contextlib.contextmanager
def small_steps() -> Iterator[None]:
    """A few rows take several steps."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(journal_closing, "AT_ONCE", 4)
        patched.setattr(journal_tail, "PRUNED_AT_ONCE", 4)
        patched.setattr(journal_tail, "SEALED_EVERY", 5)
        yield


async def lived(path: Path, given: Sequence[Row], *, through: int | None = 1000, by: Sealer | None = None) -> None:
    """A journal that has these rows, and a checkpoint of detection that was taken after row `through`."""
    async with running(path, by or sealer()) as journal:
        await journal.commit(Entry(rows=list(given)))
        await journal.commit(Entry(alarms={("north", "GT-1.high"): b"record"}, checkpoint=None if through is None else (7, NOW, seen(through))))


class Life:
    """One run of a gateway on the folder, as far as the journal is concerned."""

    def __init__(self, folder: Path, now: int, keep: int = 3 * YEAR, by: Sealer | None = None) -> None:
        self.journal = Journal(folder / NAME, by or sealer())
        recovered = self.journal.recover()
        settings = Gateway.model_validate(gateway_file() | {"data_dir": folder, "keep": {"alarms": keep}})
        self.folder = folder
        self.numbers = Numbers(recovered.last)
        self.years = Years(settings, self.journal, by or sealer(Hand(now)), self.numbers, recovered.meta)
        self.now = now

    async def run(self, pause: Callable[[str], Awaitable[None]] | None = None) -> list[str]:
        """Do what is due; what was done. `pause` is called after each step."""
        done: list[str] = []

        async def note(step: str) -> None:
            done.append(step)
            if pause is not None:
                await pause(step)

        await self.journal.start()
        try:
            await self.years.tend(self.now, note)
        finally:
            await self.journal.stop()
        return done

    async def until_killed(self, steps: int, to: Path) -> list[str]:
        """The same, killed after so many steps: what is on the disk then is in the folder `to`."""
        left = [steps]

        async def kill(_step: str) -> None:
            left[0] -= 1
            if not left[0]:
                crashed(self.folder, to)
                raise Killed

        with contextlib.suppress(Killed):
            return await self.run(kill)
        return []


class Killed(Exception):
    """The gateway is gone."""


def kept(folder: Path) -> list[Kept]:
    """Every row of every file, as they stand there: what stands in two is here twice."""
    found: list[Kept] = []
    for path in closed_paths(folder / NAME):
        with contextlib.closing(open_closed(path)) as closed:
            found += closed.rows()
    with contextlib.closing(open_live(folder / NAME)) as live:
        return [*found, *live.rows()]


def events(found: Sequence[Kept]) -> list[int]:
    """Numbers of what is no note of the journal's own."""
    return [each.sequence for each in found if each.site]


def chained(found: Sequence[Kept]) -> bool:
    """Whether each follows the one before it, from the beginning."""
    reached = b""
    for each in found:
        reached = link(reached, each[:-1])
        if reached != each.hash:
            return False
    return True


def notes(folder: Path, note: Note) -> list[dict[str, object]]:
    """What the journal noted of that kind."""
    return [json.loads(each.body) for each in kept(folder) if each.event == note]
