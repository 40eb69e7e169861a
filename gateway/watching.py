"""The watch session: being judged outranks being recorded (semantics 8.4).

While the spool cannot commit, nothing is acknowledged, the broker stops at the receive window, and whoever hears the
first connection only is blind. Then the second one hears the devices too: what it brings is judged at once and neither
counted nor recorded, and what waits at the first is recorded when it comes, and judged as late where newer is known.

How far the first lags behind is measured, not guessed: the gateway sends a mark to itself, which stands in both
sessions' lines behind everything that was published before it. As long as a mark is on its way for more than `LAG`, what
the first brings is backlog. When one has come back in time over both, the first has missed nothing, and the second may go.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from adapters.mqtt import LinkState
from adapters.spool import Spool
from alerts.admit import Way
from alerts.detect.engine import Engine
from alerts.ports import Clock
from alerts.reading import MILLISECOND, SECOND
from gateway.admission import Admit
from gateway.brokering import Broker
from gateway.sideline import Sideline

log = logging.getLogger("hazgate.broker")
LOOK = 0.25
"""Seconds between two looks at spool and window."""
COMMIT_WITHIN = SECOND
LAG = SECOND
"""What the first connection brings later than this is not of now."""
CALM = 2 * SECOND
"""How long spool and window must have been well before the watch may end: a disk that hangs once hangs again."""
LOST = 10 * SECOND
"""A mark that is not back by then may be lost with the session or the connection; another is sent."""
BARRED = 300 * SECOND
"""A mark that is not back after so much calm, where none ever was, is not let through by the broker."""
LINGER = 5 * SECOND
"""How long what was judged ahead is remembered after the end: the other connection may still bring it."""
NAME = "readings"


class Phase(Enum):
    """What the second connection does for the alarm path."""

    STANDING_BY = auto()
    FEEDING = auto()
    LINGERING = auto()


class Why(StrEnum):
    """What makes the second connection feed the alarm path."""

    SPOOL = "the spool has committed nothing for a second"
    WINDOW = "half of what the broker gives at once is not on the disk"


@dataclass(slots=True)
class _Mark:
    """The newest mark that was sent, and over which connection it is back. sent: ns."""

    number: int
    sent: int
    first: bool = False
    second: bool = False


class Watching:
    """Feeds the alarm path over the second connection while the first cannot. On the loop's thread."""

    def __init__(self, broker: Broker, sideline: Sideline, spool: Spool, admit: Admit, engine: Engine, clock: Clock) -> None:
        self._broker = broker
        self._sideline = sideline
        self._spool = spool
        self._admit = admit
        self._engine = engine
        self._clock = clock
        self._register = engine.register
        self._phase = Phase.STANDING_BY
        self._since = 0
        self._calm_since: int | None = None
        self._suspected: Why | None = None
        self._mark: _Mark | None = None
        self._proven = False
        self._task: asyncio.Task[None] | None = None
        self.name = b""
        """What our marks begin with; set before `start`."""
        self.why: Why | None = None
        """Why it feeds at present."""
        self.on_glimpse: Callable[[str, bytes], None] = lambda _topic, _payload: None
        """Takes what is to be judged ahead of the record."""
        self.brought = 0
        """Messages that were judged ahead of the record, since start."""
        self.times = 0
        """How often the watch had to begin."""

    @property
    def feeding(self) -> bool:
        """Whether the alarm path is fed by the second connection at present."""
        return self._phase is Phase.FEEDING

    @property
    def since(self) -> int:
        """Since when it feeds, ns."""
        return self._since

    async def start(self) -> None:
        """Look after spool and window."""
        self._task = asyncio.create_task(self._look_out(), name="watching")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look_out(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            try:
                self.look()
            except Exception:  # this task's outermost edge: without its next look the alarm path could go blind
                log.exception("could not look after spool and window")

    def look(self) -> None:
        """Begin, go on or end, as spool, window and marks say."""
        now, why = self._clock.now(), self._trouble()
        if why is not None:
            self._calm_since = None
        elif self._calm_since is None:
            self._calm_since = now
        if self._phase is not Phase.FEEDING and why is not None and (why is Why.SPOOL or why is self._suspected):
            self._begin(why, now)
        elif self._phase is Phase.FEEDING:
            self._go_on(now)
        elif self._phase is Phase.LINGERING and now - self._since >= LINGER:
            self._forget()
        self._suspected = why

    def message(self, topic: str, payload: bytes) -> None:
        """Something that a device said came over the second connection."""
        if self.feeding:
            self.brought += 1
            self.on_glimpse(topic, payload)

    def prove(self) -> None:
        """Both connections are there: see whether what we send to ourselves comes back."""
        self._sideline.send(self.name)

    def echo(self, payload: bytes) -> None:
        """A mark is back over the second connection."""
        if self._is_newest(payload) and self._mark is not None:
            self._mark.second = True

    def first_echo(self, payload: bytes) -> None:
        """A mark is back over the first connection: everything before it has come."""
        self._proven = self._proven or payload.startswith(self.name)
        if not self._is_newest(payload) or self._mark is None:
            return
        self._mark.first = True
        if self._clock.now() - self._mark.sent <= LAG:
            self._admit.kept = self._admit.fleeting = Way.LIVE
        else:
            self._mark = None  # it has shown a lag; the next one shows how much of it is left

    def second_is(self, state: LinkState) -> None:
        """The second connection changed. Without it what the first brings is the newest there is, however old it may be."""
        if state is not LinkState.UP:
            self._admit.kept = self._admit.fleeting = Way.LIVE
            self._mark = None

    def _trouble(self) -> Why | None:
        since = self._spool.committing_since
        if since is not None and self._clock.now() - since >= COMMIT_WITHIN:
            return Why.SPOOL
        return Why.WINDOW if 2 * self._broker.waiting >= self._broker.window else None

    def _begin(self, why: Why, now: int) -> None:
        log.warning("%s: the second connection feeds the alarm path", why)
        if self._phase is Phase.STANDING_BY:
            self._admit.look_ahead(self._register)
        self._phase, self._since, self._mark = Phase.FEEDING, now, None
        self.why = why
        self.times += 1
        self._sideline.listen(NAME, self._broker.of_devices)
        self._send(now)

    def _go_on(self, now: int) -> None:
        mark = self._mark
        if mark is not None and not mark.first and now - mark.sent > LAG:
            self._admit.kept = Way.BACKLOG
            if self._broker.paused:
                self._admit.fleeting = Way.BACKLOG
        calm = 0 if self._calm_since is None else now - self._calm_since
        if mark is not None and mark.first and mark.second and calm >= CALM:
            self._end(now)
        elif not self._proven and calm > BARRED:
            log.warning("what the gateway sends to itself on %s does not come back; nothing is taken to wait any more", self._broker.echo_topic)
            self._end(now)
        elif mark is None or now - mark.sent > (LAG if mark.first else LOST):
            self._send(now)

    def _send(self, now: int) -> None:
        if self._sideline.up:
            self._mark = _Mark(0 if self._mark is None else self._mark.number + 1, now)
            self._sideline.send(self._payload(self._mark))

    def _end(self, now: int) -> None:
        log.warning("the spool commits again and nothing waits any more: the second connection fed the alarm path for %.1f s", (now - self._since) / SECOND)
        self._sideline.unlisten(NAME)
        self._admit.kept = self._admit.fleeting = Way.LIVE
        self._phase, self._since, self._mark = Phase.LINGERING, now, None
        self.why = None

    def _forget(self) -> None:
        self._phase = Phase.STANDING_BY
        self._admit.caught_up()
        self._engine.caught_up()

    def _payload(self, mark: _Mark) -> bytes:
        return self.name + b" %d %d" % (mark.sent // MILLISECOND, mark.number)

    def _is_newest(self, payload: bytes) -> bool:
        return self._mark is not None and payload == self._payload(self._mark)
