"""The one place that reads a clock.

`now` is UTC as it was when the process started plus what the monotonic clock has counted since: it never steps
while deadlines run. Small differences to the system clock (an NTP client at work) are taken up by `follow`.
"""

from __future__ import annotations

import time

from alerts.reading import SECOND

STEP = 5 * SECOND
"""A difference above this is a step of the system clock, not a drift: it is reported, never followed in silence."""


class SystemClock:
    """UTC in ns that advances with the monotonic clock. Any thread."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        """Nanoseconds since 1970, UTC."""
        return time.monotonic_ns() + self._offset

    def follow(self) -> int:
        """Take up a small difference to the system clock; return a step (ns, signed) that was too large to follow, else 0."""
        difference = time.time_ns() - self.now()
        if abs(difference) > STEP:
            return difference
        self._offset += difference
        return 0
