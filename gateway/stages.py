"""The stages of the alarm path after admission: record, detect, live, chase, write. Each has one method, `run`.

Nothing here waits: a stage hands what takes time (commits, sends) to its owner and goes on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from adapters.codecs.alarm_json import unjournaled
from adapters.journal import Entry, Journal, Outgoing
from adapters.spool import Spool
from alerts.admit import Admission
from alerts.alarm import Event, Refusal
from alerts.balance import Counts
from alerts.book import Book
from alerts.detect.engine import Engine
from alerts.edge import Edge, EdgeKind
from alerts.escalate import Chaser
from alerts.ports import Notice
from alerts.reading import MILLISECOND, SECOND
from gateway.dispatch import Dispatch
from gateway.own_alarm import OwnAlarm
from gateway.scribe import Scribe
from gateway.turn import Request, Turn

REPEATED_WITHIN = 5 * SECOND
"""In which a broker that is connected again has repeated what it was not answered for."""
PATIENCE = {True: 200 * MILLISECOND / 1e9, False: 2.0}
"""Seconds that an urgent message, and any other, waits for the journal before it is told from memory."""


class Record:
    """Hands what was admitted, and what was set aside, to the spool."""

    def __init__(self, spool: Spool, admission: Admission) -> None:
        self._spool = spool
        self._admission = admission

    def run(self, turn: Turn) -> None:
        """Append the turn's columns to the open frame; PUBACKs follow when it is on the disk."""
        if turn.readings is None and not turn.asides and not turn.tokens:
            return
        seen = self._admission.counts
        counts = Counts(received=seen.received, duplicate=seen.duplicate)
        seen.received = seen.duplicate = 0
        self._spool.append(turn.readings, turn.asides, turn.tokens, counts)


class Detect:
    """Readings and the clock become edges."""

    def __init__(self, engine: Engine, *, held: bool) -> None:
        """`held`: the fault point that keeps detection from judging anything."""
        self._engine = engine
        self._held = held

    def run(self, turn: Turn) -> None:
        """Judge the turn's readings, then let every deadline up to now pass."""
        if self._held:
            return
        if turn.ahead is not None:
            turn.edges.extend(self._engine.judge_ahead(turn.ahead))
        if turn.readings is not None:
            turn.edges.extend(self._engine.judge(turn.readings))
        if turn.spoken is not None:
            self._engine.silence.spoke(turn.spoken)
        for origin in turn.offline:
            self._engine.silence.declared_offline(origin, turn.now, turn.edges)
        turn.edges.extend(self._engine.advance(turn.now if turn.until is None else turn.until))


class Live:
    """Edges, commands and deadlines become events of alarms."""

    def __init__(self, books: Mapping[str, Book]) -> None:
        self._books = books
        self.known: set[str] = set()
        """Causes whose consequences an earlier run has journaled, and which may come again: from the spool, or from the broker."""
        self.again = False
        """Whether frames are being judged again after a crash."""
        self._doubted: dict[tuple[str, str], tuple[int, Edge]] = {}

    def run(self, turn: Turn) -> None:
        """Apply edges in order, then deadlines, then commands."""
        edges = [edge for edge in turn.edges if self._is_new(edge, turn.now)] if self.known else turn.edges
        edges += self._still_true(turn.now)
        start = 0
        for end in range(1, len(edges) + 1):
            if end == len(edges) or edges[end].site != edges[start].site:
                turn.events.extend(self._books[edges[start].site].edges(edges[start:end], turn.now))
                start = end
        for book in self._books.values():
            due = book.due()
            if due is not None and due <= turn.now:
                turn.events.extend(book.advance(turn.now))
        for request in turn.requests:
            self._carry_out(request, turn)

    def due(self) -> int | None:
        """When a condition that is true is told though it was told in the last run, ns; None if there is none."""
        return min((at for at, _ in self._doubted.values()), default=None)

    def _is_new(self, edge: Edge, now: int) -> bool:
        """Whether nothing has been made of this cause yet. What has grown is applied again: that changes nothing twice."""
        identity = (edge.site, f"{edge.source}.{edge.condition}")
        self._doubted.pop(identity, None)
        if edge.key not in self.known or edge.kind is EdgeKind.GROWN:
            return True
        alarm = self._books[edge.site].alarms().get(identity[1])
        if not self.again and edge.kind is EdgeKind.TRUE and not edge.late and (alarm is None or not alarm.state.active):
            self._doubted[identity] = (now + REPEATED_WITHIN, edge)
        return False

    def _still_true(self, now: int) -> list[Edge]:
        """What came again as true, whose end has been journaled, and did not come again.

        The broker repeats in order what it was not answered for; if the end is not among it, the condition stands.
        """
        found = [(identity, edge) for identity, (at, edge) in self._doubted.items() if at <= now]
        for identity, _ in found:
            del self._doubted[identity]
        return [replace(edge, at=now) for _, edge in found]

    def _carry_out(self, request: Request, turn: Turn) -> None:
        book = self._books.get(request.command.site)
        done = Refusal.UNKNOWN_ALARM if book is None else book.command(request.command, turn.now)
        if isinstance(done, Refusal):
            turn.answers.append((request, done))
        else:
            turn.events.extend(done)
            turn.answers.append((request, None))


class Chase:
    """Events become notices to people."""

    def __init__(self, chasers: Mapping[str, Chaser], own: Sequence[OwnAlarm], failed: Callable[[], frozenset[str]]) -> None:
        """`own` alarms stand for what goes wrong with telling; `failed` names the channels that do not work."""
        self._chasers = chasers
        self._own = own
        self._failed = failed
        self.look = True
        """Whether what the own alarms stand for may have changed by itself since the last turn."""

    def run(self, turn: Turn) -> None:
        """Tell the chains what happened and let their deadlines pass; what they raise themselves goes round once more."""
        self._follow(turn, turn.events)
        for site, chaser in self._chasers.items():
            due = chaser.due()
            if due is not None and due <= turn.now:
                turn.orders.append((site, chaser.advance(turn.now)))
        for notice in turn.undelivered:
            if notice.site in self._chasers:  # an outbox may hold messages of a site that is no longer configured
                turn.orders.append((notice.site, self._chasers[notice.site].undelivered(notice, turn.now)))
        if self.look or turn.orders or turn.settled:
            self.look = False
            events = [event for alarm in self._own for event in alarm.compare(turn.now)]
            turn.events.extend(events)
            self._follow(turn, events)

    def _follow(self, turn: Turn, events: list[Event]) -> None:
        for site, chaser in self._chasers.items():
            mine = [event for event in events if event.alarm.site == site]
            if mine:
                turn.orders.append((site, chaser.events(mine, turn.now, self._failed())))


@dataclass(slots=True)
class Parcel:
    """What is told once its transaction is durable, or once patience is over."""

    publications: list[Outgoing]
    notices: list[tuple[Outgoing, Notice]]
    withdrawn: list[str]
    answers: list[tuple[Request, Refusal | None]]

    def tell(self, dispatch: Dispatch) -> None:
        """What is called back first, then what is new, then whoever asked."""
        for occurrence in self.withdrawn:
            dispatch.withdraw(occurrence)
        for outgoing in self.publications:
            dispatch.publish(outgoing)
        for outgoing, notice in self.notices:
            dispatch.notify(outgoing, notice)
        for request, refusal in self.answers:
            request.answer(refusal)


@dataclass(slots=True, eq=False)
class _Pending:
    """A parcel, the transaction it waits for, and the timer of its patience."""

    parcel: Parcel
    entry: Entry
    timer: asyncio.TimerHandle | None = None
    told: bool = False

    def calm(self) -> None:
        """It is told: nobody has to lose patience any more."""
        if self.timer is not None:
            self.timer.cancel()


class Write:
    """Everything a turn decided goes into the journal in one transaction, and from there to dispatch, in the order of the turns."""

    def __init__(self, scribe: Scribe, journal: Journal, tell: Callable[[Parcel], None]) -> None:
        self._scribe = scribe
        self._journal = journal
        self._tell = tell
        self._pending: deque[_Pending] = deque()
        self.judged_through = 0
        self.on_unjournaled: Callable[[], None] = lambda: None
        """Told when something had to be told before the journal held it."""

    def run(self, turn: Turn) -> None:
        """Queue the turn's transaction; a turn that changed nothing has only its refusals to give.

        What became of messages is in one transaction with what follows from it: after a crash between the two, a
        message that failed would count as settled, and nobody would go on from it.
        """
        entry, notices = self._scribe.compose(turn.events, turn.orders, turn.now)
        entry.settled.update((each.key, (each.fate, each.words)) for each in turn.settled)
        withdrawn = [name for _, orders in turn.orders for name in orders.withdrawn]
        parcel = Parcel([o for o in entry.outgoing if o.kind == "publish"], notices, withdrawn, turn.answers)
        if entry.rows or entry.outgoing or entry.chains or entry.alarms:
            entry.meta["judged_through"] = str(self.judged_through)
            told = [*(event.alarm.tier for event in turn.events), *(notice.tier for _, notice in notices)]
            self._send_when_durable(entry, parcel, urgent=any(tier.urgent for tier in told))
            return
        if entry.settled:
            self._journal.commit(entry)
        if turn.answers:
            self._tell(parcel)

    def _send_when_durable(self, entry: Entry, parcel: Parcel, *, urgent: bool) -> None:
        pending = _Pending(parcel, entry)
        pending.timer = asyncio.get_running_loop().call_later(PATIENCE[urgent], self._impatient, pending)
        self._pending.append(pending)
        self._journal.commit(entry).add_done_callback(lambda _done: self._durable())

    def _durable(self) -> None:
        """The oldest transaction is on the disk: tell it, or correct the topics that said it was not."""
        pending = self._pending.popleft()
        pending.calm()
        if not pending.told:
            self._tell(pending.parcel)
            return
        newer = {o.key for later in self._pending if later.told for o in later.parcel.publications}
        self._tell(Parcel([o for o in pending.parcel.publications if o.retain and o.key not in newer], [], [], []))

    def _impatient(self, pending: _Pending) -> None:
        """Tell it from memory, after everything older that still waits: no topic may go back in time, no notice pass its withdrawal."""
        for each in tuple(self._pending)[: self._pending.index(pending) + 1]:
            if not each.told:
                each.told = True
                each.calm()
                self._tell(self._from_memory(each))
        self.on_unjournaled()

    def _from_memory(self, pending: _Pending) -> Parcel:
        """The parcel saying that the journal does not hold it yet; its rows say so too, if they are still to be written."""
        parcel, rows = pending.parcel, pending.entry.rows
        rows[:] = [replace(row, body=unjournaled(row.body)) for row in rows]
        publications = [self._scribe.unjournaled(o) for o in parcel.publications]
        return Parcel(publications, [(self._scribe.unjournaled(o), notice) for o, notice in parcel.notices], parcel.withdrawn, parcel.answers)
