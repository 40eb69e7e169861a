"""The pipeline: messages, commands and the clock go through the stages, in this order and no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from adapters.mqtt import ReplyTo
from alerts.alarm import Refusal
from alerts.detect.batch import NEVER
from alerts.edge import Edge
from alerts.ports import Clock, Notice
from alerts.reading import SECOND
from gateway.admission import Admit
from gateway.stages import Chase, Detect, Live, Record, Write
from gateway.turn import Inbound, Request, Settled, Turn

log = logging.getLogger("hazgate")


class Stage(Protocol):
    """One step of a turn. On the loop's thread; must not wait."""

    def run(self, turn: Turn) -> None:
        """Do this stage's part of the turn."""
        ...


class Pipeline:
    """Collects what comes while the loop is busy and takes it through the stages as one turn."""

    def __init__(self, stages: tuple[Admit, Record, Detect, Live, Chase, Write], clock: Clock, deadlines: Sequence[Callable[[], int | None]]) -> None:
        """`deadlines` are asked when the next turn is due though nothing comes (ns, None for never)."""
        admit, record, detect, live, chase, write = stages
        self.stages: tuple[Stage, ...] = (admit, record, detect, live, chase, write)
        self._clock = clock
        self._deadlines = deadlines
        self._messages: list[Inbound] = []
        self._glimpses: list[Inbound] = []
        self._requests: list[Request] = []
        self._edges: list[Edge] = []
        self._undelivered: list[Notice] = []
        self._settled: list[Settled] = []
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._due = NEVER
        self.turns = 0
        self.failed = 0
        """Turns in which a stage failed: from the first on nothing counts as judged any more."""
        self.reply_to: Callable[[str], ReplyTo | None] = lambda _topic: None
        """Where the command being received wants its answer."""
        self.after: Callable[[Turn], None] = lambda _turn: None
        """Called at the end of every turn."""

    def message(self, topic: str, payload: bytes, retained: bool, token: int) -> None:
        """Take a message of the broker."""
        reply_to = self.reply_to(topic) if "/commands/" in topic else None
        self._messages.append((topic, payload, retained, token, self._clock.now(), reply_to))
        if not self._scheduled:
            self._schedule()

    def glimpse(self, topic: str, payload: bytes) -> None:
        """Take a message that the broker's second connection brought ahead of the first."""
        self._glimpses.append((topic, payload, False, 0, self._clock.now(), None))
        self._schedule()

    def request(self, request: Request) -> None:
        """Take a person's command."""
        self._requests.append(request)
        self._schedule()

    def raised(self, *edges: Edge) -> None:
        """Take conditions of the gateway itself."""
        self._edges.extend(edges)
        self._schedule()

    def undelivered(self, notice: Notice) -> None:
        """A step's messages all failed: its chain passes on."""
        self._undelivered.append(notice)
        self._schedule()

    def settled(self, settled: Settled) -> None:
        """What became of a message is known."""
        self._settled.append(settled)
        self._schedule()

    def nudge(self) -> None:
        """Have a turn though nothing came."""
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.turn)

    def turn(self) -> None:
        """Take everything that waits through the stages."""
        self._scheduled = False
        turn = Turn(self._clock.now(), self._messages, self._glimpses, self._requests, self._undelivered, self._edges, self._settled)
        self._messages, self._glimpses, self._requests, self._undelivered, self._edges, self._settled = [], [], [], [], [], []
        self.run(turn)
        self.arm()

    def run(self, turn: Turn) -> None:
        """Take one turn through the stages."""
        self.turns += 1
        self._through(self.stages, turn)
        self.after(turn)

    def judge(self, turn: Turn) -> None:
        """Take readings that are already on the disk through the stages that decide."""
        self._through(self.stages[2:], turn)

    def _through(self, stages: tuple[Stage, ...], turn: Turn) -> None:
        """A stage that fails must not silence those behind it: what was found before it failed is still told."""
        for stage in stages:
            try:
                stage.run(turn)
            except Exception:  # a turn's outermost edge: the next turn must come, and `failed` tells of this one
                self.failed += 1
                log.exception("the stage %s failed; its readings stay in the spool and are judged again at the next start", type(stage).__name__)

    def arm(self) -> None:
        """Set the timer for the next deadline of anybody."""
        due = min((at for ask in self._deadlines if (at := ask()) is not None), default=NEVER)
        if due == self._due and self._timer is not None and not self._timer.cancelled():
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due = due
        if due != NEVER:
            wait = max(0.0, (due - self._clock.now()) / SECOND)
            self._timer = asyncio.get_running_loop().call_later(min(wait, 3600.0), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._schedule()

    async def stop(self) -> None:
        """Take what waits through the stages one last time; nothing is scheduled after it."""
        if self._messages or self._glimpses or self._requests or self._edges or self._undelivered or self._settled:
            self.turn()
        if self._timer is not None:
            self._timer.cancel()


def answer_later(future: asyncio.Future[Refusal | None]) -> Callable[[Refusal | None], None]:
    """Resolves `future` with a command's answer, unless whoever waited is gone."""

    def answer(refusal: Refusal | None) -> None:
        if not future.done():
            future.set_result(refusal)

    return answer
