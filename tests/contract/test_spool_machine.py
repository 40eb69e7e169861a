"""The spool as a state machine: whatever comes in whatever order, crashes and full disks between any two steps, and every reading is accounted for."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.recording import readings
from support.sites import T0, register, sensor

from adapters.codecs.frames import Names
from adapters.spool import Spool
from adapters.spool_file import Report
from adapters.spool_reader import SpoolReader
from adapters.spool_thin import Thinning
from alerts.alarm import Quarantine
from alerts.balance import Counts
from alerts.evidence import OPEN, Evidence
from alerts.ports import Aside

EVIDENCE = Evidence([("north", "GT-1", 0, OPEN)])
"""GT-1 is in alarm all the time, GT-2 never."""
ASIDE = Aside("hazgate/v1/north/rtu-1/readings", Quarantine.UNREADABLE, "not JSON", b"?", 1, T0)


class Clock:
    """Stands still."""

    def now(self) -> int:
        """`T0`."""
        return T0


class CrashError(Exception):
    """The process ends here."""


class Machine(RuleBasedStateMachine):
    """One spool, and what a gateway and a recorder do with it.

    Each reading has a value of its own. The model knows which were let go (the broker was answered), which the store has,
    and which were judged; the rest is read from the files. A crash opens a copy of the files as they are at that moment.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.numbers = itertools.count(1)
        self.tokens = itertools.count(1)
        self.copies = itertools.count(1)
        self.folder = Path(tempfile.mkdtemp())
        self.sent: dict[int, list[int]] = {}
        self.let_go: set[int] = set()
        self.stored: set[int] = set()
        self.judged = 0
        self.told: list[tuple[int, int]] = []

    @initialize()
    def fresh(self) -> None:
        """An empty spool."""
        self.open(self.folder / "0.db")

    def open(self, path: Path) -> None:
        """As a gateway that starts."""
        self.spool = Spool.open(path, register(sensor("GT-1"), sensor("GT-2")), Clock())
        self.spool.on_committed = self.committed
        self.spool.release(self.judged)

    def committed(self, tokens: Sequence[int]) -> None:
        """The broker is answered, and a checkpoint of all that was sealed may be written."""
        assert self.spool._next == self.spool.file.totals.next, "all of it is on the disk"
        self.let_go.update(tokens)

    def teardown(self) -> None:
        """Give it up."""
        if hasattr(self, "spool"):
            self.spool.writer.close()
        self.loop.close()
        shutil.rmtree(self.folder)

    def turn(self) -> bool:
        """One step of the spool's own task."""
        return self.loop.run_until_complete(self.spool._turn())

    def frames(self) -> dict[int, list[int]]:
        """By frame, the values it holds."""
        return {frame.number: [round(value) for value in frame.readings.value.tolist()] for frame in self.spool.frames_after(0)}

    @rule(evidence=st.integers(0, 4), telemetry=st.integers(0, 300), aside=st.integers(0, 2), duplicate=st.integers(0, 2))
    def message(self, evidence: int, telemetry: int, aside: int, duplicate: int) -> None:
        """A message comes in."""
        values = [next(self.numbers) for _ in range(evidence + telemetry)]
        token = next(self.tokens)
        self.sent[token] = values
        given = readings(*((int(n >= evidence), value, value) for n, value in enumerate(values))) if values else None
        self.spool.append(given, [ASIDE] * aside, [token], Counts(len(values) + aside + duplicate, duplicate))

    @rule(times=st.integers(1, 3))
    def commit(self, times: int) -> None:
        """The spool works."""
        for _ in range(times):
            self.turn()

    @rule()
    def the_disk_is_full(self) -> None:
        """From now on the file may not grow."""
        pages = self.spool.file._db.execute("PRAGMA page_count").fetchone()[0]
        self.spool.file._db.execute(f"PRAGMA max_page_count={pages}")

    @rule()
    def the_disk_has_room(self) -> None:
        """It may again."""
        self.spool.file._db.execute("PRAGMA max_page_count=1000000")

    @rule(behind=st.integers(0, 3))
    def a_checkpoint_is_written(self, behind: int) -> None:
        """What it covers has been judged."""
        self.judged = max(self.judged, self.spool._totals.next - 1 - behind)
        self.spool.release(self.judged)

    @rule(share=st.sampled_from([0.0, 0.3, 0.9]), behind=st.integers(0, 3), times=st.integers(0, 3))
    def the_limit_is_passed(self, share: float, behind: int, times: int) -> None:
        """Some of what is judged has to go."""
        self.a_checkpoint_is_written(behind)
        self.spool.thin(Thinning(round(self.spool.file.filled * share), self.spool.stored_through, self.spool.covered, EVIDENCE))
        self.commit(times)

    @rule(data=st.data(), behind=st.integers(0, 1), full=st.booleans(), thinned=st.booleans())
    def the_recorder_works(self, data: Any, behind: int, full: bool, thinned: bool) -> None:
        """It takes frames in hand, writes them as they were whatever is given up meanwhile, and reports, perhaps while the disk is full."""
        after, through = self.spool.stored_through, self.spool._totals.next - 1 - behind
        if through <= after:
            return
        held = [value for number, values in self.frames().items() if after < number <= through for value in values]
        if thinned:
            self.the_limit_is_passed(0.0, behind, 2)
        if full:
            self.message(1, 300, 0, 0)
            self.the_disk_is_full()
        duplicate = data.draw(st.integers(0, len(held)))
        refused = data.draw(st.integers(0, min(3, len(held) - duplicate)))
        self.stored.update(held)
        self.spool.stored(Report(after, through, len(held), len(held) - duplicate - refused, duplicate, (ASIDE,) * refused))
        self.turn()

    @rule()
    def losses_are_told(self) -> None:
        """The gateway closes a round, and has the one before in its journal."""
        through = self.spool.file.totals.round - 1
        already = max((number for number, _ in self.told), default=0)
        reader = SpoolReader(self.spool.file.path, Names().find)
        self.told.append((through, sum(each.rows for each in reader.lost(already, through))))
        reader.close()
        self.spool.told(through)
        self.spool.next_round()

    @rule()
    def crash(self) -> None:
        """The process is gone; its files are not."""
        self.reopen(self.copied())

    @precondition(lambda self: self.spool._busy())
    @rule(before=st.booleans())
    def crash_around_a_commit(self, before: bool) -> None:
        """It ends just before the commit, or when it is on the disk and nobody has heard of it."""
        real = self.spool.file.commit

        def commit(*given: Any) -> Any:
            if not before:
                real(*given)
            raise CrashError

        self.spool.file.commit = commit  # type: ignore[method-assign, assignment]  # the place of the crash
        try:
            self.turn()
        except CrashError:
            self.reopen(self.copied())
        else:  # a full disk was quicker
            self.spool.file.commit = real  # type: ignore[method-assign]  # as above

    def copied(self) -> Path:
        """The files as they are, elsewhere."""
        old = self.spool.file.path
        new = self.folder / f"{next(self.copies)}.db"
        for suffix in ("", "-wal"):
            if old.with_name(old.name + suffix).exists():
                shutil.copy(old.with_name(old.name + suffix), new.with_name(new.name + suffix))
        return new

    def reopen(self, path: Path) -> None:
        """Begin anew with these files. What was not let go is the broker's to send again."""
        self.spool.writer.close()
        self.open(path)

    @invariant()
    def every_reading_is_accounted_for(self) -> None:
        """At every moment."""
        if not hasattr(self, "spool"):
            return
        spool, frames, balance = self.spool, self.frames(), self.spool.balance()
        assert balance.closes, balance
        assert balance.spooled == sum(len(values) for number, values in frames.items() if number > spool._totals.through)
        assert spool._chores.reports or spool._totals.through == spool.stored_through
        held = {value for values in frames.values() for value in values}
        gone = {value for token in self.let_go for value in self.sent[token]} - held - self.stored
        assert len(gone) <= balance.dropped, "what was let go is there, or counted as given up"
        assert self.noted() >= spool._totals.dropped, "and named, but for what the store got in the end"
        self.what_is_not_judged_is_whole({number: values for number, values in frames.items() if number > self.judged})

    def noted(self) -> int:
        """Readings that were named as given up."""
        reader = SpoolReader(self.spool.file.path, Names().find)
        noted = sum(each.rows for each in reader.lost(max((number for number, _ in self.told), default=0), 2**40))
        reader.close()
        return noted + sum(rows for _, rows in self.told)

    def what_is_not_judged_is_whole(self, frames: dict[int, list[int]]) -> None:
        """Frames beyond the checkpoint have all their readings: they would be judged again."""
        assert list(frames) == list(range(self.judged + 1, self.spool._totals.next))
        found = [value for values in frames.values() for value in values]
        promised = {value for token in self.let_go for value in self.sent[token]}
        assert set(found) >= {value for value in promised if found and value >= found[0]}


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
