"""What is bounded and gives up the oldest of what it holds says so in the journal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from adapters.journal import Entry, Journal, Row
from alerts.alarm import Condition, EventKind
from alerts.reading import SECOND
from gateway.core import Core

EVERY: Final = 3600 * SECOND
"""ns between two notes, while it goes on."""


class Bounded:
    """Looks at the counts of one such thing. On the loop's thread."""

    def __init__(self, core: Core, journal: Journal, condition: Condition, given_up: Callable[[], Mapping[str, int]]) -> None:
        """`given_up`: how many by kind, ever growing. The note stands under the gateway's alarm of `condition`."""
        self._core = core
        self._journal = journal
        self._condition = condition
        self._given_up = given_up
        self._noted: Counter[str] = Counter()
        self._last = -EVERY

    def look(self, now: int) -> None:
        """Note what is new at `now` (ns): at once when it begins, and from then on now and then."""
        given_up = Counter(self._given_up())
        new = given_up - self._noted
        if not new or now - self._last < EVERY:
            return
        body = json.dumps({"given_up": dict(new)}).encode()
        alarm = f"{self._core.gateway}.{self._condition}"
        self._journal.commit(Entry(rows=[Row(self._core.numbers.take(), self._core.home, alarm, EventKind.COMMENT, now, now, None, body)]))
        self._noted, self._last = given_up, now
