"""How a sensor fails: a fault takes each reading on its way out and hands on none, one or several.

A new fault is a function here and a line in `FAULTS`. Readings are numbered (`seq`) behind the faults, so a reading that a
fault swallows leaves no gap: the device never had it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from alerts.reading import Quality


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of a virtual sensor. at: ns since the scenario began, by the device's clock. value: NaN for none."""

    sensor: str
    at: int
    value: float
    unit: str
    quality: Quality = Quality.GOOD


class FaultKind(StrEnum):
    """What is wrong with the sensor."""

    DROPOUT = "dropout"
    STUCK = "stuck"
    NAN = "nan"
    BAD = "bad"


Effect = Callable[[Sample, Sample], list[Sample]]
"""Takes the sound reading and the last sound one before the fault; returns what the device sends."""


def _dropout(_sample: Sample, _before: Sample) -> list[Sample]:
    return []


def _stuck(sample: Sample, before: Sample) -> list[Sample]:
    return [replace(sample, value=before.value)]


def _nan(sample: Sample, _before: Sample) -> list[Sample]:
    return [replace(sample, value=math.nan)]


def _bad(sample: Sample, _before: Sample) -> list[Sample]:
    return [replace(sample, value=math.nan, quality=Quality.BAD)]


FAULTS: Final[dict[FaultKind, Effect]] = {FaultKind.DROPOUT: _dropout, FaultKind.STUCK: _stuck, FaultKind.NAN: _nan, FaultKind.BAD: _bad}
"""The one list of faults."""


class Failing:
    """A fault of one sensor over a span of time."""

    def __init__(self, kind: FaultKind, since: int, until: int | None) -> None:
        """Fail from `since` to just before `until` (ns since the scenario began; None: to the end)."""
        self._effect = FAULTS[kind]
        self._since = since
        self._until = until
        self._before: Sample | None = None

    def send(self, sample: Sample) -> list[Sample]:
        """What the device sends in place of `sample`; the sample itself outside the span."""
        if sample.at < self._since or (self._until is not None and sample.at >= self._until):
            self._before = sample
            return [sample]
        return self._effect(sample, self._before or sample)
