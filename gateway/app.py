"""Builds the gateway from its configuration and runs it: sinks start first and stop last, each step by name."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version

from adapters import registry
from adapters.clock import SystemClock
from adapters.journal import Journal
from adapters.lock import DirectoryLock
from adapters.memory import settle
from adapters.mqtt import LinkState
from adapters.signing import Sealer, open_key
from adapters.spool import Spool
from adapters.systemd import Systemd
from alerts.alarm import Condition, EventKind
from alerts.suppress import CANARY
from gateway import core, faults
from gateway.admission import Admit
from gateway.api.server import serve
from gateway.backup import refuse_unfit
from gateway.bounded import Bounded
from gateway.brokering import Broker
from gateway.brokerside import BrokerSide, Parts
from gateway.canary import Canary
from gateway.channels import channels
from gateway.config import Config
from gateway.config_watch import announce
from gateway.control import Control
from gateway.desk import Desk, Tokens
from gateway.dispatch import Dispatch
from gateway.drops import DROPPED
from gateway.faults import Fault
from gateway.heads import Heads
from gateway.heartbeat import Heartbeat
from gateway.losses import ROUND, Losses
from gateway.pipeline import Pipeline
from gateway.publishing import StatePublisher, status_bytes
from gateway.pulse import Pulse
from gateway.recording import Recording, labels
from gateway.reload import SIGNALS, Reload
from gateway.restart import Checkpoints, Resumption
from gateway.room import Room, prepare
from gateway.routes import Routes
from gateway.scribe import Scribe
from gateway.selfwatch import SelfWatch
from gateway.service import Service
from gateway.stages import Detect, Live, Record, Write
from gateway.telling import Telling
from gateway.turn import Turn
from gateway.upkeep import DISK, Upkeep
from gateway.view import REACHABLE, View
from gateway.years import Years

log = logging.getLogger("hazgate")

ANSWERED = 0.1
"""Seconds for an answer to leave before its socket is closed."""
STOP_WITHIN = 10.0
"""Seconds for a stop in order, whatever hangs."""


Step = tuple[str, Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]
"""Name, what starts it, what stops it."""


class App:
    """One gateway. `run` returns when it was asked to stop, or to go on with `next`, and has stopped."""

    desk: Desk

    def __init__(self, config: Config) -> None:
        """Open the data directory. Raises InUse, Permanent or Transient before anything was started."""
        settings = config.gateway
        self.config = config
        self.faults = faults.active()
        self.clock = SystemClock()
        self.began = self.clock.now()
        self.boot = secrets.token_hex(4)
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._lock = DirectoryLock(settings.data_dir)
        refuse_unfit(settings.data_dir)
        reserve = prepare(settings.data_dir)
        self._sealer = Sealer(open_key(settings.journal.key), settings.gateway, self.clock.now)
        self.journal = Journal(settings.data_dir / "journal.db", self._sealer)
        self._recovered = self.journal.recover()
        self.core = core.build(config, self._recovered, self.began)
        self.spool = Spool.open(settings.data_dir / "spool.db", self.core.register, self.clock)
        kept = labels(self.core.register, settings.store)
        self.recording = Recording(self.spool, settings.data_dir, registry.plain(settings.store), settings.keep.readings, self._on_store, kept)
        self.routes = Routes(self.core.register)
        self.broker = Broker(settings.broker, settings.gateway, self.core.register, self.routes.filters(), known=bool(self._recovered.meta))
        sends = channels(settings.notify, self.broker.publish_notice)
        self.dispatch = Dispatch(sends, self.broker.publish, self.journal, self.clock)
        self.store = "starting"
        self._join(config)
        losses = Losses(settings, self.spool, self.journal, self.core, self.watch, self._recovered.meta.get(ROUND))
        losses.soon = self.checkpoints.soon
        quarantine = Bounded(self.core, self.journal, Condition.QUARANTINE_FILLING, lambda: self.spool.file.displaced)
        outbox = Bounded(self.core, self.journal, Condition.BROKER_LOST, lambda: self.dispatch.publications.given_up)
        self.room = Room(reserve, settings, (self.spool, self.journal, self.watch), losses, (quarantine, outbox))
        self.view = _view(self)
        self.http = serve(self.view, settings.api)
        self.reload = Reload(config, self.core.standing, self._take)
        self.control = Control(self.view, settings.data_dir, self.reload.judge)
        committing = {"spool": self.view.spool_under_way, "journal": lambda: self.journal.under_way}
        self.service = Service(Systemd(os.environ), self.view.status, committing)
        self.heartbeat = Heartbeat(settings.heartbeat, self.view)
        self.next: Config | None = None
        self.started = False
        self._stop = asyncio.Event()

    def _join(self, config: Config) -> None:
        """Connect the stages with one another and with the parts they drive."""
        settings, judged = config.gateway, self.core
        self.scribe = Scribe(self.broker.prefix, judged.gateway, judged.books, judged.register.sites, judged.numbers)
        self.live = Live(judged.books)
        self.write = Write(self.scribe, self.journal, lambda parcel: parcel.tell(self.dispatch))
        command = lambda message, parts: self.desk.from_broker(message, parts)  # noqa: E731, PLW0108 - the desk is made below
        admit = Admit(self.broker.prefix, judged.admission, list(judged.register.sites), self.routes, command)
        detect = Detect(judged.engine, held=Fault.DETECT in self.faults)
        telling = Telling(judged, self.journal, self._recovered, self.broker.prefix)
        stages = (admit, Record(self.spool, judged.admission), detect, self.live, telling.stage, self.write)
        books, chains = [book.due for book in judged.books.values()], [chaser.due for chaser in judged.chasers.values()]
        deadlines: list[Callable[[], int | None]] = [judged.engine.due, self.live.due, self.routes.sessions.due, *books, *chains]
        self.pipeline = Pipeline(stages, self.clock, [] if Fault.DETECT in self.faults else deadlines)
        self.desk = Desk(self.pipeline, self.clock, Tokens(self.journal.tokens()), settings.commands.mqtt)
        self.desk.reply = self.broker.reply
        self.states = StatePublisher(self.broker.prefix, judged.books, self.clock, self.broker.show)
        self.checkpoints = Checkpoints(judged, self.journal, self.spool)
        self.watch = SelfWatch(judged.home, judged.gateway, self.clock, self.pipeline.raised)
        self.pulse = Pulse(self.journal, self.spool, self.states, self.watch, self.clock)
        self.heads = Heads(self.journal, self.broker.announce)
        years = Years(settings, self.journal, self._sealer, judged.numbers, self._recovered.meta)
        self.upkeep = Upkeep(settings, self.spool, self.journal, self.watch, years, self._recovered.meta.get(DISK))
        at_broker = (self.broker, judged, admit, self.pipeline, self.scribe, self.spool, self.journal, self.watch, self.clock)
        self.brokerside = BrokerSide(Parts(*at_broker, self.boot, self.began, self._recovered.meta.get(DROPPED)))
        self.brokerside.on_up = self._on_broker_up
        self.write.on_unjournaled = lambda: self.watch.broken(Condition.JOURNAL_FAILED, grace=0)
        self.pipeline.after = self._after
        self.pipeline.reply_to = lambda topic: self.broker.reply_to(topic[len(self.broker.prefix) + 1 :].split("/", 1)[0])
        self.broker.on_message = self.pipeline.message
        self.routes.sessions.publish = self.broker.send
        self.broker.status, self.broker.backlog = self._status, lambda: self.spool.balance().pending
        self.spool.on_committed, self.spool.on_sealed = self._on_committed, self._on_sealed
        self.canary = Canary(settings.canary, judged, self.desk, self.watch, self.clock)
        self.canary.connected = lambda: self.broker.link.state is LinkState.UP
        self.canary.publish = lambda reading: self.broker.publish(f"{self.broker.prefix}/{CANARY}/{CANARY}/readings", reading, False, None)
        telling.join(self.dispatch, self.pipeline, self.canary)
        telling.heed(self.broker.refusals, self.pipeline)

    def steps(self) -> tuple[Step, ...]:
        """What is started, in this order, and stopped in the reverse one."""
        return (
            ("spool", self.spool.start, self.spool.stop),
            ("recorder", self.recording.start, self.recording.stop),
            ("journal", self.journal.start, self.journal.stop),
            ("dispatch", self.dispatch.start, self.dispatch.stop),
            ("resume", self._resume, self.pipeline.stop),
            ("pulse", self.pulse.start, self.pulse.stop),
            ("upkeep", self.upkeep.start, self.upkeep.stop),
            ("room", self.room.start, self.room.stop),
            ("control socket", self.control.start, self.control.stop),
            ("http", self.http.start, self.http.stop),
            ("broker", self.broker.start, self.broker.stop),
            ("second connection", self.brokerside.start, self.brokerside.stop),
            ("journal heads", self.heads.start, self.heads.stop),
            ("service manager", self.service.start, self.service.stop),
            ("canary", self.canary.start, self.canary.stop),
            ("heartbeat", self.heartbeat.start, self.heartbeat.stop),
        )

    async def run(self) -> None:
        """Start every step, wait for SIGTERM or SIGINT, stop every step. Raises what a step could not start for, after stopping the others."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload.signaled)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        for fault in sorted(self.faults):
            log.critical("the fault point %s is set: this gateway does not do its work", fault)
        started: list[Step] = []
        try:
            for step in self.steps():
                await step[1]()
                started.append(step)
            settle()
            self.started = True
            log.info("guarding %s with %d sensors", ", ".join(self.view.sites()), self.view.sensors())
            await self._stop.wait()
        finally:
            await self.reload.stop()
            await self._shut_down(started)

    async def _shut_down(self, started: list[Step]) -> None:
        end = time.perf_counter() + STOP_WITHIN
        for name, _, stop in reversed(started):
            left = max(0.2, end - time.perf_counter())
            try:
                async with asyncio.timeout(left):
                    await stop()
            except TimeoutError:
                log.error("gave up stopping %s after %.1f s", name, left)  # noqa: TRY400 (the trace of a timeout says nothing)
            except Exception:  # whatever it is, the next steps must still be stopped
                log.exception("could not stop %s", name)
            else:
                log.info("stopped: %s", name)
        self._lock.release()

    def _take(self, config: Config) -> None:
        self.next = config
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        asyncio.get_running_loop().call_later(ANSWERED, self._stop.set)

    async def _resume(self) -> None:
        parts = (self.spool, self.journal, self.live, self.pipeline, self.dispatch, self.scribe, self.watch, self.clock)
        Resumption(self._recovered, self.core, *parts).run(rejudge=Fault.REJUDGE not in self.faults)
        for edge in announce(self.config, self._recovered, self.journal, self.core.numbers, self.clock.now()):
            self.pipeline.raised(edge)
        # until the broker answers, nobody is heard: that is one alarm, not one for each sensor
        self.brokerside.hearing.link_is(LinkState.CONNECTING)

    def _status(self, online: bool) -> bytes:
        now, head = self.clock.now(), self.heads.given
        return status_bytes(online=online, version=version("hazgate"), since=self.began, at=now, boot=self.boot, head=head)

    def _after(self, turn: Turn) -> None:
        self.brokerside.hearing.look()
        if turn.events:
            self.states.changed({event.alarm.site for event in turn.events})
        if any(event.kind is EventKind.VERIFY for event in turn.events):
            self.checkpoints.soon()

    def _on_sealed(self, frame: int) -> None:
        if Fault.DETECT not in self.faults and not self.pipeline.failed:
            self.checkpoints.sealed(frame, self.clock.now())

    def _on_committed(self, tokens: Sequence[int]) -> None:
        self.broker.durable(tokens)
        self.write.judged_through = self.checkpoints.committed()

    def _on_store(self, words: str | None) -> None:
        self.store = words or REACHABLE
        self.watch.part(Condition.STORE_UNREACHABLE, words)

    def _on_broker_up(self) -> None:
        self.states.refresh()
        self.routes.sessions.connected(self.clock.now())


def _view(app: App) -> View:
    """What the interface may see of it."""
    judged = app.core
    return View(
        config=app.config,
        version=version("hazgate"),
        since=app.began,
        boot=app.boot,
        clock=app.clock,
        register=judged.register,
        engine=judged.engine,
        admission=judged.admission,
        books=judged.books,
        rosters=judged.rosters,
        desk=app.desk,
        spool=app.spool,
        dispatch=app.dispatch,
        pipeline=app.pipeline,
        journal=app.journal,
        brokerside=app.brokerside,
        link_state=lambda: app.broker.link.state,
        store_state=lambda: app.store,
        canary=lambda: app.canary.seconds,
        days_left=app.upkeep.forecast.days_left,
        faults=app.faults,
        warnings=tuple(str(problem) for problem in app.config.warnings),
    )
