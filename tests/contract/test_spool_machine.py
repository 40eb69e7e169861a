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
        self.spool.on_committed = self.let_go.update
        self.spool.release(self.judged)

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

    @rule(rows=st.integers(0, 4), many=st.integers(0, 300), aside=st.integers(0, 2), duplicate=st.integers(0, 2))
    def message(self, rows: int, many: int, aside: int, duplicate: int) -> None:
        """A message of evidence and telemetry comes in."""
        values = [next(self.numbers) for _ in range(rows + many)]
        token = next(self.tokens)
        self.sent[token] = values
        given = readings(*((int(n >= rows), value, value) for n, value in enumerate(values))) if values else None
        self.spool.append(given, [ASIDE] * aside, [token], Counts(rows + many + aside + duplicate, duplicate))

    @rule()
    def commit(self) -> None:
        """The spool works."""
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

    @precondition(lambda self: self.spool._totals.next - 1 > self.spool.stored_through)
    @rule(data=st.data())
    def the_recorder_reports(self, data: Any) -> None:
        """It has written some frames, as they are now or as they were before some of it was given up."""
        after = self.spool.stored_through
        through = data.draw(st.integers(after + 1, self.spool._totals.next - 1))
        held = [value for number, values in self.frames().items() if after < number <= through for value in values]
        duplicate = data.draw(st.integers(0, len(held)))
        refused = data.draw(st.integers(0, min(3, len(held) - duplicate)))
        self.stored.update(held)
        self.spool.stored(Report(after, through, len(held), len(held) - duplicate - refused, duplicate, (ASIDE,) * refused))

    @rule(data=st.data())
    def a_checkpoint_is_written(self, data: Any) -> None:
        """What it covers has been judged."""
        self.judged = max(self.judged, data.draw(st.integers(0, self.spool._totals.next - 1)))
        self.spool.release(self.judged)

    @rule(share=st.sampled_from([0.0, 0.3, 0.9]))
    def the_limit_is_passed(self, share: float) -> None:
        """Some of it has to go."""
        self.spool.thin(Thinning(round(self.spool.file.filled * share), self.spool.stored_through, self.spool.covered, EVIDENCE))

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

        self.spool.file.commit = commit  # type: ignore[method-assign]  # the place of the crash
        try:
            self.turn()
        except CrashError:
            self.reopen(self.copied())

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
    def the_balance_closes(self) -> None:
        """At every moment."""
        if hasattr(self, "spool"):
            balance = self.spool.balance()
            assert balance.closes, balance

    @invariant()
    def what_was_let_go_is_there_or_counted_as_given_up(self) -> None:
        """Of every message for which the broker was answered."""
        if not hasattr(self, "spool"):
            return
        held = {value for values in self.frames().values() for value in values}
        gone = [value for token in self.let_go for value in self.sent[token] if value not in held and value not in self.stored]
        assert len(gone) <= self.spool.balance().dropped

    @invariant()
    def losses_are_named_as_they_are_counted(self) -> None:
        """What is noted and what has been told are all that was given up, but for what the store got in the end."""
        if hasattr(self, "spool"):
            reader = SpoolReader(self.spool.file.path, Names().find)
            noted = sum(each.rows for each in reader.lost(max((number for number, _ in self.told), default=0), 2**40))
            reader.close()
            assert noted + sum(rows for _, rows in self.told) >= self.spool._totals.dropped

    @invariant()
    def what_is_not_judged_is_whole(self) -> None:
        """A frame beyond the checkpoint has all its readings: it would be judged again."""
        if not hasattr(self, "spool"):
            return
        frames: dict[int, Sequence[int]] = {number: values for number, values in self.frames().items() if number > self.judged}
        found = [value for values in frames.values() for value in values]
        assert found == sorted(found)
        if found:
            assert set(found) >= {value for values in self.sent.values() for value in values if found[0] <= value <= found[-1]} - self.lost_with_a_crash()

    def lost_with_a_crash(self) -> set[int]:
        """Readings that were never let go: nobody promised anything about them."""
        return {value for token, values in self.sent.items() if token not in self.let_go for value in values}

    @invariant()
    def what_the_store_has_not_confirmed_is_counted_as_spooled(self) -> None:
        """And evidence went only where no telemetry was left."""
        if not hasattr(self, "spool"):
            return
        held = [values for number, values in self.frames().items() if number > self.spool._totals.through]
        assert self.spool.balance().spooled == sum(map(len, held))


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
