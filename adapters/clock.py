"""The one place that reads a clock.

`now` is UTC as it was when the process started plus what the monotonic clock has counted since: it never steps and
never goes back while deadlines run. Small differences to the system clock (an NTP client at work) are taken up by
`follow`, so slowly that no deadline notices.
"""

from __future__ import annotations

import time

from alerts.reading import SECOND

STEP = 5 * SECOND
"""A difference above this is a step of the system clock, not a drift: it is reported, never followed in silence."""
WITHIN = 10 * SECOND
"""A difference is to be gone after so long, if that is not too fast."""
SLEW = 1000
"""Millionths by which `now` goes faster or slower than the monotonic clock at most: a deadline of an hour is off by 4 s, one of a minute by 60 ms."""


class SystemClock:
    """UTC in ns that advances with the monotonic clock. Any thread."""

    def __init__(self) -> None:
        self._anchor = (time.monotonic_ns(), time.time_ns(), 0)

    def now(self) -> int:
        """Nanoseconds since 1970, UTC."""
        return self._at(time.monotonic_ns())

    def follow(self) -> int:
        """Begin to take up a small difference to the system clock; return a step (ns, signed) that was too large to follow, else 0."""
        monotonic = time.monotonic_ns()
        now = self._at(monotonic)
        difference = time.time_ns() - now
        if abs(difference) > STEP:
            self._anchor = (monotonic, now, 0)
            return difference
        self._anchor = (monotonic, now, max(-SLEW, min(SLEW, difference * 1_000_000 // WITHIN)))
        return 0

    def _at(self, monotonic: int) -> int:
        since, utc, slew = self._anchor
        passed = monotonic - since
        return utc + passed + passed * slew // 1_000_000
