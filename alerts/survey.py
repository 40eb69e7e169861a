"""What was heard of the sites for a while, gathered for a comparison with their files (`alerts/commissioning.py`).

Nothing here judges: admission is the gateway's own, and what it says of each reading is counted by who said it. Memory
is bounded by names and by the newest figures of each, not by how many readings come.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from alerts.admit import Admission, Rejection, Way
from alerts.alarm import Condition, Quarantine
from alerts.edge import Edge, EdgeKind
from alerts.ports import Aside
from alerts.reading import NO_TIME, Mark, Quality, RawReading, Readings
from alerts.register import Register

KEPT: Final = 64
"""Moments of each sensor, and clock readings of each device, that are held: enough for a median."""
MOST: Final = 1000
"""Names, topics and sites that no file has which are held; more are only counted."""
Device = tuple[str, str]
"""Site and device."""


def _moments() -> deque[int]:
    return deque(maxlen=KEPT)


@dataclass(slots=True)
class Voice:
    """What one device was heard saying under one name. units: as sent, None where there was none. value: the newest. first, last: arrivals, ns."""

    first: int
    last: int = 0
    count: int = 0
    value: float = np.nan
    units: Counter[str | None] = field(default_factory=Counter)
    reasons: Counter[Quarantine] = field(default_factory=Counter)


@dataclass(slots=True)
class Course:
    """Live readings of one sensor. stamps, arrivals: of the newest, ns. low, high: of its values. raw: the newest current, mA. late: how many were not live."""

    late: int = 0
    qualities: Counter[int] = field(default_factory=Counter)
    low: float = np.inf
    high: float = -np.inf
    raw: float = np.nan
    stamps: deque[int] = field(default_factory=_moments)
    arrivals: deque[int] = field(default_factory=_moments)
    silence: int = 0
    """The longest time without a live reading, ns."""

    @property
    def count(self) -> int:
        """How many live readings came."""
        return self.qualities.total()


@dataclass(slots=True)
class Trouble:
    """Messages to one topic that could not be read: how many, and what the first lacked."""

    says: str
    count: int = 0


class Survey:
    """Everything that was heard from `begun` on (ns). Filled by `Overheard` and by whoever listens; one thread, in order of arrival."""

    def __init__(self, register: Register, begun: int) -> None:
        self.register = register
        self.begun = begun
        self.strict = frozenset((site.site, device.id) for site in register.sites.values() for device in site.devices if device.unit == "required")
        """Devices that have to say their unit."""
        self.voices: dict[tuple[str, str, str], Voice] = {}
        self.courses = [Course() for _ in register]
        self.offsets: dict[Device, deque[int]] = {}
        """How far devices' stamps are ahead of their arrival, ns."""
        self.skewed: dict[Device, float | None] = {}
        """Devices whose clock admission takes for wrong: by how many seconds, None for one that stands still."""
        self.offline: set[Device] = set()
        self.troubles: dict[str, Trouble] = {}
        self.strays: Counter[str] = Counter()
        """Messages by topic, below sites of ours, where no device of the files publishes."""
        self.foreign: Counter[str] = Counter()
        """The same beside devices' own topics: somebody else's perhaps."""
        self.elsewhere: dict[str, set[str]] = {}
        """Sites of no file -> the devices that were heard there."""
        self.interruptions: list[str] = []
        """Why the broker was away, each time."""
        self.refused = ""
        """What the broker does not let us hear, in words."""
        self.more = 0
        """Further names, topics and devices that no file has, beyond `MOST`."""

    def said(self, device: Device, reading: RawReading, arrival: int, rejection: Rejection | None) -> None:
        """A device sent this; admission has dealt with it."""
        key = (*device, reading.sensor)
        voice = self.voices.get(key)
        if voice is None:
            if rejection is not None and not self._room(len(self.voices) - len(self.courses)):
                return
            voice = self.voices[key] = Voice(arrival)
        voice.count += 1
        voice.last, voice.value = arrival, reading.value
        voice.units[reading.unit] += 1
        if rejection is not None:
            voice.reasons[rejection.reason] += 1

    def admitted(self, readings: Readings) -> None:
        """What admission let pass."""
        names = (readings.sensor, readings.time, readings.value, readings.quality, readings.arrival, readings.device_time, readings.raw, readings.mark)
        newest: dict[Device, tuple[int, int]] = {}
        for index, time, value, quality, arrival, device_time, raw, mark in zip(*(column.tolist() for column in names), strict=True):
            course = self.courses[index]
            if mark & Mark.LATE:
                course.late += 1
                continue
            self._follow(course, value, quality, arrival)
            course.raw = raw
            if mark & Mark.UNTIMED:
                continue
            stamp = time if device_time == NO_TIME else device_time
            course.stamps.append(stamp)
            point = self.register[index]
            device = (point.site.site, point.sensor.device)
            newest[device] = max(newest.get(device, (stamp, arrival)), (stamp, arrival))
        for device, (stamp, arrival) in newest.items():
            self.offsets.setdefault(device, _moments()).append(stamp - arrival)

    def _follow(self, course: Course, value: float, quality: int, arrival: int) -> None:
        course.silence = max(course.silence, arrival - (course.arrivals[-1] if course.arrivals else self.begun))
        course.arrivals.append(arrival)
        course.qualities[Quality.BAD if not np.isfinite(value) else quality] += 1
        if quality != Quality.BAD and np.isfinite(value):
            course.low, course.high = min(course.low, value), max(course.high, value)

    def told(self, edges: Iterable[Edge]) -> None:
        """What admission found out about devices."""
        for edge in edges:
            if edge.condition is Condition.CLOCK_SKEW and edge.kind is EdgeKind.TRUE:
                self.skewed[edge.site, edge.source] = edge.value
            elif edge.condition is Condition.CLOCK_SKEW:
                self.skewed.pop((edge.site, edge.source), None)

    def unreadable(self, aside: Aside) -> None:
        """A message, or an element of one, that nobody can read."""
        trouble = self.troubles.get(aside.topic)
        if trouble is None:
            if not self._room(len(self.troubles)):
                return
            trouble = self.troubles[aside.topic] = Trouble(aside.detail)
        trouble.count += 1

    def stray(self, topic: str, among: Counter[str]) -> None:
        """A message to a topic of nobody's, to be counted among `strays` or `foreign`."""
        if topic in among or self._room(len(among)):
            among[topic] += 1

    def at_another_site(self, site: str, device: str) -> None:
        """A device of a site that no file of this gateway describes."""
        devices = self.elsewhere.get(site)
        if devices is None and self._room(len(self.elsewhere)):
            devices = self.elsewhere[site] = set()
        if devices is not None and (device in devices or self._room(len(devices))):
            devices.add(device)

    def heard(self) -> int:
        """How many sensors have sent anything live."""
        return sum(bool(course.arrivals) for course in self.courses)

    def _room(self, taken: int) -> bool:
        self.more += taken >= MOST
        return taken < MOST


class Overheard(Admission):
    """The gateway's admission, with what it decides told to a survey."""

    def __init__(self, survey: Survey) -> None:
        super().__init__(survey.register)
        self._survey = survey

    def admit(self, origin: tuple[str, str], readings: Sequence[RawReading], arrival: int, way: Way) -> list[tuple[Rejection, RawReading]]:
        """See `Admission.admit`."""
        rejected = super().admit(origin, readings, arrival, way)
        reasons = {id(reading): rejection for rejection, reading in rejected}
        for reading in readings:
            self._survey.said(origin, reading, arrival, reasons.get(id(reading)))
        return rejected
