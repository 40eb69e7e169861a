"""The stages after detection: what is told when the journal is slow, and judging again with the clock of that time."""

from __future__ import annotations

import asyncio
import json
from typing import cast

import pytest
from support.alarms import Ward
from support.plant import Plant, told
from support.sites import T0, raw, sensor
from support.wait import eventually

from adapters.journal import Entry, Journal, Outgoing
from alerts.alarm import Event, NoticeKind, Tier, Verb
from alerts.command import Command
from alerts.edge import EdgeKind
from alerts.escalate import Orders
from alerts.ports import Notice
from gateway import stages
from gateway.scribe import Scribe
from gateway.stages import Detect, Parcel, Write
from gateway.turn import Request, Turn


class Slow:
    """A journal whose commits are done when the test says so, in order."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._futures: list[asyncio.Future[None]] = []

    def commit(self, entry: Entry) -> asyncio.Future[None]:
        """Queue a transaction."""
        self.entries.append(entry)
        self._futures.append(asyncio.get_running_loop().create_future())
        return self._futures[-1]

    async def done(self) -> None:
        """The disk is back."""
        for future in self._futures:
            future.set_result(None)
        self._futures.clear()
        await asyncio.sleep(0)


class Office:
    """The last stage over a real book and a slow journal; what was told, in order."""

    def __init__(self) -> None:
        self.ward = Ward(sensor("GT-1"), sensor("PT-1", kind="pressure", tiers={"high": "yellow"}))
        scribe = Scribe("hazgate/v1", "gw-1", {"north": self.ward.book}, {"north": self.ward.site}, self.ward.numbers)
        self.journal = Slow()
        self.parcels: list[Parcel] = []
        self.alarms = 0
        self.write = Write(scribe, cast("Journal", self.journal), self.parcels.append)
        self.write.on_unjournaled = self._count

    def _count(self) -> None:
        self.alarms += 1

    def true(self, alarm: str, at: float) -> None:
        """A turn in which a condition turned true."""
        events = self.ward.book.edges([self.ward.edge(alarm, EdgeKind.TRUE, at, 60.0)], self.ward.moment)
        self.turn(events)

    def turn(self, events: list[Event]) -> None:
        """A turn with these events."""
        self.write.run(Turn(self.ward.moment, events=events))

    def topics(self) -> list[str]:
        """Every publication so far as `topic journaled`."""
        return [_said(outgoing) for parcel in self.parcels for outgoing in parcel.publications]


def _said(outgoing: Outgoing) -> str:
    name = outgoing.target.rpartition("/")[2]
    body = json.loads(outgoing.body) if outgoing.body else {}
    return f"{name} {body.get('alarm', '-')} {body.get('state', 'normal')} {body.get('journaled', '-')}"


async def test_what_the_journal_does_not_take_in_time_is_told_once_from_memory_and_its_topic_corrected_later() -> None:
    office = Office()
    office.true("GT-1.high_high", 1)
    assert office.parcels == []
    await eventually(lambda: office.parcels)
    assert office.topics() == ["alarm-events GT-1.high_high active_unacknowledged False", "GT-1.high_high GT-1.high_high active_unacknowledged False"]
    assert office.alarms == 1
    assert json.loads(office.journal.entries[0].rows[0].body)["journaled"] is False, "the row itself says that it is late"
    await office.journal.done()
    assert office.topics()[2:] == ["GT-1.high_high GT-1.high_high active_unacknowledged True"]
    assert [len(parcel.notices) + len(parcel.answers) for parcel in office.parcels] == [0, 0]


async def test_what_is_told_from_memory_takes_everything_older_along() -> None:
    office = Office()
    office.true("PT-1.high", 1)
    office.true("GT-1.high_high", 2)
    await eventually(lambda: office.parcels)
    assert [text.split()[1] for text in office.topics() if text.startswith("alarm-events")] == ["PT-1.high", "GT-1.high_high"]


async def test_an_older_state_never_replaces_a_newer_one_on_a_topic() -> None:
    office = Office()
    office.true("GT-1.high_high", 1)
    await eventually(lambda: len(office.parcels) == 1)
    events = office.ward.book.command(Command(Verb.ACKNOWLEDGE, "north", "li", alarm="GT-1.high_high"), office.ward.moment)
    assert isinstance(events, list)
    office.turn(events)
    await eventually(lambda: len(office.parcels) == 2)
    await office.journal.done()
    retained = [text for text in office.topics() if text.startswith("GT-1.high_high")]
    assert [text.split()[2:] for text in retained] == [
        ["active_unacknowledged", "False"],
        ["active_acknowledged", "False"],
        ["active_acknowledged", "True"],
    ]


async def test_a_step_of_a_red_chain_waits_no_longer_than_a_red_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stages.PATIENCE, False, 60.0)
    office = Office()
    office.true("GT-1.high_high", 1)
    await office.journal.done()
    alarm = office.ward["GT-1.high_high"]
    notice = Notice("north", alarm.id, alarm.occurrence, 1, NoticeKind.ESCALATE, 1, 0, "wang", "desk", tier=Tier.RED)
    office.write.run(Turn(office.ward.moment, orders=[("north", Orders(notices=(notice,)))]))
    assert await eventually(lambda: any(parcel.notices for parcel in office.parcels), within=stages.PATIENCE[False] / 2)


async def test_a_record_that_grew_without_an_event_is_kept_and_published() -> None:
    office = Office()
    said = {"late": True, "returned_at": T0, "members": ("GT-1.high",)}
    for kind, at, peak in ((EdgeKind.TRUE, -60, 30.0), (EdgeKind.GROWN, -90, 33.0)):
        edge = office.ward.edge("rtu-1.past_excursion", kind, at, peak, peak=peak, **said)
        office.turn(office.ward.book.edges([edge], office.ward.moment))
    assert [len(entry.rows) for entry in office.journal.entries] == [1, 0]
    await office.journal.done()
    assert json.loads(office.parcels[-1].publications[0].body)["peak"] == 33.0


async def test_a_refusal_is_answered_at_once_and_writes_nothing() -> None:
    office = Office()
    answers: list[object] = []
    command = Command(Verb.ACKNOWLEDGE, "north", "li", alarm="GT-1.high")
    refusal = office.ward.book.command(command, office.ward.moment)
    assert not isinstance(refusal, list)
    office.write.run(Turn(office.ward.moment, answers=[(Request(command, answers.append), refusal)]))
    assert [len(parcel.answers) for parcel in office.parcels] == [1]
    assert office.journal.entries == []


def test_judging_again_does_not_let_a_delay_run_out_that_the_next_frame_breaks_off() -> None:
    plant = Plant(sensor("GT-1", on_delay="3s"))
    detect = Detect(plant.engine, held=False)
    years = 10**17
    for at, value in ((1, 60.0), (2, 5.0), (3, float("nan")), (4, 5.0)):
        frame = plant.batch(raw("GT-1", value, at))
        turn = Turn(T0 + years, readings=frame, until=int(frame.arrival.max()))
        detect.run(turn)
        assert told(turn.edges) == []
