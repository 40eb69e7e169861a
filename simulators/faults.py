"""How a sensor or its device fails: a fault takes each reading on its way out and hands on none, one or several.

A new fault is a function here and a line in `FAULTS`. Readings are numbered (`seq`) behind the faults, so a reading that a
fault swallows leaves no gap: the device never had it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from alerts.reading import SECOND, Quality

SPIKES: Final = 7
"""A spiking sensor spoils every seventh reading."""
GAS_T90: Final = 10.0
"""How fast a head follows calibration gas, s: the gas is put on the cell itself."""
HOUR: Final = 3600 * SECOND


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of a virtual sensor. at: ns since the scenario began, by the device's clock. value: NaN for none.

    historical: the device itself says that it comes from its memory.
    """

    sensor: str
    at: int
    value: float
    unit: str
    quality: Quality = Quality.GOOD
    historical: bool = False


class FaultKind(StrEnum):
    """What is wrong."""

    DROPOUT = "dropout"
    STUCK = "stuck"
    NAN = "nan"
    BAD = "bad"
    SPIKE = "spike"
    DRIFT = "drift"
    SATURATED = "saturated"
    CALIBRATION_GAS = "calibration_gas"
    WRONG_CLOCK = "wrong_clock"
    FROZEN_CLOCK = "frozen_clock"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    BACKLOG = "backlog"


NEEDS_VALUE: Final = frozenset({FaultKind.SPIKE, FaultKind.DRIFT, FaultKind.SATURATED, FaultKind.CALIBRATION_GAS})
"""Faults that need a number in the sensor's unit: height of the spike, drift an hour, top of the scale, what the gas shows."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault over a span of time, ns since the scenario began; until None: to the end. value: see NEEDS_VALUE. shift: of the clock, ns."""

    kind: FaultKind
    since: int
    until: int | None = None
    value: float = 0.0
    shift: int = 0


@dataclass(slots=True)
class State:
    """What a failing sensor remembers: the last sound reading, how many were touched, what is held back."""

    fault: Fault
    now: int = 0
    before: Sample | None = None
    count: int = 0
    held: list[Sample] = field(default_factory=list)


Effect = Callable[[Sample, State], list[Sample]]
"""Takes the sound reading and the fault's state; returns what the device sends."""


def _dropout(_sample: Sample, _state: State) -> list[Sample]:
    return []


def _stuck(sample: Sample, state: State) -> list[Sample]:
    return [replace(sample, value=(state.before or sample).value)]


def _nan(sample: Sample, _state: State) -> list[Sample]:
    return [replace(sample, value=math.nan)]


def _bad(sample: Sample, _state: State) -> list[Sample]:
    return [replace(sample, value=math.nan, quality=Quality.BAD)]


def _spike(sample: Sample, state: State) -> list[Sample]:
    return [replace(sample, value=state.fault.value) if state.count % SPIKES == 0 else sample]


def _drift(sample: Sample, state: State) -> list[Sample]:
    return [replace(sample, value=sample.value + state.fault.value * (state.now - state.fault.since) / HOUR)]


def _saturated(sample: Sample, state: State) -> list[Sample]:
    return [replace(sample, value=state.fault.value)]


def _calibration_gas(sample: Sample, state: State) -> list[Sample]:
    share = 1 - 10 ** (-(state.now - state.fault.since) / SECOND / GAS_T90)
    shown = round(sample.value + (state.fault.value - sample.value) * share, 3)
    return [replace(sample, value=shown, quality=Quality.CALIBRATING)]


def _wrong_clock(sample: Sample, state: State) -> list[Sample]:
    return [replace(sample, at=sample.at + state.fault.shift)]


def _frozen_clock(sample: Sample, state: State) -> list[Sample]:
    return [replace(sample, at=state.fault.since)]


def _duplicate(sample: Sample, _state: State) -> list[Sample]:
    return [sample, sample]


def _reorder(sample: Sample, state: State) -> list[Sample]:
    """Every second reading overtakes the one before it."""
    if not state.held:
        state.held.append(sample)
        return []
    return [sample, state.held.pop()]


def _backlog(sample: Sample, state: State) -> list[Sample]:
    state.held.append(replace(sample, historical=True))
    return []


FAULTS: Final[dict[FaultKind, Effect]] = {
    FaultKind.DROPOUT: _dropout,
    FaultKind.STUCK: _stuck,
    FaultKind.NAN: _nan,
    FaultKind.BAD: _bad,
    FaultKind.SPIKE: _spike,
    FaultKind.DRIFT: _drift,
    FaultKind.SATURATED: _saturated,
    FaultKind.CALIBRATION_GAS: _calibration_gas,
    FaultKind.WRONG_CLOCK: _wrong_clock,
    FaultKind.FROZEN_CLOCK: _frozen_clock,
    FaultKind.DUPLICATE: _duplicate,
    FaultKind.REORDER: _reorder,
    FaultKind.BACKLOG: _backlog,
}
"""The one list of faults."""


class Failing:
    """A fault of one sensor. What it still holds back at its end goes out before the next sound reading."""

    def __init__(self, fault: Fault) -> None:
        self._effect = FAULTS[fault.kind]
        self._state = State(fault)

    def send(self, sample: Sample, now: int) -> list[Sample]:
        """What the device sends at `now` (ns since the scenario began) in place of `sample`; the sample itself outside the span."""
        state, fault = self._state, self._state.fault
        if now < fault.since or (fault.until is not None and now >= fault.until):
            state.before = sample
            held, state.held = state.held, []
            return [*held, sample]
        state.now = now
        sent = self._effect(sample, state)
        state.count += 1
        return sent
