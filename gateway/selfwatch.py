"""The gateway watches itself: what it cannot do for the moment becomes an alarm of its own, on the home site."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from alerts.alarm import Condition
from alerts.edge import Edge, EdgeKind
from alerts.ports import Clock
from alerts.reading import MILLISECOND, SECOND

QUICK = 200 * MILLISECOND
"""A commit that takes longer is one that an urgent message does not wait for."""
STEP = 5 * SECOND
"""A step of the system clock above this is told (semantics 8.6)."""
GRACE = 5 * SECOND
"""How long a broker or store may be away before it is told: a reconnect takes less."""


class SelfWatch:
    """Turns states of the gateway's parts into edges with the gateway as their source. On the loop's thread."""

    def __init__(self, site: str, gateway: str, clock: Clock, raised: Callable[[Edge], None]) -> None:
        """`raised` takes edges into the pipeline."""
        self._site = site
        self._gateway = gateway
        self._clock = clock
        self._raised = raised
        self._wanted: dict[Condition, int | None] = {}
        self._words: dict[Condition, tuple[str, ...]] = {}
        self._told: set[Condition] = set()
        self._stepped = 0

    def adopt(self, conditions: list[Condition]) -> None:
        """What the journal says stood when the gateway went down: it ends when the cause is seen to be gone, perhaps already."""
        self._told.update(conditions)
        for condition in conditions:
            if self._wanted.get(condition, 0) is None:
                self.works(condition)

    def broken(self, condition: Condition, grace: int = GRACE, words: Sequence[str] = ()) -> None:
        """A part does not do its work from now on; told, with `words`, if that lasts `grace` ns.

        Other words for the same are no news, but stand there from then on.
        """
        since = self._wanted.get(condition)
        if since is not None and (not words or tuple(words) == self._words.get(condition)):
            return
        self._words[condition] = tuple(words)
        if since is None:
            since = self._wanted[condition] = self._clock.now()
            if grace:
                asyncio.get_running_loop().call_later(grace / SECOND, self._tell, condition, since)
        elif condition in self._told:
            self._edge(condition, EdgeKind.TRUE, since, words)
        if not grace:
            self._tell(condition, since)

    def _tell(self, condition: Condition, since: int) -> None:
        if self._wanted.get(condition) == since and condition not in self._told:
            self._told.add(condition)
            self._edge(condition, EdgeKind.TRUE, since, self._words[condition])

    def part(self, condition: Condition, words: str | None, grace: int = GRACE) -> None:
        """What a part says of itself: why it does not do its work, or None when it does."""
        if words is None:
            self.works(condition)
        else:
            self.broken(condition, grace, [words])

    def works(self, condition: Condition) -> None:
        """The part does its work (again)."""
        self._wanted[condition] = None
        if condition in self._told:
            self._told.discard(condition)
            self._edge(condition, EdgeKind.FALSE, self._clock.now())

    def journal_took(self, span: int) -> None:
        """A commit took `span` ns: only one as quick as RED needs it shows that the journal does its work again."""
        if span <= QUICK:
            self.works(Condition.JOURNAL_FAILED)

    def gap(self, since: int, until: int) -> None:
        """Nobody was watching from `since` to `until` (ns)."""
        self._raised(Edge(self._site, self._gateway, Condition.MONITORING_GAP, EdgeKind.TRUE, since, (until - since) / SECOND, returned_at=until))

    def record_lost(self, kind: EdgeKind, span: tuple[int, int], rows: int, names: tuple[str, ...]) -> None:
        """Readings taken within that span (ns) were given up for want of room, or (GROWN) more of them; `names` says of which sensors."""
        since, until = span
        self._raised(Edge(self._site, self._gateway, Condition.RECORD_LOST, kind, since, float(rows), members=names, returned_at=until))

    def stands(self, condition: Condition) -> bool:
        """Whether it has been told and is not over."""
        return condition in self._told

    def level(self, condition: Condition, value: float | None, under: Condition | None = None) -> None:
        """A condition that has a measure stands with this value; with None it is over. `under`: it is listed under that one, if it stands."""
        if value is None:
            self.works(condition)
            return
        cause = f"{self._gateway}.{under}" if under in self._told else None
        self._told.add(condition)
        self._wanted[condition] = now = self._clock.now()
        self._raised(Edge(self._site, self._gateway, condition, EdgeKind.TRUE, now, value, under=cause))

    def clock_stepped(self, step: int) -> None:
        """The system clock is off by `step` (ns) from the one that deadlines go by; told once for each step."""
        if abs(step - self._stepped) > STEP:
            self._stepped = step
            self._raised(Edge(self._site, self._gateway, Condition.GATEWAY_CLOCK, EdgeKind.TRUE, self._clock.now(), step / SECOND))

    def _edge(self, condition: Condition, kind: EdgeKind, at: int, words: Sequence[str] = ()) -> None:
        self._raised(Edge(self._site, self._gateway, condition, kind, at, members=tuple(words)))
