"""What goes when the limit is passed is named in the journal once, whatever ends in between, and people are told in measure."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.recording import readings
from support.sites import T0, sensor, site
from support.wait import eventually

from adapters import journal_files
from adapters.codecs.alarm_json import event_bytes
from adapters.journal import Entry, Journal, Row
from adapters.spool import Spool
from alerts.alarm import Alarm, Condition, Event, EventKind, State, Tier
from alerts.balance import Counts
from alerts.edge import Edge, EdgeKind
from alerts.evidence import AROUND
from alerts.reading import SECOND
from alerts.register import Register
from alerts.site import Site
from gateway import core, losses
from gateway.alarmed import Alarmed
from gateway.config import Config
from gateway.losses import AGAIN, EVERY, FIRST, ROUND, Losses
from gateway.selfwatch import SelfWatch
from gateway.settings import Gateway

NORTH: Site = site(sensor("GT-1"), sensor("GT-2", device="rtu-2"), sensor("GT-3", device="rtu-2"))
REGISTER = Register([NORTH])
LIMIT = 100_000


class Wall:
    """A clock that is set."""

    at = T0

    def now(self) -> int:
        """See `alerts.ports.Clock`."""
        return self.at


class Life:
    """One run of what a gateway needs to keep its spool within the limit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Wall()
        self.journal = Journal(folder / "journal.db")
        recovered = self.journal.recover()
        config = SimpleNamespace(sites=[NORTH], home_site=NORTH, gateway=SimpleNamespace(gateway="gw-1", canary=None))
        self.core = core.build(cast("Config", config), recovered, T0)
        self.spool = Spool.open(folder / "spool.db", self.core.register, self.clock)
        self.edges: list[Edge] = []
        self.watch = SelfWatch("north", "gw-1", self.clock, self.edges.append)
        settings = cast("Gateway", SimpleNamespace(data_dir=folder, spool=SimpleNamespace(limit=LIMIT)))
        self.losses = Losses(settings, self.spool, self.journal, self.core, self.watch, recovered.meta.get(ROUND))
        self.losses._clock = cast("Any", self.clock)

    async def take(self, *numbers: int) -> None:
        """Frames come in and are judged: a reading of GT-1 and 300 of GT-2, of that second."""
        for number in numbers:
            given = readings((0, number, 60.0), *((1, number + n / 1000, 5.0) for n in range(300)))
            last = self.spool.append(given, [], [], Counts(301))
            await eventually(lambda: self.spool.committing_since is None)
            self.spool.release(last)

    async def look(self, after: int = 0) -> None:
        """So much later (ns) somebody looks, and what is ordered is done."""
        self.clock.at += after
        await self.losses.look()
        await eventually(lambda: self.spool.thinning is None)
        self.spool.append(None, [], [], Counts())  # behind it everything asked for so far is done
        await eventually(lambda: self.spool.committing_since is None)
        await self.journal.commit(Entry())

    async def told(self) -> None:
        """What has to go goes, is noticed, and the next telling is due: the round is closed, then journaled."""
        for after in (0, 0, max(FIRST, EVERY), 0):
            await self.look(after)

    def notes(self) -> list[dict[str, Any]]:
        """What the journal names, row by row."""
        found = journal_files.rows(self.folder / "journal.db", 0, 2**62)
        return [json.loads(row.body) for row in found if (row.alarm, row.event) == ("gw-1.record_lost", "comment")]


@contextlib.asynccontextmanager
async def living(folder: Path) -> AsyncIterator[Life]:
    """A run, stopped in order."""
    life = Life(folder)
    await life.spool.start()
    await life.journal.start()
    try:
        yield life
    finally:
        await life.spool.stop()
        await life.journal.stop()


def alarm(name: str, since: float, until: float | None, tier: Tier = Tier.RED) -> Row:
    """A row of the journal: the alarm was active in these seconds after `T0`, or still is."""
    source, _, condition = name.partition(".")
    state = State.ACTIVE_UNACKNOWLEDGED if until is None else State.RETURNED_UNACKNOWLEDGED
    ended = None if until is None else T0 + round(until * SECOND)
    made = Alarm("north", source, Condition(condition), tier, state=state, raised_at=T0 + round(since * SECOND), returned_at=ended, sequence=1, started=1)
    event = Event(EventKind.RAISE if until is None else EventKind.RETURN, made, State.NORMAL, T0, T0)
    return Row(round(since * 1000) + len(name) * 100_000, "north", name, event.kind, T0, T0, None, event_bytes(event, NORTH))


async def test_readings_of_a_sensor_in_alarm_are_kept_as_the_journal_has_it(tmp_path: Path) -> None:
    async with living(tmp_path) as life:
        await life.journal.commit(Entry(rows=[alarm("GT-1.high_high", 0, None)]))
        await life.take(*range(1, 16))
        await life.look()
        assert life.spool.file.filled <= LIMIT
        held = [value for frame in life.spool.frames_after(0) for value in frame.readings.value.tolist()]
        assert held.count(60.0) == 15
        assert life.spool.balance().dropped == 15 * 301 - len(held) > 0
        assert life.spool.balance().closes


async def test_each_round_is_journaled_once_though_the_gateway_ends_before_the_spool_has_heard_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Spool, "told", lambda _spool, _through: None)
    async with living(tmp_path) as life:
        await life.take(*range(1, 26))
        await life.told()
        dropped = life.spool.balance().dropped
        assert sum(note["readings"] for note in life.notes()) == dropped > 0
        assert life.spool.file.losses == dropped
    monkeypatch.undo()
    async with living(tmp_path) as again:
        await again.told()
        assert sum(note["readings"] for note in again.notes()) == dropped
        assert again.spool.file.losses == 0
        await again.take(*range(26, 40))
        await again.told()
        assert sum(note["readings"] for note in again.notes()) == again.spool.balance().dropped > dropped


async def test_every_sensor_is_named_though_a_row_holds_a_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "A_ROW", 1)
    monkeypatch.setattr(losses, "NAMED", 1)
    async with living(tmp_path) as life:
        await life.take(*range(1, 26))
        await life.told()
        named = [(each["site"], each["sensor"]) for note in life.notes() for each in note["lost"]]
        assert named == [("north", "GT-1"), ("north", "GT-2")]
        (edge,) = life.edges
        assert (edge.condition, edge.kind, edge.value) == (Condition.RECORD_LOST, EdgeKind.TRUE, float(life.spool.balance().dropped))
        assert edge.at == T0 + SECOND
        assert edge.members[0].startswith("north/GT-2 2025-11-21T08:00:01.000Z to ")
        assert edge.members[1] == "and 1 more"


async def test_what_goes_on_grows_the_alarm_and_is_told_anew_an_hour_after_it_was_acknowledged(tmp_path: Path) -> None:
    async with living(tmp_path) as life:
        book = life.core.books["north"]
        kinds = []
        for step, number in enumerate(range(1, 80, 8)):
            await life.take(*range(number, number + 8))
            await life.told()
            for edge in life.edges:
                kinds.append((step, str(edge.kind)))
                book.edges([edge], life.clock.at)
            life.edges.clear()
            if step == 3:
                name = "gw-1.record_lost"
                stood = book.alarms()[name]
                assert stood.value == life.spool.balance().dropped
                book._watch.standing.put(replace(stood, state=State.NORMAL))
        first = kinds[0][0]
        assert kinds[: 4 - first] == [(first, "true")] + [(step, "grown") for step in range(first + 1, 4)]
        assert kinds[4 - first :][0][1] == "true"
        assert (kinds[4 - first][0] - first) * EVERY >= AGAIN - EVERY, "not before an hour has passed"


async def test_without_a_covering_checkpoint_one_is_asked_for(tmp_path: Path) -> None:
    async with living(tmp_path) as life:
        asked: list[int] = []
        life.losses.soon = lambda: asked.append(life.clock.at)
        await life.take(*range(1, 26))
        life.spool.covered = 0
        for _ in range(8):
            await life.look(SECOND)
        assert 1 <= len(asked) <= 2
        assert life.spool.balance().dropped == 0, "what is not judged is never given up"


def spans(folder: Path) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Seconds after `T0` around which readings are kept, by sensor."""
    followed = Alarmed(folder / "journal.db", REGISTER, 0)
    followed.follow()
    followed.follow()
    found = followed.evidence([])._spans
    return {name: [((a + AROUND - T0) / SECOND, (b - AROUND - T0) / SECOND) for a, b in zip(*map(list, each), strict=True)] for name, each in found.items()}


async def test_the_newest_row_of_an_occurrence_says_how_long_it_was_and_maintenance_does_not_count(tmp_path: Path) -> None:
    async with living(tmp_path) as life:
        rows = [alarm("GT-1.high", 10, None), alarm("GT-2.drift", 0, None, Tier.BLUE), alarm("GT-1.high_high", 5000, 5010), alarm("GT-9.high", 7, 8)]
        await life.journal.commit(Entry(rows=sorted(rows, key=lambda row: row.sequence)))
        await life.journal.commit(Entry(rows=[replace(alarm("GT-1.high", 10, 20), sequence=9_000_000)]))
    assert spans(tmp_path) == {("north", "GT-1"): [(10, 20), (5000, 5010)], ("north", "GT-9"): [(7, 8)]}


async def test_an_alarm_of_a_device_is_about_all_its_sensors_and_a_row_about_no_alarm_about_none(tmp_path: Path) -> None:
    async with living(tmp_path) as life:
        note = Row(1, "north", "gw-1.config_changed", "configuration", T0, T0, None, b'{"hash": "x"}')
        await life.journal.commit(Entry(rows=[note, alarm("rtu-2.past_excursion", 1, 2)]))
    assert spans(tmp_path) == {("north", "GT-2"): [(1, 2)], ("north", "GT-3"): [(1, 2)]}


def test_an_alarm_that_the_journal_has_not_heard_of_yet_counts_too(tmp_path: Path) -> None:
    stands = Alarm("north", "GT-1", Condition.HIGH, Tier.ORANGE, state=State.ACTIVE_UNACKNOWLEDGED, raised_at=T0)
    evidence = Alarmed(tmp_path / "journal.db", REGISTER, 0).evidence([stands])
    assert evidence.holds(readings((0, -400.0, 1.0), (0, -300.0, 1.0), (0, 10**8, 1.0), (1, 0.0, 1.0)), [("north", "GT-1"), ("north", "GT-2")]).tolist() == [
        False,
        True,
        True,
        False,
    ]
