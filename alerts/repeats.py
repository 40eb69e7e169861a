"""What recognizes a repeat: the identity of a reading is (site, sensor, time), without a time (site, device, `seq`).

A repeat that is not recognized here must at least be late, for the store compares late readings with what it holds.
So the stamps of the last 2 s are always kept, and of a broker's repeats of whole messages as many as it holds back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from alerts.reading import NO_SEQ, NO_TIME, Mark, Readings
from alerts.register import Register

LEAST = 16
"""Stamps of a sensor that are held in any case."""
MOST = 1024
"""Stamps of a sensor that are held beyond its longest runs, though they be of the last 2 s."""
RUNS = 4
"""How many of its longest runs are held in full: a broker repeats whole messages, and a repeat must not look like the past."""
COUNTED = 8192
"""Unstamped readings of a device that are held: as many as a broker sends without an answer."""
SHUFFLED = 64
"""How far a `seq` may lie behind the highest of its device and be an overtaken one; farther, the device began anew."""

Memory = list[tuple[int, int, int, float]]
"""(sensor, `STAMP` or `SEQ`, that number, value)."""
STAMP, SEQ = 0, 1


@dataclass(slots=True)
class _Seqs:
    last: int = NO_SEQ
    missing: int = 0
    seen: dict[tuple[int, int], float] = field(default_factory=dict)


class Repeats:
    """Remembers readings by their identity, for as long as a repeat of them could do harm."""

    def __init__(self, register: Register) -> None:
        self._stamps: list[dict[int, tuple[float, ...]]] = [{} for _ in register]
        self._held = [LEAST] * len(register)
        self._reorder = [point.site.timing.reorder for point in register]
        self._device = [(point.site.site, point.sensor.device) for point in register]
        self._seqs: dict[tuple[str, str], _Seqs] = {}

    def make_room(self, runs: Mapping[int, int]) -> None:
        """Sensors (by index) sent this many readings at once: hold more of them."""
        for index, run in runs.items():
            self._held[index] = max(self._held[index], RUNS * run)

    def stamped(self, index: int, stamp: int, value: float) -> tuple[float, ...] | None:
        """None for a repeat; else the other values already seen under this stamp, the new one being remembered beside them."""
        stamps = self._stamps[index]
        known = stamps.get(stamp, ())
        if any(_same(each, value) for each in known):
            return None
        stamps[stamp] = (*known, value)
        if len(stamps) > self._held[index]:
            oldest = next(iter(stamps))
            if stamp - oldest > self._reorder[index] or len(stamps) > self._held[index] + MOST:
                del stamps[oldest]
        return known

    def rising(self, index: int, stamps: Iterable[int], values: Iterable[float]) -> None:
        """Remember readings of one sensor whose stamps rise and are newer than every one before: none of them is a repeat."""
        held, most, reorder = self._stamps[index], self._held[index], self._reorder[index]
        for stamp, value in zip(stamps, values, strict=True):
            held[stamp] = (value,)
            if len(held) > most:
                oldest = next(iter(held))
                if stamp - oldest > reorder or len(held) > most + MOST:
                    del held[oldest]

    def counted(self, index: int, seq: int, value: float) -> bool:
        """Whether an unstamped reading is a repeat; else it is remembered. A `seq` of 0 after others is a device that started anew."""
        seqs = self._of(index)
        if seq == 0 and seqs.last > 0:
            seqs.seen.clear()
        known = seqs.seen.get((seq, index))
        if known is not None and _same(known, value):
            return True
        seqs.seen[seq, index] = value
        if len(seqs.seen) > COUNTED:
            del seqs.seen[next(iter(seqs.seen))]
        return False

    def gap(self, index: int, seq: int) -> None:
        """Count the readings of the device that are missing before this one, by its `seq`. One that was overtaken ends no gap and begins none."""
        seqs = self._of(index)
        if seqs.last != NO_SEQ and seq > seqs.last + 1:
            seqs.missing += seq - seqs.last - 1
        if seq > seqs.last or seq == 0 or seqs.last - seq > SHUFFLED:
            seqs.last = seq

    def missing(self) -> dict[tuple[str, str], int]:
        """How many readings of each (site, device) gaps in `seq` say were lost; devices without a gap are left out."""
        return {device: seqs.missing for device, seqs in self._seqs.items() if seqs.missing}

    def remember(self, readings: Readings) -> None:
        """Readings from before a restart: their repeats will be recognized."""
        columns = (readings.sensor, readings.time, readings.value, readings.device_time, readings.mark, readings.seq)
        self.make_room(Counter(readings.sensor.tolist()))
        for index, time, value, device_time, mark, seq in zip(*(column.tolist() for column in columns), strict=True):
            if not mark & Mark.UNTIMED:
                self.stamped(index, time if device_time == NO_TIME else device_time, value)
            elif seq != NO_SEQ:
                self.counted(index, seq, value)
            if seq != NO_SEQ:
                self._of(index).last = seq

    def memory(self) -> Memory:
        """Everything held, oldest first, for a checkpoint."""
        stamps = [(index, STAMP, stamp, each) for index, held in enumerate(self._stamps) for stamp, values in held.items() for each in values]
        return stamps + [(index, SEQ, seq, value) for seqs in self._seqs.values() for (seq, index), value in seqs.seen.items()]

    def recall(self, memory: Iterable[tuple[int, int, int, float]]) -> None:
        """Take up what `memory` gave."""
        kept = list(memory)
        for index, number in Counter(index for index, kind, _, _ in kept if kind == STAMP).items():
            self._held[index] = max(self._held[index], number)
        for index, kind, number, value in kept:
            if kind == STAMP:
                self.stamped(index, number, value)
            else:
                self._of(index).seen[number, index] = value

    def _of(self, index: int) -> _Seqs:
        return self._seqs.setdefault(self._device[index], _Seqs())


def _same(one: float, other: float) -> bool:
    return one == other or (one != one and other != other)  # noqa: PLR0124 (NaN is "no value", and no value twice is the same)
