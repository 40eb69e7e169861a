"""When a checkpoint may be written: never before the frame it covers is on the disk."""

from __future__ import annotations

import asyncio
from pathlib import Path

from support.sites import T0, raw, sensor, site

from adapters.journal import Entry, Journal
from adapters.spool import Spool
from alerts.admit import Admission, Way
from alerts.command import Numbers
from alerts.detect.engine import Engine
from alerts.reading import SECOND
from alerts.register import Register
from gateway.core import Core
from gateway.restart import EVERY, Checkpoints


class Hand:
    """A clock set by hand."""

    def now(self) -> int:
        """Always `T0`."""
        return T0


async def test_a_checkpoint_waits_for_its_frame_and_then_lets_the_spool_forget_it(tmp_path: Path) -> None:
    register = Register([site(sensor("GT-1"))])
    engine, admission = Engine(register, T0), Admission(register)
    core = Core("north", "north-01", register, engine, admission, Numbers(0), {}, {}, {})
    journal, spool = Journal(tmp_path / "journal.db"), Spool.open(tmp_path / "spool.db", register, Hand())
    checkpoints = Checkpoints(core, journal, spool)
    await journal.start()
    admission.admit(("north", "rtu-1"), [raw("GT-1", 5, 1)], T0 + SECOND, Way.LIVE)
    checkpoints.sealed(7, T0 + EVERY)
    await journal.commit(Entry())
    assert journal.recover().checkpoint is None, "its frame may still be lost"
    assert checkpoints.committed() == 7
    await journal.commit(Entry())
    found = journal.recover().checkpoint
    assert found is not None
    assert found[:2] == (7, T0 + EVERY)
    checkpoints.sealed(8, T0 + EVERY + SECOND)
    assert checkpoints.committed() == 8, "the next one is not due, its frame is known all the same"
    await asyncio.wait_for(journal.stop(), 20)
    await spool.start()
    await spool.stop()
