"""What the interface and the metrics may see of a running gateway. Read on the loop's thread only, and never changed by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from adapters.codecs.alarm_json import time_text
from adapters.journal import Journal
from adapters.mqtt import LinkState
from adapters.spool import Spool
from alerts.admit import Admission
from alerts.book import Book
from alerts.detect.engine import Engine
from alerts.ports import Clock
from alerts.reading import SECOND
from alerts.register import Register
from alerts.rota import Roster
from alerts.site import Site
from alerts.suppress import CANARY
from gateway.brokerside import BrokerSide
from gateway.config import Config
from gateway.desk import Desk
from gateway.dispatch import Dispatch
from gateway.faults import Fault
from gateway.pipeline import Pipeline

REACHABLE = "reachable"
"""What `store_state` says of a store that takes what it is given; anything else is what it said instead."""
COMMIT_WITHIN = 1.0
"""Seconds: a commit of the spool that takes longer has stopped the ingest (semantics 8.4)."""


class Obstacle(StrEnum):
    """Why nothing is being taken in, or judged, at present."""

    LINK = "link"
    SPOOL = "spool"
    DETECTION = "detection"


@dataclass(slots=True)
class View:
    """The parts of a gateway, as `app.py` built them.

    since: start of the process, ns. boot: a random name of this start. link_state and store_state are asked each
    time; the latter says `reachable`, or in words why it is not. canary: seconds of its newest flight that came through,
    days_left: for how long the disk lasts; both None while unknown. heartbeats: sent, by what became of them.
    """

    config: Config
    version: str
    since: int
    boot: str
    clock: Clock
    register: Register
    engine: Engine
    admission: Admission
    books: Mapping[str, Book]
    rosters: Mapping[str, Roster]
    desk: Desk
    spool: Spool
    dispatch: Dispatch
    pipeline: Pipeline
    journal: Journal
    brokerside: BrokerSide
    link_state: Callable[[], str]
    store_state: Callable[[], str]
    canary: Callable[[], float | None]
    days_left: Callable[[], float | None]
    faults: frozenset[Fault] = frozenset()
    warnings: tuple[str, ...] = ()
    heartbeats: Counter[str] = field(default_factory=lambda: Counter({"taken": 0, "failed": 0}))

    @property
    def gateway(self) -> str:
        """This gateway's id."""
        return self.config.gateway.gateway

    def sites(self) -> Mapping[str, Site]:
        """Id -> site, in file order; the canary's is none that anybody guards."""
        return {name: site for name, site in self.register.sites.items() if name != CANARY}

    def sensors(self) -> int:
        """How many sensors these have."""
        return sum(len(site.sensors) for site in self.sites().values())

    def spool_under_way(self) -> float:
        """Seconds that a commit of the spool has taken so far; 0 if there is none, or if the disk refuses it and it is tried again."""
        since = self.spool.committing_since
        return 0.0 if since is None or self.spool.writer.failure is not None else (self.clock.now() - since) / SECOND

    def status(self) -> str:
        """What this gateway does, in one line: what it guards, and what keeps it from that."""
        told = [f"guarding {', '.join(self.sites())} (sensors: {self.sensors()})", *self.obstacles().values()]
        if self.brokerside.watching.feeding:
            told.append(self.eyes())
        if (store := self.store_state()) != REACHABLE:
            told.append(f"store: {store}")
        return "; ".join(told)

    def eyes(self) -> str:
        """What the second connection to the broker does, in one line: whether readings are judged though they cannot be recorded."""
        watching = self.brokerside.watching
        if not self.brokerside.second_up:
            return "not connected"
        return f"judging ahead of the record since {time_text(watching.since)}, because {watching.why}" if watching.feeding else "standing by"

    def obstacles(self) -> dict[Obstacle, str]:
        """What keeps this gateway from taking readings in and judging them, with words for each; empty if nothing does."""
        found: dict[Obstacle, str] = {}
        link = self.link_state()
        if link != LinkState.UP:
            found[Obstacle.LINK] = f"the broker is not connected: {link}"
        if self.spool.writer.failure is not None:
            found[Obstacle.SPOOL] = f"the spool cannot commit: {self.spool.writer.failure}"
        elif (taken := self.spool_under_way()) > COMMIT_WITHIN:
            found[Obstacle.SPOOL] = f"a commit of the spool has taken {taken:.1f} s so far"
        if Fault.DETECT in self.faults:
            found[Obstacle.DETECTION] = "detection is switched off by a fault point: nothing is judged"
        elif self.pipeline.failed:
            found[Obstacle.DETECTION] = f"judging failed {self.pipeline.failed} times, see the log; a restart judges again what it failed on"
        return found
