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
from typing import Any

import numpy as np

from alerts.reading import MILLISECOND, Quality
from simulators.faults import Failing, Sample
from simulators.instrument import Dial
from simulators.plant import Plant
from simulators.scenario import TICK, Point, Scenario
from simulators.script import Phase


@dataclass(frozen=True, slots=True)
class Batch:
    """What one device sends at once. `first` is the `seq` of its first reading."""

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
    return {"time": time, "sensor": sample.sensor, "value": value, "unit": sample.unit, "quality": sample.quality.name.lower()}


class VirtualSite:
    """Plays a scenario. `elapsed` is its time in ns; `phase` what is going on."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        place, script = scenario.place, scenario.script
        self.elapsed = 0
        self._plant = Plant(script.plant, {point.id: point.zone for point in place.sensors})
        self._timeline = list(script.timeline)
        self.phase = self._timeline[0]
        self._dials = {point.id: self._dial(scenario, point, seed) for point in place.sensors}
        self._failing = {fault.sensor: Failing(fault.kind, fault.at, fault.until) for fault in script.faults}
        self._points = {device: [point for point in place.sensors if point.device == device] for device in place.devices}
        self._seq = dict.fromkeys(place.devices, 0)

    @staticmethod
    def _dial(scenario: Scenario, point: Point, seed: int) -> Dial:
        spec = scenario.script.plant.dials[point.kind]
        rng = np.random.default_rng([seed, zlib.crc32(point.id.encode())])
        return Dial(rng, point.range, spec.noise, spec.resolution)

    def step(self) -> list[Batch]:
        """Advance by one tick; what the devices send at its end."""
        while self._timeline and self._timeline[0].at <= self.elapsed:
            self.phase = self._timeline.pop(0)
            self._plant.begin(self.phase)
        self._plant.step()
        self.elapsed += TICK
        batches = (self._poll(number, device) for number, device in enumerate(self._points))
        return [batch for batch in batches if batch.samples]

    def _poll(self, number: int, device: str) -> Batch:
        """Read the sensors that are due. Devices take turns within an interval, as unsynchronized hardware does."""
        due = (point for point in self._points[device] if (self.elapsed - number * TICK) % point.interval == 0)
        samples = tuple(sample for point in due for sample in self._sense(point))
        first = self._seq[device]
        self._seq[device] += len(samples)
        return Batch(device, first, samples)

    def _sense(self, point: Point) -> list[Sample]:
        value = self._dials[point.id].read(self._plant.truth[point.id]())
        sample = _signal(point, value, self.elapsed)
        failing = self._failing.get(point.id)
        return [sample] if failing is None else failing.send(sample)


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
