"""Two sessions that bring the same messages, one of them sooner: what the first may still judge when it brings them too (semantics 8.4)."""

from __future__ import annotations

from alerts.reading import NO_SEQ, RawReading
from alerts.repeats import Repeats


class Overtaking:
    """What was judged live since the second session came, by either of the two. Bounded, as `Repeats` is."""

    def __init__(self, judged: Repeats) -> None:
        """judged: the second session's memory of what it has brought."""
        self._judged = judged
        self._heard: set[int] = set()

    def heard(self, index: int) -> None:
        """The second session has brought a live reading of this sensor."""
        self._heard.add(index)

    def has_heard(self, index: int) -> bool:
        """Whether whatever still waits at the first session is older than what is known of this sensor."""
        return index in self._heard

    def knows(self, index: int, reading: RawReading) -> bool:
        """Whether the second session has brought this very reading; from now on it is known to both. False for one without an identity."""
        if reading.time is not None:
            return self._judged.stamped(index, reading.time, reading.value) is None
        return reading.seq != NO_SEQ and self._judged.counted(index, reading.seq, reading.value)
