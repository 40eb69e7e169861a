"""A virtual site in its own time: step by step, what every device would send.

The same scenario and seed give the same readings, to the last digit. Each sensor has a random stream of its own, named by
seed and sensor id, so that adding a sensor changes no other.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from alerts.reading import MILLISECOND, SECOND, Quality
from simulators.faults import HOUR, Failing, Fault, FaultKind, Sample
from simulators.instrument import Dial, Lag
from simulators.plant import Plant
from simulators.scenario import Point, Scenario
from simulators.script import Phase, Script

LONGEST: Final = 500
"""Readings in a message; what a device has stored up goes out in several."""
WORDS: Final = {quality: quality.name.lower() for quality in Quality}
LAST: Final = tuple(FaultKind)
"""Faults of one sensor act in this order: first on its value, then on its clock, last on what is sent when."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One message of a device. `first` is the `seq` of its first reading."""

    device: str
    first: int
    samples: tuple[Sample, ...]

    def payload(self, start: int) -> bytes:
        """The MQTT payload: an array of readings stamped `start` (ns UTC of the scenario's beginning) plus their time."""
        return json.dumps([reading(sample, start) | {"seq": self.first + n} for n, sample in enumerate(self.samples)]).encode()


def reading(sample: Sample, start: int) -> dict[str, Any]:
    """A sample as the JSON object of a reading, time in ms. Without a value it is null if bad, else a bare NaN, as devices send it."""
    value = None if sample.quality is Quality.BAD and math.isnan(sample.value) else sample.value
    time = (start + sample.at) // MILLISECOND
    made = {"time": time, "sensor": sample.sensor, "value": value, "unit": sample.unit, "quality": WORDS[sample.quality]}
    return made | {"historical": True} if sample.historical else made


class VirtualSite:
    """Plays a scenario. `elapsed` is its time in ns; `phase` what is going on."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        place, script = scenario.place, scenario.script
        self.elapsed = 0
        self._tick = script.tick
        self._plant = Plant(script.plant, {point.id: point.zone for point in place.sensors}, script.tick / SECOND)
        self._timeline = list(script.timeline)
        self.phase = self._timeline[0]
        self._dials = {point.id: self._dial(scenario, point, seed) for point in place.sensors}
        self._drift = {point.id: script.plant.dials[point.kind].drift_per_hour for point in place.sensors}
        self._lags = dict(self._follow(scenario))
        self._failing = {point.id: _faults(script, point) for point in place.sensors}
        self._points = {device: [point for point in place.sensors if point.device == device] for device in place.devices}
        self._seq = dict.fromkeys(place.devices, 0)

    @staticmethod
    def _dial(scenario: Scenario, point: Point, seed: int) -> Dial:
        spec = scenario.script.plant.dials[point.kind]
        rng = np.random.default_rng([seed, zlib.crc32(point.id.encode())])
        return Dial(rng, point.range, spec.noise, spec.resolution)

    def _follow(self, scenario: Scenario) -> Iterator[tuple[str, Lag]]:
        """The lags of instruments on units, settled at what they measure at the beginning."""
        script, kinds = scenario.script, {point.id: point.kind for point in scenario.place.sensors}
        for sensor in (sensor for unit in script.plant.units for sensor in unit.measures):
            t90 = script.plant.dials[kinds[sensor]].t90
            if t90:
                yield sensor, Lag(t90 / SECOND, self._tick / SECOND, self._plant.truth[sensor]())

    def step(self) -> list[Batch]:
        """Advance by one tick; what the devices send at its end."""
        while self._timeline and self._timeline[0].at <= self.elapsed:
            self.phase = self._timeline.pop(0)
            self._plant.begin(self.phase)
        self._plant.step()
        for sensor, lag in self._lags.items():
            lag.step(self._plant.truth[sensor]())
        self.elapsed += self._tick
        return [batch for number, device in enumerate(self._points) for batch in self._poll(number, device)]

    def _poll(self, number: int, device: str) -> Iterator[Batch]:
        """Read the sensors that are due. Devices take turns within an interval, as unsynchronized hardware does."""
        due = (point for point in self._points[device] if (self.elapsed - number * self._tick) % point.interval == 0)
        samples = tuple(sample for point in due for sample in self._sense(point))
        for start in range(0, len(samples), LONGEST):
            part = samples[start : start + LONGEST]
            yield Batch(device, self._seq[device], part)
            self._seq[device] += len(part)

    def _sense(self, point: Point) -> list[Sample]:
        lag = self._lags.get(point.id)
        truth = self._plant.truth[point.id]() if lag is None else lag.value
        value = self._dials[point.id].read(truth + self._drift[point.id] * self.elapsed / HOUR)
        sent = [_signal(point, value, self.elapsed)]
        for failing in self._failing[point.id]:
            sent = [sample for each in sent for sample in failing.send(each, self.elapsed)]
        return sent


def _faults(script: Script, point: Point) -> list[Failing]:
    """What will be wrong with this sensor or its device, in the order in which it acts."""
    mine = [fault for fault in script.faults if point.id == fault.sensor or point.device == fault.device]
    mine.sort(key=lambda fault: LAST.index(fault.kind))
    return [Failing(Fault(fault.kind, fault.at, fault.until, fault.value or 0.0, fault.shift)) for fault in mine]


def _signal(point: Point, value: float, at: int) -> Sample:
    """The reading as the device sends it: the value itself, or its loop current."""
    if point.signal.kind == "direct":
        return Sample(point.id, at, value, point.unit)
    (low, high), (zero, full) = point.range, point.signal.raw
    return Sample(point.id, at, round(zero + (full - zero) * (value - low) / (high - low), 3), "mA")


def play(scenario: Scenario, seed: int, duration: int) -> Iterator[tuple[int, Phase, list[Batch]]]:
    """The whole scenario in virtual time: (elapsed ns, phase, batches) for each tick up to `duration` ns."""
    site = VirtualSite(scenario, seed)
    while site.elapsed < duration:
        batches = site.step()
        yield site.elapsed, site.phase, batches
